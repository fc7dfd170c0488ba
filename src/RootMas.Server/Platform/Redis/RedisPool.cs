using RootMas.Server.Platform.Resilience;
using StackExchange.Redis;
using Database = StackExchange.Redis.IDatabase;

namespace RootMas.Server.Platform.Redis;

/// <summary>What Redis answered, if it did.</summary>
internal readonly record struct RedisAnswer<T>(bool IsThere, T Value);

/// <summary>
/// The connections for commands. Nothing here throws because Redis is away: every user of it knows how to go on without, so an answer that is not there is an ordinary case, and it comes at once while no link is good.
/// </summary>
internal sealed class RedisPool : IAsyncDisposable
{
    private readonly RedisLink[] _links;
    private readonly TimeSpan _patience;
    private readonly TimeProvider _time;
    private uint _next;

    public RedisPool(RedisOptions options, OutboundPolicies policies, TimeProvider time, ILogger<RedisPool> logger)
    {
        (Prefix, _patience, _time) = (options.KeyPrefix, policies.SettingsOf(RedisLink.Client).Timeout, time);
        policies.Watch(RedisLink.Client, "", () => IsConnected ? "closed" : "open");
        _links = [.. Enumerable.Range(0, options.PoolSize - RedisBus.Connections).Select(_ => new RedisLink(options, policies, withMessages: false, time, logger))];
    }

    public bool IsConnected => Array.Exists(_links, static link => link.Session is not null);

    public RedisFailure? LastFailure => _links.Select(static link => link.LastFailure).MaxBy(static failure => failure?.At);

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
        if (Next() is not { } link || link.Session is not { } session)
        {
            RedisMetrics.Failed(use, "not_connected");
            return default;
        }

        var began = _time.GetTimestamp();
        try
        {
            var value = await command(session).WaitAsync(_patience, _time, cancellationToken);
            RedisMetrics.Answered(use, _time.GetElapsedTime(began));
            return new RedisAnswer<T>(true, value);
        }
        catch (Exception error) when (RedisErrors.IsOutage(error) && !cancellationToken.IsCancellationRequested)
        {
            RedisMetrics.Failed(use, RedisErrors.ClassOf(error));
            Doubt(link, error);

            return default;
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

    /// <summary>A server that does not answer on one link will not on the others, and nobody should find that out by waiting on each.</summary>
    private void Doubt(RedisLink link, Exception error)
    {
        if (error is TimeoutException)
        {
            Array.ForEach(_links, one => one.Doubt(error));
        }
        else if (error is not RedisServerException)
        {
            link.Doubt(error);
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
