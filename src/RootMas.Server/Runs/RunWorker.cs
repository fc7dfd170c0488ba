using System.Collections.Concurrent;
using RootMas.Runtime.Runs;
using RootMas.Server.Platform.Data;
using RootMas.Server.Platform.Telemetry;

namespace RootMas.Server.Runs;

/// <summary>Advances runs: takes them from the queue up to the parallelism, keeps their leases, lets go of them at shutdown, finds again what a lost signal forgot.</summary>
internal sealed partial class RunWorker : IHostedLifecycleService, IDisposable
{
    private const int SweepPage = 1000;

    private readonly RunExecutor _executor;
    private readonly RunOwnership _ownership;
    private readonly StreamHub _hub;
    private readonly WorkerChannels _channels;
    private readonly RunsOptions _options;
    private readonly TimeProvider _clock;
    private readonly ILogger _logger;
    private readonly RunQueue _queue;
    private readonly RunTimers _timers;
    private readonly ConcurrentDictionary<string, ActiveRun> _active = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, bool> _beginning = new(StringComparer.Ordinal); // taken from the queue, and claimed at this moment
    private readonly CancellationTokenSource _stopping = new();
    private bool _disposed;
    private Task _upkeep = Task.CompletedTask;
    private volatile bool _accepting; // from the start, after recovery, to the stop

    public RunWorker(RunExecutor executor, RunOwnership ownership, WorkerChannels channels, RunsOptions options, TimeProvider clock, ILogger<RunWorker> logger)
    {
        (_executor, _ownership, _hub, _channels, _options, _clock, _logger) = (executor, ownership, channels.Hub, channels, options, clock, logger);
        _slots = options.Parallelism;
        _places = IsShared ? MostBeginning : int.MaxValue;
        _queue = new RunQueue(options.RootRunsPerUser);
        Open = new OpenRuns(options.UnfinishedPerUser);
        SharedOpen = new SharedOpenRuns(options.UnfinishedPerUser, clock);
        _timers = new RunTimers(ownership, clock, LogUpkeep);
        _sweeps = new Pace(clock);
        var signals = channels.Signals;
        signals.Ready += TakeOrTell;
        signals.InboxChanged += Poke;
        signals.WakeAtSet += _timers.Arm;
        signals.Parked += NoteParked;
        signals.Ended += NoteEnded;
        signals.Orphaned += CancelOrphans;
        channels.Hub.IsHere = ownership.Worker.OwnsData ? null : IsActive;
        _hearing = IsShared ? _channels.Bus?.Subscribe(BusTopic, Hear, missed: Nudge) : null;
    }

    /// <summary>The unfinished root runs of each user.</summary>
    public OpenRuns Open { get; }

    /// <summary>The same, counted by the database, where others accept runs too.</summary>
    public SharedOpenRuns SharedOpen { get; }

    /// <summary>A run left this process's memory: whoever waits for it looks again.</summary>
    public Action<string>? Left { get; set; }

    public TimeSpan Lease => _options.Lease;

    public string Name => _ownership.Worker.Name;

    /// <summary>Set when this process lets go of its runs.</summary>
    public CancellationToken Stopping => _stopping.Token;

    public int QueueLength => _queue.Count;

    public int ActiveCount => _active.Count;

    /// <summary>Runs were taken from the queue and are being claimed at this moment.</summary>
    internal bool IsBeginning => !_beginning.IsEmpty;

    public bool IsActive(string runId) => _active.ContainsKey(runId);

    public void Dispose()
    {
        if (_disposed)
        {
            return;
        }

        _disposed = true;
        _hearing?.Dispose();
        _timers.Dispose();
        _stopping.Cancel(); // for whoever disposes without stopping first
        _stopping.Dispose();
    }

    /// <summary>Room for a new root run that starts at once, past the queue. Follow with <see cref="Start"/> or <see cref="Unreserve"/>.</summary>
    public bool TryReserve(string ownerId, string runId)
    {
        if (!_accepting || !TryTake(ref _slots))
        {
            return false;
        }

        if (_queue.TryStartRoot(ownerId, runId))
        {
            return true;
        }

        Interlocked.Increment(ref _slots);
        return false;
    }

    public void Unreserve(string ownerId, string runId)
    {
        Interlocked.Increment(ref _slots);
        _queue.RootLeft(ownerId, runId);
        Pump();
    }

