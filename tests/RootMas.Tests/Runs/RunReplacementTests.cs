using System.Text.Json;
using RootMas.Runtime.Runs;
using RootMas.Runtime.Teams;
using RootMas.Server.Platform.Data;
using RootMas.Server.Runs;
using RootMas.Tests.Support;
using Wait = RootMas.Tests.Support.Wait;

namespace RootMas.Tests.Runs;

/// <summary>A new run takes the place of one that works: the one is accepted and the other told to end, or neither.</summary>
public abstract class RunReplacementTests(DatabaseKind kind) : OnDatabase(kind)
{
    private static readonly TeamSnapshot Team = TestTeams.Of(PatternKind.Direct, ["solo"]);

    [DatabaseFact]
    public async Task The_run_and_those_below_it_are_told_in_the_transaction_that_accepts_the_new_one()
    {
        await using var h = new RunsHarness();
        var (old, child) = await WorkingAsync(h, "read");
        await Assert.ThrowsAsync<InvalidDataException>(() => ReplaceAsync(h, old.Id, rollback: true, static _ => throw new InvalidDataException("refused")));
        Assert.Empty(await h.Store.ReadInboxAsync(old.Id, 0, default));
        Assert.Empty(await h.Store.ReadInboxAsync(child, 0, default));

        var (id, created) = await ReplaceAsync(h, old.Id, rollback: false);
        Assert.Null(created.Busy);
        Assert.NotNull(await h.Reader.FindAsync(id, "alice", default));
        Assert.Equal((true, "alice"), Told(await h.Store.ReadInboxAsync(old.Id, 0, default)));
        Assert.Equal((false, "alice"), Told(await h.Store.ReadInboxAsync(child, 0, default)));
    }

    [DatabaseTheory]
    [InlineData("read", false)]
    [InlineData("idempotent", true)]
    [InlineData("unsafe", true)]
    public async Task What_a_run_below_has_done_is_looked_at_in_that_transaction(string effect, bool stays)
    {
        await using var h = new RunsHarness();
        var (old, child) = await WorkingAsync(h, effect);
        var (id, created) = await ReplaceAsync(h, old.Id, rollback: true);
        Assert.Equal(stays ? "rollback_impossible" : null, created.Code);
        Assert.Equal(stays ? old.Id : null, created.Busy?.Id);
        Assert.Equal(stays, await h.Reader.FindAsync(id, "alice", default) is null);
        foreach (var run in (string[])[old.Id, child])
        {
            Assert.Equal(stays ? 0 : 1, (await h.Store.ReadInboxAsync(run, 0, default)).Count);
        }

        Assert.Null((await ReplaceAsync(h, old.Id, rollback: false)).Created.Busy); // to interrupt it is always possible
    }

    [DatabaseFact]
    public async Task A_run_that_has_ended_meanwhile_is_named_and_nothing_is_written()
    {
        await using var h = new RunsHarness();
        var old = await h.OwnedAsync();
        await old.EndAsync();
        var (id, created) = await ReplaceAsync(h, old.Id, rollback: true, static _ => throw new InvalidDataException("written"));
        Assert.Equal(old.Id, created.Busy?.Id);
        Assert.Null(created.Code);
        Assert.Null(await h.Reader.FindAsync(id, "alice", default));
    }

    private protected static async Task<(string Id, CreateResult Created)> ReplaceAsync(RunsHarness h, string old, bool rollback, Func<DbSession, ValueTask>? write = null)
    {
        var (id, stored) = (Guid.CreateVersion7().ToString(), Server.Agents.StoredSnapshot.Of(Team));
        var run = new NewRun { RunId = id, OwnerId = "alice", RootRunId = id, Team = "test", EntryAgent = "solo", SnapshotHash = stored.Hash, Input = "rather this", CreatedAt = h.Clock.GetUtcNow() };
        var creation = new RunCreation { Run = run, Snapshot = stored, InTransaction = write, Replaces = new RunReplacement(old, "newer", KeepText: !rollback, OnlyWithoutEffects: rollback) };
        return (id, await h.Store.CreateAsync(creation, new TestRun(h, id, 1).Batch(RunStatus.Running, NewRuns.Queued(run, Team)), default));
    }

    /// <summary>A run with one below it, which has begun a tool.</summary>
    private protected static async Task<(TestRun Old, string Child)> WorkingAsync(RunsHarness h, string effect)
    {
        var old = await h.OwnedAsync();
        var child = await BelowAsync(h, old, "c");
        await h.Store.AppendAsync(old.Batch(RunStatus.Running, new ChildStarted(null, child.RunId, "solo", "task")) with { Children = [child] }, default);
        var claimed = await h.Ownership.ClaimAsync(child.RunId, TimeSpan.FromMinutes(1), default);
        var owner = new TestRun(h, child.RunId, claimed!.Attempt) { Seq = 1 };
        await owner.AppendAsync(RunStatus.Running, new RunStarted(claimed.Attempt, "test"), new ToolStarted(1, "t", JsonElement.Parse("{}"), effect, "k", "1"));
        return (old, child.RunId);
    }

    /// <summary>A task that the run may give.</summary>
    private protected static async Task<NewRun> BelowAsync(RunsHarness h, TestRun old, string key)
    {
        var row = await h.Ownership.RowAsync(old.Id, default);
        var child = new NewRun
        {
            RunId = Guid.CreateVersion7().ToString(), OwnerId = "alice", RootRunId = old.Id, ParentRunId = old.Id, ParentKey = key, Depth = 1, Team = "test", EntryAgent = "solo",
            SnapshotHash = row!.SnapshotHash, Input = "task",
        };
        return child with { Queued = NewRuns.QueuedRecord(child, Team, h.Clock.GetUtcNow()) };
    }

    private static (bool KeepText, string? By) Told(IReadOnlyList<InboxItem> inbox) =>
        Assert.Single(inbox).Payload is CancelRequested { Reason: "newer" } told ? (told.KeepText, told.By) : throw new InvalidDataException("not a cancel");
}

public sealed class RunReplacementOnSqliteTests() : RunReplacementTests(DatabaseKind.Sqlite);

public sealed class RunReplacementOnPostgresTests() : RunReplacementTests(DatabaseKind.Postgres), IOnPostgres
{
    [DatabaseFact]
    public async Task A_task_that_is_given_between_the_looks_at_the_runs_below_and_at_the_run_itself_ends_too()
    {
        await using var h = new RunsHarness();
        var (old, child) = await WorkingAsync(h, "read");
        var late = await BelowAsync(h, old, "late");
        Task<(string Id, CreateResult Created)>? replacing = null;
        await h.Database.WriteAsync(
            async session =>
            {
                await session.HoldAsync(SqlDialect.Held("SELECT 1 FROM runs WHERE id = @id"), old.Id);
                replacing ??= ReplaceAsync(h, old.Id, rollback: true);
                await Wait.UntilAsync(static async at => await at.ScalarAsync("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'") > 0, h.Test, "nobody waited for the run");
                await RunInserts.CreateChildAsync(session, h.Signals, late);
            },
            CancellationToken.None);
        Assert.Null((await replacing!).Created.Busy);
        foreach (var run in (string[])[old.Id, child, late.RunId])
        {
            Assert.IsType<CancelRequested>(Assert.Single(await h.Store.ReadInboxAsync(run, 0, default)).Payload);
        }
    }
}
