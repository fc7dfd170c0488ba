using RootMas.Server.Platform.Resilience;

namespace RootMas.Server.Platform.Redis;

/// <summary>Whether Redis may be asked now.</summary>
internal enum RedisEntry
{
    /// <summary>It is being left alone.</summary>
    Refused,

    Free,

    /// <summary>As the one try that decides whether others follow; whoever has it says how it went.</summary>
    Probe,
}

/// <summary>
/// The circuit of Redis, one for all connections of the process, with the numbers of <c>Resilience:Redis</c>: after so many failures in a row, of commands or of tries to connect, Redis is not asked for a while; then one try decides. An answer that refuses a command is none: what one use may not, others may.
/// Polly's is not used here: it counts shares of a time window, and costs more than a command takes. While the circuit is closed an entry is one read of a field.
/// </summary>
internal sealed partial class RedisCircuit
{
    /// <summary>As the table of policies names it.</summary>
    public const string Client = "redis";

    private const int Closed = 0;
    private const int HalfOpen = 1;
    private const int Open = 2;

    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly Lock _lock = new();
    private volatile int _state;
    private volatile int _failures;
    private volatile string? _lastFailure;
    private volatile TaskCompletionSource _changed = NewSource();
    private long _opened;

    public RedisCircuit(OutboundPolicies policies, TimeProvider time, ILogger<RedisCircuit> logger)
    {
        (_time, _logger) = (time, logger);
        (Policy, Traffic) = (policies.SettingsOf(Client), policies.Traffic);
        policies.Watch(Client, "", () => State, () => _lastFailure);
    }

    public OutboundSettings Policy { get; }

    public OutboundTraffic Traffic { get; }

    public bool IsClosed => _state == Closed;

    /// <summary>closed, half_open, open.</summary>
    public string State => _state switch
    {
        Closed => "closed",
        HalfOpen => "half_open",
        _ => "open",
    };

    /// <summary>Never waits. An entry that is not refused ends with <see cref="Succeeded"/>, <see cref="Failed"/> or <see cref="Abandoned"/>.</summary>
    public RedisEntry Enter()
    {
        if (_state == Closed)
        {
            return RedisEntry.Free;
        }

        lock (_lock)
        {
            if (_state == Closed)
            {
                return RedisEntry.Free;
            }

            if (_state == HalfOpen || Left() > TimeSpan.Zero)
            {
                return RedisEntry.Refused;
            }

            _state = HalfOpen;
            return RedisEntry.Probe;
        }
    }

    /// <summary>For a connection that has nothing else to do: waits for its pause, or, where Redis is being left alone, until it may try or another's try has succeeded.</summary>
    public async Task<RedisEntry> EnterAsync(TimeSpan pause, CancellationToken stop)
    {
        var began = _time.GetTimestamp();
        while (true)
        {
            stop.ThrowIfCancellationRequested();
            var changed = _changed.Task; // before the state is read, so that no change is slept through
            var entry = Enter();
            var wait = entry == RedisEntry.Refused ? LeftToWait() : pause - _time.GetElapsedTime(began);
            if (entry == RedisEntry.Probe || (entry == RedisEntry.Free && wait <= TimeSpan.Zero))
            {
                return entry;
            }

            pause = entry == RedisEntry.Refused ? TimeSpan.Zero : pause;
            await changed.WaitAsync(wait, _time, stop).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    public void Succeeded(RedisEntry entry)
    {
        if (entry == RedisEntry.Free && _failures == 0)
        {
            return;
        }

        lock (_lock)
        {
            // What was asked before the circuit opened says nothing about now.
            if (entry == RedisEntry.Probe || _state == Closed)
            {
                _failures = 0;
                MoveTo(Closed);
            }
        }
    }

    /// <param name="errorClass">In a word.</param>
    public void Failed(RedisEntry entry, string errorClass)
    {
        _lastFailure = errorClass;
        lock (_lock)
        {
            if (entry == RedisEntry.Free && _state != Closed)
            {
                return;
            }

            if (++_failures == Policy.Tries)
            {
                Traffic.GaveUp(Client); // those who need Redis have gone on without it long ago; it is tried for ever
            }

            if (entry == RedisEntry.Probe || _failures >= Policy.BreakAfter)
            {
                _opened = _time.GetTimestamp();
                MoveTo(Open);
            }
        }

        if (entry == RedisEntry.Free && _failures >= Policy.BreakAfter)
        {
            LogLeftAlone(Policy.BreakAfter, errorClass, Policy.BreakFor.TotalSeconds);
        }
    }

    /// <summary>It was not found out. Whoever comes next may try.</summary>
    public void Abandoned(RedisEntry entry)
    {
        if (entry == RedisEntry.Probe)
        {
            lock (_lock)
            {
                MoveTo(Open);
            }
        }
    }

    private static TaskCompletionSource NewSource() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    private void MoveTo(int state)
    {
        if (_state != state)
        {
            _state = state;
            var before = _changed;
            _changed = NewSource();
            before.TrySetResult();
        }
    }

    private TimeSpan Left() => Policy.BreakFor - _time.GetElapsedTime(_opened);

    private TimeSpan LeftToWait()
    {
        lock (_lock)
        {
            return _state == HalfOpen ? Timeout.InfiniteTimeSpan : TimeSpan.FromMilliseconds(Math.Max(1, Left().TotalMilliseconds));
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "Redis failed {Failures} times in a row ({Reason}) and is left alone for {Seconds} s, then one try decides. Until then limits are counted here, and caches are cold")]
    private partial void LogLeftAlone(int failures, string reason, double seconds);
}
