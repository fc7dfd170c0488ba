using RootMas.Runtime.Runs;
using RootMas.Runtime.Teams;
using RootMas.Runtime.Tools;
using RootMas.Server.Platform.Data;
using RootMas.Server.Runs;
using RootMas.Tests.Support;
using static RootMas.Tests.Support.ScriptedChatClient;

namespace RootMas.Tests.Runs;

public abstract class RunWorkerTests(DatabaseKind kind) : OnDatabase(kind)
{
    private static readonly TeamSnapshot Solo = TestTeams.Of(PatternKind.Direct, ["solo"]);

    [DatabaseTheory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_message_becomes_a_finished_run(bool atOnce)
    {
        await using var h = new RunsHarness(new ScriptedChatClient(static a => [Say($"You said {a.LastText}")]));
        await h.StartAsync();
        var accepted = await h.RunAsync(Solo, "hi", atOnce: atOnce);
        Assert.Equal(RunStatus.Running, accepted.Status);
        var run = await h.EndAsync(accepted.RunId);
        Assert.Equal((RunStatus.Completed, "You said hi"), (run.Status, run.Answer?.Text));
        Assert.Equal((10, 5), (run.Usage.InputTokens, run.Usage.OutputTokens));
        Assert.Equal(["solo"], run.Agents);

        // What the end told is what a query tells.
        var read = await h.Reader.FindAsync(run.Id, "alice", default);
        Assert.Equal(System.Text.Json.JsonSerializer.Serialize(RootMas.Server.Runs.RunView.Of(read!)), System.Text.Json.JsonSerializer.Serialize(RootMas.Server.Runs.RunView.Of(run)));
        var log = await h.LogAsync(run.Id);
        Assert.Equal(Enumerable.Range(1, log.Count).Select(static i => (long)i), log.Select(static e => e.Seq));
    }

    [DatabaseFact]
    public async Task A_refusal_in_the_transaction_leaves_nothing_behind()
    {
        await using var h = new RunsHarness();
        await h.StartAsync();
        foreach (var atOnce in (bool[])[true, false])
        {
            var run = new NewRun { RunId = Guid.CreateVersion7().ToString(), OwnerId = "alice", RootRunId = "x", Team = "test", EntryAgent = "solo", SnapshotHash = "x", Input = "hi" };
            run = run with { RootRunId = run.RunId };
            var creation = new RunCreation { Run = run, InTransaction = static _ => throw new InvalidOperationException("refused") };
            var refused = await Assert.ThrowsAsync<InvalidOperationException>(() => h.Starter.StartAsync(new StartPlan(creation, Solo, [], []), atOnce));
            Assert.Equal("refused", refused.Message);
        }

        Assert.Equal(0, await h.Test.ScalarAsync("SELECT COUNT(*) FROM runs"));
        Assert.Equal(0, await h.Test.ScalarAsync("SELECT COUNT(*) FROM run_events"));
    }

    [DatabaseFact]
    public async Task Runs_of_a_branch_go_one_after_the_other_in_their_order()
    {
        var order = new List<string>();
        var go = new TaskCompletionSource();
        await using var h = new RunsHarness(new ScriptedChatClient(a =>
        {
            lock (order)
            {
                order.Add(a.LastText);
            }

            return [Say("ok")];
        })
        { Before = (_, ct) => go.Task.WaitAsync(ct) });
        await h.StartAsync();
        List<RunAccepted> accepted = [];
        for (var i = 0; i < 8; i++)
        {
            accepted.Add(await h.RunAsync(Solo, $"{i}", branch: "b", atOnce: i == 0));
        }

        Assert.All(accepted.Skip(1), static a => Assert.True(a.Waiting));
        go.SetResult();
        foreach (var a in accepted)
        {
            Assert.Equal(RunStatus.Completed, (await h.EndAsync(a.RunId)).Status);
        }

        Assert.Equal(Enumerable.Range(0, 8).Select(static i => $"{i}"), order);
    }

    [DatabaseFact]
    public async Task Children_of_a_concurrent_team_run_in_parallel_and_their_answers_come_back()
    {
        await using var h = new RunsHarness(new ScriptedChatClient(static a => [Say($"{a.Agent} here")]));
        await h.StartAsync();
        var team = TestTeams.Of(PatternKind.Concurrent, ["one", "two", "three"], change: static t => t with { Writer = "one" });
        var run = await h.EndAsync((await h.RunAsync(team, "go", atOnce: true)).RunId);
        Assert.Equal(RunStatus.Completed, run.Status);
        var tree = await h.Reader.TreeAsync(run.Id, "alice", default);
        Assert.True(tree.Count >= 3, $"{tree.Count} runs");
        Assert.All(tree, static r => Assert.Equal(RunStatus.Completed, r.Status));
        Assert.Equal(0, await h.Test.ScalarAsync("SELECT COUNT(*) FROM runs WHERE status = 'running'"));
    }

    [DatabaseFact]
    public async Task A_process_that_died_leaves_runs_that_the_next_one_finishes()
    {
        await using var database = RunsHarness.NewDatabase();
        var asked = new TaskCompletionSource();
        var model = new ScriptedChatClient(static _ => [Say("never")])
        {
            Before = async (_, ct) =>
            {
                asked.TrySetResult();
                await Task.Delay(Timeout.Infinite, ct);
            },
        };
        var dead = new RunsHarness(model, database: database);
        await dead.StartAsync();
        var id = (await dead.RunAsync(Solo, "hi", atOnce: true)).RunId;
        await asked.Task;

        // Nothing of the first worker is told: as after kill -9, its lease stands in the row.
        await using var next = new RunsHarness(new ScriptedChatClient(static _ => [Say("later")]), database: database);
        await next.StartAsync();
        var run = await next.EndAsync(id);
        Assert.Equal((RunStatus.Completed, "later", 2), (run.Status, run.Answer?.Text, run.Attempt));

        await dead.DisposeAsync();
        Assert.Equal("later", (await next.Reader.FindAsync(id, null, default))!.Answer!.Text);
        Assert.Single((await next.LogAsync(id)).OfType<RunCompleted>());
    }

    [DatabaseFact]
    public async Task A_worker_that_stood_still_beyond_its_lease_writes_nothing_more()
    {
        var time = new ManualTimeProvider();
        await using var database = RunsHarness.NewDatabase(time);
        var go = new TaskCompletionSource();
        var asked = new TaskCompletionSource();
        var stood = new ScriptedChatClient(static _ => [Say("too late")])
        {
            Before = async (_, _) =>
            {
                asked.TrySetResult();
                await go.Task;
            },
        };
        await using var first = new RunsHarness(stood, database: database, time: time, ownsData: false);
        await first.StartAsync();
        var id = (await first.RunAsync(Solo, "hi", atOnce: true)).RunId;
        await asked.Task;

        await using var second = new RunsHarness(new ScriptedChatClient(static _ => [Say("in time")]), database: database, time: new ManualTimeProvider(time.GetUtcNow()), ownsData: false);
        await second.StartAsync();
        Assert.Null(await second.Ownership.ClaimAsync(id, TimeSpan.FromSeconds(15), default));
        await database.ExecuteAsync($"UPDATE runs SET lease_until = 0 WHERE id = '{id}'"); // the first one is stopped and renews nothing
        second.Signals.RaiseReady(new ReadyRun(id, "alice", true, false));
        var run = await second.EndAsync(id);
        Assert.Equal("in time", run.Answer?.Text);

        go.SetResult();
        await first.WaitForAsync(id, _ => !first.Worker.IsActive(id));
        var log = await second.LogAsync(id);
        Assert.Equal("in time", Assert.Single(log.OfType<MessageCompleted>()).Text);
        Assert.Equal(Enumerable.Range(1, log.Count).Select(static i => (long)i), log.Select(static e => e.Seq));
    }

    [DatabaseFact]
    public async Task A_stop_lets_go_of_runs_and_the_next_start_goes_on()
    {
        await using var database = RunsHarness.NewDatabase();
        var asked = new CountdownEvent(20);
        var model = new ScriptedChatClient(static _ => [Say("never")])
        {
            Before = async (_, ct) =>
            {
                asked.Signal();
                await Task.Delay(Timeout.Infinite, ct);
            },
        };
        List<string> ids = [];
        await using (var first = new RunsHarness(model, database: database))
        {
            await first.StartAsync();
            for (var i = 0; i < 20; i++)
            {
                ids.Add((await first.RunAsync(Solo, "hi", atOnce: true)).RunId);
            }

            Assert.True(asked.Wait(TimeSpan.FromMinutes(2)));
        }

        Assert.Equal(20, await database.ScalarAsync("SELECT COUNT(*) FROM runs WHERE status = 'queued' AND worker IS NULL AND stalled = 0 AND crashes = 0"));
        await using var second = new RunsHarness(database: database);
        await second.StartAsync();
        foreach (var id in ids)
        {
            Assert.Equal(RunStatus.Completed, (await second.EndAsync(id)).Status);
        }
    }

    [DatabaseFact]
    public async Task A_bug_in_the_engine_ends_that_run_and_its_history_stays_valid()
    {
        await using var h = new RunsHarness(engine: static (_, _) => throw new InvalidOperationException("secret text"));
        await h.StartAsync();
        var run = await h.EndAsync((await h.RunAsync(Solo, "hi")).RunId);
        Assert.Equal((RunStatus.Failed, "internal"), (run.Status, run.ErrorCode));
        Assert.DoesNotContain("secret", run.Reason, StringComparison.Ordinal);
        var again = await h.RunAsync(Solo, "hi", atOnce: false);
        Assert.Equal(RunStatus.Failed, (await h.EndAsync(again.RunId)).Status);
    }

    [DatabaseFact]
    public async Task Cancel_reaches_the_model_within_a_second_and_keeps_the_text()
    {
        var writing = new TaskCompletionSource();
        var aborted = new TaskCompletionSource();
        var model = new ScriptedChatClient(static _ => [Say("x")])
        {
            Before = async (_, ct) =>
            {
                writing.TrySetResult();
                try
                {
                    await Task.Delay(Timeout.Infinite, ct);
                }
                finally
                {
                    aborted.TrySetResult();
                }
            },
        };
        await using var h = new RunsHarness(model);
        await h.StartAsync();
        var id = (await h.RunAsync(Solo, "hi", atOnce: true)).RunId;
        await writing.Task;
        Assert.False(await h.Verbs.CancelAsync(id, "bob", "no", true, default));
        Assert.True(await h.Verbs.CancelAsync(id, "alice", "enough", true, default));
        await aborted.Task.WaitAsync(TimeSpan.FromSeconds(5));
        var run = await h.EndAsync(id);
        Assert.Equal((RunStatus.Cancelled, "enough"), (run.Status, run.Reason));
        Assert.True(await h.Verbs.CancelAsync(id, "alice", "again", true, default));
    }

    [DatabaseFact]
    public async Task A_run_that_waits_for_its_branch_can_be_cancelled_without_starting()
    {
        var go = new TaskCompletionSource();
        var model = new ScriptedChatClient(static _ => [Say("ok")]) { Before = (_, ct) => go.Task.WaitAsync(ct) };
        await using var h = new RunsHarness(model);
        await h.StartAsync();
        var first = (await h.RunAsync(Solo, "1", branch: "b", atOnce: true)).RunId;
        var second = await h.RunAsync(Solo, "2", branch: "b");
        Assert.True(second.Waiting);
        await h.Verbs.CancelAsync(second.RunId, "alice", "no", true, default);
        Assert.Equal(RunStatus.Cancelled, (await h.EndAsync(second.RunId)).Status);
        go.SetResult();
        Assert.Equal(RunStatus.Completed, (await h.EndAsync(first)).Status);
        Assert.Equal(1, model.Calls);
    }

    [DatabaseFact]
    public async Task One_user_with_many_runs_leaves_room_for_another()
    {
        var go = new TaskCompletionSource();
        var model = new ScriptedChatClient(static _ => [Say("ok")]) { Before = (a, ct) => a.Call.OwnerId == "bob" ? Task.CompletedTask : go.Task.WaitAsync(ct) };
        await using var h = new RunsHarness(model, options: new RunsOptions { RootRunsPerUser = 2 });
        await h.StartAsync();
        List<RunAccepted> many = [];
        for (var i = 0; i < 6; i++)
        {
            many.Add(await h.RunAsync(Solo, "x", atOnce: true));
        }

        Assert.Equal(2, many.Count(static a => a.Status == RunStatus.Running));
        Assert.Equal(RunStatus.Completed, (await h.EndAsync((await h.RunAsync(Solo, "y", atOnce: true, owner: "bob")).RunId)).Status);
        go.SetResult();
        foreach (var a in many)
        {
            Assert.Equal(RunStatus.Completed, (await h.EndAsync(a.RunId)).Status);
        }
    }

    [DatabaseFact]
    public async Task A_question_is_answered_once_and_the_run_goes_on()
    {
        var model = new ScriptedChatClient(static a => a.ToolResult is { } answer ? [Say($"So: {answer}")] : [Call("ask_user", new { question = "Where to?" })]);
        await using var h = new RunsHarness(model);
        await h.StartAsync();
        var id = (await h.RunAsync(Solo, "go", atOnce: true)).RunId;
        var waiting = await h.EndAsync(id);
        Assert.Equal((RunStatus.WaitingInput, "Where to?"), (waiting.Status, waiting.Reason));
        Assert.Equal("no_open_question", (await h.Verbs.AnswerAsync(id, "alice", 9, "x", null, default)).Code);
        Assert.Equal("run_not_found", (await h.Verbs.AnswerAsync(id, "bob", null, "x", null, default)).Code);
        var answers = await Task.WhenAll(h.Verbs.AnswerAsync(id, "alice", null, "Kazan", null, default), h.Verbs.AnswerAsync(id, "alice", null, "Moscow", null, default));
        Assert.Single(answers, static a => a.Ok);
        var run = await h.WaitForAsync(id, static r => r.Status.IsFinal());
        Assert.StartsWith("So: ", run.Answer!.Text, StringComparison.Ordinal);
        Assert.Equal("run_is_final", (await h.Verbs.AnswerAsync(id, "alice", null, "x", null, default)).Code);
    }

    [DatabaseFact]
    public async Task A_retry_copies_completed_steps_and_does_not_pay_or_run_them_again()
    {
        var tool = new TestTool("look", static t => $"found {t}");
        var model = new ScriptedChatClient(static a => a.ToolResult is { } found ? [Say(found)] : [Call("look", new { text = "it" })]);
        await using var h = new RunsHarness(model, [tool]);
        await h.StartAsync();
        var team = TestTeams.Of(PatternKind.Direct, ["solo"], [tool]);
        var first = await h.EndAsync((await h.RunAsync(team, "go", atOnce: true)).RunId);
        var log = await h.LogAsync(first.Id);
        var after = log.First(static e => e is ToolCompleted).Seq + 1;
        var calls = model.Calls;

        Assert.Equal("run_not_found", (await h.Verbs.RetryAsync(first.Id, "bob", null, default, null, default)).Code);
        var verdict = await h.Verbs.RetryAsync(first.Id, "alice", after, default, null, default);
        Assert.True(verdict.Ok, verdict.Detail);
        var second = await h.EndAsync(verdict.Run!.Id);
        Assert.Equal((first.Id, "found it", RunStatus.Completed), (second.RetryOf, second.Answer?.Text, second.Status));
        Assert.Single(tool.Keys);
        Assert.Equal(calls + 1, model.Calls);
        Assert.Equal(10, second.Usage.InputTokens);
    }

    [DatabaseFact]
    public async Task A_retry_of_a_run_that_met_a_limit_does_not_begin_at_that_limit()
    {
        var (tool, far) = (new TestTool("look", static t => $"found {t}"), false);
        var model = new ScriptedChatClient(a => far && a.ToolResult is { } found ? [Say(found)] : [Call("look", new { text = $"{a.Number}" })]);
        await using var h = new RunsHarness(model, [tool]);
        await h.StartAsync();
        var team = TestTeams.Of(PatternKind.Direct, ["solo"], [tool], change: static t => t with { Limits = new RunLimits { MaxSteps = 4 } });
        var first = await h.EndAsync((await h.RunAsync(team, "go", atOnce: true)).RunId);
        Assert.Equal((RunStatus.Failed, "guard_steps"), (first.Status, first.ErrorCode));
        far = true;
        var verdict = await h.Verbs.RetryAsync(first.Id, "alice", first.LastSeq, default, null, default); // behind guard.stopped
        Assert.True(verdict.Ok, verdict.Detail);
        var second = await h.EndAsync(verdict.Run!.Id);
        Assert.Equal((RunStatus.Completed, 2), (second.Status, tool.Keys.Count));
    }

    [DatabaseFact]
    public async Task Children_of_a_failed_run_are_cancelled()
    {
        await using var h = new RunsHarness(engine: static async (run, ct) =>
        {
            await Task.Delay(Timeout.Infinite, CancellationTokenSource.CreateLinkedTokenSource(run.Fenced, ct).Token);
            return RunExit.Stopped;
        });
        var parent = await h.OwnedAsync();
        var root = await h.Ownership.RowAsync(parent.Id, default);
        var child = new NewRun
        {
            RunId = Guid.CreateVersion7().ToString(), OwnerId = "alice", RootRunId = parent.Id, ParentRunId = parent.Id, ParentKey = "c", Depth = 1, Team = "test", EntryAgent = "solo",
            SnapshotHash = root!.SnapshotHash, Input = "task",
        };
        child = child with { Queued = NewRuns.QueuedRecord(child, Solo, h.Clock.GetUtcNow()) };
        await h.Store.AppendAsync(parent.Batch(RunStatus.Running, new ChildStarted(1, child.RunId, "solo", "task")) with { Children = [child] }, default);
        await parent.AppendAsync(RunStatus.Failed, new RunFailed("guard", "Too many steps."));
        await h.StartAsync();
        Assert.Equal(RunStatus.Cancelled, (await h.EndAsync(child.RunId)).Status);
    }

    [DatabaseFact]
    public async Task Ten_waiters_hear_of_one_end()
    {
        var go = new TaskCompletionSource();
        var model = new ScriptedChatClient(static _ => [Say("ok")]) { Before = (_, ct) => go.Task.WaitAsync(ct) };
        await using var h = new RunsHarness(model);
        await h.StartAsync();
        var id = (await h.RunAsync(Solo, "x", atOnce: true)).RunId;
        var waiters = Enumerable.Range(0, 10).Select(_ => h.EndAsync(id)).ToList();
        Assert.Equal(RunStatus.Running, (await h.Waiters.WaitAsync(id, TimeSpan.FromMilliseconds(1), default))!.Status);
        Assert.Null(await h.Waiters.WaitAsync("nothing", TimeSpan.FromSeconds(1), default));
        go.SetResult();
        Assert.All(await Task.WhenAll(waiters), static r => Assert.Equal(RunStatus.Completed, r.Status));
    }
}

public sealed class RunWorkerOnSqliteTests() : RunWorkerTests(DatabaseKind.Sqlite);

public sealed class RunWorkerOnPostgresTests() : RunWorkerTests(DatabaseKind.Postgres), IOnPostgres;
