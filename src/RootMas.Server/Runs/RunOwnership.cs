using System.Data.Common;
using System.Text.Json;
using RootMas.Runtime.Runs;
using RootMas.Runtime.Teams;
using RootMas.Server.Agents;
using RootMas.Server.Models;
using RootMas.Server.Platform.Data;

namespace RootMas.Server.Runs;

/// <summary>What a worker that claimed a run needs to go on with it.</summary>
/// <param name="Unbooked">See <see cref="RunExecution.Unbooked"/>.</param>
internal sealed record ClaimedRun(RunRow Row, NewRun Run, TeamSnapshot Snapshot, IReadOnlyList<RunEvent> Log, IReadOnlyList<HistoryMessage> History, TreeTotals Tree, Unbooked Unbooked)
{
    public required TreeAge Age { get; init; }
}

/// <summary>This process as an owner of runs.</summary>
/// <param name="OwnsData">A lock of the operating system keeps every other worker away from the database for as long as this process lives: leases of others are void, its own cannot be lost.</param>
/// <param name="Presence">Where workers share a database: who of them lives.</param>
internal sealed record WorkerIdentity(string Name, bool OwnsData, IPresence? Presence = null)
{
    public static WorkerIdentity New(bool ownsData, IPresence? presence = null) =>
        new($"{Environment.MachineName}:{Environment.ProcessId}:{Guid.NewGuid().ToString("N")[..8]}", ownsData, presence);
}

/// <summary>Which runs this worker owns (DESIGN §4.4): claims, leases, release, recovery.</summary>
internal sealed partial class RunOwnership(IDatabase database, SnapshotStore snapshots, RunSignals signals, WorkerIdentity worker, IRunHistory? history = null, ClockJumps? jumps = null)
{
    /// <summary>A waiting run may be claimed only with its branch's slot, or to take in what its inbox says (a cancel).</summary>
    private const string Claimable = "log_version <= @version AND (branch_id IS NULL OR branch_slot IS NOT NULL OR inbox_seq > inbox_done)";

    /// <summary>Of a lease that is over nobody knows what became of its worker, nor what else that had: only against a suspect, which is tried alone, it is certain.</summary>
    private const string Claim = $"""
        UPDATE runs SET status = 'running', attempt = attempt + 1, worker = @worker, lease_until = @lease, attempt_idle = 1,
            crashes = crashes + CASE WHEN status = 'running' THEN 1 ELSE 0 END, stalled = stalled + CASE WHEN status = 'running' AND crashes >= 2 THEN 1 + attempt_idle ELSE 0 END,
            started_at = COALESCE(started_at, @now), wake_at = NULL, parked_at = NULL, reason = NULL
        WHERE id = @id AND (status = 'queued' OR (status = 'running' AND lease_until < @lapsed)) AND {Claimable}
        RETURNING {RunRow.Columns}
        """;

    /// <summary>Children and runs that go on first, then new roots in their order.</summary>
    private const string Waiting = $"""
        SELECT {RunRow.Columns} FROM runs
        WHERE ended_at IS NULL AND id > @after AND (status = 'queued' OR (status = 'running' AND lease_until < @lapsed)) AND {Claimable}
        ORDER BY id LIMIT @limit
        """;

    /// <summary>
    /// The same for workers that share a database, in the order in which they may start: runs that go on, children and what was said something to, then new root runs, the users in turn. Those whose turn the broker's window has not come to are left out, where there is a broker to let it come:
    /// asked of each run by its key, since statistics from before a backlog say that there are none, and all of them would be read for each.
    /// </summary>
    private const string WaitingInTurn = $"""
        SELECT {RunRow.Columns} FROM runs JOIN (
            SELECT id AS waiting_id, CASE WHEN parent_run_id IS NULL AND last_seq <= 1 AND inbox_seq <= inbox_done
                THEN ROW_NUMBER() OVER (PARTITION BY CASE WHEN parent_run_id IS NULL AND last_seq <= 1 AND inbox_seq <= inbox_done THEN owner_id END ORDER BY background, id) ELSE 0 END AS turn
            FROM runs
            WHERE ended_at IS NULL AND (status = 'queued' OR (status = 'running' AND lease_until < @lapsed)) AND {Claimable}
                AND (@turns = 0 OR inbox_seq > inbox_done OR COALESCE((SELECT offered FROM run_turns WHERE run_turns.run_id = runs.id), 1) = 1)
            ) AS waiting ON waiting_id = id
        ORDER BY turn, background, id LIMIT @limit
        """;