    /// <summary>Starts a run for which room was reserved, on the caller's own flow up to its first wait. The task ends when the run has left the worker.</summary>
    /// <param name="isStored">The run's row exists already and is owned by this worker.</param>
    public Task Start(RunExecution execution, bool isStored) => RunAsync(new ActiveRun(execution, _clock.GetTimestamp()) { IsLeased = isStored });

    /// <summary>The first batch of a started run is durable: its lease counts from now on.</summary>
    public void MarkStored(string runId)
    {
        if (_active.TryGetValue(runId, out var active))
        {
            active.IsLeased = true;
        }
    }

    /// <summary>How long a lease that is asked for now will certainly hold, renewals included; no limit where nobody else can take a run.</summary>
    public Func<TimeSpan> NewLease(string runId)
    {
        if (_ownership.Worker.OwnsData)
        {
            return static () => TimeSpan.MaxValue;
        }

        var since = _clock.GetTimestamp();
        return () => LeaseLeft(_active.GetValueOrDefault(runId), since);
    }

    /// <summary>Takes it as soon as there is a place. What was brought twice is forgotten.</summary>
    public void Enqueue(ReadyRun run)
    {
        if (_queue.Add(run, isSaid: true))
        {
            Pump();
        }
        else
        {
            run.Offer?.Done();
        }
    }

    private async Task AdvanceAsync(ReadyRun ready)
    {
        RootMasTelemetry.SetCurrentRun(ready.RunId);
        Task? running = null;
        try
        {
            if (await BeginAsync(ready) is { } active)
            {
                running = RunAsync(active);
                HasBegun(ready.RunId);
                await running;
            }
        }
        catch (Exception exception) when (exception is StorageUnavailableException or OperationCanceledException or ObjectDisposedException)
        {
            LogNotClaimed(ready.RunId, exception.Message); // the sweep finds it again
        }
#pragma warning disable CA1031 // one run must not take the worker with it
        catch (Exception exception)
#pragma warning restore CA1031
        {
            LogNotBegun(ready.RunId, exception);
        }

        if (running is null)
        {
            NotBegun(ready); // what has run has let go of everything itself
        }
    }

    private void NotBegun(ReadyRun ready)
    {
        HasBegun(ready.RunId);
        ready.Offer?.Done(); // it has a worker, or the sweep finds it
        if (_active.ContainsKey(ready.RunId))
        {
            GiveBackSlot(); // brought again while it is at work here: it goes on counting for its user
            return;
        }

        Leave(ready.OwnerId, ready.RunId, countsOn: false);
    }

    /// <summary>Null: the run is not ours to advance.</summary>
    private async Task<ActiveRun?> BeginAsync(ReadyRun ready)
    {
        if (_active.TryGetValue(ready.RunId, out var earlier))
        {
            // Woken before its last attempt has left our memory: that one hands over when it is out.
            earlier.Again = ready with { Offer = null };
            if (_active.ContainsKey(ready.RunId))
            {
                return null;
            }
        }

        var (since, lease) = (_clock.GetTimestamp(), NewLease(ready.RunId));
        var (row, found) = await _ownership.ClaimAsync(ready, _options.Lease, _stopping.Token);
        if (row is null && ready.Offer is { IsRepeated: true })
        {
            // That it is brought again does not say that its worker is dead: its lock says so.
            await RecoverAsync(_stopping.Token);
            (row, found) = await _ownership.ClaimAsync(ready, _options.Lease, _stopping.Token);
        }

        if (row is null)
        {
            return null;
        }

        if (ready.IsLeaseOver)
        {
            RunMetrics.TakenOver(1);
        }

        var execution = await _executor.PrepareAsync(row, found, lease, _options.AttemptsWithoutProgress, CancellationToken.None);
        if (execution is null)
        {
            _hub.Left(ready.RunId);
            Left?.Invoke(ready.RunId);
            return null;
        }

        return new ActiveRun(execution, since) { IsLeased = true, Offer = ready.Offer };
    }

