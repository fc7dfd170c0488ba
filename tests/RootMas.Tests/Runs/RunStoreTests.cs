using System.Text.Json;
using RootMas.Runtime.Runs;
using RootMas.Runtime.Teams;
using RootMas.Server.Platform.Data;
using RootMas.Server.Runs;
using RootMas.Tests.Support;

namespace RootMas.Tests.Runs;

[Covers(typeof(RunStore))]
public abstract class RunStoreTests(DatabaseKind kind) : OnDatabase(kind)
{
    private static ModelRequested Asked(string id) => new(id, "cheap", "v1", "h", "answer", 1);

    private static ModelCompleted Answered(string id, long micros = 0) =>
        new(id, "text", [], "m", "cheap", new TokenUsage(10, 2, 5), new Money(micros), 1, 1, "stop");

    private static JsonElement Arguments => JsonDocument.Parse("""{"to":"x"}""").RootElement;

    private static ApprovalRequested Approval(string id, DateTimeOffset expires) => new(id, 1, "send", Arguments, new string('a', 64), "owner", "sends data", "1", null, expires);

    [DatabaseFact]
    public async Task Only_the_owner_who_knows_the_last_event_appends()
    {
        await using var h = new RunsHarness();
        var run = await h.OwnedAsync();
        Assert.Equal(AppendOutcome.Appended, (await run.AppendAsync(RunStatus.Running, Asked("m1"))).Outcome);

        var stranger = new TestRun(h, run.Id, attempt: 2) { Seq = run.Seq };
        var late = new TestRun(h, run.Id, attempt: 1) { Seq = run.Seq - 1 };
        var ahead = new TestRun(h, run.Id, attempt: 1) { Seq = run.Seq + 1 };
        Assert.Equal(AppendOutcome.Fenced, (await stranger.AppendAsync(RunStatus.Running, Answered("m1"))).Outcome);
        Assert.Equal(AppendOutcome.Fenced, (await late.AppendAsync(RunStatus.Running, Answered("m1"))).Outcome);
        Assert.Equal(AppendOutcome.Fenced, (await ahead.AppendAsync(RunStatus.Running, Answered("m1"))).Outcome);
        Assert.Equal([1L, 2, 3], (await h.LogAsync(run.Id)).Select(static e => e.Seq));
    }

    [DatabaseFact]
    public async Task Nothing_is_appended_after_the_end()
    {
        await using var h = new RunsHarness();
        var run = await h.OwnedAsync();
        Assert.True((await run.EndAsync()).Parked);
        Assert.Equal(AppendOutcome.Fenced, (await run.AppendAsync(RunStatus.Running, Asked("m2"))).Outcome);
        Assert.Equal(InboxOutcome.Final, await h.Store.InsertInboxAsync(run.Id, null, "late", new CancelRequested("x", null), default));
        var summary = await h.Reader.FindAsync(run.Id, "alice", default);
        Assert.Equal(("done", RunStatus.Completed), (summary!.Answer!.Text, summary.Status));
        Assert.Null(await h.Reader.FindAsync(run.Id, "bob", default));
    }

    [DatabaseFact]
    public async Task Stored_bytes_come_back_unchanged()
    {
        await using var h = new RunsHarness();
        var run = await h.OwnedAsync();
        var batch = run.Batch(RunStatus.Running, new MessageCompleted("m", "Привет, \"мир\" \u0001 😀\n", "complete", [], null, null, false));
        await h.Store.AppendAsync(batch, default);
        var stored = await h.Reader.EventsAsync(run.Id, 2, 10, default);
        Assert.Equal(batch.Events[0].Json, stored.Single().Json.ToArray());
        Assert.Equal("message.completed", stored.Single().Type);
    }

