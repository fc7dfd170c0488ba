namespace RootMas.Server.Runs;

/// <summary>What the worker does every few seconds: leases and forgotten runs.</summary>
internal sealed partial class RunWorker
{
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

    private async Task RecoverAsync(CancellationToken cancellationToken)
    {
        var recovered = await _ownership.RecoverAsync(cancellationToken);
        if (recovered > 0)
        {
            RunMetrics.TakenOver(recovered);
            LogRecovered(recovered);
        }
    }

    /// <summary>An unsafe call may take longer than a lease: it leaves only with one that outlasts it, and not while the database is out of reach.</summary>
    private async Task ExtendAsync(ActiveRun active, TimeSpan atLeast)
    {
        var (since, lease, runId) = (_clock.GetTimestamp(), atLeast + _options.Lease, active.Execution.Run.RunId);
        var held = await _ownership.RenewAsync([runId], lease, CancellationToken.None);
        if (held.TryGetValue(runId, out var mine) && mine.Attempt == active.Execution.Attempt)
        {
            active.Extend(new LeaseExtension(since, lease), _clock);
        }
    }

    private TimeSpan LeaseLeft(ActiveRun? active, long since)
    {
        var left = _options.Lease - _clock.GetElapsedTime(active?.LeasedAt ?? since);
        var more = active?.Extension?.Left(_clock) ?? left;
        return more > left ? more : left;
    }

    private async Task RenewAsync()
    {
        var mine = _active.Values.Where(static a => a.IsLeased).ToList();
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
                active.LeasedAt = since;
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

    private async Task SweepAsync()
    {
        _timers.Arm(await _ownership.NextTimerAsync(_stopping.Token));
        if (IsShared)
        {
            ForgetOldOffers();
            await TakeWaitingAsync();
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
