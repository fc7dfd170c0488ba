using RootMas.Runtime.Runs;
using RootMas.Runtime.Teams;
using RootMas.Server.Platform.Data;
using RootMas.Server.Runs;
using RootMas.Tests.Support;

namespace RootMas.Tests.Runs.Queue;

/// <summary>What several processes on one PostgreSQL must agree on, with nothing but the database between them.</summary>
public sealed class SharedDatabaseTests() : OnDatabase(DatabaseKind.Postgres)
{
    private static readonly TeamSnapshot Solo = TestTeams.Of(PatternKind.Direct, ["solo"]);

    [PostgresFact]
    public async Task The_limit_of_unfinished_runs_is_exact_though_two_processes_accept_them_at_once()
    {
        await using var database = RunsHarness.NewDatabase();
        var options = new RunsOptions { Parallelism = 0, UnfinishedPerUser = 20 };
        await using var one = new RunsHarness(options: options, database: database, ownsData: false);
        await using var two = new RunsHarness(options: options, database: database, ownsData: false);
        var answers = await Task.WhenAll(Enumerable.Range(0, 60).Select(i => Task.Run(() => (i % 2 == 0 ? one : two).RunAsync(Solo, "hi", atOnce: i % 3 == 0, owner: i % 4 == 0 ? "alice/guest" : "alice"))));
        Assert.Equal(20, answers.Count(static a => a.Code is null));
        Assert.Equal(40, answers.Count(static a => a.Code == OpenRuns.Limit));
        Assert.Equal(20, await database.ScalarAsync("SELECT COUNT(*) FROM runs"));
        Assert.Null((await one.RunAsync(Solo, "hi", owner: "bob")).Code);
        await database.ExecuteAsync("UPDATE runs SET status = 'cancelled', ended_at = 1 WHERE id = (SELECT MIN(id) FROM runs WHERE owner_id = 'alice')");
        Assert.Null((await two.RunAsync(Solo, "hi")).Code);
        Assert.Equal(OpenRuns.Limit, (await one.RunAsync(Solo, "hi")).Code);
    }

    [PostgresFact]
    public async Task A_timer_fires_once_however_many_workers_look_at_it()
    {
        await using var database = RunsHarness.NewDatabase();
        await using var one = new RunsHarness(database: database, ownsData: false);
        await using var two = new RunsHarness(database: database, ownsData: false);
        var run = await one.OwnedAsync();
        var due = one.Clock.GetUtcNow().AddSeconds(-1);
        await one.Store.AppendAsync(run.Batch(RunStatus.WaitingTimer, new GuardStopped("x", "y")) with { WakeAt = due }, default);
        await Task.WhenAll(Enumerable.Range(0, 20).Select(i => Task.Run(() => (i % 2 == 0 ? one : two).Ownership.FireTimersAsync(default))));
        Assert.Equal(1, await database.ScalarAsync("SELECT COUNT(*) FROM run_inbox"));
        Assert.Equal(RunStatus.Queued, (await two.Ownership.RowAsync(run.Id, default))!.Status);
    }

    [PostgresFact]
    public async Task What_a_process_accepts_that_works_on_nothing_is_done_by_one_that_looks()
    {
        await using var database = RunsHarness.NewDatabase();
        await using var front = new RunsHarness(options: new RunsOptions { Parallelism = 0 }, database: database, ownsData: false);
        await using var worker = new RunsHarness(database: database, ownsData: false);
        await front.StartAsync();
        await worker.StartAsync();
        var id = (await front.RunAsync(Solo, "hi", atOnce: true)).RunId;
        Assert.Equal(RunStatus.Completed, (await front.WaitForAsync(id, static r => r.Status.IsFinal())).Status);
        Assert.Equal(0, front.Worker.QueueLength);
    }
}
