using RootMas.Runtime.Runs;
using RootMas.Server.Platform.Cluster;
using RootMas.Server.Platform.Health;

namespace RootMas.Server.Runs;

/// <summary>What the worker hears from and where it shows what it does.</summary>
/// <param name="Bus">Null: nobody else is there.</param>
/// <param name="Deliveries">Null: no broker brings runs.</param>
internal sealed record WorkerChannels(RunSignals Signals, StreamHub Hub, IClusterBus? Bus = null, IRunDeliveries? Deliveries = null, BackgroundJobs? Jobs = null);

/// <summary>Runs that are brought to this worker from outside of its process.</summary>
internal interface IRunDeliveries
{
    /// <summary>From now on, up to this many unfinished ones at a time.</summary>
    void Begin(RunWorker worker, int capacity);

    /// <summary>What was brought so long ago counts as taken, whether it has begun or still waits for a place here: it is found in the database, and a broker does not wait for ever.</summary>
    void Forget(TimeSpan age);

    /// <summary>No more; what was not finished is brought to others.</summary>
    Task EndAsync();
}

/// <param name="Since">Timestamp from which it counts: taken before it was asked for.</param>
internal sealed record LeaseExtension(long Since, TimeSpan Lease)
{
    public TimeSpan Left(TimeProvider clock) => Lease - clock.GetElapsedTime(Since);
}

/// <summary>A run in this worker's memory.</summary>
internal sealed class ActiveRun(RunExecution execution, long leasedAt)
{
    private readonly TaskCompletionSource _done = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Lock _gate = new();
    private long _leasedAt = leasedAt;

    public RunExecution Execution => execution;

    /// <summary>Timestamp from which the lease counts: taken before it was asked for.</summary>
    public long LeasedAt
    {
        get => Volatile.Read(ref _leasedAt);
        set => Volatile.Write(ref _leasedAt, value);
    }

    /// <summary>A longer lease for what takes longer; null: none was asked for.</summary>
    public LeaseExtension? Extension { get; private set; }

    public volatile bool IsLeased;

    /// <summary>Its row was being written when its lease was to be renewed: it is asked for again soon.</summary>
    public volatile bool IsSkipped;

    /// <summary>What brought it; null: it began here.</summary>
    public IRunOffer? Offer { get; init; }

    public RunStatus? ParkedAs { get; set; }

    /// <summary>It became ready again before it was out.</summary>
    public ReadyRun? Again { get; set; }

    public Task Done => _done.Task;

    /// <summary>Calls that leave at the same time each ask for what they need; the database keeps the longest, and so is it here.</summary>
    public void Extend(LeaseExtension longer, TimeProvider clock)
    {
        lock (_gate)
        {
            Extension = Extension is { } known && known.Left(clock) > longer.Left(clock) ? known : longer;
        }
    }

    public void Finish() => _done.TrySetResult();
}
