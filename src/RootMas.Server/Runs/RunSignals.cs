using RootMas.Runtime.Runs;

namespace RootMas.Server.Runs;

/// <summary>A run that needs a worker.</summary>
/// <param name="IsFresh">Never started: a new root run, which stands behind runs that go on and behind children.</param>
/// <param name="Suspicion">Above 0: processes died with it in their hands, so it is tried apart from others of its kind, the least suspicious first.</param>
/// <param name="IsBackground">Nobody sits in front of it: behind other new root runs.</param>
internal readonly record struct ReadyRun(string RunId, string OwnerId, bool IsRoot, bool IsFresh, int Suspicion = 0, bool IsBackground = false)
{
    /// <summary>Null: it needs no answer.</summary>
    public IRunOffer? Offer { get; init; }

    /// <summary>Somebody works on it still, as far as the row says, but their lease is over.</summary>
    public bool IsLeaseOver { get; init; }
}

/// <summary>
/// What the store tells this process after a commit. Nothing here is needed for correctness beyond this process's life: the worker's sweep finds in the database whatever a lost signal would have said.
/// Handlers run on the database's thread: they hand over and return. Events are shown before anybody is woken by them: a woken attempt may append and be shown at once.
/// </summary>
internal sealed class RunSignals
{
    public RunSignals() => Dispatch = new InProcessDispatch(this);

    /// <summary>How runs that became claimable reach a worker.</summary>
    public IRunDispatch Dispatch { get; set; }

    /// <summary>These events of a run are durable.</summary>
    public Action<RunIdentity, IReadOnlyList<EventRecord>>? Appended { get; set; }

    /// <summary>What a run cost was added to, outside of its log.</summary>
    public Action<RunIdentity>? Booked { get; set; }

    /// <summary>A run became claimable, and this process may take it.</summary>
    public Action<ReadyRun>? Ready { get; set; }

    /// <summary>Something was put into the inbox of a run that somebody owns.</summary>
    public Action<string>? InboxChanged { get; set; }

    /// <summary>A parked run wants to be woken at this time.</summary>
    public Action<DateTimeOffset>? WakeAtSet { get; set; }

    /// <summary>A run (second: the root of its tree) waits for something outside now.</summary>
    public Action<string, string, RunStatus>? Parked { get; set; }

    /// <summary>A run is final; the summary is as a query would give it.</summary>
    public Action<RunSummary>? Ended { get; set; }

    /// <summary>A run ended before runs below it did.</summary>
    public Action? Orphaned { get; set; }

    public void RaiseAppended(RunIdentity run, IReadOnlyList<EventRecord> events)
    {
        if (events.Count > 0)
        {
            Appended?.Invoke(run, events);
        }
    }

    public void RaiseBooked(RunIdentity run) => Booked?.Invoke(run);

    public void RaiseReady(ReadyRun run) => Ready?.Invoke(run);

    public void RaiseInboxChanged(string runId) => InboxChanged?.Invoke(runId);

    public void RaiseWakeAtSet(DateTimeOffset at) => WakeAtSet?.Invoke(at);

    public void RaiseParked(string runId, string rootRunId, RunStatus status) => Parked?.Invoke(runId, rootRunId, status);

    public void RaiseEnded(RunSummary run) => Ended?.Invoke(run);

    public void RaiseOrphaned() => Orphaned?.Invoke();
}
