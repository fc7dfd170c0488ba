using System.Text;
using RootMas.Server.Knowledge.Documents;
using RootMas.Server.Knowledge.Documents.Indexing;
using RootMas.Server.Platform.Data;
using RootMas.Tests.Support;

namespace RootMas.Tests.Knowledge.Documents;

public sealed class IndexingTurnsOnSqliteTests() : IndexingTurnsTests(DatabaseKind.Sqlite);

public sealed class IndexingTurnsOnPostgresTests() : IndexingTurnsTests(DatabaseKind.Postgres), IOnPostgres
{
    /// <summary>Each gets another one, whoever was faster.</summary>
    [PostgresFact]
    public async Task Processes_that_claim_at_the_same_moment_get_different_documents()
    {
        await using var app = await StartAsync();
        using var ann = await app.AsAsync("ann");
        await UploadAsync(app, ann, 8);
        var jobs = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => app.Get<IndexStore>().ClaimAsync(Lease, default)));
        Assert.Equal(8, jobs.Select(static j => j!.DocumentId).Distinct(StringComparer.Ordinal).Count());
        Assert.Null(await app.Get<IndexStore>().ClaimAsync(Lease, default));
    }
}

/// <summary>Whose document is indexed next: who uploads a thousand waits for nobody else's one, and nobody waits for all of theirs.</summary>
public abstract class IndexingTurnsTests(DatabaseKind kind) : OnDatabase(kind)
{
    protected static readonly TimeSpan Lease = TimeSpan.FromMinutes(1);

    [DatabaseFact]
    public async Task Owners_take_turns_and_each_ones_oldest_is_first()
    {
        await using var app = await StartAsync();
        using var ann = await app.AsAsync("ann");
        using var bob = await app.AsAsync("bob");
        using var carol = await app.AsAsync("carol");
        await UploadAsync(app, ann, 6);
        await UploadAsync(app, bob, 2);
        await UploadAsync(app, carol, 1);
        var order = new List<string>();
        while (await app.Get<IndexStore>().ClaimAsync(Lease, default) is { } job)
        {
            order.Add($"{NameOf(job.OwnerId)} {job.Name} {Encoding.UTF8.GetString(job.Content)}");
            await app.Get<IndexStore>().FailAsync(job, "document_unreadable", "Not now.", default);
        }

        string[] expected = ["ann 0", "bob 0", "carol 0", "ann 1", "bob 1", "ann 2", "ann 3", "ann 4", "ann 5"];
        Assert.Equal(expected.Select(static e => $"{e}.txt {e}"), order);

        // Whoever was served last waits, also after everything was done.
        await UploadAsync(app, ann, 1, from: 6);
        await UploadAsync(app, carol, 1, from: 1);
        Assert.Equal(carol.Id, (await app.Get<IndexStore>().ClaimAsync(Lease, default))!.OwnerId);

        string NameOf(string id) => id == ann.Id ? "ann" : id == bob.Id ? "bob" : "carol";
    }

    [DatabaseFact]
    public async Task Whoever_has_fewer_in_work_comes_first_whenever_they_were_served()
    {
        await using var app = await StartAsync();
        using var ann = await app.AsAsync("ann");
        using var bob = await app.AsAsync("bob");
        await UploadAsync(app, ann, 4);
        await UploadAsync(app, bob, 4);
        var store = app.Get<IndexStore>();
        var (first, second) = ((await store.ClaimAsync(Lease, default))!, (await store.ClaimAsync(Lease, default))!);
        Assert.Equal((ann.Id, bob.Id), (first.OwnerId, second.OwnerId));
        await store.FailAsync(second, "document_unreadable", "Not now.", default);
        Assert.Equal(bob.Id, (await store.ClaimAsync(Lease, default))!.OwnerId); // ann's turn was longer ago, and one of hers is still at work
        Assert.Equal(ann.Id, (await store.ClaimAsync(Lease, default))!.OwnerId);
    }

    [DatabaseFact]
    public async Task What_waits_for_later_hides_nothing_and_an_erased_owner_has_no_turn()
    {
        await using var app = await StartAsync();
        using var ann = await app.AsAsync("ann");
        await UploadAsync(app, ann, 2);
        var store = app.Get<IndexStore>();
        await store.PostponeAsync((await store.ClaimAsync(Lease, default))!, TimeSpan.FromHours(1), counts: false, default);
        Assert.Equal("1.txt", (await store.ClaimAsync(Lease, default))!.Name);
        Assert.Null(await store.ClaimAsync(Lease, default));
        Assert.Equal(1, await CountAsync(app));
        using (var user = await app.Client.GetAsync($"/api/v1/users/{ann.Id}"))
        using (var gone = await app.SendAsync(HttpMethod.Delete, $"/api/v1/users/{ann.Id}", null, ("If-Match", user.Headers.ETag!.ToString())))
        {
            Assert.True(gone.IsSuccessStatusCode, await gone.Content.ReadAsStringAsync());
        }

        Assert.Equal(0, await CountAsync(app));
    }

    /// <summary>However much waits, and however much there is beside it.</summary>
    [DatabaseFact]
    public async Task The_next_document_is_found_by_indexes()
    {
        await using var app = await StartAsync();
        var database = app.Get<IDatabase>();
        var numbers = database.Kind == DatabaseKind.Postgres ? "from generate_series(1, 20000) i" : "from (with recursive n (i) as (select 1 union all select i + 1 from n where i < 20000) select i from n) n";
        await database.WriteAsync(
            async session =>
            {
                await session.Prepared("insert into collections (id, owner_id, name, created_at, updated_at) values ('c', 'u', 'c', 1, 1)").RunAsync();
                await session.Prepared($"""
                    insert into documents (id, collection_id, owner_id, name, kind, bytes, hash, status, created_at, updated_at)
                    select 'd' || i, 'c', case when i % 100 = 0 then 'u' || i % 7 else 'many' end, 'd' || i, 'text', 1, 'h' || i, case when i % 3 = 0 then 'queued' when i % 500 = 1 then 'working' else 'ready' end, i, i {numbers}
                    """).RunAsync();
            },
            default);
        await database.WriteAsync(static session => session.Prepared("analyze documents").RunAsync(), default);
        var plan = await database.WriteAsync(
            async session => await session.Prepared((session.Kind == DatabaseKind.Postgres ? "explain " : "explain query plan ") + IndexStore.Claim).Set("until", session.Now).Set("now", session.Now)
                .ListAsync(static row => row.GetString(row.FieldCount - 1)),
            default);
        var walked = plan.Where(static step => step.Contains("Seq Scan on documents", StringComparison.Ordinal) || (step.Contains("SCAN d", StringComparison.Ordinal) && !step.Contains("USING", StringComparison.Ordinal)));
        Assert.True(!walked.Any() && plan.Any(static step => step.Contains("documents_waiting", StringComparison.Ordinal)), string.Join('\n', plan));
    }

    protected static Task<TestApp> StartAsync() => TestApp.StartAsync(static o => o.Settings["Knowledge:Documents:Parallelism"] = "0");

    protected static async Task UploadAsync(TestApp app, TestUser user, int count, int from = 0)
    {
        for (var i = from; i < from + count; i++)
        {
            await app.Get<DocumentStore>().AcceptAsync(new Upload(user.Id, null, $"{i}.txt", "text", Encoding.UTF8.GetBytes($"{user.Username} {i}"), null), default);
        }
    }

    private static Task<long?> CountAsync(TestApp app) => app.Get<IDatabase>().ReadAsync(static session => session.Prepared("select count(*) from document_turns").Int64Async(), default);
}
