using RootMas.Runtime.Runs;
using RootMas.Runtime.Teams;
using RootMas.Server.Platform.Data;
using RootMas.Server.Runs;
using RootMas.Tests.Support;
using static RootMas.Tests.Support.ScriptedChatClient;

namespace RootMas.Tests.Runs;

/// <summary>DESIGN §4.7: what is limited is the time in which a tree of runs is worked on (decision 45).</summary>
public abstract class WorkingTimeTests(DatabaseKind kind) : OnDatabase(kind)
{
    private static readonly TimeSpan Long = TimeSpan.FromHours(1);
    private static readonly RunLimits TenMinutes = new() { MaxWallSeconds = 600 };
    private static readonly TeamSnapshot Solo = TestTeams.Of(PatternKind.Direct, ["solo"], change: static t => t with { Limits = TenMinutes });
    private static readonly TeamSnapshot Pair = TestTeams.Of(PatternKind.Direct, ["lead", "a"], change: static t => t with { Limits = TenMinutes, Edges = [new("lead", "a")] });

    [DatabaseFact]
    public async Task That_a_run_below_waits_for_a_person_is_not_the_time_of_those_above()
    {
        var time = new ManualTimeProvider();
        await using var h = new RunsHarness(
            new ScriptedChatClient(static a => a switch
            {
                { ToolResult: { } result } => [Say($"So: {result}")],
                { Agent: "lead" } => [Call("delegate", new { agent = "a", task = "ask" })],
                _ => [Call("ask_user", new { question = "Where to?" })],
            }),
            time: time);
        await h.StartAsync();
        var id = (await h.RunAsync(Pair, "go", atOnce: true)).RunId;
        await h.WaitForAsync(id, static r => r.Status == RunStatus.WaitingChildren);
        var child = (await h.Reader.TreeAsync(id, "alice", default)).Single(r => r.ParentRunId == id).Id;
        await h.WaitForAsync(child, static r => r.Status == RunStatus.WaitingInput);
        time.Advance(Long);
        Assert.True((await h.Verbs.AnswerAsync(child, "alice", null, "Kazan", null, default)).Ok);
        var run = await h.WaitForAsync(id, static r => r.Status.IsFinal());
        Assert.Equal((RunStatus.Completed, "So: So: Kazan"), (run.Status, run.Answer?.Text ?? run.Reason));
    }

    [DatabaseFact]
    public async Task That_a_run_waits_for_its_branch_is_not_its_time()
    {
        var time = new ManualTimeProvider();
        var go = new TaskCompletionSource();
        await using var h = new RunsHarness(
            new ScriptedChatClient(static a => a.ToolResult is { } result ? [Say($"So: {result}")] : a.LastText == "ask" ? [Call("ask_user", new { question = "Where to?" })] : [Say("Second.")])
            {
                Before = (a, ct) => a.LastText == "ask" ? go.Task.WaitAsync(ct) : Task.CompletedTask,
            },
            time: time);
        await h.StartAsync();
        var first = (await h.RunAsync(Solo, "ask", branch: "b", atOnce: true)).RunId;
        var second = await h.RunAsync(Solo, "then", branch: "b");
        Assert.True(second.Waiting);
        go.SetResult();
        await h.WaitForAsync(first, static r => r.Status == RunStatus.WaitingInput);
        time.Advance(Long);
        Assert.True((await h.Verbs.AnswerAsync(first, "alice", null, "Kazan", null, default)).Ok);
        Assert.Equal("So: Kazan", (await h.WaitForAsync(first, static r => r.Status.IsFinal())).Answer?.Text);
        var run = await h.WaitForAsync(second.RunId, static r => r.Status.IsFinal());
        Assert.Equal("Second.", run.Answer?.Text ?? run.Reason);
    }