    private async Task RunAsync(ActiveRun active)
    {
        var run = active.Execution.Run;
        active.Execution.ExtendLease = _ownership.Worker.OwnsData ? null : atLeast => TryAsync(() => ExtendAsync(active, atLeast));
        _active[run.RunId] = active;
        RunMetrics.ActiveChanged(1);
        var exit = RunExit.Stopped;
        try
        {
            exit = await _executor.ExecuteAsync(active.Execution, _stopping.Token);
            if (exit == RunExit.Stopped && active.IsLeased)
            {
                await ReleaseAsync([active], CancellationToken.None);
            }
        }
        finally
        {
            RunMetrics.ActiveChanged(-1);
            _active.TryRemove(KeyValuePair.Create(run.RunId, active));
            _hub.Left(run.RunId);
            active.Finish();
            active.Offer?.Done();
            Left?.Invoke(run.RunId);
            Leave(run.OwnerId, run.RunId, countsOn: !IsShared && exit == RunExit.Parked && active.ParkedAs == RunStatus.WaitingChildren);
            if (active.Again is { } again)
            {
                Enqueue(again);
            }
        }
    }

    private void Leave(string ownerId, string runId, bool countsOn)
    {
        Interlocked.Increment(ref _slots);
        _queue.Left(runId);
        if (!countsOn)
        {
            _queue.RootLeft(ownerId, runId);
        }

        Pump();
    }

    private void GiveBackSlot()
    {
        Interlocked.Increment(ref _slots);
        Pump();
    }

    private void Poke(string runId)
    {
        if (_active.TryGetValue(runId, out var active))
        {
            // Off the database's thread: a poke may cancel a provider's connection.
            ThreadPool.UnsafeQueueUserWorkItem(static a => a.Execution.Poke(), active, preferLocal: false);
        }
        else if (IsShared)
        {
            TellInbox(runId);
        }
    }

    private void NoteParked(string runId, string rootRunId, RunStatus status)
    {
        RunMetrics.Parked(status);
        if (_active.TryGetValue(runId, out var active))
        {
            active.ParkedAs = status;
        }
    }

    private void NoteEnded(RunSummary run)
    {
        RunMetrics.Ended(run);
        _queue.RootLeft(run.OwnerId, run.Id);
        Open.Leave(run.OwnerId, run.Id);
    }

    private void CancelOrphans() => _ = Task.Run(() => TryAsync(() => CancelOrphansAsync(TellOrphans, _stopping.Token)));

    private async Task ReleaseAsync(IReadOnlyCollection<ActiveRun> runs, CancellationToken cancellationToken)
    {
        if (runs.Count > 0)
        {
            await TryAsync(() => GiveBackAsync([.. runs.Select(static a => (a.Execution.Run.RunId, a.Execution.Attempt))], cancellationToken));
        }
    }

    /// <summary>All that nobody is writing at once; the others as soon as they are let go, if that is soon.</summary>
    internal async Task GiveBackAsync(List<(string RunId, int Attempt)> runs, CancellationToken cancellationToken)
    {
        for (var look = 0; (runs = await _ownership.ReleaseAsync(runs, cancellationToken)).Count > 0; look++)
        {
            if (look >= LooksIn(_stopping.IsCancellationRequested ? ReleaseAtStop : _options.Lease))
            {
                LogNotGivenBack(runs.Count);
                return;
            }

            await Task.Delay(LookAtRow, CancellationToken.None);
        }
    }

    /// <summary>Upkeep that failed is done again with the next round.</summary>
    private async Task TryAsync(Func<Task> work)
    {
        try
        {
            await work();
        }
        catch (Exception exception) when (exception is not OperationCanceledException || !_stopping.IsCancellationRequested)
        {
            LogUpkeep(exception);
        }
        catch (OperationCanceledException)
        {
            // stopping
        }
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "Recovered {Count} run(s) of an earlier process")]
    private partial void LogRecovered(int count);

    [LoggerMessage(Level = LogLevel.Warning, Message = "{Count} run(s) did not stop in time; they are given back as they are")]
    private partial void LogNotStopped(int count);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Run {RunId} could not be claimed now: {Reason}")]
    private partial void LogNotClaimed(string runId, string reason);

    [LoggerMessage(Level = LogLevel.Warning, Message = "{Count} run(s) are being written by others and could not be given back; a worker takes them up when their lease is over, or this one's place is free")]
    private partial void LogNotGivenBack(int count);

    [LoggerMessage(Level = LogLevel.Warning, Message = "{Count} run(s) of this worker were not in its hands, as after a lost connection to the database; they are given back")]
    private partial void LogForgotten(int count);

    [LoggerMessage(Level = LogLevel.Error, Message = "Run {RunId} could not be begun")]
    private partial void LogNotBegun(string runId, Exception exception);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Upkeep of runs failed and is repeated")]
    private partial void LogUpkeep(Exception exception);
}
