using System.Net;
using Microsoft.Extensions.DependencyInjection;
using RootMas.Server.Identity.Users;
using RootMas.Server.Knowledge.Memory;
using RootMas.Server.Platform.Data;
using RootMas.Tests.Knowledge.Documents;
using RootMas.Tests.Support;

namespace RootMas.Tests.Knowledge;

/// <summary>Two people, or one twice, change the same at once: whoever comes second decides on what is there then.</summary>
public sealed class AtThisMomentTests() : OnDatabase(DatabaseKind.Postgres), IOnPostgres
{
    [PostgresFact]
    public async Task A_proposal_that_is_discarded_at_this_moment_is_not_kept()
    {
        await using var app = await TestApp.StartAsync();
        using var alice = await app.AsAsync("alice");
        var store = app.Get<MemoryStore>();
        var proposal = await store.KeepAsync(alice.Id, new NewFact { Text = "The user likes tea", AuthorKind = "extraction", Author = "memory", Tainted = true, Proposed = true }, null, CancellationToken.None);
        KeptFact? kept = null;
        await Beside.RunAsync(
            app.Get<IDatabase>(),
            async session =>
            {
                Assert.True(await FactWrites.HoldAsync(session, alice.Id));
                await FactWrites.RemoveThreadAsync(session, alice.Id, proposal.Fact!.ThreadId);
            },
            async _ => kept = await store.DecideAsync(alice.Id, proposal.Fact!.Id, keep: true, CancellationToken.None));
        Assert.Null(kept);
        Assert.Equal(0, TestDatabaseDump.Of(app, "memory_facts").Length);
    }

    /// <summary>The erasure has listed what there is, and waits for one of the documents, when a member puts another one in.</summary>
    [PostgresFact]
    public async Task What_a_member_puts_in_while_the_owner_is_erased_leaves_nothing_behind()
    {
        await using var app = await TestApp.StartAsync();
        var (ann, bob, shared) = await SharedDocumentsTests.SharedAsync(app);
        var plan = (await ann.UploadAsync("plan.txt", "We meet on Monday.", $"&collection={shared}")).Id();
        var late = Task.CompletedTask;
        await Beside.RunAsync(
            app.Get<IDatabase>(),
            async session => await session.Prepared("select 1 from documents where id = @id for update").Set("id", plan).AnyAsync(),
            database =>
            {
                var erasing = database.WriteAsync(
                    async session =>
                    {
                        foreach (var data in app.Services.GetServices<IUserData>())
                        {
                            await data.EraseAsync(session, ann.Id);
                        }

                        return true;
                    },
                    CancellationToken.None);
                late = LateAsync(database);
                return Task.WhenAll(erasing, late);
            },
            async () => late.IsCompleted || await Beside.WaitingAsync(app.Get<IDatabase>()) > 1);
        foreach (var table in (string[])["documents", "chunks", "fts_chunks", "document_texts", "document_contents", "graph_jobs"])
        {
            Assert.True(TestDatabaseDump.Of(app, table).Length == 0, $"Something was left in {table}.");
        }

        async Task LateAsync(IDatabase database)
        {
            await Wait.UntilAsync(static async d => await Beside.WaitingAsync(d) > 0, database, "The erasure did not wait");
            using var content = new ByteArrayContent("Bob likes violins."u8.ToArray());
            using var answer = await bob.Client.PostAsync($"/api/v1/documents?name=late.txt&collection={shared}", content);
            Assert.True(answer.StatusCode is HttpStatusCode.Created or HttpStatusCode.Accepted or HttpStatusCode.NotFound, answer.StatusCode.ToString());
        }
    }
}
