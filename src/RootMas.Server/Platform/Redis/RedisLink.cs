using RootMas.Server.Platform.Resilience;
using StackExchange.Redis;
using Database = StackExchange.Redis.IDatabase;

namespace RootMas.Server.Platform.Redis;

/// <summary>
/// One multiplexer, and the loop that keeps it: connects, checks every second, throws away what is broken and connects anew, for ever, when the circuit lets it. The library's own reconnecting is not relied upon: it has states that it never leaves, and says nothing about messages that were missed.
/// While the link is not good <see cref="Session"/> is null, so nobody waits for time-outs again and again.
/// </summary>
internal sealed partial class RedisLink : IAsyncDisposable
{
    private static readonly TimeSpan CheckEvery = TimeSpan.FromSeconds(1);

    private readonly ConfigurationOptions _configuration;
    private readonly RedisOptions _options;
    private readonly RedisCircuit _circuit;
    private readonly OutboundSettings _policy;
    private readonly RedisPauses _pauses;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly CancellationTokenSource _stop = new();
    private readonly TaskCompletionSource _tried = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private volatile RedisSession? _session;
    private volatile TaskCompletionSource _doubt = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private volatile RedisFailure? _lastFailure;
    private volatile bool _broken;
    private volatile ConnectionMultiplexer? _current;
    private Task _keeping = Task.CompletedTask;

    public RedisLink(RedisOptions options, RedisCircuit circuit, bool withMessages, TimeProvider time, ILogger logger)
    {
        (_options, _circuit, _policy, _time, _logger) = (options, circuit, circuit.Policy, time, logger);
        _pauses = new RedisPauses(_policy);
        _configuration = RedisAddress.Of(options, _policy, withMessages);
        Connections = withMessages ? 2 : 1;
    }

    public int Connections { get; }

    /// <summary>Null: the link is not good now.</summary>
    public RedisSession? Session => _session;

    public Database? Commands => _session?.Commands;

    public RedisFailure? LastFailure => _lastFailure;

    /// <summary>Completes when the first connection stands, or could not be made.</summary>
    public Task Tried => _tried.Task;

    /// <summary>Runs with each new multiplexer before it is used; if it fails, the multiplexer is broken.</summary>
    public Func<ConnectionMultiplexer, Task>? Opening { get; init; }

    /// <summary>Runs when a multiplexer that was opened is given up.</summary>
    public Action? Closed { get; init; }

    public void Start() => _keeping = KeepAsync(_stop.Token);

    /// <summary>A command did not come back as it should: nothing more is asked until a check is answered.</summary>
    public void Doubt(Exception error)
    {
        Note(error);
        _session = null;
        _doubt.TrySetResult();
    }

    /// <summary>The same for a command that used <paramref name="session"/>. False: others have found out before.</summary>
    public bool Doubt(RedisSession session, Exception error)
    {
        if (Interlocked.CompareExchange(ref _session, null, session) != session)
        {
            return false;
        }

        Doubt(error);
        return true;
    }

    /// <summary>The multiplexer is not good for what it is there for, whatever a check says: a new one is made.</summary>
    public void Break(Exception error)
    {
        _broken = true;
        Doubt(error);
    }

