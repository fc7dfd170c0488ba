using Microsoft.Extensions.Logging.Abstractions;
using RootMas.Server.Knowledge.Graph;
using RootMas.Server.Knowledge.Memory;
using RootMas.Server.Platform.Data;
using RootMas.Tests.Support;

namespace RootMas.Tests.Knowledge;

public sealed class GraphTurnsOnSqliteTests() : GraphTurnsTests(DatabaseKind.Sqlite);

public sealed class GraphTurnsOnPostgresTests() : GraphTurnsTests(DatabaseKind.Postgres), IOnPostgres
{
    /// <summary>Each gets others, whoever was faster, and nobody goes away with nothing while something waits.</summary>
    [PostgresFact]
    public async Task Instances_that_take_at_the_same_moment_get_different_parts()
    {
        await using var app = await StartAsync();
        using var ann = await app.AsAsync("ann");
        var queue = QueueOf(app);
        await OfferAsync(app, queue, ann.Id, 4 * GraphQueue.MostAtOnce);
        var taken = await Task.WhenAll(Enumerable.Range(0, 4).Select(i => queue.TakeAsync($"claim-{i}", default)));
        Assert.All(taken, static jobs => Assert.NotEmpty(jobs));
        Assert.Equal(taken.Sum(static jobs => jobs.Count), taken.SelectMany(static jobs => jobs).Select(static j => j.ChunkId).Distinct(StringComparer.Ordinal).Count());
    }
}

/// <summary>Whose parts are read for the graph next, and who has those that a model reads now.</summary>
public abstract class GraphTurnsTests(DatabaseKind kind) : OnDatabase(kind)
{
    [DatabaseFact]
    public async Task Owners_take_turns_and_each_ones_oldest_are_first()
    {
        await using var app = await StartAsync();
        using var ann = await app.AsAsync("ann");
        using var bob = await app.AsAsync("bob");
        using var carol = await app.AsAsync("carol");
        var queue = QueueOf(app);
        await OfferAsync(app, queue, ann.Id, 20);
        await OfferAsync(app, queue, bob.Id, 1);
        await OfferAsync(app, queue, carol.Id, 9);
        var turns = new List<(string Owner, int First, int Count)>();
        while (await queue.TakeAsync("claim", default) is { Count: > 0 } jobs)
        {
            turns.Add((jobs[0].OwnerId, int.Parse(jobs[0].Text, System.Globalization.CultureInfo.InvariantCulture), jobs.Count));
            Assert.All(jobs, job => Assert.Equal(jobs[0].OwnerId, job.OwnerId));
            foreach (var job in jobs)
            {
                await queue.LeaveOutAsync(job, "claim", default);
            }
        }

        Assert.Equal([(ann.Id, 0, 8), (bob.Id, 0, 1), (carol.Id, 0, 8), (ann.Id, 8, 8), (carol.Id, 8, 1), (ann.Id, 16, 4)], turns);
    }

    [DatabaseFact]
    public async Task What_waits_for_later_hides_nobody()
    {
        await using var app = await StartAsync();
        using var ann = await app.AsAsync("ann");
        using var bob = await app.AsAsync("bob");
        var queue = QueueOf(app);
        await OfferAsync(app, queue, ann.Id, 2);
        await OfferAsync(app, queue, bob.Id, 1);
        foreach (var job in await queue.TakeAsync("claim", default))
        {
            await queue.GiveBackAsync(job, "claim", TimeSpan.FromHours(1), counts: false, default);
        }

        await OfferAsync(app, queue, ann.Id, 1, from: 2);
        Assert.Equal(bob.Id, Assert.Single(await queue.TakeAsync("claim", default)).OwnerId);
        Assert.Equal("2", Assert.Single(await queue.TakeAsync("claim", default)).Text);
        Assert.Empty(await queue.TakeAsync("claim", default));
    }

    /// <summary>Nothing is left of an erased user, and what they put into a collection of somebody else is read on that one's account.</summary>
    [DatabaseFact]
    public async Task An_erased_owner_has_no_turn_and_what_is_left_to_others_is_theirs()
    {
        await using var app = await StartAsync();
        using var ann = await app.AsAsync("ann");
        using var bob = await app.AsAsync("bob");
        var queue = QueueOf(app);
        await OfferAsync(app, queue, ann.Id, 1);
        Assert.Equal(ann.Id, Assert.Single(await queue.TakeAsync("claim", default)).OwnerId);
        Assert.Equal(1, await CountAsync(app, "graph_turns"));
        await app.Get<IDatabase>().WriteAsync(
            async session =>
            {
                await session.Prepared("insert into collections (id, owner_id, name, created_at, updated_at) values ('shared', @bob, 'shared', 1, 1)").Set("bob", bob.Id).RunAsync();
                await session.Prepared("insert into documents (id, collection_id, owner_id, name, kind, bytes, hash, status, created_at, updated_at) values ('hers', 'shared', @ann, 'hers', 'text', 1, 'h', 'ready', 1, 1)").Set("ann", ann.Id).RunAsync();
                await queue.OfferAsync(session, new GraphJob("chunk", "collection:shared", ann.Id, "hers", Tainted: true, "left"));
            },
            default);
        using (var user = await app.Client.GetAsync($"/api/v1/users/{ann.Id}"))
        using (var gone = await app.SendAsync(HttpMethod.Delete, $"/api/v1/users/{ann.Id}", null, ("If-Match", user.Headers.ETag!.ToString())))
        {
            Assert.True(gone.IsSuccessStatusCode, await gone.Content.ReadAsStringAsync());
        }

        Assert.Equal(0, await CountAsync(app, "graph_turns"));
        Assert.Equal((bob.Id, "left"), Assert.Single(await queue.TakeAsync("claim", default)) is var job ? (job.OwnerId, job.Text) : default);
    }

