namespace RootMas.Server.Runs;

/// <summary>How the worker begins and how it lets go.</summary>
internal sealed partial class RunWorker
{
    /// <summary>For claims that are under way at the stop: five seconds in all.</summary>
    private const int MostLooks = 500;
    private static readonly TimeSpan LookAgain = TimeSpan.FromMilliseconds(10);

    /// <summary>For runs whose rows are being written at the stop.</summary>
    private static readonly TimeSpan ReleaseAtStop = TimeSpan.FromSeconds(2);

    public async Task StartAsync(CancellationToken cancellationToken)
    {
        if (!Works)
        {
            return;
        }

        RunMetrics.BeginAtZero();
        await _ownership.HoldAsync(cancellationToken);
        await AtStartAsync(() => RecoverAsync(cancellationToken));
        if (IsShared)
        {
            Nudge(); // the first look is one of many: a start does not hang on it
        }
        else
        {
            await LoadAsync(cancellationToken);
        }

        await AtStartAsync(() => CancelOrphansAsync(TimeSpan.Zero, cancellationToken));
        await AtStartAsync(async () => _timers.Arm(await _ownership.NextTimerAsync(cancellationToken)));
        _accepting = true;
        _upkeep = IsShared ? Task.WhenAll(UpkeepAsync(), LookAroundAsync()) : UpkeepAsync();
        Pump();
        _channels.Deliveries?.Begin(this, _options.Parallelism);
    }

    /// <summary>Where others may be in the way, whatever upkeep does again does not keep a worker from starting.</summary>
    private Task AtStartAsync(Func<Task> work) => IsShared ? TryAsync(work) : work();

    /// <summary>All that is unfinished: nobody else is there to take any of it.</summary>
    private async Task LoadAsync(CancellationToken cancellationToken)
    {
        Open.Load(await _ownership.UnfinishedRootsAsync(cancellationToken));
        for (var after = ""; ;)
        {
            var page = await _ownership.ClaimableAsync(after, SweepPage, cancellationToken);
            page.ForEach(row => _queue.Add(row.Ready));
            if (page.Count < SweepPage)
            {
                return;
            }

            after = page[^1].Id;
        }
    }

    public Task StartingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <summary>Lets go of all runs at a point from which any worker can go on at once. Before the web server stops, which would wait for requests that wait for runs.</summary>
    public async Task StoppingAsync(CancellationToken cancellationToken)
    {
        _accepting = false;
        if (_channels.Deliveries is { } deliveries)
        {
            await deliveries.EndAsync(); // what was brought and not begun goes to others
        }

        await _stopping.CancelAsync();
        _timers.Dispose();
        await BegunAsync(cancellationToken);
        var all = Task.WhenAll(_active.Values.Select(static a => a.Done));
        try
        {
            await all.WaitAsync(_options.StopTimeout, _clock, cancellationToken);
        }
        catch (Exception exception) when (exception is TimeoutException or OperationCanceledException)
        {
            LogNotStopped(_active.Count);
        }

        foreach (var late in _active.Values)
        {
            late.Execution.Fence();
        }

        await ReleaseAsync([.. _active.Values.Where(static a => a.IsLeased)], CancellationToken.None); // the others have no rows yet
        await _upkeep;
    }

    /// <summary>What is claimed at this moment is among the active ones then, and is given back with them: nobody died with it.</summary>
    private async Task BegunAsync(CancellationToken cancellationToken)
    {
        for (var look = 0; !_beginning.IsEmpty && look < MostLooks && !cancellationToken.IsCancellationRequested; look++)
        {
            await Task.Delay(LookAgain, CancellationToken.None);
        }
    }
}
