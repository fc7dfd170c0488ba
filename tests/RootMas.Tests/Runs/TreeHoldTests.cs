using RootMas.Runtime.Runs;
using RootMas.Server.Platform.Data;
using RootMas.Tests.Support;

namespace RootMas.Tests.Runs;

/// <summary>What runs of one tree set aside for their model calls (decision 36).</summary>
public abstract class TreeHoldTests(DatabaseKind kind) : OnDatabase(kind)
{
    private static readonly TreeAmount Call = new(1_000, 100);

    [DatabaseFact]
    public async Task Of_runs_that_ask_at_once_as_many_are_granted_as_the_limit_holds_for_and_more_when_one_has_cost_less()
    {
        await using var h = new RunsHarness();
        var parent = await h.OwnedAsync();
        var children = await RunStoreTests.AddChildrenAsync(h, parent, 8);
        var granted = await AskAsync(children, new TreeAmount(3_500, 0));
        Assert.Equal(3, granted.Values.Count(static g => g == new TreeGrant(Call, IsBusy: false)));
        Assert.Equal(5, granted.Values.Count(static g => g == new TreeGrant(default, IsBusy: true)));

        var done = granted.First(static g => !g.Value.IsBusy).Key;
        await h.Store.AppendAsync(done.Batch(RunStatus.Running, new ModelFailed("m", "x", "x", new Money(400))) with { TreeDelta = new TreeTotals(0, 0, 0, 400) }, default);
        var again = await AskAsync([.. granted.Where(static g => g.Value.IsBusy).Select(static g => g.Key)], new TreeAmount(3_500, 0));
        Assert.Single(again.Values, static g => !g.IsBusy);
    }

    [DatabaseFact]
    public async Task Tokens_are_set_aside_like_money_and_a_limit_of_zero_is_none()
    {
        await using var h = new RunsHarness();
        var children = await RunStoreTests.AddChildrenAsync(h, await h.OwnedAsync(), 4);
        Assert.Equal(2, (await AskAsync(children, new TreeAmount(0, 250))).Values.Count(static g => !g.IsBusy));
        Assert.All((await AskAsync(children, default)).Values, static g => Assert.Equal(new TreeGrant(Call, IsBusy: false), g));
    }

    [DatabaseFact]
    public async Task Runs_that_give_tasks_at_once_give_no_more_than_the_limit_of_children()
    {
        await using var h = new RunsHarness();
        var children = await RunStoreTests.AddChildrenAsync(h, await h.OwnedAsync(), 8);
        var grants = await Task.WhenAll(children.Select(static c => c.AskAsync(new TreeHold(new TreeAmount(0, 0, 5), default, new TreeAmount(0, 0, 20)))));
        Assert.All(grants, static g => Assert.False(g.IsBusy));
        Assert.Equal([0, 0, 0, 0, 0, 2, 5, 5], grants.Select(static g => g.Held.Children).Order());
    }

    [DatabaseFact]
    public async Task Whoever_is_alone_gets_what_is_left_and_an_end_gives_it_back()
    {
        await using var h = new RunsHarness();
        var parent = await h.OwnedAsync();
        var children = await RunStoreTests.AddChildrenAsync(h, parent, 2);
        Assert.Equal(new TreeGrant(new TreeAmount(600, 100), IsBusy: false), await AskAsync(children[0], new TreeAmount(600, 0)));
        Assert.True((await AskAsync(parent, new TreeAmount(600, 0))).IsBusy);
        await children[0].EndAsync();
        Assert.Equal(600, (await AskAsync(parent, new TreeAmount(600, 0))).Held.CostMicroUsd);
        Assert.True((await AskAsync(children[1], new TreeAmount(600, 0))).IsBusy);
    }

    [DatabaseFact]
    public async Task What_is_wanted_beyond_what_a_call_has_is_refused_without_taking_that_away()
    {
        await using var h = new RunsHarness();
        var children = await RunStoreTests.AddChildrenAsync(h, await h.OwnedAsync(), 3);
        await AskAsync(children[0], new TreeAmount(2_500, 0));
        await AskAsync(children[1], new TreeAmount(2_500, 0));
        var more = await h.Store.AppendAsync(children[0].Batch(RunStatus.Running) with { Hold = new TreeHold(new TreeAmount(1_600, 100), Call, new TreeAmount(2_500, 0)) }, default);
        Assert.Equal(new TreeGrant(Call, IsBusy: true), more.Grant);
        Assert.True((await AskAsync(children[2], new TreeAmount(2_500, 0))).IsBusy);
        var enough = await h.Store.AppendAsync(children[0].Batch(RunStatus.Running) with { Hold = new TreeHold(new TreeAmount(1_500, 100), Call, new TreeAmount(2_500, 0)) }, default);
        Assert.Equal(new TreeGrant(new TreeAmount(1_500, 100), IsBusy: false), enough.Grant);
    }