    [DatabaseFact]
    public async Task Cost_and_tokens_of_a_run_are_the_sum_of_its_model_calls()
    {
        await using var h = new RunsHarness();
        var run = await h.OwnedAsync();
        await h.Store.AppendAsync(run.Batch(RunStatus.Running, Asked("m1")) with { TreeDelta = new TreeTotals(1, 0, 0, 0) }, default);
        var result = await h.Store.AppendAsync(
            run.Batch(RunStatus.Running, Answered("m1", 120), Asked("m2"), new ModelFailed("m2", "timeout", "x", new Money(30))) with { TreeDelta = new TreeTotals(1, 0, 15, 150) }, default);
        Assert.Equal(new TreeTotals(2, 0, 15, 150), result.Tree);
        var summary = await h.Reader.FindAsync(run.Id, null, default);
        Assert.Equal((150, 150, 10, 2, 5), (summary!.Cost.MicroUsd, summary.TreeCost.MicroUsd, summary.Usage.InputTokens, summary.Usage.CachedTokens, summary.Usage.OutputTokens));
    }

    [DatabaseFact]
    public async Task Parking_misses_when_the_inbox_is_not_empty_and_the_events_are_kept()
    {
        await using var h = new RunsHarness();
        var run = await h.OwnedAsync();
        Assert.Equal(InboxOutcome.Written, await h.Store.InsertInboxAsync(run.Id, "alice", "k", new InputGiven(1, "x", null), default));
        Assert.Equal(InboxOutcome.Duplicate, await h.Store.InsertInboxAsync(run.Id, "alice", "k", new InputGiven(1, "y", null), default));
        Assert.Equal(InboxOutcome.NotFound, await h.Store.InsertInboxAsync(run.Id, "bob", "k2", new InputGiven(1, "y", null), default));

        var missed = await run.AppendAsync(RunStatus.WaitingInput, new InputRequested(1, "?", null, h.Clock.GetUtcNow().AddHours(1)));
        Assert.False(missed.Parked);
        Assert.Equal(RunStatus.Running, (await h.Reader.FindAsync(run.Id, null, default))!.Status);

        var inbox = await h.Store.ReadInboxAsync(run.Id, 0, default);
        Assert.Equal("x", Assert.IsType<InputGiven>(Assert.Single(inbox).Payload).Text);
        var parked = await h.Store.AppendAsync(run.Batch(RunStatus.WaitingInput, new InputReceived(1, "x", null)) with { InboxDone = inbox[0].Id }, default);
        Assert.True(parked.Parked);
    }

    [DatabaseFact]
    public async Task A_parked_run_wakes_once_and_its_time_with_people_is_counted()
    {
        var time = new ManualTimeProvider();
        await using var h = new RunsHarness(time: time);
        var ready = new List<ReadyRun>();
        h.Signals.Ready += ready.Add;
        var run = await h.OwnedAsync();
        await run.AppendAsync(RunStatus.WaitingInput, new InputRequested(1, "Which?", null, time.GetUtcNow().AddHours(1)));
        Assert.Equal("Which?", (await h.Reader.FindAsync(run.Id, null, default))!.Reason);
        time.Advance(TimeSpan.FromSeconds(90));
        await h.Store.InsertInboxAsync(run.Id, null, "a", new InputGiven(1, "this", null), default);
        await h.Store.InsertInboxAsync(run.Id, null, "b", new InputGiven(1, "that", null), default);
        var row = await h.Ownership.RowAsync(run.Id, default);
        Assert.Equal((RunStatus.Queued, 90_000L), (row!.Status, row.ParkedOnHumansMs));
        Assert.Contains(ready, r => r.RunId == run.Id && r.IsRoot && !r.IsFresh);

        // The old owner is out, whatever it still holds.
        Assert.Equal(AppendOutcome.Fenced, (await run.AppendAsync(RunStatus.Running, Asked("late"))).Outcome);
    }

