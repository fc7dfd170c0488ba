using RootMas.Runtime.Runs;

namespace RootMas.Server.Runs;

/// <summary>What the worker hears from and where it shows what it does.</summary>
internal sealed record WorkerChannels(RunSignals Signals, StreamHub Hub);

/// <param name="Since">Timestamp from which it counts: taken before it was asked for.</param>
internal sealed record LeaseExtension(long Since, TimeSpan Lease);

/// <summary>A run in this worker's memory.</summary>
internal sealed class ActiveRun(RunExecution execution, long leasedAt)
{
    private readonly TaskCompletionSource _done = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private long _leasedAt = leasedAt;

    public RunExecution Execution => execution;

    /// <summary>Timestamp from which the lease counts: taken before it was asked for.</summary>
    public long LeasedAt
    {
        get => Volatile.Read(ref _leasedAt);
        set => Volatile.Write(ref _leasedAt, value);
    }

    /// <summary>A longer lease for what takes longer; null: none was asked for.</summary>
    public LeaseExtension? Extension { get; set; }

    public volatile bool IsLeased;

    public RunStatus? ParkedAs { get; set; }

    /// <summary>It became ready again before it was out.</summary>
    public ReadyRun? Again { get; set; }

    public Task Done => _done.Task;

    public void Finish() => _done.TrySetResult();
}
