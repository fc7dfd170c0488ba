namespace RootMas.Server.Runs;

/// <summary>What the worker does every few seconds: leases and forgotten runs.</summary>
internal sealed partial class RunWorker
{
    /// <summary>For what one run needs of a row that is being written.</summary>
    private static readonly TimeSpan LookAtRow = TimeSpan.FromMilliseconds(50);

    /// <summary>Most rows are written for moments: whoever just became an orphan does not wait for the sweep.</summary>
    private static readonly TimeSpan TellOrphans = TimeSpan.FromSeconds(2);

    private readonly Lock _recoveryGate = new();

    /// <summary>Of looks for what a broker lost.</summary>
    private readonly Pace _sweeps;

    /// <summary>What nobody here worked on at the last look.</summary>
    private HashSet<(string RunId, int Attempt)> _forgotten = [];

    private Task _recovery = Task.CompletedTask;
    private volatile bool _orphansLeft;
    private volatile bool _renewalFailed;

    private async Task UpkeepAsync()
    {
        var sweeps = _channels.Jobs?.Add("queue-sweep", _options.Renewal);
        using var timer = new PeriodicTimer(_options.Renewal, _clock);
        try
        {
            while (await timer.WaitForNextTickAsync(_stopping.Token))
            {
                await TryAsync(_ownership.SettleJumpsAsync);
                await TryAsync(RenewAsync);
                await TryAsync(() => sweeps?.RunAsync(_ => SweepAsync(), _stopping.Token) ?? SweepAsync());
            }
        }
        catch (OperationCanceledException)
        {
            // stopping
        }
    }

    /// <summary>One at a time: whoever comes meanwhile, as each message does that is brought again, waits for the one that is under way.</summary>
    private Task RecoverAsync(CancellationToken cancellationToken)
    {
        lock (_recoveryGate)
        {
            if (_recovery.IsCompleted)
            {
                _recovery = RecoverOnceAsync(cancellationToken);
            }

            return _recovery;
        }
    }

    private async Task RecoverOnceAsync(CancellationToken cancellationToken)
    {
        var recovered = await _ownership.RecoverAsync(cancellationToken);
        if (recovered > 0)
        {
            RunMetrics.TakenOver(recovered);
            LogRecovered(recovered);
        }
    }

    /// <summary>Those that are being written, or that could not be told, are told with the next sweep.</summary>
    private async Task CancelOrphansAsync(TimeSpan patience, CancellationToken cancellationToken)
    {
        var left = 1;
        try
        {
            for (var look = 0; left > 0 && look <= LooksIn(patience); look++)
            {
                if (look > 0)
                {
                    await Task.Delay(LookAtRow, cancellationToken);
                }

                (_, left) = await _ownership.CancelOrphansAsync(cancellationToken);
            }
        }
        finally
        {
            if (left > 0)
            {
                _orphansLeft = true;
            }
        }
    }

    /// <summary>An unsafe call may take longer than a lease: it leaves only with one that outlasts it, and not while the database is out of reach.</summary>
    private async Task ExtendAsync(ActiveRun active, TimeSpan atLeast)
    {
        var (lease, runId) = (atLeast + _options.Lease, active.Execution.Run.RunId);
        for (var look = 0; look < LooksIn(_options.Lease) && !active.Execution.Fenced.IsCancellationRequested; look++)
        {
            var since = _clock.GetTimestamp();
            var held = await _ownership.RenewAsync([runId], lease, CancellationToken.None);
            if (!held.TryGetValue(runId, out var mine) || mine.Attempt != active.Execution.Attempt)
            {
                return;
            }

            if (mine.IsRenewed)
            {
                active.Extend(new LeaseExtension(since, lease), _clock);
                return;
            }

            await Task.Delay(LookAtRow, CancellationToken.None);
        }
    }

    private static int LooksIn(TimeSpan time) => (int)(time / LookAtRow);

    private TimeSpan LeaseLeft(ActiveRun? active, long since)
    {
        var left = _options.Lease - _clock.GetElapsedTime(active?.LeasedAt ?? since);
        var more = active?.Extension?.Left(_clock) ?? left;
        return more > left ? more : left;
    }

    private async Task RenewAsync()
    {
        try
        {
            await RenewAsync([.. _active.Values.Where(static a => a.IsLeased)]);
            _renewalFailed = false;
        }
        catch
        {
            _renewalFailed = true; // the next look does not wait for the next round
            throw;
        }
    }

    /// <summary>Those whose rows were being written when they were to be renewed.</summary>
    private Task RenewSkippedAsync() => RenewAsync([.. _active.Values.Where(static a => a.IsSkipped)]);

    private async Task RenewAsync(List<ActiveRun> mine)
    {
        if (mine.Count == 0)
        {
            return;
        }

        var since = _clock.GetTimestamp();
        var held = await _ownership.RenewAsync([.. mine.Select(static a => a.Execution.Run.RunId)], _options.Lease, _stopping.Token);
        foreach (var active in mine)
        {
            if (held.TryGetValue(active.Execution.Run.RunId, out var still) && still.Attempt == active.Execution.Attempt)
            {
                active.IsSkipped = !still.IsRenewed;
                if (still.IsRenewed)
                {
                    active.LeasedAt = since;
                }

                if (still.IsTold)
                {
                    Poke(active.Execution.Run.RunId); // whoever told it died before it could say so
                }
            }
            else if (_active.TryGetValue(active.Execution.Run.RunId, out var current) && current == active)
            {
                active.Execution.Fence(); // parked and ended runs are on their way out and do not mind
            }
        }
    }

    /// <summary>
    /// Runs that this worker has without knowing it: the answer to a claim, or to what would have given them back, was lost together with the connection. Nobody died, so they do not wait for the end of the lease.
    /// Only what was nobody's twice: a new run is so for a moment.
    /// </summary>
    private async Task GiveBackForgottenAsync()
    {
        var forgotten = (await _ownership.MineAsync(_stopping.Token)).FindAll(run => !_beginning.ContainsKey(run.RunId) && !_active.ContainsKey(run.RunId)); // in the order in which a run goes through them
        var again = forgotten.FindAll(_forgotten.Contains);
        _forgotten = [.. forgotten];
        if (again.Count > 0)
        {
            LogForgotten(again.Count);
            await _ownership.ReleaseAsync(again, _stopping.Token);
        }
    }

    private async Task SweepAsync()
    {
        _timers.Arm(await _ownership.NextTimerAsync(_stopping.Token));
        if (_orphansLeft)
        {
            _orphansLeft = false;
            await TryAsync(() => CancelOrphansAsync(TimeSpan.Zero, _stopping.Token));
        }

        if (IsShared)
        {
            await TryAsync(GiveBackForgottenAsync);
            ForgetOldOffers();
            await (_channels.Signals.Dispatch.WorkersLook ? TakeWaitingAsync() : _sweeps.RunAsync(TakeWaitingAsync));
            return;
        }

        if (_queue.Count > SweepPage / 2)
        {
            return; // there is enough to do; what was forgotten is found when the queue is short
        }

        foreach (var row in await _ownership.ClaimableAsync("", SweepPage, _stopping.Token))
        {
            if (IsNotHere(row.Id))
            {
                _queue.Add(row.Ready);
            }
        }

        Pump();
    }
}