    public async ValueTask DisposeAsync()
    {
        if (_stop.IsCancellationRequested)
        {
            return;
        }

        await _stop.CancelAsync();
        await _keeping.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    private async Task KeepAsync(CancellationToken stop)
    {
        var pause = TimeSpan.Zero;
        while (!stop.IsCancellationRequested)
        {
            try
            {
                await UseOneAsync(pause, stop);
            }
#pragma warning disable CA1031 // whatever it was: the loop goes on for ever
            catch (Exception error) when (!stop.IsCancellationRequested)
#pragma warning restore CA1031
            {
                Failed(error);
            }

            _tried.TrySetResult();
            pause = _pauses.Next();
        }
    }

    /// <summary>From the connecting of one multiplexer to its end.</summary>
    private async Task UseOneAsync(TimeSpan pause, CancellationToken stop)
    {
        var (multiplexer, session) = await ConnectAsync(pause, stop);
        try
        {
            if (Opening is { } opening)
            {
                await opening(multiplexer).WaitAsync(_options.ConnectTimeout, _time, stop);
            }

            RedisMetrics.Opened(Connections);
            _circuit.Traffic.Attempted(RedisCircuit.Client, "ok");
            LogConnected(Connections);
            try
            {
                while (!stop.IsCancellationRequested && !_broken && await IsGoodAsync(multiplexer, stop))
                {
                    _pauses.Reset();
                    await WaitAsync(session, stop);
                }
            }
            finally
            {
                (_session, _current) = (null, null);
                RedisMetrics.Closed(Connections);
                Closed?.Invoke();
                if (!stop.IsCancellationRequested)
                {
                    LogLost(_lastFailure?.Class ?? "unknown");
                }
            }
        }
        finally
        {
            await CloseAsync(multiplexer);
        }
    }

    /// <summary>One try, when the circuit lets it: it succeeded when the server answered on it. What is made of the connection then is not the server's fault.</summary>
    private async Task<(ConnectionMultiplexer Multiplexer, RedisSession Session)> ConnectAsync(TimeSpan pause, CancellationToken stop)
    {
        var entering = _circuit.EnterAsync(pause, stop);
        if (!entering.IsCompleted)
        {
            _tried.TrySetResult(); // left alone already, by what the other links found: the start waits no longer
        }

        var entry = await entering;
        try
        {
            var multiplexer = await DialAsync(stop);
            try
            {
                Follow(multiplexer);
                await CheckAsync(multiplexer, stop);
                var session = new RedisSession(multiplexer.GetDatabase(), await ServerIdAsync(multiplexer, stop));
                _circuit.Succeeded(entry);
                return (multiplexer, session);
            }
            catch
            {
                await CloseAsync(multiplexer);
                throw;
            }
        }
        catch (Exception error)
        {
            Ended(entry, error, stop);
            throw;
        }
    }

    private void Follow(ConnectionMultiplexer multiplexer)
    {
        (_current, _broken) = (multiplexer, false);
        multiplexer.ConnectionFailed += (sender, failure) =>
        {
            if (ReferenceEquals(sender, _current))
            {
                Break(failure.Exception ?? new IOException($"{failure.FailureType}"));
            }
        };
    }

    private void Ended(RedisEntry entry, Exception error, CancellationToken stop)
    {
        if (stop.IsCancellationRequested)
        {
            _circuit.Abandoned(entry);
        }
        else
        {
            _circuit.Failed(entry, RedisErrors.ClassOf(error));
        }
    }

    private async Task<ConnectionMultiplexer> DialAsync(CancellationToken stop)
    {
        var connecting = ConnectionMultiplexer.ConnectAsync(_configuration.Clone());
        try
        {
            return await connecting.WaitAsync(_options.ConnectTimeout + TimeSpan.FromSeconds(1), _time, stop);
        }
        catch
        {
            _ = ForgetAsync(connecting);
            throw;
        }
    }

    /// <summary>Whatever still comes of it is not wanted any more.</summary>
    private static async Task ForgetAsync(Task<ConnectionMultiplexer> connecting)
    {
        await ((Task)connecting).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (connecting.IsCompletedSuccessfully)
        {
            await CloseAsync(await connecting);
        }
    }

    /// <summary>Good for use until somebody doubts, or for a second.</summary>
    private async Task WaitAsync(RedisSession session, CancellationToken stop)
    {
        var doubt = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        _doubt = doubt;
        _session = session;
        _tried.TrySetResult();
        await Task.WhenAny(doubt.Task, Task.Delay(CheckEvery, _time, stop));
    }

    /// <summary>While Redis is left alone a link that nobody doubts stays as it is, unasked, and one that somebody doubts is not worth the try that decides.</summary>
    private async Task<bool> IsGoodAsync(ConnectionMultiplexer multiplexer, CancellationToken stop)
    {
        if (!_circuit.IsClosed)
        {
            return _session is not null;
        }

        try
        {
            await CheckAsync(multiplexer, stop);
            return true; // which says nothing about commands that fail: only an answer to one ends their row
        }
        catch (Exception error) when (RedisErrors.IsOutage(error))
        {
            Note(error);
            Ended(RedisEntry.Free, error, stop);
            return false;
        }
    }

    private async Task CheckAsync(ConnectionMultiplexer multiplexer, CancellationToken stop)
    {
        await multiplexer.GetDatabase().PingAsync().WaitAsync(_policy.Timeout, _time, stop);
        if (Connections > 1)
        {
            await multiplexer.GetSubscriber().PingAsync().WaitAsync(_policy.Timeout, _time, stop);
        }
    }

    /// <summary>Redis makes one at each start.</summary>
    private async Task<string> ServerIdAsync(ConnectionMultiplexer multiplexer, CancellationToken stop)
    {
        var info = (string?)await multiplexer.GetDatabase().ExecuteAsync("INFO", "server").WaitAsync(_policy.Timeout, _time, stop) ?? "";
        return info.Split('\n').FirstOrDefault(static line => line.StartsWith("run_id:", StringComparison.Ordinal))?[7..].Trim() ?? "unknown";
    }

    private static async Task CloseAsync(ConnectionMultiplexer multiplexer)
    {
        try
        {
            await multiplexer.CloseAsync(allowCommandsToComplete: false);
        }
        catch (Exception error) when (RedisErrors.IsOutage(error))
        {
            // It was to be closed, and it is gone.
        }
        finally
        {
            multiplexer.Dispose();
        }
    }

    private void Failed(Exception error)
    {
        Note(error);
        RedisMetrics.Refused(RedisErrors.ClassOf(error));
        _circuit.Traffic.Attempted(RedisCircuit.Client, error is TimeoutException ? "timeout" : "error");
        if (_pauses.Tries == 0)
        {
            LogUnreachable(RedisErrors.ClassOf(error));
        }
        else
        {
            _circuit.Traffic.Retried(RedisCircuit.Client);
        }
    }

    public void Note(Exception error) => _lastFailure = new RedisFailure(_time.GetUtcNow(), RedisErrors.ClassOf(error));

    [LoggerMessage(Level = LogLevel.Information, Message = "Redis: connected ({Connections})")]
    private partial void LogConnected(int connections);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Redis: the connection is given up ({Reason}); a new one is tried until it stands. Until then limits are counted here, and caches are cold")]
    private partial void LogLost(string reason);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Redis cannot be reached ({Reason}); it is tried until it can. Until then limits are counted here, and caches are cold")]
    private partial void LogUnreachable(string reason);
}

/// <summary>Commands over a link that is good.</summary>
/// <param name="ServerId">Of the process that answers: another one after each restart.</param>
internal sealed record RedisSession(Database Commands, string ServerId);

/// <param name="Class">In a word.</param>
internal sealed record RedisFailure(DateTimeOffset At, string Class);

/// <summary>As the policy says: doubling, with jitter so that many instances do not come at once.</summary>
internal sealed class RedisPauses(OutboundSettings policy)
{
    /// <summary>That failed in a row.</summary>
    public int Tries { get; private set; }

    public void Reset() => Tries = 0;

    public TimeSpan Next()
    {
        var whole = Math.Min(policy.Base.TotalSeconds * Math.Pow(2, Math.Min(Tries++, 16)), policy.Longest.TotalSeconds);
        return TimeSpan.FromSeconds(whole * (0.5 + (Random.Shared.NextDouble() / 2)));
    }
}
