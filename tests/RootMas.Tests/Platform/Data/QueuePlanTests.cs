using System.Globalization;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using RootMas.Runtime.Teams;
using RootMas.Server.Knowledge.Memory;
using RootMas.Server.Platform.Broker;
using RootMas.Server.Platform.Cluster;
using RootMas.Server.Platform.Data;
using RootMas.Server.Platform.Outbox;
using RootMas.Server.Runs;
using RootMas.Tests.Support;
using Box = RootMas.Server.Platform.Outbox.Outbox;
using Wait = RootMas.Tests.Support.Wait;

namespace RootMas.Tests.Platform.Data;

/// <summary>
/// The same as <see cref="QueryPlanTests"/> for what runs only between several processes: handing runs over by RabbitMQ, the changes that instances tell each other, dead letters, the outbox, and exchanges that wait to be read for memory.
/// No worker, timer or broker is there: each statement is sent by the part of the program whose it is, and nothing else happens to the rows.
/// </summary>
public sealed class QueuePlanTests() : OnDatabase(DatabaseKind.Postgres)
{
    private const int Rows = 20_000;

    private static readonly string[] Large = ["runs", "run_turns", "run_wakeups", "shared_changes", "dead_letters", "memory_jobs", "outbox"];

    /// <summary>Parts of the statements that this is about: all of them were sent before any is explained.</summary>
    private static readonly string[] Expected =
    [
        "INSERT INTO run_turns", "DELETE FROM run_turns WHERE run_id", "SELECT run_id FROM run_turns WHERE run_id >", "WITH RECURSIVE owners", "UPDATE run_turns SET offered = 1", "(SELECT 1 FROM run_turns WHERE owner_id = $1 AND offered = 1 ORDER BY",
        "(SELECT COUNT(*) FROM run_turns WHERE offered = 0)", "COALESCE((SELECT offered FROM run_turns",
        "JOIN runs root ON root.id = run.root_run_id", "SELECT id, root_run_id, lease_until FROM runs", "crashes = crashes + 1,", "SELECT worker, COUNT(*) FROM runs",
        "INSERT INTO run_wakeups", "UPDATE run_wakeups SET taken_at", "DELETE FROM run_wakeups",
        "INSERT INTO shared_changes", "FROM shared_changes WHERE writer >=",
        "INSERT INTO dead_letters", "FROM dead_letters WHERE (created_at, id) <", "FROM dead_letters WHERE id =", "DELETE FROM dead_letters WHERE id",
        "insert into memory_jobs", "select j.owner_id, j.conversation_id from memory_jobs j", "from memory_jobs\nwhere owner_id", "update memory_jobs set claim =", "update memory_jobs set claim = null", "update memory_jobs set claim = $1 where", "delete from memory_jobs where run_id",
        "delete from memory_jobs where owner_id", "select j.due_at from memory_jobs j",
        "INSERT INTO outbox", "FROM outbox WHERE topic", "DELETE FROM outbox WHERE topic",
    ];

    [PostgresFact]
    public async Task Every_statement_of_the_queue_uses_an_index_on_large_tables()
    {
        // All statements meet on one connection.
        await using var test = new TestDatabase(new DatabaseOptions { PoolMin = 1, PoolMax = 1, ConnectTimeout = TimeSpan.FromSeconds(60) });
        await test.Database.OpenAsync();
        var (server, url) = (await PostgresServer.SharedAsync(), test.Options.ConnectionString);
        var name = url[(url.LastIndexOf('/') + 1)..];
        await server.ExecuteAsync(QueryPlanRows.OfChats(Rows), name);
        await server.ExecuteAsync(Fill, name);
        await server.ExecuteAsync("ANALYZE", name);
        await using (var runs = new RunsHarness(options: new RunsOptions { Parallelism = 0 }, database: test, ownsData: false, broker: new BrokerOptions { OfferedPerUser = 1 }))
        {
            runs.Signals.Dispatch = runs.Queue!.Dispatch;
            for (var round = 0; round < 3; round++) // a statement is prepared when it is sent for the second time
            {
                await LoseAsync(runs);
                await HandOverAsync(runs, server, name);
                await BuryAsync(runs, round);
                await RememberAsync(test.Database, round);
            }

            await TellAsync(test.Database);
            await HandOutAsync(test.Database);
            var (count, offences) = await PreparedPlans.ExplainAsync(test.Database, Large);
            Assert.Empty(await MissingAsync(test.Database, Expected));
            Assert.InRange(count, Expected.Length, 1_000);
            Assert.True(offences.Count == 0, string.Join("\n\n", offences));
        }
    }

