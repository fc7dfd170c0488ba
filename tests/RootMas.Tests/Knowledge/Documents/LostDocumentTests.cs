using RootMas.Server.Knowledge.Documents;
using RootMas.Server.Knowledge.Documents.Extraction;
using RootMas.Server.Knowledge.Documents.Indexing;
using RootMas.Server.Platform.Data;
using RootMas.Tests.Support;

namespace RootMas.Tests.Knowledge.Documents;

/// <summary>A worker that was away for so long that another one has taken its document over.</summary>
public abstract class LostDocumentTests(DatabaseKind kind) : OnDatabase(kind)
{
    [DatabaseFact]
    public async Task A_worker_that_lost_its_document_writes_nothing_more_and_what_the_other_one_makes_is_whole()
    {
        await using var app = await TestApp.StartAsync(static o => o.Settings["Knowledge:Documents:Parallelism"] = "0"); // the test is the workers
        using var ann = await app.AsAsync("ann");
        using var request = new HttpRequestMessage(HttpMethod.Post, "/api/v1/documents?name=a.txt") { Content = new ByteArrayContent("Some text."u8.ToArray()) { Headers = { ContentType = new("application/octet-stream") } } };
        request.Headers.TryAddWithoutValidation("Prefer", "wait=0");
        using var _ = await ann.Client.SendAsync(request);
        var (store, database, lease) = (app.Get<IndexStore>(), app.Get<IDatabase>(), TimeSpan.FromHours(1));
        Task<long?> CountAsync(string sql) => database.ReadAsync(session => session.Prepared(sql).Int64Async(), default);

        var lost = (await store.ClaimAsync(lease, default))!;
        Assert.Null(await store.ClaimAsync(lease, default));
        await database.WriteAsync(static session => session.Prepared("update documents set lease_until = null").RunAsync(), default); // it is over
        var job = (await store.ClaimAsync(lease, default))!;
        Assert.Equal((lost.DocumentId, lost.Generation), (job.DocumentId, job.Generation));
        Assert.True(await store.ClearAsync(job, default));
        Assert.True(await store.AddAsync(job, [Chunk(0)], default));

        var text = new ExtractedText("text", "Some text.", []);
        Assert.False(await store.ClearAsync(lost, default));
        Assert.False(await store.ProgressAsync(lost, "embedding", 0, 1, lease, default));
        Assert.False(await store.AddAsync(lost, [Chunk(1)], default));
        Assert.False(await store.PublishAsync(lost, text, 1, default));
        await store.FailAsync(lost, "indexing_failed", "Not true.", default);
        await store.PostponeAsync(lost, TimeSpan.Zero, counts: true, default);

        Assert.True(await store.AddAsync(job, [Chunk(1)], default));
        Assert.True(await store.ProgressAsync(job, "embedding", 0, 2, lease, default));
        Assert.True(await store.PublishAsync(job, text, 2, default));
        Assert.Equal(2, await CountAsync("select count(*) from chunks"));
        Assert.Equal(1, await CountAsync("select count(*) from documents where status = 'ready' and chunks = 2"));
    }

    private static StoredChunk Chunk(int ordinal) => new(Guid.CreateVersion7(), new Chunk(ordinal, "", null, ordinal * 5, (ordinal * 5) + 5, "Some "));
}

public sealed class LostDocumentsOnSqliteTests() : LostDocumentTests(DatabaseKind.Sqlite);

public sealed class LostDocumentsOnPostgresTests() : LostDocumentTests(DatabaseKind.Postgres), IOnPostgres;
