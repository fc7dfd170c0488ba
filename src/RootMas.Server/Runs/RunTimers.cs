namespace RootMas.Server.Runs;

/// <summary>One timer for the earliest time at which a parked run wants to be woken; which runs those are, the database says when it rings.</summary>
internal sealed class RunTimers : IDisposable
{
    private static readonly TimeSpan Longest = TimeSpan.FromDays(1);

    /// <summary>Where the database's clock is behind ours, what is due here is not yet due there.</summary>
    private static readonly TimeSpan Breath = TimeSpan.FromMilliseconds(20);

    private readonly Lock _gate = new();
    private readonly RunOwnership _ownership;
    private readonly TimeProvider _clock;
    private readonly Action<Exception> _onFailed;
    private readonly ITimer _timer;
    private DateTimeOffset _next = DateTimeOffset.MaxValue;
    private bool _firing;
    private bool _rang; // while it was firing
    private bool _disposed;

    public RunTimers(RunOwnership ownership, TimeProvider clock, Action<Exception> onFailed)
    {
        (_ownership, _clock, _onFailed) = (ownership, clock, onFailed);
        _timer = clock.CreateTimer(static self => _ = ((RunTimers)self!).FireAsync(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    public void Arm(DateTimeOffset? at)
    {
        if (at is { } time)
        {
            Arm(time);
        }
    }

    public void Arm(DateTimeOffset at) => Arm(at, TimeSpan.Zero);

    private void Arm(DateTimeOffset at, TimeSpan least)
    {
        lock (_gate)
        {
            // The same time again: the clock may have been set since.
            if (_disposed || at > _next)
            {
                return;
            }

            _next = at;
            var wait = at - _clock.GetUtcNow();
            _timer.Change(wait < least ? least : wait > Longest ? Longest : wait, Timeout.InfiniteTimeSpan);
        }
    }

    public void Dispose()
    {
        lock (_gate)
        {
            _disposed = true;
        }

        _timer.Dispose();
    }

    private async Task FireAsync()
    {
        lock (_gate)
        {
            _next = DateTimeOffset.MaxValue;
            _rang = _firing;
            if (_firing)
            {
                return; // one at a time: that one looks once more
            }

            _firing = true;
        }

        while (true)
        {
            await FireOnceAsync();
            lock (_gate)
            {
                if (!_rang)
                {
                    _firing = false;
                    return;
                }

                _rang = false;
            }
        }
    }

    private async Task FireOnceAsync()
    {
        try
        {
            if (await _ownership.FireTimersAsync(CancellationToken.None) is { } next)
            {
                Arm(next, Breath);
            }
        }
#pragma warning disable CA1031 // the sweep arms it again
        catch (Exception exception)
#pragma warning restore CA1031
        {
            _onFailed(exception);
        }
    }
}