    /// <summary>However much waits.</summary>
    [DatabaseFact]
    public async Task Whose_turn_it_is_and_their_oldest_parts_are_found_by_indexes()
    {
        await using var app = await StartAsync();
        var database = app.Get<IDatabase>();
        var numbers = database.Kind == DatabaseKind.Postgres ? "from generate_series(1, 20000) i" : "from (with recursive n (i) as (select 1 union all select i + 1 from n where i < 20000) select i from n) n";
        await database.WriteAsync(
            session => session.Prepared($"""
                insert into graph_jobs (source_kind, source_id, realm, owner_id, document_id, text, claimed_until, created_at)
                select 'document', 's' || i, 'r', case when i % 100 = 0 then 'u' || i % 7 else 'many' end, 'd' || i % 500, 'text', case when i % 3 = 0 then 9000000000000000 end, i {numbers}
                """).RunAsync(),
            default);
        await database.WriteAsync(static session => session.Prepared("analyze graph_jobs").RunAsync(), default);
        foreach (var statement in (string[])[GraphQueue.Next, GraphQueue.Waiting])
        {
            var plan = await database.WriteAsync(
                async session =>
                {
                    var explained = session.Prepared((session.Kind == DatabaseKind.Postgres ? "explain " : "explain query plan ") + statement).Set("now", session.Now);
                    return await (statement == GraphQueue.Waiting ? explained.Set("owner", "many").Set("limit", 8L) : explained).ListAsync(static row => row.GetString(row.FieldCount - 1));
                },
                default);
            var walked = plan.Where(static step => step.Contains("Seq Scan on graph_jobs", StringComparison.Ordinal) || step.Contains("SCAN j", StringComparison.Ordinal) || (step.Contains("SCAN graph_jobs", StringComparison.Ordinal) && !step.Contains("USING", StringComparison.Ordinal)));
            Assert.True(!walked.Any() && plan.Any(static step => step.Contains("graph_jobs_by_owner", StringComparison.Ordinal)), string.Join('\n', plan));
        }
    }

    /// <summary>The clock that renews is the reader's; the lease is over by the database's, as after three minutes.</summary>
    [DatabaseFact]
    public async Task A_part_that_a_model_reads_for_longer_than_its_lease_is_nobody_elses()
    {
        await using var app = await StartAsync();
        using var ann = await app.AsAsync("ann");
        var (database, queue, clock) = (app.Get<IDatabase>(), QueueOf(app), new ManualTimeProvider());
        static ScriptedChatClient Model() => new(static _ => [ScriptedChatClient.Say("""{"relations":[]}""")]);
        var (slow, quick) = (Model(), Model());
        using var first = ReaderOf(app, queue, slow, clock);
        using var second = ReaderOf(app, queue, quick, clock);
        slow.Before = async (_, cancellationToken) =>
        {
            await database.WriteAsync(static async session => await session.Prepared("update graph_jobs set claimed_until = 1").RunAsync(), cancellationToken);
            await Wait.UntilAsync(
                async d =>
                {
                    clock.Advance(TimeSpan.FromMinutes(1));
                    return await d.ReadAsync(static session => session.Prepared("select count(*) from graph_jobs where claimed_until > 1").Int64Async(), default) == 1;
                },
                database, "nobody renewed the lease");
            Assert.Equal(0, await second.ReadSomeAsync(cancellationToken));
        };
        await OfferAsync(app, queue, ann.Id, 1);
        await first.ReadSomeAsync(default);
        Assert.Equal((1, 0), (slow.Calls, quick.Calls));
        Assert.Equal(0, await CountAsync(app, "graph_jobs"));
        Assert.False(clock.IsAwaited); // nobody renews what was read
    }

    protected static Task<TestApp> StartAsync() => TestApp.StartAsync(static o => o.Settings["Knowledge:Memory:GraphDocuments"] = "Off"); // the server's own reader leaves the parts to the test

    private protected static GraphQueue QueueOf(TestApp app) => new(app.Get<IDatabase>(), Options(app), new MemorySignals());

    /// <summary>Parts whose texts are their numbers.</summary>
    private protected static async Task OfferAsync(TestApp app, GraphQueue queue, string owner, int count, int from = 0)
    {
        for (var i = from; i < from + count; i++)
        {
            var job = new GraphJob($"{owner}-{i:000}", owner, owner, "doc-" + owner, Tainted: true, i.ToString(System.Globalization.CultureInfo.InvariantCulture));
            await app.Get<IDatabase>().WriteAsync(session => queue.OfferAsync(session, job), default);
        }
    }

    private static MemoryOptions Options(TestApp app) => app.Get<MemoryOptions>() with { GraphDocuments = GraphReading.Model };

    private static GraphReader ReaderOf(TestApp app, GraphQueue queue, ScriptedChatClient model, TimeProvider clock) =>
        new(queue, app.Get<MemoryStore>(), Options(app), new RelationReading(model), clock, NullLogger<GraphReader>.Instance);

    private static Task<long?> CountAsync(TestApp app, string table) => app.Get<IDatabase>().ReadAsync(session => session.Prepared($"select count(*) from {table}").Int64Async(), default);
}