    private const string IsOver = "SELECT 1 FROM runs WHERE id = @id AND status = 'running' AND lease_until < @lapsed";

    private const string Elsewhere = """
        SELECT owner_id, COUNT(*) FROM runs
        WHERE ended_at IS NULL AND parent_run_id IS NULL AND (status = 'waiting_children' OR (status = 'running' AND worker <> @worker)) GROUP BY owner_id
        """;

    private const string Told = "SELECT id FROM runs WHERE status = 'running' AND ended_at IS NULL AND worker = @worker AND inbox_seq > inbox_done";

    private const string UnfinishedRoots = "SELECT id, owner_id FROM runs WHERE ended_at IS NULL AND parent_run_id IS NULL";

    private const string Row = $"SELECT {RunRow.Columns} FROM runs WHERE id = @id";

    public WorkerIdentity Worker => worker;

    /// <summary>Takes a queued run, or one whose lease is over. Null: somebody else has it, or it may not start. On PostgreSQL with what is stored of it, which is there when the commit is.</summary>
    /// <remarks>If its owner was disabled it is told to cancel in the same breath: whatever was lost on the way, an attempt never begins without having been told.</remarks>
    /// <param name="ready">What it says of the run is what is looked for together with the claim; what the row says counts.</param>
    public async Task<(RunRow? Row, StoredRun? Found)> ClaimAsync(ReadyRun ready, TimeSpan lease, CancellationToken cancellationToken)
    {
        await SettleJumpsAsync();
        try
        {
            return await TryClaimAsync(ready, lease, cancellationToken);
        }
        catch (StorageUnavailableException)
        {
            // The commit's outcome may be unknown. A lease of this worker that can be renewed is what it asked for: nobody here had the run.
            if ((await RenewAsync([ready.RunId], lease, cancellationToken)).TryGetValue(ready.RunId, out var mine) && mine.IsRenewed
                && await RowAsync(ready.RunId, cancellationToken) is { } row && row.Attempt == mine.Attempt)
            {
                return (row, null);
            }

            throw;
        }
    }

    private Task<(RunRow? Row, StoredRun? Found)> TryClaimAsync(ReadyRun ready, TimeSpan lease, CancellationToken cancellationToken) =>
        database.WriteAsync<(RunRow? Row, StoredRun? Found)>(
            async session =>
            {
                var (row, taken) = await TakeAsync(session, ready, lease);
                if (row is null)
                {
                    return default;
                }

                await signals.Dispatch.ClaimedAsync(session, row, taken.Turn);
                await TreeRest.EndAsync(session, row);
                if (taken.IsDisabled)
                {
                    await RunInbox.InsertAsync(session, signals, row.Id, ownerId: null, "cancel", new CancelRequested(DisabledOwners.Reason, By: null));
                    row = await session.Prepared(Row).Set("id", row.Id).FirstOrDefaultAsync(RunRow.Read);
                }

                return (row, row is not null && session.Kind == DatabaseKind.Postgres ? await StoredRun.SendAsync(session, row, HistoryOf(row)) : null);
            },
            cancellationToken);

    private async ValueTask<(RunRow? Row, (BegunTurn? Turn, bool IsDisabled) Taken)> TakeAsync(DbSession session, ReadyRun ready, TimeSpan lease)
    {
        (RunRow? row, BegunTurn? turn, var isDisabled) = (null, null, false);
        List<RowRead> reads =
        [
            new(Claim, command => BindClaim(command, session, ready.RunId, lease, lapsed: DateTimeOffset.UnixEpoch), found => row = RunRow.Read(found)),
            DisabledOwners.Read(ready.OwnerId, () => isDisabled = true),
        ];
        if (ready is { IsRoot: true, IsFresh: true } && signals.Dispatch.ReadBegun(ready.RunId, ready.OwnerId, found => turn = found) is { } begun)
        {
            reads.Add(begun);
        }

        await session.ReadAllAsync(reads);
        if (row is null && await MayTakeOverAsync(session, ready.RunId))
        {
            row = await BindClaim(session.Prepared(Claim), session, ready.RunId, lease, lapsed: session.Now).FirstOrDefaultAsync(RunRow.Read);
        }

        if (row is null || row.Identity.OwnerId == ready.OwnerId)
        {
            return (row, (turn, isDisabled));
        }

        if (turn is { Had: true })
        {
            await signals.Dispatch.MakeRoomAsync(session, row.Identity.OwnerId); // its turn is taken; whose it was is known only now
        }

        return (row, (null, await DisabledOwners.ContainsAsync(session, row.Identity.OwnerId)));
    }

