using RootMas.Runtime.Runs;
using RootMas.Runtime.Teams;
using RootMas.Runtime.Tools;
using RootMas.Server.Identity.Audit;
using RootMas.Server.Platform.Data;
using RootMas.Server.Runs;
using RootMas.Tests.Support;

namespace RootMas.Tests.Runs;

/// <summary>Runs whose process died, again and again.</summary>
public abstract class LostRunTests(DatabaseKind kind) : OnDatabase(kind)
{
    private static readonly TeamSnapshot Solo = TestTeams.Of(PatternKind.Direct, ["solo"]);

    [DatabaseFact]
    public async Task A_run_that_kills_its_worker_again_and_again_ends_as_lost()
    {
        await using var database = RunsHarness.NewDatabase();
        var id = "";
        for (var attempt = 1; attempt <= 3; attempt++)
        {
            // Each process dies with the run in its hands: claimed, nothing appended.
            var h = new RunsHarness(database: database);
            id = id.Length > 0 ? id : (await h.RunAsync(Solo, "hi")).RunId;
            await h.Ownership.VoidLeasesAsync(default);
            Assert.NotNull(await h.Ownership.ClaimAsync(id, TimeSpan.FromSeconds(15), default));
        }

        await using var last = new RunsHarness(database: database);
        await last.StartAsync();
        var run = await last.EndAsync(id);
        Assert.Equal((RunStatus.Failed, "worker_lost"), (run.Status, run.ErrorCode));
    }

    [DatabaseFact]
    public async Task A_run_that_freezes_its_worker_again_and_again_ends_as_lost_two_attempts_later()
    {
        await using var database = RunsHarness.NewDatabase();
        await using var h = new RunsHarness(database: database);
        var id = (await h.RunAsync(Solo, "hi")).RunId;
        var certain = new int[5];
        for (var attempt = 0; attempt < certain.Length; attempt++)
        {
            // Its worker stands still until the lease is over, whatever else that has.
            certain[attempt] = (await h.Ownership.ClaimAsync(id, TimeSpan.FromSeconds(15), default))!.Stalled;
            await database.ExecuteAsync($"UPDATE runs SET lease_until = 0 WHERE id = '{id}'");
        }

        int[] expected = [0, 0, 0, 2, 4];
        Assert.Equal(expected, certain);
        await using var last = new RunsHarness(database: database);
        await last.StartAsync();
        var run = await last.EndAsync(id);
        Assert.Equal((RunStatus.Failed, "worker_lost"), (run.Status, run.ErrorCode));
    }

    [DatabaseFact]
    public async Task Runs_that_only_shared_a_process_with_the_one_that_kills_it_are_finished()
    {
        await using var database = RunsHarness.NewDatabase();
        var ids = new List<string>();
        for (var process = 0; process < 40; process++)
        {
            // Each process dies as soon as it holds the poisonous run; the others have got no further either.
            var h = new RunsHarness(database: database);
            if (ids.Count == 0)
            {
                for (var i = 0; i < 6; i++)
                {
                    ids.Add((await h.RunAsync(Solo, $"{i}")).RunId);
                }
            }

            await h.Ownership.VoidLeasesAsync(default);
            var queue = new RunQueue(100);
            (await h.Ownership.ClaimableAsync("", 100, default)).ForEach(r => queue.Add(r.Ready));
            var dead = false;
            while (!dead && queue.TryTake(out var ready))
            {
                var row = await h.Ownership.ClaimAsync(ready.RunId, TimeSpan.FromSeconds(15), default);
                dead = process >= 3 && ready.RunId == ids[0];
                if (process >= 3 && !dead)
                {
                    await new TestRun(h, ready.RunId, row!.Attempt) { Seq = row.LastSeq }.EndAsync();
                    queue.Left(ready.RunId);
                }
            }

            if ((await h.Ownership.RowAsync(ids[0], default))!.Stalled >= 6)
            {
                break;
            }
        }

        await using var last = new RunsHarness(database: database);
        await last.StartAsync();
        Assert.Equal("worker_lost", (await last.EndAsync(ids[0])).ErrorCode);
        foreach (var id in ids.Skip(1))
        {
            Assert.Equal(RunStatus.Completed, (await last.EndAsync(id)).Status);
        }
    }

