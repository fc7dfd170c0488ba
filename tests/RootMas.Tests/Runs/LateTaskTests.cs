using RootMas.Runtime.Runs;
using RootMas.Runtime.Teams;
using RootMas.Server.Platform.Data;
using RootMas.Tests.Support;
using static RootMas.Tests.Support.ScriptedChatClient;

namespace RootMas.Tests.Runs;

/// <summary>Work whose result nobody waits for any more ends: on a task of a plan that was late and about which the coordinator has decided, and below a run that has ended.</summary>
public abstract class LateTaskTests(DatabaseKind kind) : OnDatabase(kind)
{
    private const string Plan = """{"goal":"g","tasks":[{"id":"t1","agent":"a","task":"first","depends_on":[],"done_when":"x","deadline_seconds":60}]}""";

    private static readonly TeamSnapshot Team = TestTeams.Of(PatternKind.Plan, ["meta", "a", "b", "coordination"], change: static t => t with { Coordinator = "coordination" });

    [DatabaseTheory]
    [InlineData("""{"task":"t1","action":"reassign","agent":"b","reason":"a is slow"}""", "done", "b did it")]
    [InlineData("""{"task":"t1","action":"drop","reason":"not needed"}""", "dropped", null)]
    public async Task A_late_task_that_is_given_away_or_dropped_is_worked_on_by_nobody_else(string decision, string status, string? result)
    {
        var time = new ManualTimeProvider();
        var (working, review) = (new TaskCompletionSource(), new TaskCompletionSource());
        await using var h = new RunsHarness(
            new ScriptedChatClient(a => a.Call.Purpose switch
            {
                "plan" => [Say(Plan)],
                "coordinate" => [Say($$"""{"decisions":[{{decision}}]}""")],
                "review" => [Say("""{"verdict":"done","summary":"ok"}""")],
                _ => [Say($"{a.Agent} did it")],
            })
            {
                Before = async (a, ct) =>
                {
                    if (a.Call.Purpose == "review")
                    {
                        await review.Task.WaitAsync(ct);
                    }
                    else if (a.Agent == "a")
                    {
                        working.TrySetResult();
                        await Task.Delay(Timeout.Infinite, ct);
                    }
                },
            },
            time: time);
        await h.StartAsync();
        var id = (await h.RunAsync(Team, "do it", atOnce: true)).RunId;
        await working.Task;
        await h.WaitForAsync(id, static r => r.Status == RunStatus.WaitingChildren);
        time.Advance(TimeSpan.FromSeconds(61));
        await h.Ownership.FireTimersAsync(default); // the worker's own timer may not have been set yet when the clock moved

        // While the plan still goes on: it is the decision that ends the old work, and not the end of the plan.
        var late = (await h.Reader.TreeAsync(id, "alice", default)).First(r => r.ParentRunId == id).Id;
        Assert.Equal(RunStatus.Cancelled, (await h.WaitForAsync(late, static r => r.Status.IsFinal())).Status);
        review.SetResult();
        Assert.Equal(RunStatus.Completed, (await h.WaitForAsync(id, static r => r.Status.IsFinal())).Status);
        var ledger = (await h.LogAsync(id)).OfType<PlanUpdated>().Last().Tasks.Single();
        Assert.Equal((status, result), (ledger.Status, ledger.Result));
    }

    [DatabaseFact]
    public async Task Children_of_a_completed_run_are_cancelled_too()
    {
        var asked = new TaskCompletionSource();
        var model = new ScriptedChatClient(static _ => [Say("never")])
        {
            Before = async (_, ct) =>
            {
                asked.TrySetResult();
                await Task.Delay(Timeout.Infinite, ct);
            },
        };
        await using var h = new RunsHarness(model);
        await h.StartAsync();
        var parent = await h.OwnedAsync();
        var root = await h.Ownership.RowAsync(parent.Id, default);
        var child = new NewRun
        {
            RunId = Guid.CreateVersion7().ToString(), OwnerId = "alice", RootRunId = parent.Id, ParentRunId = parent.Id, ParentKey = "c", Depth = 1, Team = "test", EntryAgent = "solo",
            SnapshotHash = root!.SnapshotHash, Input = "task",
        };
        child = child with { Queued = NewRuns.QueuedRecord(child, TestTeams.Of(PatternKind.Direct, ["solo"]), h.Clock.GetUtcNow()) };
        await h.Store.AppendAsync(parent.Batch(RunStatus.Running, new ChildStarted(1, child.RunId, "solo", "task")) with { Children = [child], TreeDelta = new TreeTotals(0, 1, 0, 0) }, default);
        await asked.Task;
        await parent.EndAsync();
        Assert.Equal(RunStatus.Cancelled, (await h.WaitForAsync(child.RunId, static r => r.Status.IsFinal())).Status);
    }
}

public sealed class LateTaskOnSqliteTests() : LateTaskTests(DatabaseKind.Sqlite);

public sealed class LateTaskOnPostgresTests() : LateTaskTests(DatabaseKind.Postgres), IOnPostgres;
