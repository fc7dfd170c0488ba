using System.Text;
using RootMas.Server.Identity.Audit;
using RootMas.Server.Knowledge.Documents;
using RootMas.Server.Knowledge.Memory;
using RootMas.Server.Platform.Data;
using RootMas.Server.Platform.Http;
using RootMas.Tests.Support;

namespace RootMas.Tests.Knowledge;

public sealed class WrittenLateOnSqliteTests() : WrittenLateTests(DatabaseKind.Sqlite);

public sealed class WrittenLateOnPostgresTests() : WrittenLateTests(DatabaseKind.Postgres), IOnPostgres;

/// <summary>A request that was let in, and whose user was erased before it wrote (by another instance, of which this one has not heard): it keeps nothing of theirs.</summary>
public abstract class WrittenLateTests(DatabaseKind kind) : OnDatabase(kind)
{
    private static readonly AuditWrite NoRow = static _ => ValueTask.CompletedTask;

    [DatabaseFact]
    public async Task Nothing_is_written_for_whoever_is_no_longer_there()
    {
        await using var app = await TestApp.StartAsync();
        using var ann = await app.AsAsync("ann");
        using var bob = await app.AsAsync("bob");
        var (facts, documents, collections) = (app.Get<MemoryStore>(), app.Get<DocumentStore>(), app.Get<CollectionStore>());
        var shared = (await collections.CreateAsync(bob.Id, "shared", "", null, default))!;
        await app.Get<IDatabase>().WriteAsync(session => session.Prepared($"delete from users where id = '{ann.Id}'").RunAsync(), default);
        foreach (var owner in (string[])[ann.Id, ann.Id + "/guest"])
        {
            await GoneAsync(() => facts.KeepAsync(owner, new NewFact { Text = "I like tea", AuthorKind = "user", Author = owner }, null, default));
            await GoneAsync(() => documents.AcceptAsync(new Upload(owner, null, "a.txt", "text", Encoding.UTF8.GetBytes("Late."), null), default));
            await GoneAsync(() => collections.CreateAsync(owner, "late", "", null, default));
        }

        Assert.Equal(CollectionChange.NoUser, await collections.ShareAsync(shared, bob.Id, ann.Id, mayWrite: true, NoRow, default));
        foreach (var table in (string[])["memory_facts", "memory_owners", "documents", "document_contents", "collection_members"])
        {
            Assert.Equal(0, await CountAsync(app, $"select count(*) from {table}"));
        }

        Assert.Equal(1, await CountAsync(app, "select count(*) from collections"));
    }

    private static async Task GoneAsync(Func<Task> write) => Assert.Equal(401, (await Assert.ThrowsAsync<ProblemException>(write)).Problem.Status);

    private static Task<long?> CountAsync(TestApp app, string sql) => app.Get<IDatabase>().ReadAsync(session => session.Prepared(sql).Int64Async(), default);
}
