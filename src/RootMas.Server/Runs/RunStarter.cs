using RootMas.Runtime.Runs;
using RootMas.Runtime.Teams;
using RootMas.Server.Agents;
using RootMas.Server.Platform.Data;

namespace RootMas.Server.Runs;

/// <summary>Accepts messages: the run starts on the caller's own flow where it can, else it is queued.</summary>
internal sealed partial class RunStarter(AgentCatalog catalog, RunStore store, RunOwnership ownership, RunWorker worker, PendingStarts pending, ILogger<RunStarter> logger)
{
    /// <inheritdoc cref="IMessageProcessor.StartAsync"/>
    public async Task<RunAccepted> StartAsync(StartRun request, DateTimeOffset now)
    {
        var lookup = await catalog.FindSnapshotAsync(request.Team, request.Agent, CancellationToken.None);
        if (lookup.Snapshot is not { } stored)
        {
            return new RunAccepted(request.RunId, RunStatus.Failed, Code: lookup.Code, Detail: lookup.Detail);
        }

        var plan = new StartPlan(CreationOf(request, stored, now), stored.Snapshot, request.History, [], request.MaxUnfinished);
        return await StartAsync(plan, mayOverlap: request is { History: not null, MayBeRefused: false, Replaces: null });
    }

    /// <param name="mayOverlap">The model may be called while the run is still being written; true only if nothing is likely to refuse it.</param>
    public async Task<RunAccepted> StartAsync(StartPlan plan, bool mayOverlap)
    {
        await ownership.SettleJumpsAsync(); // what is made from here on knows the clock as it is now
        var run = plan.Creation.Run;
        if (worker.IsShared)
        {
            return await StartSharedAsync(plan, mayOverlap);
        }

        if (!worker.Open.TryEnter(run.OwnerId, run.RunId, plan.MaxUnfinished, plan.TakesPlace))
        {
            return TooMany(run.RunId);
        }

        var created = false;
        try
        {
            var accepted = await PlaceAsync(plan, mayOverlap);
            created = accepted.Busy is null;
            return accepted;
        }
        finally
        {
            if (!created)
            {
                worker.Open.Leave(run.OwnerId, run.RunId);
            }
        }
    }

    /// <summary>Other processes accept runs of the same user: the transaction that creates the run counts.</summary>
    private async Task<RunAccepted> StartSharedAsync(StartPlan plan, bool mayOverlap)
    {
        var (run, max, write) = (plan.Creation.Run, plan.MaxUnfinished, plan.Creation.InTransaction);
        async ValueTask CountThenWriteAsync(DbSession session)
        {
            await worker.SharedOpen.CountInAsync(session, run.OwnerId, max, plan.TakesPlace);
            if (write is not null)
            {
                await write(session);
            }
        }

        try
        {
            return await PlaceAsync(plan with { Creation = plan.Creation with { InTransaction = CountThenWriteAsync } }, mayOverlap && worker.SharedOpen.IsFarFromFull(run.OwnerId, max));
        }
        catch (TooManyRunsException)
        {
            return TooMany(run.RunId);
        }
    }

    private async Task<RunAccepted> PlaceAsync(StartPlan plan, bool mayOverlap) =>
        mayOverlap && worker.TryReserve(plan.Creation.Run.OwnerId, plan.Creation.Run.RunId) && await StartAtOnceAsync(plan) is { } atOnce ? atOnce : await CreateThenStartAsync(plan);

    private static RunAccepted TooMany(string runId) => new(runId, RunStatus.Failed, Code: OpenRuns.Limit,
        Detail: "You have as many unfinished runs as one user may have. Nothing was done. Wait until some have ended, or cancel some: GET /api/v1/runs lists them.");

    /// <summary>Inserts the run first, with what was copied into its log, then starts it if there is room.</summary>
    private async Task<RunAccepted> CreateThenStartAsync(StartPlan plan)
    {
        var run = plan.Creation.Run;
        var reserved = worker.TryReserve(run.OwnerId, run.RunId);
        var lease = worker.NewLease(run.RunId);
        RunEvent[] events = [NewRuns.Queued(run, plan.Snapshot), .. plan.Copied];
        var first = new RunAppend
        {
            RunId = run.RunId,
            Attempt = 1,
            ExpectedSeq = 0,
            Events = RunClosing.Record(run.RunId, run.EntryAgent, 0, events, run.CreatedAt),
            BatchId = Guid.CreateVersion7(),
        };
        CreateResult result;
        try
        {
            var creation = plan.Creation with { Worker = reserved ? worker.Name : null, Lease = worker.Lease };
            result = await store.CreateAsync(creation, first, CancellationToken.None);
        }
        catch
        {
            LetGo(reserved, run);
            throw;
        }

        if (!reserved || result.Busy is not null || result.Waiting)
        {
            LetGo(reserved, run);
            return Accepted(run.RunId, RunStatus.Queued, result);
        }

        await StartStoredAsync(plan, first, lease);
        return new RunAccepted(run.RunId, RunStatus.Running);
    }