    /// <summary>A run of a worker that is not there: it is taken back, and given back once more.</summary>
    private static async Task LoseAsync(RunsHarness runs)
    {
        var lost = (await runs.OwnedAsync()).Id;
        Assert.NotEqual(0, await runs.Ownership.RecoverAsync(default));
        var row = await runs.Ownership.ClaimAsync(lost, TimeSpan.FromMinutes(10), default);
        Assert.Empty(await runs.Ownership.ReleaseAsync([(lost, row!.Attempt)], default));
    }

    /// <summary>Three runs of one user, of whom the broker may have one at a time.</summary>
    private static async Task HandOverAsync(RunsHarness runs, PostgresServer server, string name)
    {
        var solo = TestTeams.Of(PatternKind.Direct, ["solo"]);
        List<string> ids = [];
        for (var i = 0; i < 3; i++)
        {
            ids.Add((await runs.RunAsync(solo, "hi")).RunId);
        }

        await runs.Ownership.ClaimableInTurnAsync(100, default);
        foreach (var id in ids)
        {
            Assert.NotNull(await runs.Ownership.ClaimAsync(id, TimeSpan.FromMinutes(10), default));
        }

        await runs.Queue!.Dispatch.RepairAsync(runs.Database, default);

        // Rows of which nobody waits for a worker, as those that a process left behind. Not by the connection that is looked at.
        await server.ExecuteAsync("UPDATE run_wakeups SET taken_at = 0 WHERE id IN (SELECT id FROM run_wakeups WHERE taken_at = 9000000000000000 LIMIT 3)", name);
        await server.ExecuteAsync("DELETE FROM run_wakeups WHERE taken_at > 0 AND taken_at < 9000000000000000", name); // of the runs above: there is no broker to tell
        await runs.Queue.WakeUps.PublishLeftOnceAsync(default);
    }

    private static async Task BuryAsync(RunsHarness runs, int round)
    {
        var run = await runs.OwnedAsync();
        var row = (await runs.Ownership.RowAsync(run.Id, default))!;
        await runs.Database.WriteAsync(async session => await DeadLetterRows.AddRunAsync(session, row, "x"), default);
        var letters = new DeadLetters(runs.Database, runs.Signals, runs.Verbs);
        Assert.NotEmpty(await letters.ListAsync(null, 10, default));
        var id = string.Create(CultureInfo.InvariantCulture, $"d{round + 1:00000000}");
        Assert.Equal("unreadable", (await letters.RedriveAsync(id, static _ => static _ => ValueTask.CompletedTask, null, default))!.Code);
        Assert.True(await letters.PurgeAsync(id, static _ => ValueTask.CompletedTask, default));
        await new QueueStatus(runs.Database, runs.Worker, runs.Signals).CountAsync(default);
    }

    private static async Task RememberAsync(IDatabase database, int round)
    {
        var queue = new MemoryQueue(database, new MemoryOptions { ExtractDelay = TimeSpan.Zero }, new MemorySignals());
        var owner = string.Create(CultureInfo.InvariantCulture, $"o{round}");
        await database.WriteAsync(async session => await session.ExecuteAsync("insert into users (id, username, role, created_at) values (@owner, @owner, 'user', 1) on conflict do nothing", new { owner }), default);
        for (var i = 0; i < 2; i++)
        {
            await database.WriteAsync(async session => await queue.OfferAsync(session, $"{owner}-{i}", owner, "c", "m"), default);
        }

        await queue.NextDueAsync(default);
        var batch = await queue.TakeAsync(default);
        await queue.GiveBackAsync(batch!, TimeSpan.Zero, counts: true, default);
        batch = await queue.AskingAsync((await queue.TakeAsync(default))!, default);
        Assert.NotEmpty(await database.WriteAsync(session => MemoryQueue.FinishAsync(session, batch!), default));
        await database.WriteAsync(session => MemoryStore.ForgetAsync(session, owner, null), default);
    }

