using StackExchange.Redis;
using Database = StackExchange.Redis.IDatabase;

namespace RootMas.Server.Platform.Redis;

/// <summary>What Redis answered, if it did.</summary>
internal readonly record struct RedisAnswer<T>(bool IsThere, T Value);

/// <summary>
/// The connections for commands. Nothing here throws because Redis is away: every user of it knows how to go on without, so an answer that is not there is an ordinary case, and it comes at once while no link is good or the circuit is open.
/// </summary>
internal sealed class RedisPool : IAsyncDisposable
{
    private readonly RedisLink[] _links;
    private readonly RedisCircuit _circuit;
    private readonly RedisRefusals _refusals;
    private readonly TimeSpan _patience;
    private readonly TimeProvider _time;
    private uint _next;

    public RedisPool(RedisOptions options, RedisCircuit circuit, TimeProvider time, ILogger<RedisPool> logger)
    {
        (Prefix, _circuit, _patience, _time) = (options.KeyPrefix, circuit, circuit.Policy.Timeout, time);
        _refusals = new RedisRefusals(time, logger);
        _links = [.. Enumerable.Range(0, options.PoolSize - RedisBus.Connections).Select(_ => new RedisLink(options, circuit, withMessages: false, time, logger))];
    }

    /// <summary>There is a link, and Redis is not being left alone.</summary>
    public bool IsConnected => _circuit.IsClosed && Array.Exists(_links, static link => link.Session is not null);

    public RedisFailure? LastFailure => _links.Select(static link => link.LastFailure).MaxBy(static failure => failure?.At);

    /// <summary>What Redis refuses to some use although it answers, in a word; null: nothing.</summary>
    public string? Refused => _refusals.Current;

    /// <summary>Of every key.</summary>
    public string Prefix { get; }

    /// <summary>Begins to connect, and waits until it was tried once.</summary>
    public Task StartAsync()
    {
        Array.ForEach(_links, static link => link.Start());
        return Task.WhenAll(_links.Select(static link => link.Tried));
    }

    /// <param name="use">What for, as the metrics tell it.</param>
    /// <param name="command">Commands that may be sent twice, or not arrive: a command whose answer is lost may have been done.</param>
    public async ValueTask<RedisAnswer<T>> TryAsync<T>(string use, Func<RedisSession, Task<T>> command, CancellationToken cancellationToken = default)
    {
        // A link first: a command without one could not be the try that decides.
        if (Next() is not { } link || link.Session is not { } session)
        {
            return NotAsked<T>(use, _circuit.IsClosed ? "not_connected" : "circuit_open");
        }

        var entry = _circuit.Enter();
        if (entry == RedisEntry.Refused)
        {
            return NotAsked<T>(use, "circuit_open");
        }

        var began = _time.GetTimestamp();
        try
        {
            var value = await command(session).WaitAsync(_patience, _time, cancellationToken);
            _refusals.Answered(use);
            _circuit.Succeeded(entry);
            RedisMetrics.Answered(use, _time.GetElapsedTime(began));
            return new RedisAnswer<T>(true, value);
        }
        catch (Exception error) when (RedisErrors.IsOutage(error) && !cancellationToken.IsCancellationRequested)
        {
            Fail(use, entry, error, Doubt(link, session, error));
            return default;
        }
        catch
        {
            _circuit.Abandoned(entry);
            throw;
        }
    }

    /// <summary>A script, which Redis runs as one step. The server forgets scripts when it restarts; then it is sent again.</summary>
    public ValueTask<RedisAnswer<RedisResult>> TryScriptAsync(string use, string script, RedisKey[] keys, RedisValue[] values, CancellationToken cancellationToken = default) =>
        TryAsync(use, session => EvaluateAsync(session.Commands, script, keys, values), cancellationToken);

    public async ValueTask DisposeAsync()
    {
        foreach (var link in _links)
        {
            await link.DisposeAsync();
        }
    }

    private void Fail(string use, RedisEntry entry, Exception error, bool counts)
    {
        var kind = RedisErrors.ClassOf(error);
        RedisMetrics.Failed(use, kind);
        if (error is not RedisServerException)
        {
            if (counts || entry == RedisEntry.Probe)
            {
                _circuit.Failed(entry, kind);
            }

            return;
        }

        if (RedisErrors.IsRefusal(kind))
        {
            _refusals.Refused(use, kind);
        }

        if (entry == RedisEntry.Probe)
        {
            _circuit.Succeeded(entry); // it answers
        }
    }

    private RedisAnswer<T> NotAsked<T>(string use, string why)
    {
        RedisMetrics.Failed(use, why);
        if (why == "circuit_open")
        {
            _circuit.Traffic.Rejected(RedisCircuit.Client);
        }

        return default;
    }

    /// <summary>
    /// A server that does not answer on one link will not on the others, and nobody should find that out by waiting on each. True: the circuit counts it. Not counted is what many commands under way find out at the same time but for the first of them,
    /// a connection that ended (the next one that is made, or not, tells), and an answer that refuses this command: others are done, and messages go on.
    /// </summary>
    private bool Doubt(RedisLink link, RedisSession session, Exception error)
    {
        switch (error)
        {
            case TimeoutException:
                var isFirst = link.Doubt(session, error);
                Array.ForEach(_links, one => one.Doubt(error));
                return isFirst;
            case RedisServerException:
                link.Note(error);
                return false;
            default:
                link.Doubt(error);
                return false;
        }
    }

    public static async Task<RedisResult> EvaluateAsync(Database database, string script, RedisKey[] keys, RedisValue[] values)
    {
        try
        {
            return await database.ScriptEvaluateAsync(script, keys, values);
        }
        catch (RedisServerException error) when (error.Message.StartsWith("NOSCRIPT", StringComparison.Ordinal))
        {
            return await database.ScriptEvaluateAsync(script, keys, values);
        }
    }

    /// <summary>In turn, among those that are good.</summary>
    private RedisLink? Next()
    {
        var first = Interlocked.Increment(ref _next);
        for (uint i = 0; i < _links.Length; i++)
        {
            var link = _links[(first + i) % (uint)_links.Length];
            if (link.Session is not null)
            {
                return link;
            }
        }

        return null;
    }
}