    [DatabaseFact]
    public async Task That_no_process_runs_is_nobodys_time()
    {
        var time = new ManualTimeProvider();
        await using var database = RunsHarness.NewDatabase(time);
        var asked = new TaskCompletionSource();
        var dead = new RunsHarness(
            new ScriptedChatClient(static _ => [Call("delegate", new { agent = "a", task = "work" })])
            {
                Before = async (a, ct) =>
                {
                    if (a.Agent == "a")
                    {
                        asked.TrySetResult();
                        await Task.Delay(Timeout.Infinite, ct);
                    }
                },
            },
            database: database,
            time: new ManualTimeProvider(time.GetUtcNow())); // its clock stands, so it renews nothing any more: as after kill -9
        await dead.StartAsync();
        var id = (await dead.RunAsync(Pair, "go", atOnce: true)).RunId;
        await dead.WaitForAsync(id, static r => r.Status == RunStatus.WaitingChildren);
        await asked.Task;

        time.Advance(TimeSpan.FromHours(10));
        await using var next = new RunsHarness(
            new ScriptedChatClient(static a => a.ToolResult is { } result ? [Say($"So: {result}")] : a.Agent == "a" ? [Say("done")] : [Say("?")]), database: database, time: time);
        await next.StartAsync();
        var run = await next.WaitForAsync(id, static r => r.Status.IsFinal());
        Assert.Equal("So: done", run.Answer?.Text ?? run.Reason);
        await dead.DisposeAsync();
    }

    [DatabaseFact]
    public async Task A_run_that_is_worked_on_for_longer_is_stopped_also_by_the_work_of_those_below()
    {
        var time = new ManualTimeProvider();
        await using var h = new RunsHarness(
            new ScriptedChatClient(a =>
            {
                if (a.Agent == "lead")
                {
                    return a.ToolResult is null ? [Call("delegate", new { agent = "a", task = "work" })] : [Say("never asked")];
                }

                time.Advance(TimeSpan.FromSeconds(601));
                return [Say("worked")];
            }),
            time: time);
        await h.StartAsync();
        var id = (await h.RunAsync(Pair, "go", atOnce: true)).RunId;
        var run = await h.WaitForAsync(id, static r => r.Status.IsFinal());
        Assert.Equal((RunStatus.Failed, "guard_wall_time"), (run.Status, run.ErrorCode));
        Assert.Contains("the limit is 600", run.Reason, StringComparison.Ordinal);
    }

    /// <summary>A run whose models are away must not wait for ever: its back-off is its time, but not what comes after that while no process runs.</summary>
    [DatabaseFact]
    public async Task A_back_off_counts_until_it_is_over()
    {
        var time = new ManualTimeProvider();
        await using var h = new RunsHarness(time: time);
        var run = await h.OwnedAsync();
        var until = time.GetUtcNow().AddSeconds(60);
        await h.Store.AppendAsync(run.Batch(RunStatus.WaitingTimer, new TimerStarted("models", "away", until, 1)) with { WakeAt = until }, default);
        time.Advance(Long);
        await h.Ownership.FireTimersAsync(default);
        await h.WaitForAsync(run.Id, static r => r.Status == RunStatus.Queued); // the harness has timers of its own, and a row that they hold is left to them
        var row = await h.Ownership.ClaimAsync(run.Id, TimeSpan.FromSeconds(15), default);
        var claimed = await h.Ownership.LoadAsync(row!, default);
        Assert.Equal((Long - TimeSpan.FromSeconds(60)).TotalMilliseconds, claimed.Age.RestedMs);
    }

    [DatabaseTheory]
    [InlineData(24)]
    [InlineData(-1)]
    public async Task A_jump_of_the_clock_is_no_time_of_a_tree_whether_it_rests_or_not(int hours)
    {
        var time = new ManualTimeProvider();
        await using var h = new RunsHarness(time: time);
        var (works, rests) = (await h.OwnedAsync(), await h.OwnedAsync());
        await h.Store.AppendAsync(rests.Batch(RunStatus.WaitingInput, new TimerStarted("x", "x", time.GetUtcNow(), 1)), default);
        var jumps = new ClockJumps(h.Database, time);
        time.Advance(TimeSpan.FromMinutes(1));
        time.Set(TimeSpan.FromHours(hours));
        await jumps.SettleAsync();
        await h.Store.InsertInboxAsync(rests.Id, null, "a", new InputGiven(1, "this", null), default);
        var row = await h.Ownership.ClaimAsync(rests.Id, TimeSpan.FromSeconds(15), default);
        Assert.Equal((hours * 3_600_000L) + 60_000, (await h.Ownership.LoadAsync(row!, default)).Age.RestedMs);
        Assert.Equal(hours * 3_600_000L, (await h.Ownership.LoadAsync((await h.Ownership.RowAsync(works.Id, default))!, default)).Age.RestedMs);
    }
}

public sealed class WorkingTimeOnSqliteTests() : WorkingTimeTests(DatabaseKind.Sqlite);

public sealed class WorkingTimeOnPostgresTests() : WorkingTimeTests(DatabaseKind.Postgres), IOnPostgres;
