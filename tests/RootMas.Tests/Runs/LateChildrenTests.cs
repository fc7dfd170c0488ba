using RootMas.Runtime.Runs;
using RootMas.Runtime.Teams;
using RootMas.Server.Platform.Data;
using RootMas.Tests.Support;

namespace RootMas.Tests.Runs;

/// <summary>A task that is given by a run which was told to end already, or ends with giving it, is never begun: it is told in the transaction that makes it, and not when its parent ends.</summary>
public abstract class LateChildrenTests(DatabaseKind kind) : OnDatabase(kind)
{
    private static readonly TeamSnapshot Team = TestTeams.Of(PatternKind.Direct, ["solo"]);

    [DatabaseFact]
    public async Task What_a_run_gives_after_it_was_told_to_end_ends_before_it_begins()
    {
        await using var h = new RunsHarness(new ScriptedChatClient(static _ => throw new InvalidOperationException("It was begun.")));
        await h.StartAsync();
        var parent = await h.OwnedAsync();
        await h.Store.InsertInboxAsync(parent.Id, "alice", "cancel", new CancelRequested("enough", "alice", KeepText: true), default);
        var child = await GiveAsync(h, parent, RunStatus.Running);
        Assert.Equal(RunStatus.Cancelled, (await h.WaitForAsync(child.RunId, static r => r.Status.IsFinal())).Status);
        Assert.Equal(RunStatus.Running, (await h.Ownership.RowAsync(parent.Id, default))!.Status);
        Assert.Collection(await h.LogAsync(child.RunId), static e => Assert.IsType<RunQueued>(e), static e => Assert.Equal("enough", Assert.IsType<RunCancelled>(e).Reason));
    }

    [DatabaseFact]
    public async Task What_a_run_gives_with_its_last_batch_is_told_in_it()
    {
        await using var h = new RunsHarness();
        var parent = await h.OwnedAsync();
        var child = await GiveAsync(h, parent, RunStatus.Failed, new RunFailed("internal", "no more", TokenUsage.None, Money.Zero, Money.Zero));
        Assert.IsType<CancelRequested>(Assert.Single(await h.Store.ReadInboxAsync(child.RunId, 0, default)).Payload);
        Assert.Equal((1, 0), await h.Ownership.CancelOrphansAsync(default)); // the sweep that comes later sees it, and says nothing new
        Assert.Single(await h.Store.ReadInboxAsync(child.RunId, 0, default));
    }

    [DatabaseFact]
    public async Task What_a_run_that_nobody_told_gives_is_left_alone()
    {
        await using var h = new RunsHarness();
        var parent = await h.OwnedAsync();
        await h.Store.InsertInboxAsync(parent.Id, "alice", "child:x", new ChildEnded("x", "completed", "", false, Money.Zero, null), default);
        var child = await GiveAsync(h, parent, RunStatus.Running);
        Assert.Empty(await h.Store.ReadInboxAsync(child.RunId, 0, default));
    }

    [DatabaseFact]
    public async Task A_cancel_also_finds_what_was_given_between_its_look_and_its_word()
    {
        await using var h = new RunsHarness();
        var parent = await h.OwnedAsync();
        var late = await BelowAsync(h, parent);
        var given = false;
        var between = new Between(h.Database, async () =>
        {
            if (!given)
            {
                given = true;
                await h.Store.AppendAsync(parent.Batch(RunStatus.Running, new ChildStarted(null, late.RunId, "solo", "task")) with { Children = [late] }, default);
            }
        });
        await using var other = new RunsHarness(database: new TestDatabase(between), ownsData: false);
        Assert.True(await other.Verbs.CancelAsync(parent.Id, "alice", "enough", keepText: true, default));
        Assert.True(given);
        foreach (var run in (string[])[parent.Id, late.RunId])
        {
            Assert.IsType<CancelRequested>(Assert.Single(await h.Store.ReadInboxAsync(run, 0, default)).Payload);
        }
    }

    private static async Task<NewRun> GiveAsync(RunsHarness h, TestRun parent, RunStatus status, params RunEvent[] also)
    {
        var child = await BelowAsync(h, parent);
        var result = await h.Store.AppendAsync(parent.Batch(status, [new ChildStarted(null, child.RunId, "solo", "task"), .. also]) with { Children = [child], TreeDelta = new TreeTotals(0, 1, 0, 0) }, default);
        Assert.Equal(AppendOutcome.Appended, result.Outcome);
        return child;
    }

    private static async Task<NewRun> BelowAsync(RunsHarness h, TestRun parent)
    {
        var row = await h.Ownership.RowAsync(parent.Id, default);
        var child = new NewRun
        {
            RunId = Guid.CreateVersion7().ToString(), OwnerId = "alice", RootRunId = parent.Id, ParentRunId = parent.Id, ParentKey = "c", Depth = 1, Team = "test", EntryAgent = "solo",
            SnapshotHash = row!.SnapshotHash, Input = "task",
        };
        return child with { Queued = NewRuns.QueuedRecord(child, Team, h.Clock.GetUtcNow()) };
    }

    /// <summary>Something happens before each write.</summary>
    private sealed class Between(IDatabase inner, Func<Task> before) : IDatabase
    {
        public DatabaseKind Kind => inner.Kind;

        public bool KeepsOrder => inner.KeepsOrder;

        public Task OpenAsync() => inner.OpenAsync();

        public async Task<T> WriteAsync<T>(Func<DbSession, ValueTask<T>> work, CancellationToken cancellationToken)
        {
            await before();
            return await inner.WriteAsync(work, cancellationToken);
        }

        public Task<T> ReadAsync<T>(Func<DbSession, ValueTask<T>> work, CancellationToken cancellationToken) => inner.ReadAsync(work, cancellationToken);
    }
}

public sealed class LateChildrenOnSqliteTests() : LateChildrenTests(DatabaseKind.Sqlite);

public sealed class LateChildrenOnPostgresTests() : LateChildrenTests(DatabaseKind.Postgres), IOnPostgres;