    [DatabaseFact]
    public async Task The_end_of_a_child_is_in_its_parents_inbox_in_the_same_transaction()
    {
        await using var h = new RunsHarness();
        var parent = await h.OwnedAsync();
        var child = await AddChildrenAsync(h, parent, 1);
        await parent.AppendAsync(RunStatus.WaitingChildren);
        await child[0].EndAsync("from the child");
        Assert.Equal(RunStatus.Queued, (await h.Reader.FindAsync(parent.Id, null, default))!.Status);
        var ended = Assert.IsType<ChildEnded>(Assert.Single(await h.Store.ReadInboxAsync(parent.Id, 0, default)).Payload);
        Assert.Equal((child[0].Id, "completed", "from the child"), (ended.ChildRunId, ended.Status, ended.Result));
    }

    public static TheoryData<int> Seeds() => TestLength.Seeds(1, usually: 3, inTheLongForm: 65);

    [DatabaseTheory]
    [MemberData(nameof(Seeds))]
    public async Task Thirty_two_children_that_end_while_their_parent_parks_lose_no_wake_up(int seed)
    {
        await using var h = new RunsHarness();
        for (var round = 0; round < 5; round++)
        {
            var random = new Random((seed * 100) + round);
            var parent = await h.OwnedAsync();
            var children = await AddChildrenAsync(h, parent, 32);
            random.Shuffle(children);
            var ends = children.Select((c, i) => Task.Run(async () =>
            {
                for (var spin = random.Next(4); spin > 0; spin--)
                {
                    await Task.Yield();
                }

                await c.EndAsync($"{i}");
            })).ToList();

            // The parent takes in what it sees and parks, again and again, as an engine does.
            long done = 0;
            var seen = new HashSet<string>();
            while (seen.Count < 32)
            {
                var inbox = await h.Store.ReadInboxAsync(parent.Id, done, default);
                foreach (var item in inbox)
                {
                    Assert.True(seen.Add(((ChildEnded)item.Payload).ChildRunId), "a child ended twice");
                    done = item.Id;
                }

                var parked = await h.Store.AppendAsync(parent.Batch(RunStatus.WaitingChildren) with { InboxDone = done == 0 ? null : done }, default);
                Assert.Equal(AppendOutcome.Appended, parked.Outcome);
                if (parked.Parked && seen.Count < 32)
                {
                    // Parked: only a wake-up brings it back.
                    await h.WaitForAsync(parent.Id, static r => r.Status == RunStatus.Queued);
                    var row = await h.Ownership.ClaimAsync(parent.Id, TimeSpan.FromSeconds(15), default);
                    parent = new TestRun(h, parent.Id, row!.Attempt) { Seq = row.LastSeq };
                }
            }

            await Task.WhenAll(ends);
            Assert.Equal(32, seen.Count);
        }
    }

    [DatabaseFact]
    public async Task Ten_thousand_races_of_two_workers_write_each_number_once()
    {
        await using var h = new RunsHarness();
        var run = await h.OwnedAsync();
        var seq = run.Seq;
        for (var race = 0; race < 10_000; race++)
        {
            var (a, b) = (new TestRun(h, run.Id, 1) { Seq = seq }, new TestRun(h, run.Id, 1) { Seq = seq });
            var both = await Task.WhenAll(a.AppendAsync(RunStatus.Running, Asked($"a{race}")).AsTask(), b.AppendAsync(RunStatus.Running, Asked($"b{race}")).AsTask());
            Assert.Single(both, static r => r.Outcome == AppendOutcome.Appended);
            seq++;
        }

        Assert.Equal(10_002, await h.Test.ScalarAsync($"SELECT COUNT(*) FROM run_events WHERE run_id = '{run.Id}'"));
        Assert.Equal(10_002, await h.Test.ScalarAsync($"SELECT MAX(seq) FROM run_events WHERE run_id = '{run.Id}'"));
    }