    private DbCommand BindClaim(DbCommand command, DbSession session, string runId, TimeSpan lease, DateTimeOffset lapsed) =>
        command.Set("id", runId).Set("worker", worker.Name).Set("lease", session.Now + lease).Set("now", session.Now).Set("lapsed", lapsed).Set("version", RunLog.Version);

    /// <summary>Its lease is over, and not because an outage kept all workers from renewing theirs: the server that commits this has our place, and has had it for a while.</summary>
    private async ValueTask<bool> MayTakeOverAsync(DbSession session, string runId) =>
        await session.Prepared(IsOver).Set("id", runId).Set("lapsed", session.Now).AnyAsync()
        && (worker.Presence is not { } presence || (await presence.LivesAsync(session, worker.Name) && !IsJustBack));

    /// <inheritdoc cref="RunLeases.RenewAsync"/>
    public Task<Dictionary<string, HeldRun>> RenewAsync(IReadOnlyCollection<string> runIds, TimeSpan lease, CancellationToken cancellationToken) =>
        RunLeases.RenewAsync(database, worker.Name, runIds, lease, cancellationToken);

    /// <summary>Runs that any worker may claim now, by id, a page at a time.</summary>
    public Task<List<RunRow>> ClaimableAsync(string after, int limit, CancellationToken cancellationToken) =>
        database.LookAsync(
            async session => await session.Prepared(Waiting).Set("after", after).Set("lapsed", LapsedBefore(session)).Set("version", RunLog.Version).Set("limit", (long)limit).ListAsync(RunRow.Read),
            cancellationToken);

    /// <summary>Runs that a worker of a shared database may claim now, in the order in which they should start.</summary>
    public Task<List<RunRow>> ClaimableInTurnAsync(int limit, CancellationToken cancellationToken) =>
        database.LookAsync(
            async session => await session.Prepared(WaitingInTurn).Set("turns", signals.Dispatch.HasTurns).Set("lapsed", LapsedBefore(session)).Set("version", RunLog.Version).Set("limit", (long)limit).ListAsync(RunRow.Read), cancellationToken);

    /// <summary>How many root runs of each user other workers have, or have waiting for children.</summary>
    public Task<Dictionary<string, int>> ElsewhereAsync(CancellationToken cancellationToken) =>
        database.LookAsync(
            async session => new Dictionary<string, int>(
                await session.Prepared(Elsewhere).Set("worker", worker.Name).ListAsync(static r => KeyValuePair.Create(r.GetString(0), r.GetInt32(1))), StringComparer.Ordinal),
            cancellationToken);

    /// <summary>Runs of this worker that have something unread in their inbox.</summary>
    public Task<List<string>> ToldAsync(CancellationToken cancellationToken) =>
        database.LookAsync(async session => await session.Prepared(Told).Set("worker", worker.Name).ListAsync(static r => r.GetString(0)), cancellationToken);

    /// <summary>Root runs that have not ended, whatever they wait for.</summary>
    public Task<List<(string Id, string OwnerId)>> UnfinishedRootsAsync(CancellationToken cancellationToken) =>
        database.LookAsync(static async session => await session.Prepared(UnfinishedRoots).ListAsync(static r => (r.GetString(0), r.GetString(1))), cancellationToken);

    /// <summary>The row as it is now.</summary>
    public Task<RunRow?> RowAsync(string runId, CancellationToken cancellationToken) =>
        database.LookAsync(session => session.Prepared(Row).Set("id", runId).FirstOrDefaultAsync(RunRow.Read), cancellationToken);