    private static async Task TellAsync(IDatabase database)
    {
        var clock = new ManualTimeProvider();
        using var feed = new ChangeFeed(database, new LocalBus(), Instance.New("serve"), clock, NullLogger<ChangeFeed>.Instance);
        await feed.StartingAsync(default);
        for (var i = 0; i < 3; i++)
        {
            await database.WriteAsync(session => feed.AddAsync(session, "topic", "subject"), default);
        }

        await Wait.UntilAsync(
            async d =>
            {
                clock.Advance(TimeSpan.FromSeconds(1));
                return (await MissingAsync(d, "FROM shared_changes WHERE writer >=")).Count == 0;
            },
            database, "The feed was not read");
        await feed.StoppedAsync(default);
    }

    private static async Task HandOutAsync(IDatabase database)
    {
        await using var services = new ServiceCollection().AddOutboxHandler<Listener>("mine").BuildServiceProvider();
        var box = new Box(services.GetServices<OutboxSubscription>());
        using var dispatcher = new OutboxDispatcher(database, box, services.GetServices<OutboxSubscription>(), services, TimeProvider.System, NullLogger<OutboxDispatcher>.Instance);
        await dispatcher.StartAsync(default);
        await Wait.UntilAsync(
            async d =>
            {
                await d.WriteAsync(session => box.AddAsync(session, "mine", "{}"), default);
                return (await MissingAsync(d, "FROM outbox WHERE topic", "DELETE FROM outbox WHERE topic")).Count == 0;
            },
            database, "The outbox was not handed out");
        await dispatcher.StopAsync(default);
    }

    private static async Task<List<string>> MissingAsync(IDatabase database, params string[] parts) =>
        await PreparedPlans.NamesAsync(database) is var sent ? [.. parts.Where(part => !sent.Exists(s => s.Contains(part, StringComparison.Ordinal)))] : [];

    /// <summary>A long outage of the broker, and of whoever looks at dead letters and reads exchanges. Nothing of it is due or anybody's.</summary>
    private static string Fill => string.Create(CultureInfo.InvariantCulture, $$"""
        INSERT INTO run_turns (run_id, owner_id, background, offered) SELECT 'q' || lpad(i::text, 8, '0'), 'u' || i % 500, 0, CASE WHEN i % 100 = 0 THEN 0 ELSE 1 END FROM generate_series(1, {{Rows}}) i;
        INSERT INTO run_wakeups (run_id, queue, body, created_at, taken_at) SELECT 'q' || lpad(i::text, 8, '0'), 1, '{}', i, 9000000000000000 FROM generate_series(1, {{Rows}}) i;
        INSERT INTO shared_changes (writer, origin, topic, subject, created_at) SELECT i - 1000000, 'somebody', 'nothing', 's' || i, 9000000000000000 FROM generate_series(1, {{Rows}}) i;
        INSERT INTO dead_letters (id, kind, run_id, owner_id, queue, reason, body, deliveries, created_at) SELECT 'd' || lpad(i::text, 8, '0'), 'message', NULL, 'u' || i % 500, 'q', 'r', '{}', 1, i FROM generate_series(1, {{Rows}}) i;
        INSERT INTO memory_jobs (run_id, owner_id, conversation_id, message_id, due_at, claim, claimed_until, created_at)
            SELECT 'q' || lpad(i::text, 8, '0'), 'u' || i % 500, 'c' || i % 5000, 'm' || i, 9000000000000000 + i, CASE WHEN i % 500 = 0 THEN 'x' END, CASE WHEN i % 500 = 0 THEN 9000000000000000 END, i FROM generate_series(1, {{Rows}}) i;
        """);

    private sealed class Listener : IOutboxHandler
    {
        public Task HandleAsync(OutboxMessage message, CancellationToken cancellationToken) => Task.CompletedTask;
    }
}