    [DatabaseTheory]
    [InlineData(0, "completed", 15)]
    [InlineData(6, "failed", 0)]
    public async Task What_a_cut_off_cascade_has_spent_is_booked_and_its_last_request_is_in_doubt(int stalled, string end, int later)
    {
        var spent = new TokenUsage(30, 10, 7, 2);
        await using var h = new RunsHarness();
        var run = await h.OwnedAsync();
        await run.AppendAsync(
            RunStatus.Running, new ModelRequested("before", "cheap", "v", "h", "answer", 1), new ModelFailed("before", "timeout", "x") { Usage = new TokenUsage(3, 0, 1) }, new ModelRequested("m", "cheap", "v", "h", "answer", 1));

        // The first model's answer was no good: its row is written before the second is asked. Then the process dies.
        await h.Database.WriteAsync(
            async session =>
            {
                await RootMas.Server.Models.LedgerSql.InsertAsync(session, Row(run.Id, h.Clock.GetUtcNow()) with { Cost = new Money(700), Usage = spent, Outcome = "invalid_answer" });
                await RootMas.Server.Models.LedgerSql.InsertAsync(session, Row(run.Id, h.Clock.GetUtcNow()) with { MessageId = "before", Usage = new TokenUsage(3, 0, 1), Outcome = "timeout" });
                return true;
            },
            default);
        await h.Test.ExecuteAsync($"UPDATE runs SET stalled = {stalled}");
        await h.StartAsync();
        var ended = await h.WaitForAsync(run.Id, static r => r.Status.IsFinal());

        Assert.Equal((end, 700, 700), (ended.Status.ToName(), ended.Cost.MicroUsd, ended.TreeCost.MicroUsd));
        Assert.Equal(700, await h.Test.ScalarAsync($"SELECT SUM(cost_micro_usd) FROM usage_ledger WHERE run_id = '{run.Id}'"));
        Assert.Equal(1, await h.Test.ScalarAsync($"SELECT COUNT(*) FROM usage_ledger WHERE run_id = '{run.Id}' AND outcome = 'in_doubt'"));
        var failed = Assert.Single((await h.LogAsync(run.Id)).OfType<ModelFailed>(), static f => f.MessageId == "m");
        Assert.Equal((new Money(700), spent), (failed.CostUsd, failed.Usage!));
        Assert.Equal(4 + 37 + later, ended.Usage.InputTokens + ended.Usage.OutputTokens);
        Assert.Equal(37 + later, await h.Test.ScalarAsync($"SELECT tree_tokens FROM runs WHERE id = '{run.Id}'")); // the owner of the first call, written by hand, counted none
        Assert.Equal(await h.Test.ScalarAsync($"SELECT SUM(input_tokens + output_tokens) FROM usage_ledger WHERE run_id = '{run.Id}'") + later, ended.Usage.InputTokens + ended.Usage.OutputTokens); // the scripted model has no rows
    }