    /// <summary>Inbox rows that are not in the log yet.</summary>
    public Task<IReadOnlyList<InboxItem>> InboxAsync(RunRow row, CancellationToken cancellationToken) =>
        database.ReadAsync(session => RunInbox.ReadAsync(session, row.Id, row.InboxDone), cancellationToken);

    /// <summary>Reads what the engine needs to go on with a claimed run.</summary>
    /// <param name="found">What came with the claim; null: it is read now.</param>
    public async Task<ClaimedRun> LoadAsync(RunRow row, CancellationToken cancellationToken, StoredRun? found = null)
    {
        found ??= await database.ReadAsync(session => StoredRun.ReadAsync(session, row, HistoryOf(row)), cancellationToken);
        found.ThrowIfUnreadable();
        var log = found.Log;
        var unbooked = RunClosing.OpenMessages(log) is { Count: > 0 } open
            ? await database.LookAsync(session => StoredRun.UnbookedAsync(session, row, open), cancellationToken)
            : Unbooked.None;
        var snapshot = await snapshots.LoadAsync(row.SnapshotHash, cancellationToken)
            ?? throw new InvalidOperationException($"The snapshot {row.SnapshotHash} of run {row.Id} is not stored.");
        var queued = log.OfType<RunQueued>().FirstOrDefault() ?? throw new InvalidOperationException($"The log of run {row.Id} does not begin with run.queued.");
        var run = new NewRun
        {
            RunId = row.Id,
            OwnerId = row.Identity.OwnerId,
            RootRunId = row.Identity.RootRunId,
            ParentRunId = row.Identity.ParentRunId,
            ParentKey = row.ParentKey,
            Depth = row.Depth,
            ConversationId = row.Identity.ConversationId,
            InputMessageId = row.Identity.InputMessageId,
            Team = row.Identity.Team,
            EntryAgent = row.Identity.EntryAgent,
            SnapshotHash = row.SnapshotHash,
            Input = queued.Input,
            Tainted = row.Tainted,
            Options = found.Options is null ? new RunRequestOptions() : JsonSerializer.Deserialize(found.Options, RunsJson.Default.RunRequestOptions)!,
            RetryOf = row.RetryOf,
            CreatedAt = row.CreatedAt,
        };
        IReadOnlyList<HistoryMessage> said = found.Said is { } brought
            ? JsonSerializer.Deserialize(brought, RunsJson.Default.IReadOnlyListHistoryMessage)!
            : found.Above ?? await HistoryOfAsync(row.Identity, cancellationToken);
        return new ClaimedRun(row, run, snapshot, log, said, found.Tree, unbooked) { Age = found.Age };
    }

    /// <summary>The conversation's messages above the run's input.</summary>
    public Task<List<HistoryMessage>> HistoryOfAsync(RunIdentity run, CancellationToken cancellationToken) =>
        HistoryFor(run) is not { } history
            ? Task.FromResult<List<HistoryMessage>>([])
            : database.LookAsync(
                async session =>
                {
                    List<HistoryMessage> above = [];
                    await session.ReadAllAsync(history.Read(run, above.Add));
                    return above;
                },
                cancellationToken);

    /// <summary>Where the message that the run answers stands; null: it answers none.</summary>
    public async Task<InputStanding?> StandingOfAsync(RunIdentity run, CancellationToken cancellationToken) =>
        HistoryFor(run) is not { } history
            ? null
            : await database.LookAsync(
                async session =>
                {
                    var standing = InputStanding.Gone;
                    await session.ReadAllAsync(history.ReadStanding(run, found => standing = found));
                    return standing;
                },
                cancellationToken);

    private IRunHistory? HistoryOf(RunRow row) => row.RetryOf is null ? HistoryFor(row.Identity) : null;

    private IRunHistory? HistoryFor(RunIdentity run) => run is { IsRoot: true, ConversationId: not null, InputMessageId: not null } ? history : null;

    /// <summary>See <see cref="ClockJumps.SettleAsync"/>; nothing where the database's clock counts.</summary>
    public Task SettleJumpsAsync() => jumps?.SettleAsync() ?? Task.CompletedTask;
}
