using RootMas.Runtime.Runs;

namespace RootMas.Server.Runs;

/// <summary>A run that needs a worker.</summary>
/// <param name="IsFresh">Never started: a new root run, which stands behind runs that go on and behind children.</param>
internal readonly record struct ReadyRun(string RunId, string OwnerId, bool IsRoot, bool IsFresh);

/// <summary>
/// What the store tells this process after a commit. Nothing here is needed for correctness beyond this process's life: the worker's sweep finds in the database whatever a lost signal would have said.
/// Handlers run on the database's thread: they hand over and return.
/// </summary>
internal sealed class RunSignals
{
    /// <summary>A run became claimable.</summary>
    public event Action<ReadyRun>? Ready;

    /// <summary>Something was put into the inbox of a run that somebody owns.</summary>
    public event Action<string>? InboxChanged;

    /// <summary>A parked run wants to be woken at this time.</summary>
    public event Action<DateTimeOffset>? WakeAtSet;

    /// <summary>A run waits for something outside now.</summary>
    public event Action<string, RunStatus>? Parked;

    /// <summary>A run is final; the summary is as a query would give it.</summary>
    public event Action<RunSummary>? Ended;

    public void RaiseReady(ReadyRun run) => Ready?.Invoke(run);

    public void RaiseInboxChanged(string runId) => InboxChanged?.Invoke(runId);

    public void RaiseWakeAtSet(DateTimeOffset at) => WakeAtSet?.Invoke(at);

    public void RaiseParked(string runId, RunStatus status) => Parked?.Invoke(runId, status);

    public void RaiseEnded(RunSummary run) => Ended?.Invoke(run);
}