    [DatabaseFact]
    public async Task A_lost_part_is_told_to_the_run_above_and_is_no_dead_letter()
    {
        await using var h = new RunsHarness(engine: static (_, _) => Task.FromResult(RunExit.Stopped));
        var parent = await h.OwnedAsync();
        var child = new NewRun
        {
            RunId = Guid.CreateVersion7().ToString(), OwnerId = "alice", RootRunId = parent.Id, ParentRunId = parent.Id, ParentKey = "part", Depth = 1, Team = "test", EntryAgent = "solo",
            SnapshotHash = (await h.Ownership.RowAsync(parent.Id, default))!.SnapshotHash, Input = "task",
        };
        child = child with { Queued = NewRuns.QueuedRecord(child, Solo, h.Clock.GetUtcNow()) };
        await h.Store.AppendAsync(parent.Batch(RunStatus.Running, new ChildStarted(null, child.RunId, "solo", "task")) with { Children = [child], TreeDelta = new TreeTotals(0, 1, 0, 0) }, default);
        await h.Test.ExecuteAsync($"UPDATE runs SET stalled = 6 WHERE id = '{child.RunId}'");
        await h.StartAsync();
        Assert.Equal("worker_lost", (await h.WaitForAsync(child.RunId, static r => r.Status.IsFinal())).ErrorCode);
        var told = Assert.IsType<ChildEnded>(Assert.Single(await h.Store.ReadInboxAsync(parent.Id, 0, default)).Payload);
        Assert.Equal((child.RunId, "failed"), (told.ChildRunId, told.Status));
        Assert.Equal(0, await h.Test.ScalarAsync("SELECT COUNT(*) FROM dead_letters"));
    }

    private static LedgerEntry Row(string run, DateTimeOffset at) => LedgerEntry.InDoubt(run, run, "alice", new OpenModelCall("m", "answer", "solo", 1, "cheap"), at);

    [DatabaseFact]
    public async Task A_lost_run_with_an_unsafe_call_in_doubt_asks_a_person()
    {
        var send = new TestTool("send", static _ => "sent").With(ToolEffect.Unsafe, timeout: TimeSpan.FromHours(1));
        await using var h = new RunsHarness(tools: [send], engine: static (_, _) => Task.FromResult(RunExit.Stopped));
        var run = await InDoubtAsync(h);
        var review = Assert.Single((await h.LogAsync(run)).OfType<RunNeedsReview>());
        Assert.Equal(send.Timeout, review.RepeatAfter - review.CreatedAt); // a worker that only stands still may go on with the call that long
        Assert.Equal("repeat_too_early", (await h.Verbs.ResolveAsync(run, "alice", 1, "repeat", null, null, default)).Code);
        Assert.Equal("no_open_review", (await h.Verbs.ResolveAsync(run, "alice", 7, "done", null, null, default)).Code);
        Assert.True((await h.Verbs.ResolveAsync(run, "alice", 1, "done", "sent", null, default)).Ok);
        Assert.Equal("no_open_review", (await h.Verbs.ResolveAsync(run, "alice", 1, "cancel", null, null, default)).Code);
    }

    [DatabaseFact]
    public async Task A_lost_run_with_an_unsafe_call_in_doubt_takes_in_what_it_was_told_meanwhile()
    {
        await using var h = new RunsHarness(tools: [new TestTool("send", static _ => "sent").With(ToolEffect.Unsafe)]);
        var run = await StartedAsync(h);
        await h.Test.ExecuteAsync("UPDATE runs SET stalled = 6");
        await h.Store.InsertInboxAsync(run, null, "cancel", new CancelRequested("enough", "alice"), default);
        await h.StartAsync();
        var ended = await h.WaitForAsync(run, static r => r.Status.IsFinal() || r.Attempt > 2);
        Assert.Equal((RunStatus.Cancelled, 2), (ended.Status, ended.Attempt));
        var log = await h.LogAsync(run);
        Assert.Single(log.OfType<RunNeedsReview>());
        Assert.Equal("in_doubt", Assert.Single(log.OfType<ToolFailed>()).Kind);
    }