    [DatabaseFact]
    public async Task Two_workers_that_claim_one_run_get_it_once()
    {
        await using var h = new RunsHarness();
        for (var race = 0; race < 200; race++)
        {
            var run = await h.OwnedAsync();
            await run.AppendAsync(RunStatus.WaitingTimer);
            await h.Store.InsertInboxAsync(run.Id, null, "t", new TimerDue(h.Clock.GetUtcNow()), default);
            var claims = await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => h.Ownership.ClaimAsync(run.Id, TimeSpan.FromSeconds(15), default)));
            Assert.Single(claims, static c => c is not null);
        }
    }

    [DatabaseFact]
    public async Task Approval_cancel_and_answer_that_arrive_together_are_all_in_the_inbox_once()
    {
        await using var h = new RunsHarness();
        for (var round = 0; round < 50; round++)
        {
            var run = await h.OwnedAsync();
            var id = Guid.NewGuid().ToString();
            var parking = run.AppendAsync(RunStatus.WaitingApproval, Approval(id, h.Clock.GetUtcNow().AddHours(1))).AsTask();
            var cancel = h.Verbs.CancelAsync(run.Id, "alice", "stop", true, default);
            var answer = h.Store.InsertInboxAsync(run.Id, "alice", "input:1:3", new InputGiven(1, "x", "alice"), default);
            await Task.WhenAll(parking, cancel, answer);
            var approve = await Task.WhenAll(Enumerable.Range(0, 3).Select(_ => h.Approvals.DecideAsync(id, new ApprovalDecider("alice", false), true, new string('a', 64), null, default)));
            Assert.Single(approve, static v => v.Ok);
            var inbox = await h.Store.ReadInboxAsync(run.Id, 0, default);
            Assert.Equal(3, inbox.Count);
            var row = await h.Ownership.RowAsync(run.Id, default);
            Assert.Equal(inbox[^1].Id, row!.InboxSeq);
            Assert.True(row.Status is RunStatus.Queued or RunStatus.Running, row.Status.ToName());
            Assert.Equal(row.Status == RunStatus.Running, !(await parking).Parked);
        }
    }

    [DatabaseFact]
    public async Task An_approval_is_decided_once_by_the_right_person_about_the_right_bytes()
    {
        var time = new ManualTimeProvider();
        await using var h = new RunsHarness(time: time);
        var run = await h.OwnedAsync();
        await run.AppendAsync(RunStatus.WaitingApproval, Approval("ap1", time.GetUtcNow().AddMinutes(5)), Approval("ap2", time.GetUtcNow().AddMinutes(1)) with { Approver = "admin" });
        var hash = new string('a', 64);
        Assert.Equal(2, (await h.Approvals.ListAsync("alice", "pending", null, null, 10, default)).Count);
        Assert.Equal("approval_not_found", (await h.Approvals.DecideAsync("ap1", new ApprovalDecider("bob", false), true, hash, null, default)).Code);
        Assert.Equal("admin_required", (await h.Approvals.DecideAsync("ap2", new ApprovalDecider("alice", false), true, hash, null, default)).Code);
        Assert.Equal("arguments_changed", (await h.Approvals.DecideAsync("ap1", new ApprovalDecider("alice", false), true, new string('b', 64), null, default)).Code);
        time.Advance(TimeSpan.FromMinutes(2));
        Assert.Equal("approval_expired", (await h.Approvals.DecideAsync("ap2", new ApprovalDecider("root", true), true, hash, null, default)).Code);
        Assert.True((await h.Approvals.DecideAsync("ap1", new ApprovalDecider("alice", false), false, hash.ToUpperInvariant(), "no", default)).Ok);
        Assert.Equal("approval_decided", (await h.Approvals.DecideAsync("ap1", new ApprovalDecider("alice", false), true, hash, null, default)).Code);
        var told = Assert.IsType<ApprovalDecided>(Assert.Single(await h.Store.ReadInboxAsync(run.Id, 0, default)).Payload);
        Assert.Equal(("ap1", false, "alice", "no"), (told.ApprovalId, told.Approve, told.By, told.Reason));

        // What its run has closed because nobody came was decided by nobody.
        var late = await h.OwnedAsync();
        await late.AppendAsync(RunStatus.Running, Approval("ap3", time.GetUtcNow()), new ApprovalExpired("ap3", 1));
        Assert.Equal("ap3", Assert.Single(await h.Approvals.ListAsync("alice", "expired", null, null, 10, default)).Id);
        Assert.Equal("approval_expired", (await h.Approvals.DecideAsync("ap3", new ApprovalDecider("alice", false), true, hash, null, default)).Code);
    }

    [DatabaseFact]
    public async Task A_branch_has_one_started_run_however_many_start_at_once()
    {
        var holding = new TaskCompletionSource();
        await using var h = new RunsHarness(engine: async (_, ct) =>
        {
            await holding.Task.WaitAsync(ct);
            return RunExit.Stopped;
        });
        var team = TestTeams.Of(PatternKind.Direct, ["solo"]);
        var accepted = await Task.WhenAll(Enumerable.Range(0, 20).Select(i => h.RunAsync(team, $"{i}", branch: "b1", atOnce: false)));
        Assert.Single(accepted, static a => !a.Waiting);
        Assert.Equal(1, await h.Test.ScalarAsync("SELECT COUNT(*) FROM runs WHERE branch_slot = 'b1'"));
        var refused = await h.RunAsync(team, "no", branch: "b1", enqueue: false);
        Assert.NotNull(refused.Busy);
        Assert.Equal(20, await h.Test.ScalarAsync("SELECT COUNT(*) FROM runs"));
        Assert.Equal(20, (await h.Reader.OnBranchAsync("b1", "alice", default)).Count);
        holding.SetResult();
    }

    [DatabaseFact]
    public async Task A_timer_wakes_its_run_exactly_once()
    {
        var time = new ManualTimeProvider();
        await using var h = new RunsHarness(time: time);
        var run = await h.OwnedAsync();
        var at = time.GetUtcNow().AddMinutes(1);
        await h.Store.AppendAsync(run.Batch(RunStatus.WaitingTimer, new TimerStarted("retry", "All models are down.", at, 1)) with { WakeAt = at }, default);
        Assert.Equal(at, await h.Ownership.FireTimersAsync(default));
        time.Advance(TimeSpan.FromMinutes(2));
        await Task.WhenAll(Enumerable.Range(0, 5).Select(_ => h.Ownership.FireTimersAsync(default)));
        Assert.IsType<TimerDue>(Assert.Single(await h.Store.ReadInboxAsync(run.Id, 0, default)).Payload);
        Assert.Equal(RunStatus.Queued, (await h.Reader.FindAsync(run.Id, null, default))!.Status);
    }

    [DatabaseFact]
    public async Task A_back_off_does_not_last_longer_when_the_clock_is_set_back_and_what_people_have_to_decide_does()
    {
        var time = new ManualTimeProvider();
        await using var h = new RunsHarness(time: time);
        var (run, asked) = (await h.OwnedAsync(), await h.OwnedAsync());
        var at = time.GetUtcNow().AddMinutes(1);
        await h.Store.AppendAsync(run.Batch(RunStatus.WaitingTimer, new TimerStarted("retry", "All models are down.", at, 1)) with { WakeAt = at }, default);
        await h.Store.AppendAsync(asked.Batch(RunStatus.WaitingInput, new TimerStarted("x", "x", at, 1)) with { WakeAt = at }, default);
        Assert.Equal(at, await h.Ownership.NextTimerAsync(default));
        time.Set(TimeSpan.FromHours(-1));
        Assert.Equal(time.GetUtcNow(), await h.Ownership.NextTimerAsync(default));
        await Task.WhenAll(Enumerable.Range(0, 5).Select(_ => h.Ownership.FireTimersAsync(default)));
        Assert.Equal(at, Assert.IsType<TimerDue>(Assert.Single(await h.Store.ReadInboxAsync(run.Id, 0, default)).Payload).DueAt);
        Assert.Empty(await h.Store.ReadInboxAsync(asked.Id, 0, default));
        Assert.Equal(at, await h.Ownership.NextTimerAsync(default));
    }

    [DatabaseTheory]
    [InlineData(24)]
    [InlineData(-1)]
    public async Task A_jump_of_the_clock_is_not_time_that_a_run_worked(int hours)
    {
        var time = new ManualTimeProvider();
        await using var h = new RunsHarness(time: time);
        var (run, asked) = (await h.OwnedAsync(), await h.OwnedAsync());
        await h.Store.AppendAsync(asked.Batch(RunStatus.WaitingInput, new TimerStarted("x", "x", time.GetUtcNow(), 1)), default);
        var jumps = new ClockJumps(h.Database, time);
        time.Advance(TimeSpan.FromMinutes(1));
        await jumps.SettleAsync();
        Assert.Equal(0, (await h.Reader.RowAsync(run.Id, null, default))!.ParkedOnHumansMs);
        time.Set(TimeSpan.FromHours(hours));
        var later = await h.OwnedAsync();
        await Task.WhenAll(jumps.SettleAsync(), jumps.SettleAsync());
        Assert.Equal(hours * 3_600_000L, (await h.Reader.RowAsync(run.Id, null, default))!.ParkedOnHumansMs);
        Assert.Equal(0, (await h.Reader.RowAsync(asked.Id, null, default))!.ParkedOnHumansMs);
        Assert.Equal(0, (await h.Reader.RowAsync(later.Id, null, default))!.ParkedOnHumansMs); // it was made by the new clock
    }

    [DatabaseFact]
    public async Task A_batch_of_a_child_counts_at_the_root()
    {
        await using var h = new RunsHarness();
        var parent = await h.OwnedAsync();
        var child = (await AddChildrenAsync(h, parent, 1))[0];
        var result = await h.Store.AppendAsync(child.Batch(RunStatus.Running, Asked("m")) with { TreeDelta = new TreeTotals(1, 0, 7, 9) }, default);
        Assert.Equal(new TreeTotals(1, 1, 7, 9), result.Tree);
        Assert.Equal(9, (await h.Reader.FindAsync(parent.Id, null, default))!.TreeCost.MicroUsd);
        Assert.Equal([parent.Id, child.Id], (await h.Reader.TreeAsync(parent.Id, "alice", default)).Select(static r => r.Id));
    }

    internal static async Task<TestRun[]> AddChildrenAsync(RunsHarness h, TestRun parent, int count)
    {
        var root = await h.Ownership.RowAsync(parent.Id, default);
        var children = Enumerable.Range(0, count).Select(_ =>
        {
            var id = Guid.CreateVersion7().ToString();
            var child = new NewRun
            {
                RunId = id,
                OwnerId = "alice",
                RootRunId = parent.Id,
                ParentRunId = parent.Id,
                ParentKey = $"child:{id}",
                Depth = 1,
                Team = "test",
                EntryAgent = "solo",
                SnapshotHash = root!.SnapshotHash,
                Input = "task",
                CreatedAt = h.Clock.GetUtcNow(),
            };
            return child with { Queued = NewRuns.QueuedRecord(child, TestTeams.Of(PatternKind.Direct, ["solo"]), h.Clock.GetUtcNow()) };
        }).ToArray();
        await h.Store.AppendAsync(
            parent.Batch(RunStatus.Running, [.. children.Select((c, i) => new ChildStarted(i + 1, c.RunId, "solo", "task"))]) with { Children = children, TreeDelta = new TreeTotals(0, count, 0, 0) }, default);
        return await Task.WhenAll(children.Select(async c =>
        {
            var row = await h.Ownership.ClaimAsync(c.RunId, TimeSpan.FromSeconds(15), default);
            return new TestRun(h, c.RunId, row!.Attempt) { Seq = row.LastSeq };
        }));
    }
}

public sealed class RunStoreOnSqliteTests() : RunStoreTests(DatabaseKind.Sqlite);

public sealed class RunStoreOnPostgresTests() : RunStoreTests(DatabaseKind.Postgres), IOnPostgres;
