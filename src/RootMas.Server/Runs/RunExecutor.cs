using RootMas.Runtime.Runs;
using RootMas.Runtime.Tools;
using RootMas.Server.Platform.Data;
using RootMas.Server.Platform.Telemetry;

namespace RootMas.Server.Runs;

/// <summary>Advances a run until it parks, ends, is fenced off or is told to stop: the runtime's engine.</summary>
internal delegate Task<RunExit> AdvanceRun(RunExecution execution, CancellationToken stopping);

/// <summary>One attempt at one run, from the claimed row to the exit; whatever an engine cannot do for itself (it crashed, it never gets anywhere) is settled here.</summary>
internal sealed partial class RunExecutor(AdvanceRun engine, RunStore store, RunOwnership ownership, IToolCatalog tools, TimeProvider clock, ILogger<RunExecutor> logger)
{
    /// <summary>Reads what the engine needs. Null: the run was settled here, or could not be read now.</summary>
    /// <param name="found">What came with the claim; null: it is read here.</param>
    public async Task<RunExecution?> PrepareAsync(RunRow row, StoredRun? found, Func<TimeSpan> leaseLeft, int attemptsWithoutProgress, CancellationToken cancellationToken)
    {
        ClaimedRun claimed;
        try
        {
            claimed = await ownership.LoadAsync(row, cancellationToken, found);
        }
        catch (Exception exception) when (exception is not (StorageUnavailableException or OperationCanceledException))
        {
            LogUnreadable(row.Id, exception);
            await AppendAsync(row, RunClosing.Failed(row, [], Unbooked.None, "internal", "The stored log of this run could not be read. Nothing was lost; an administrator finds the cause in the server's log.", clock.GetUtcNow()));
            return null;
        }

        if (await SettleAsync(claimed, attemptsWithoutProgress, cancellationToken) is not { } open)
        {
            return null;
        }

        return new RunExecution
        {
            Run = open.Run,
            Snapshot = open.Snapshot,
            History = open.History,
            Attempt = row.Attempt,
            Worker = ownership.Worker.Name,
            Log = open.Log,
            InboxDone = open.Row.InboxDone,
            Tree = open.Tree,
            LeaseLeft = leaseLeft,
            TreeBegan = open.Age.Began,
            TreeRestedMs = open.Age.RestedMs,
            Unbooked = open.Unbooked,
        };
    }

    public async Task<RunExit> ExecuteAsync(RunExecution execution, CancellationToken stopping)
    {
        RootMasTelemetry.SetCurrentRun(execution.Run.RunId);
        try
        {
            return await engine(execution, stopping);
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested || execution.Fenced.IsCancellationRequested)
        {
            return execution.Fenced.IsCancellationRequested ? RunExit.Fenced : RunExit.Stopped;
        }
        catch (StorageUnavailableException exception)
        {
            // What was done is in the log up to the last acknowledged batch; the run is taken up again from there.
            LogStorage(execution.Run.RunId, exception.Message);
            return RunExit.Stopped;
        }
#pragma warning disable CA1031 // a bug in one run must end that run, not the worker
        catch (Exception exception)
#pragma warning restore CA1031
        {
            var traceId = RunTrace.Of(execution.Run.RootRunId).ToHexString();
            LogBug(execution.Run.RunId, execution.Attempt, traceId, exception);
            return await CloseAsync(execution, traceId);
        }
    }

    /// <summary>Runs that need no engine: cancelled before they began, or lost too often. Null: it is settled (or no longer ours); else what the engine goes on with.</summary>
    private async Task<ClaimedRun?> SettleAsync(ClaimedRun claimed, int attemptsWithoutProgress, CancellationToken cancellationToken)
    {
        var row = claimed.Row;
        if (row.LastSeq <= 1 && row.InboxSeq > row.InboxDone)
        {
            var inbox = await ownership.InboxAsync(row, cancellationToken);
            if (inbox.Select(static i => i.Payload).OfType<CancelRequested>().FirstOrDefault() is { } cancel)
            {
                return await AppendAsync(row, RunClosing.Cancelled(row, claimed.Log, cancel, clock.GetUtcNow())) ? null : claimed;
            }
        }

        if (row.Stalled < 2 * attemptsWithoutProgress)
        {
            return claimed;
        }

        LogLost(row.Id, row.Attempt - 1);
        if (RunClosing.UnsafeCallInDoubt(claimed.Log) is { } call)
        {
            // What was said to it meanwhile is for the engine to take in, with the question on its log.
            return await AppendAsync(row, RunClosing.Review(row, call, traceId: null, tools.TimeoutOf(call.Tool), clock.GetUtcNow())) ? null : await AgainAsync(row, cancellationToken);
        }

        var reason = $"The server stopped {row.Attempt - 1} times while working on this, each time before it got any further. What was found before is kept in the run's log. A retry begins anew; with from_seq it takes over the steps before that event.";
        return await AppendAsync(row, RunClosing.Failed(row, claimed.Log, claimed.Unbooked, RunClosing.WorkerLost, reason, clock.GetUtcNow())) ? null : claimed;
    }

    private async Task<RunExit> CloseAsync(RunExecution execution, string traceId)
    {
        try
        {
            var row = await ownership.RowAsync(execution.Run.RunId, CancellationToken.None);
            if (row is null || row.Attempt != execution.Attempt || row.Status != RunStatus.Running)
            {
                return RunExit.Fenced;
            }

            var claimed = await ownership.LoadAsync(row, CancellationToken.None);
            if (RunClosing.UnsafeCallInDoubt(claimed.Log) is { } call)
            {
                if (await AppendAsync(row, RunClosing.Review(row, call, traceId, tools.TimeoutOf(call.Tool), clock.GetUtcNow())))
                {
                    return RunExit.Parked;
                }

                // Something was said to the run that nobody can take in: the engine that would is the one that failed.
                claimed = await AgainAsync(row, CancellationToken.None);
                row = claimed.Row;
            }

            var reason = $"The server made a mistake while working on this and stopped. What was found before is kept; retry to try again, and tell the administrator trace {traceId}.";
            await AppendAsync(row, RunClosing.Failed(row, claimed.Log, claimed.Unbooked, "internal", reason, clock.GetUtcNow()));
            return RunExit.Final;
        }
        catch (StorageUnavailableException exception)
        {
            LogStorage(execution.Run.RunId, exception.Message);
            return RunExit.Stopped;
        }
    }

    /// <summary>What the engine needs, after something was appended here.</summary>
    private async Task<ClaimedRun> AgainAsync(RunRow row, CancellationToken cancellationToken) =>
        await ownership.LoadAsync(await ownership.RowAsync(row.Id, cancellationToken) ?? row, cancellationToken);

    /// <summary>True: the run is settled (or no longer ours).</summary>
    private async Task<bool> AppendAsync(RunRow row, RunAppend append)
    {
        var result = await store.AppendAsync(append, CancellationToken.None);
        return result.Outcome == AppendOutcome.Fenced || result.Parked;
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "Run {RunId}: its log could not be read")]
    private partial void LogUnreadable(string runId, Exception exception);

    [LoggerMessage(Level = LogLevel.Error, Message = "Run {RunId}, attempt {Attempt}: the engine failed (trace {TraceId})")]
    private partial void LogBug(string runId, int attempt, string traceId, Exception exception);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Run {RunId}: storage is not available, the run is taken up again later: {Reason}")]
    private partial void LogStorage(string runId, string reason);

    [LoggerMessage(Level = LogLevel.Error, Message = "Run {RunId}: after {Attempts} attempts it is not tried again, the last ones brought nothing new")]
    private partial void LogLost(string runId, int attempts);
}