    [DatabaseTheory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_mistake_of_the_engine_with_an_unsafe_call_in_doubt_asks_a_person_or_says_that_it_may_have_acted(bool told)
    {
        var send = new TestTool("send", static _ => "sent").With(ToolEffect.Unsafe, timeout: TimeSpan.FromHours(1));
        await using var h = new RunsHarness(tools: [send], engine: static (_, _) => throw new InvalidOperationException("a bug"));
        var run = await StartedAsync(h);
        if (told)
        {
            await h.Store.InsertInboxAsync(run, null, "word", new InputGiven(7, "what no engine can take in", "alice"), default); // nothing can park over it
        }

        await h.StartAsync();
        var left = await h.WaitForAsync(run, static r => r.Status is RunStatus.NeedsReview || r.Status.IsFinal());
        var log = await h.LogAsync(run);
        var review = Assert.Single(log.OfType<RunNeedsReview>());
        Assert.Equal(send.Timeout, review.RepeatAfter - review.CreatedAt);
        Assert.Equal(told ? RunStatus.Failed : RunStatus.NeedsReview, left.Status);
        string[] closed = told ? ["in_doubt"] : [];
        Assert.Equal(closed, log.OfType<ToolFailed>().Select(static f => f.Kind));
    }

    [DatabaseFact]
    public async Task A_resolved_review_is_a_row()
    {
        await using var h = new RunsHarness(engine: static (_, _) => Task.FromResult(RunExit.Stopped));
        var run = await InDoubtAsync(h);
        var log = new AuditLog(new AuditKey(new byte[32]));
        AuditWrite record = session => log.AppendAsync(session, new AuditEntry { Action = "run.resolve", TargetId = run });
        foreach (var (call, rows) in ((int, long)[])[(7, 0), (1, 1), (1, 1)])
        {
            await h.Verbs.ResolveAsync(run, "alice", call, "done", "sent", record.And(null), default);
            Assert.Equal(rows, await h.Test.ScalarAsync("select count(*) from audit"));
        }
    }

    [DatabaseFact]
    public async Task An_approval_that_nobody_decided_in_time_is_a_row()
    {
        await using var h = new RunsHarness(participant: new ApprovalAudit(new AuditLog(new AuditKey(new byte[32]))));
        var run = await h.OwnedAsync();
        var arguments = System.Text.Json.JsonDocument.Parse("{}").RootElement;
        await run.AppendAsync(RunStatus.Running, new ApprovalRequested("ap1", 1, "send", arguments, new string('a', 64), "owner", "It sends.", "1", null, h.Clock.GetUtcNow().AddMinutes(1)));
        Assert.Equal(0, await h.Test.ScalarAsync("select count(*) from audit"));
        await run.AppendAsync(RunStatus.Running, new ApprovalExpired("ap1", 1));
        Assert.Equal(1, await h.Test.ScalarAsync("select count(*) from audit where action = 'approval.expire' and target_id = 'ap1'"));
    }

    /// <summary>A run whose worker was lost with an unsafe call on its way.</summary>
    private static async Task<string> InDoubtAsync(RunsHarness h)
    {
        var run = await StartedAsync(h);
        await h.Test.ExecuteAsync("UPDATE runs SET stalled = 6");
        await h.StartAsync();
        var asked = await h.WaitForAsync(run, static r => r.Status == RunStatus.NeedsReview);
        Assert.Contains("send", asked.Reason, StringComparison.Ordinal);
        return run;
    }

    private static async Task<string> StartedAsync(RunsHarness h)
    {
        var run = await h.OwnedAsync();
        var arguments = System.Text.Json.JsonDocument.Parse("{}").RootElement;
        await run.AppendAsync(
            RunStatus.Running,
            new ModelRequested("m", "cheap", "v", "h", "answer", 1),
            new ModelCompleted("m", "", [new ToolCall(1, "send", arguments)], "m", "cheap", TokenUsage.None, Money.Zero, 1, 1, "tool_calls"),
            new ToolStarted(1, "send", arguments, "unsafe", "k", "1"));
        return run.Id;
    }
}

public sealed class LostRunOnSqliteTests() : LostRunTests(DatabaseKind.Sqlite);

public sealed class LostRunOnPostgresTests() : LostRunTests(DatabaseKind.Postgres), IOnPostgres;
