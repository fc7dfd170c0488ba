using System.Collections.Concurrent;
using System.Data.Common;
using RootMas.Runtime.Runs;
using RootMas.Server.Agents;
using RootMas.Server.Platform.Data;
using RootMas.Server.Platform.Idempotency;

namespace RootMas.Server.Runs;

/// <summary>The journal on the database (DESIGN §4.3): every append is one delegate of the writer, so that batches of several runs share one commit.</summary>
internal sealed partial class RunStore(
    IDatabase database, SnapshotStore snapshots, RunSignals signals, PendingStarts pending, IEnumerable<IRunTransactionParticipant> participants, ILogger<RunStore> logger) : IRunJournal
{
    private const string Written = $"""
        SELECT {RunRow.Columns} FROM runs WHERE id = @id AND EXISTS (SELECT 1 FROM run_events WHERE run_id = @id AND seq = @seq AND batch_id = @batch)
        """;

    private const string Tail = $"{Written} AND last_seq = @seq";

    /// <summary>Of an append whose connection was lost, on a database server that answers.</summary>
    private const int AppendTries = 3;

    private readonly IRunTransactionParticipant[] _participants = [.. participants];

    /// <summary>First batches that are on their way, where writes may overtake each other (PostgreSQL): the owner may hand over its next batch meanwhile.</summary>
    private readonly ConcurrentDictionary<string, Task> _first = new(StringComparer.Ordinal);

    /// <inheritdoc/>
    public async ValueTask<AppendResult> AppendAsync(RunAppend append, CancellationToken cancellationToken)
    {
        var result = await AppendInOrderAsync(append, cancellationToken);
        if (result.Outcome == AppendOutcome.Fenced)
        {
            await KeepAsync(append.Ledger);
        }

        return result;
    }

    /// <inheritdoc/>
    public async ValueTask KeepAsync(IReadOnlyList<LedgerEntry> rows)
    {
        LedgerEntry[] paid = [.. rows.Where(static r => !r.IsInDoubt)];
        if (paid.Length == 0)
        {
            return;
        }

        try
        {
            await database.WriteAsync(session => WriteLateAsync(session, paid), CancellationToken.None);
        }
        catch (StorageUnavailableException failure)
        {
            LogNotKept(paid[0].RunId ?? "", paid.Length, failure.Message);
        }
    }

    private async ValueTask WriteLateAsync(DbSession session, LedgerEntry[] rows)
    {
        foreach (var row in rows)
        {
            await LateRows.WriteAsync(session, signals, row);
        }
    }

    private async ValueTask<AppendResult> AppendInOrderAsync(RunAppend append, CancellationToken cancellationToken)
    {
        var batch = RunBatch.Of(append);
        if (append.Create is not null)
        {
            return database.Kind == DatabaseKind.Sqlite ? await CreateFirstBatchAsync(batch, cancellationToken) : await CreateInOrderAsync(batch, cancellationToken);
        }

        if (_first.TryGetValue(append.RunId, out var first))
        {
            await first.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing); // what became of it, its own caller hears; without it this one misses
        }

        if (!database.KeepsOrder && pending.Find(append.RunId) is { } start)
        {
            await ((Task)start.Created).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        return await WriteAsync(append, batch, cancellationToken);
    }

    private async ValueTask<AppendResult> WriteAsync(RunAppend append, RunBatch batch, CancellationToken cancellationToken)
    {
        for (var tries = 1; ; tries++)
        {
            try
            {
                var result = batch.IsStep && database.Kind == DatabaseKind.Postgres
                    ? await new RunStepStatement(batch, signals).RunAsync(database, cancellationToken)
                    : await database.WriteAsync(session => new RunAppendTransaction(session, batch, signals, _participants).RunAsync(), cancellationToken);
                return tries > 1 && result.Outcome == AppendOutcome.Fenced ? (await FindOwnBatchAsync(append, cancellationToken)).Found ?? result : result;
            }
            catch (StorageUnavailableException failure)
            {
                // The commit's outcome may be unknown: one's own batch at the tail means that it went through. Where it did not, the same batch again is what was meant: it is compared with what the log is then.
                var (answers, found) = await FindOwnBatchAsync(append, cancellationToken);
                if (found is { } done)
                {
                    return done;
                }

                if (!answers || tries == AppendTries || database.KeepsOrder)
                {
                    throw Report(failure, append);
                }
            }
        }
    }

    /// <inheritdoc/>
    public async ValueTask<IReadOnlyList<InboxItem>> ReadInboxAsync(string runId, long after, CancellationToken cancellationToken) =>
        await database.LookAsync(session => RunInbox.ReadAsync(session, runId, after), cancellationToken);

    /// <summary>See <see cref="RunInbox.InsertAsync"/>. What was written is told to <paramref name="also"/> in its transaction.</summary>
    public Task<InboxOutcome> InsertInboxAsync(string runId, string? ownerId, string key, InboxPayload payload, CancellationToken cancellationToken, Made? also = null) =>
        database.WriteAsync(
            async session =>
            {
                var outcome = await RunInbox.InsertAsync(session, signals, runId, ownerId, key, payload);
                if (also is not null && outcome == InboxOutcome.Written)
                {
                    await also(session, runId);
                }

                return outcome;
            },
            cancellationToken);

    /// <summary>Inserts a root run before anything of it starts. Not busy and not waiting: it holds its branch, and <see cref="RunCreation.Worker"/> owns attempt 1.</summary>
    public async Task<CreateResult> CreateAsync(RunCreation creation, RunAppend first, CancellationToken cancellationToken)
    {
        var batch = RunBatch.OfCopy(first);
        try
        {
            var (created, _) = await database.WriteAsync(session => InsertAsync(session, creation, batch), cancellationToken);
            return created;
        }
        catch (StorageUnavailableException)
        {
            // As with every batch: one's own in the log means that the commit went through, and whoever asked hears of a run that is there.
            if (await FindCreatedAsync(first, cancellationToken) is { } found)
            {
                return found;
            }

            throw;
        }
    }

    /// <summary>Null: it is not there, or nobody can say.</summary>
    private async ValueTask<CreateResult?> FindCreatedAsync(RunAppend first, CancellationToken cancellationToken)
    {
        try
        {
            var row = await database.LookAsync(session => BindOwn(session.Prepared(Written), first).FirstOrDefaultAsync(RunRow.Read), cancellationToken);
            return row is null ? null : new CreateResult(null, row.WaitsForBranch);
        }
        catch (StorageUnavailableException)
        {
            return null; // the first failure is told
        }
    }

    private static DbCommand BindOwn(DbCommand command, RunAppend append) =>
        command.Set("id", append.RunId).Set("seq", append.ExpectedSeq + append.Events.Count).Set("batch", append.BatchId.ToByteArray());

    private async ValueTask<(CreateResult Created, AppendResult Appended)> InsertAsync(DbSession session, RunCreation creation, RunBatch batch)
    {
        if (creation.Replaces is { } replaced && await RunReplacements.TellAsync(session, signals, replaced, creation.Run.OwnerId) is { } stays)
        {
            return (stays, default);
        }

        if (creation.Run.RetryOf is { } lost)
        {
            await DeadLetterRows.HoldAsync(session, lost);
        }

        var identity = RunInserts.IdentityOf(creation.Run, creation.BranchId);
        var first = batch.IsPlain ? batch : RunBatch.Of(batch.Append with { Events = [], TreeDelta = default });
        var created = await RunInserts.CreateRootAsync(session, creation, first, snapshots, _participants);
        if (created.Busy is not null)
        {
            return (created, default);
        }

        if (creation.Run.RetryOf is { } settled)
        {
            await DeadLetterRows.SettleAsync(session, settled); // an operator who redrives it took it before the insert
        }

        if (!batch.IsPlain)
        {
            await session.FlushAsync(); // the next statements change what was just inserted
            return (created, await new RunAppendTransaction(session, batch, signals, _participants).RunAsync());
        }

        await TellCopiedAsync(session, identity, batch.Append);
        session.AfterCommit(() => signals.RaiseAppended(identity, batch.Append.Events));
        if (!created.Waiting && creation.Worker is null)
        {
            await signals.Dispatch.AnnounceAsync(session, new ReadyRun(identity.RunId, identity.OwnerId, IsRoot: true, IsFresh: true, IsBackground: creation.Run.Options.Background));
        }

        return (created, new AppendResult(AppendOutcome.Appended, Parked: false, InboxSeq: 0, batch.Append.TreeDelta));
    }

    /// <summary>A retry that goes on from behind a question rests on what the user answered: both stand in its branch too, so that what is said next knows them.</summary>
    private async ValueTask TellCopiedAsync(DbSession session, RunIdentity run, RunAppend first)
    {
        EventRecord[] asked = [.. first.Events.Where(static e => e.Event is InputRequested or InputReceived)];
        if (asked.Length == 0 || run is not { ConversationId: not null, BranchId: not null })
        {
            return;
        }

        foreach (var participant in _participants)
        {
            await participant.OnAppendedAsync(session, run, asked, first.Status);
        }
    }

    private async ValueTask<AppendResult> CreateInOrderAsync(RunBatch batch, CancellationToken cancellationToken)
    {
        var written = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        _first[batch.Append.RunId] = written.Task;
        try
        {
            return await CreateFirstBatchAsync(batch, cancellationToken);
        }
        finally
        {
            _first.TryRemove(batch.Append.RunId, out _);
            written.SetResult();
        }
    }

    private async ValueTask<AppendResult> CreateFirstBatchAsync(RunBatch batch, CancellationToken cancellationToken)
    {
        var append = batch.Append;
        var start = pending.Find(append.RunId) ?? throw new InvalidOperationException("A run was created that nobody asked for.");
        try
        {
            var creation = start.Creation with { Enqueue = false }; // a run that has begun cannot wait for its branch
            // The model is being asked meanwhile: if it is quick, its answer is written with this, in one commit.
            var (created, appended) = await database.WriteSoonAsync(session => InsertAsync(session, creation, batch), cancellationToken);
            start.Complete(created);
            return created.Busy is null ? appended : new AppendResult(AppendOutcome.Fenced, Parked: false, InboxSeq: 0, default);
        }
        catch (StorageUnavailableException failure)
        {
            if ((await FindOwnBatchAsync(append, cancellationToken)).Found is { } found)
            {
                start.Complete(default);
                return found;
            }

            start.Fail(failure);
            return new AppendResult(AppendOutcome.Fenced, Parked: false, InboxSeq: 0, default);
        }
        catch (Exception refusal) when (refusal is not OperationCanceledException)
        {
            // A refusal of the caller's own part (an idempotency key, a right): the caller hears it, the engine drops its work.
            start.Fail(refusal);
            return new AppendResult(AppendOutcome.Fenced, Parked: false, InboxSeq: 0, default);
        }
    }

    private async ValueTask<(bool Answers, AppendResult? Found)> FindOwnBatchAsync(RunAppend append, CancellationToken cancellationToken)
    {
        try
        {
            return (true, await database.ReadAsync<AppendResult?>(
                async session =>
                {
                    var row = await BindOwn(session.Prepared(Tail), append).FirstOrDefaultAsync(RunRow.Read);
                    return row is null
                        ? null
                        : new AppendResult(AppendOutcome.Appended, row.Status != RunStatus.Running, row.InboxSeq, await TreeHolds.SpentAsync(session, row)) { Grant = TreeHolds.Read(row, append.Hold) };
                },
                cancellationToken));
        }
        catch (StorageUnavailableException)
        {
            return (false, null); // the first failure is told
        }
    }

    private StorageUnavailableException Report(StorageUnavailableException failure, RunAppend append)
    {
        LogNotAppended(append.RunId, append.ExpectedSeq + 1, append.Events.Count, failure.Message);
        return failure;
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "Run {RunId}: {Count} event(s) from number {Seq} could not be saved: {Reason}")]
    private partial void LogNotAppended(string runId, long seq, int count, string reason);

    [LoggerMessage(Level = LogLevel.Error, Message = "Run {RunId}: {Count} row(s) of the ledger for model calls that were paid could not be saved: {Reason}")]
    private partial void LogNotKept(string runId, int count, string reason);
}
