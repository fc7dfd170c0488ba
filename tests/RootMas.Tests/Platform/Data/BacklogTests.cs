using System.Globalization;
using RootMas.Runtime.Teams;
using RootMas.Server.Platform.Broker;
using RootMas.Server.Platform.Data;
using RootMas.Server.Runs;
using RootMas.Tests.Support;

namespace RootMas.Tests.Platform.Data;

/// <summary>
/// A backlog that came faster than PostgreSQL's statistics: they say that nothing waits. What is read for one run must not grow with what waits, and a look at all of it reads it once.
/// Counted in rows, by the server itself; no worker, timer or broker is there.
/// </summary>
public sealed class BacklogTests() : OnDatabase(DatabaseKind.Postgres)
{
    private const int Rows = 10_000; // a table of fewer is read as quickly from end to end

    private static readonly TeamSnapshot Solo = TestTeams.Of(PatternKind.Direct, ["solo"]);

    private static string Fill => string.Create(CultureInfo.InvariantCulture, $"""
        INSERT INTO runs (id, owner_id, root_run_id, team, entry_agent, snapshot_hash, status, last_seq, answer_seq, created_at, ended_at)
            SELECT 'p' || i, 'alice', 'p' || i, 'solo', 'a', 'h', 'completed', 1, 0, i, i FROM generate_series(1, {Rows}) i;
        INSERT INTO run_turns (run_id, owner_id, background, offered) SELECT 'z' || i, 'alice', 0, 1 FROM generate_series(1, 40) i;
        ANALYZE;
        DELETE FROM run_turns;
        INSERT INTO runs (id, owner_id, root_run_id, team, entry_agent, snapshot_hash, status, last_seq, answer_seq, created_at)
            SELECT 'q' || i, 'alice', 'q' || i, 'solo', 'a', 'h', 'queued', 1, 0, i FROM generate_series(1, {Rows}) i;
        INSERT INTO run_turns (run_id, owner_id, background, offered) SELECT 'q' || i, 'alice', 0, CASE WHEN i <= 32 THEN 1 ELSE 0 END FROM generate_series(1, {Rows}) i;
        """);

    [PostgresFact]
    public async Task What_is_read_for_one_run_does_not_grow_with_what_waits()
    {
        await using var test = new TestDatabase(new DatabaseOptions { PoolMin = 1, PoolMax = 1, ConnectTimeout = TimeSpan.FromSeconds(60) });
        await test.Database.OpenAsync();
        var url = test.Options.ConnectionString;
        await (await PostgresServer.SharedAsync()).ExecuteAsync(Fill, url[(url.LastIndexOf('/') + 1)..]);
        await using var h = new RunsHarness(options: new RunsOptions { Parallelism = 0, UnfinishedPerUser = 100_000 }, database: test, time: new ManualTimeProvider(), ownsData: false, broker: new BrokerOptions { OfferedPerUser = 32 });
        h.Signals.Dispatch = h.Queue!.Dispatch;
        await h.RunAsync(Solo, "first", owner: "alice"); // what is read once, and once a second

        var accepted = await ReadAsync(test, () => h.RunAsync(Solo, "hi", owner: "alice"));
        var begun = await ReadAsync(test, async () => Assert.NotNull(await h.Ownership.ClaimAsync("q1", TimeSpan.FromMinutes(1), default)));
        var looked = await ReadAsync(test, async () => Assert.Equal(32, (await h.Ownership.ClaimableInTurnAsync(100, default)).Count));

        var repaired = await ReadAsync(test, () => h.Queue.Dispatch.RepairAsync(h.Database, default));

        Assert.InRange(accepted, 1, 200);
        Assert.InRange(begun, 1, 200);
        Assert.InRange(looked, Rows, 5 * Rows);
        Assert.InRange(repaired, 1, Rows / 2);
    }

    [PostgresFact]
    public async Task A_turn_whose_run_has_ended_is_found_in_a_backlog_too()
    {
        await using var test = new TestDatabase(new DatabaseOptions { PoolMin = 1, PoolMax = 1, ConnectTimeout = TimeSpan.FromSeconds(60) });
        await test.Database.OpenAsync();
        var url = test.Options.ConnectionString;
        await (await PostgresServer.SharedAsync()).ExecuteAsync(Fill + "INSERT INTO run_turns (run_id, owner_id, background, offered) VALUES ('p5', 'alice', 0, 1), ('qx', 'alice', 0, 0)", url[(url.LastIndexOf('/') + 1)..]);
        await using var h = new RunsHarness(options: new RunsOptions { Parallelism = 0 }, database: test, time: new ManualTimeProvider(), ownsData: false, broker: new BrokerOptions { OfferedPerUser = 32 });

        for (var page = 0; page <= Rows / 1000; page++)
        {
            await h.Queue!.Dispatch.RepairAsync(h.Database, default);
        }

        Assert.Equal(0, await test.ScalarAsync("SELECT COUNT(*) FROM run_turns WHERE run_id IN ('p5', 'qx')"));
        Assert.Equal(Rows, await test.ScalarAsync("SELECT COUNT(*) FROM run_turns"));
    }

    [PostgresFact]
    public async Task A_retry_that_begins_with_what_it_copied_gives_its_turn_up_too()
    {
        await using var test = new TestDatabase(new DatabaseOptions { PoolMin = 1, PoolMax = 1, ConnectTimeout = TimeSpan.FromSeconds(60) });
        await test.Database.OpenAsync();
        var url = test.Options.ConnectionString;
        const string retry = """
            INSERT INTO runs (id, owner_id, root_run_id, team, entry_agent, snapshot_hash, status, last_seq, answer_seq, created_at, retry_of) VALUES ('r', 'alice', 'r', 'solo', 'a', 'h', 'queued', 5, 0, 1, 'p');
            INSERT INTO run_turns (run_id, owner_id, background, offered) VALUES ('r', 'alice', 0, 1);
            """;
        await (await PostgresServer.SharedAsync()).ExecuteAsync(retry, url[(url.LastIndexOf('/') + 1)..]);
        await using var h = new RunsHarness(options: new RunsOptions { Parallelism = 0 }, database: test, time: new ManualTimeProvider(), ownsData: false, broker: new BrokerOptions { OfferedPerUser = 32 });
        h.Signals.Dispatch = h.Queue!.Dispatch;

        Assert.NotNull(await h.Ownership.ClaimAsync("r", TimeSpan.FromMinutes(1), default));
        Assert.Equal(0, await test.ScalarAsync("SELECT COUNT(*) FROM run_turns"));
    }

    /// <summary>Rows of runs and of their places in the queue that the server fetched for it.</summary>
    private static async Task<long> ReadAsync(TestDatabase test, Func<Task> act)
    {
        var before = await FetchedAsync(test);
        await act();
        return await FetchedAsync(test) - before;
    }

    private static async Task<long> FetchedAsync(TestDatabase test)
    {
        await test.ScalarAsync("SELECT COUNT(*) FROM (SELECT pg_stat_force_next_flush()) AS flush");
        return (await test.ScalarAsync("SELECT CAST(SUM(seq_tup_read + idx_tup_fetch) AS bigint) FROM pg_stat_user_tables WHERE relname IN ('runs', 'run_turns')"))!.Value;
    }
}