    /// <summary>The first batch of the engine creates the run, while the model is already being called. Null: the branch was taken meanwhile, nothing was written.</summary>
    private async Task<RunAccepted?> StartAtOnceAsync(StartPlan plan)
    {
        var run = plan.Creation.Run;
        var start = pending.Add(plan.Creation with { Worker = worker.Name, Lease = worker.Lease });
        try
        {
            var execution = ExecutionOf(plan, worker.NewLease(run.RunId), isNew: true, plan.History ?? [], []);
            _ = FailIfNeverCreatedAsync(start, worker.Start(execution, isStored: false));
            var result = await start.Created;
            if (result.Busy is not null)
            {
                return null;
            }

            worker.MarkStored(run.RunId);
            return Accepted(run.RunId, RunStatus.Running, result);
        }
        finally
        {
            pending.Remove(run.RunId);
        }
    }

    private static async Task FailIfNeverCreatedAsync(PendingStart start, Task left)
    {
        await left;
        start.Fail(new InvalidOperationException("The engine left the run before it was created."));
    }

    private async Task StartStoredAsync(StartPlan plan, RunAppend first, Func<TimeSpan> lease)
    {
        var run = plan.Creation.Run;
        try
        {
            var history = plan.History ?? await ownership.HistoryOfAsync(RunInserts.IdentityOf(run, plan.Creation.BranchId), CancellationToken.None);
            _ = worker.Start(ExecutionOf(plan, lease, isNew: false, history, [.. first.Events.Select(static e => e.Event)]), isStored: true);
        }
#pragma warning disable CA1031 // the run is accepted: whatever hinders it here, the queue goes on with it
        catch (Exception exception)
#pragma warning restore CA1031
        {
            LogHandedBack(run.RunId, exception);
            LetGo(reserved: true, run);
            await worker.GiveBackAsync([(run.RunId, 1)], CancellationToken.None);
        }
    }

    private RunExecution ExecutionOf(StartPlan plan, Func<TimeSpan> lease, bool isNew, IReadOnlyList<HistoryMessage> history, IReadOnlyList<RunEvent> log) => new()
    {
        Run = plan.Creation.Run,
        Snapshot = plan.Snapshot,
        History = history,
        Attempt = 1,
        Worker = worker.Name,
        Log = log,
        IsNew = isNew,
        LeaseLeft = lease,
    };

    private void LetGo(bool reserved, NewRun run)
    {
        if (reserved)
        {
            worker.Unreserve(run.OwnerId, run.RunId);
        }
    }

    private static RunAccepted Accepted(string runId, RunStatus status, CreateResult result) =>
        result.Busy is { } busy ? new RunAccepted(busy.Id, busy.Status, busy.Summary(null), Code: result.Code) : new RunAccepted(runId, result.Waiting ? RunStatus.Queued : status, Waiting: result.Waiting);

    private static RunCreation CreationOf(StartRun request, StoredSnapshot stored, DateTimeOffset now) => new()
    {
        Run = new NewRun
        {
            RunId = request.RunId,
            OwnerId = request.OwnerId,
            RootRunId = request.RunId,
            ConversationId = request.ConversationId,
            InputMessageId = request.InputMessageId,
            Team = stored.Snapshot.Team.Name,
            EntryAgent = stored.Snapshot.Team.Entry,
            SnapshotHash = stored.Hash,
            Input = request.Input,
            Tainted = request.Tainted,
            Options = request.Options,
            RetryOf = request.RetryOf,
            CreatedAt = now,
        },
        Snapshot = stored,
        BranchId = request.BranchId,
        IsNewBranch = request.IsNewBranch,
        Enqueue = request.Enqueue,
        Replaces = request.Replaces,
        History = request.History ?? [],
        InTransaction = request.InTransaction,
    };

    [LoggerMessage(Level = LogLevel.Error, Message = "Run {RunId} could not start at once and goes to the queue")]
    private partial void LogHandedBack(string runId, Exception exception);
}

/// <param name="History">Null: loaded after the run is there.</param>
/// <param name="Copied">Events of an earlier run that are not executed again.</param>
/// <param name="MaxUnfinished">The owner's own bound on unfinished runs; null: the general one.</param>
internal sealed record StartPlan(RunCreation Creation, TeamSnapshot Snapshot, IReadOnlyList<HistoryMessage>? History, IReadOnlyList<RunEvent> Copied, int? MaxUnfinished = null)
{
    /// <summary>It ends an unfinished run of the same owner, which does not count against it.</summary>
    public bool TakesPlace => Creation.Replaces is not null;
}