    [DatabaseFact]
    public async Task What_a_lost_attempt_had_set_aside_comes_back_with_the_first_batch_of_the_next_and_not_before()
    {
        await using var h = new RunsHarness();
        var children = await RunStoreTests.AddChildrenAsync(h, await h.OwnedAsync(), 2);
        var limit = new TreeAmount(1_500, 0);
        Assert.False((await AskAsync(children[0], limit)).IsBusy);
        var lost = children[0];
        await h.Ownership.ReleaseAsync([(lost.Id, lost.Attempt)], default);
        var row = (await h.Ownership.ClaimAsync(lost.Id, TimeSpan.FromSeconds(15), default))!;
        Assert.Equal(Call, row.Held);
        Assert.True((await AskAsync(children[1], limit)).IsBusy);
        Assert.Equal(AppendOutcome.Fenced, (await lost.AppendAsync(RunStatus.Running, new ModelFailed("m", "x", "x", Money.Zero))).Outcome);

        // What it is known to have spent counts from the same moment on.
        var next = new TestRun(h, lost.Id, row.Attempt) { Seq = row.LastSeq };
        await h.Store.AppendAsync(next.Batch(RunStatus.Running, new RunStarted(row.Attempt, "test")) with { TreeDelta = new TreeTotals(0, 0, 0, 700) }, default);
        Assert.Equal(new TreeGrant(new TreeAmount(800, 100), IsBusy: false), await AskAsync(children[1], limit));
    }

    [DatabaseFact]
    public async Task What_an_older_program_left_in_a_run_that_it_parked_keeps_nobody_waiting()
    {
        await using var h = new RunsHarness();
        var parent = await h.OwnedAsync();
        var children = await RunStoreTests.AddChildrenAsync(h, parent, 2);
        foreach (var id in (string[])[parent.Id, children[0].Id])
        {
            await h.Test.ExecuteAsync($"UPDATE runs SET status = 'waiting_input', held_micro_usd = 1000, held_tokens = 100 WHERE id = '{id}'");
        }

        Assert.Equal(new TreeGrant(Call, IsBusy: false), await AskAsync(children[1], new TreeAmount(1_500, 0)));
        await h.Test.ExecuteAsync($"UPDATE runs SET status = 'queued' WHERE id = '{children[0].Id}'"); // as after a crash, until its next attempt says more
        Assert.True((await AskAsync(children[1], new TreeAmount(1_500, 0))).IsBusy);
    }

    [DatabaseFact]
    public async Task Enough_for_the_longest_answer_is_set_aside_where_that_is_no_more_than_a_quarter_of_what_is_left()
    {
        await using var h = new RunsHarness();
        var children = await RunStoreTests.AddChildrenAsync(h, await h.OwnedAsync(), 4);
        var hold = new TreeHold(Call, default, new TreeAmount(20_000, 0)) { Ample = new TreeAmount(4_000, 400) };
        foreach (var (child, got) in children.Zip((TreeAmount[])[hold.Ample, hold.Ample, Call, Call]))
        {
            Assert.Equal(new TreeGrant(got, IsBusy: false), await child.AskAsync(hold));
            Assert.Equal(got, (await h.Ownership.RowAsync(child.Id, default))!.Held);
        }
    }

    private static async Task<Dictionary<TestRun, TreeGrant>> AskAsync(IReadOnlyList<TestRun> runs, TreeAmount limits) =>
        new(await Task.WhenAll(runs.Select(async r => KeyValuePair.Create(r, await AskAsync(r, limits)))));

    private static async Task<TreeGrant> AskAsync(TestRun run, TreeAmount limits) => await run.AskAsync(new TreeHold(Call, default, limits));
}

public sealed class TreeHoldOnSqliteTests() : TreeHoldTests(DatabaseKind.Sqlite);

public sealed class TreeHoldOnPostgresTests() : TreeHoldTests(DatabaseKind.Postgres), IOnPostgres;
