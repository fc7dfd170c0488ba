using System.Security.Cryptography;
using System.Threading.Channels;
using RootMas.Server.Platform.Redis;
using StackExchange.Redis;

namespace RootMas.Server.Platform.Caching;

/// <summary>
/// For several processes. A scope's version is a random word in Redis, made by whoever first looks; raising deletes it, so what was kept under it is never found again, whatever arrives late or twice. Answers are kept under the versions
/// that were read before they were made. All of it stands under the id of Redis' process: one that restarts from an old copy of its data begins with nothing. If Redis cannot be told of a change, the others are told through the database (<see cref="CacheFence"/>).
/// </summary>
internal sealed partial class RedisAnswerCache : IAnswerCache, IAsyncDisposable
{
    private const string Use = "cache";

    /// <summary>Versions outlive every answer that is kept under them.</summary>
    private const int VersionSeconds = 3_600;

    private const string LookScript = """
        local version = ''
        for i = 1, #KEYS do
          local one = redis.call('GET', KEYS[i])
          if not one then
            one = ARGV[2]
            redis.call('SET', KEYS[i], one, 'EX', ARGV[3])
          end
          version = version .. one .. '.'
        end
        local time = redis.call('TIME')
        return {version, redis.call('GET', ARGV[1] .. version), time[1] * 1000 + math.floor(time[2] / 1000)}
        """;

    private readonly RedisPool _redis;
    private readonly CacheFence _fence;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly Lock _lock = new();
    private readonly Channel<bool> _signal = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });
    private readonly Task _settling;
    private HashSet<CacheScope> _raised = [];
    private TaskCompletionSource _next = NewSource();
    private Task _current = Task.CompletedTask;

    public RedisAnswerCache(RedisPool redis, CacheFence fence, TimeProvider time, ILogger<RedisAnswerCache> logger)
    {
        (_redis, _fence, _time, _logger) = (redis, fence, time, logger);
        _settling = SettleAsync();
    }

    public bool IsShared => true;

    public async ValueTask<CacheLook> LookAsync(string key, IReadOnlyList<CacheScope> scopes, TimeSpan longest)
    {
        if (!_fence.IsOpen)
        {
            return default;
        }

        var looked = await _redis.TryAsync(Use, async session =>
        {
            var space = SpaceOf(session);
            var keys = new RedisKey[scopes.Count];
            for (var i = 0; i < keys.Length; i++)
            {
                keys[i] = $"{space}v:{scopes[i]}";
            }

            var parts = (RedisResult[])await RedisPool.EvaluateAsync(session.Commands, LookScript, keys, [$"{space}a:{key}:", RandomNumberGenerator.GetHexString(16), VersionSeconds]);
            return (Space: space, Version: (string)parts[0], Answer: parts[1].IsNull ? null : (byte[])parts[1], Now: (long)parts[2]);
        });
        return looked.IsThere
            ? new CacheLook($"{looked.Value.Space}a:{key}:{looked.Value.Version}", looked.Value.Answer, looked.Value.Now + (long)longest.TotalMilliseconds)
            : default;
    }

    /// <summary>Forgotten at a moment that was fixed at the look: one that arrives late does not live longer.</summary>
    public async ValueTask KeepAsync(string key, CacheLook look, byte[] answer) =>
        await _redis.TryAsync(Use, session => session.Commands.ExecuteAsync("SET", look.Version!, answer, "PXAT", look.Until));

    public void Raise(CacheScope scope)
    {
        lock (_lock)
        {
            _raised.Add(scope);
        }

        _signal.Writer.TryWrite(true);
    }

    public Task SettledAsync()
    {
        lock (_lock)
        {
            return _raised.Count > 0 ? _next.Task : _current;
        }
    }

    public async ValueTask DisposeAsync()
    {
        _signal.Writer.TryComplete();
        await _settling;
    }

    private static TaskCompletionSource NewSource() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    private string SpaceOf(RedisSession session) => $"{_redis.Prefix}cache:{session.ServerId}:";

    /// <summary>One batch after the other: however many requests change something at a time, Redis is told once.</summary>
    private async Task SettleAsync()
    {
        while (await _signal.Reader.WaitToReadAsync())
        {
            _signal.Reader.TryRead(out _);
            HashSet<CacheScope> batch;
            TaskCompletionSource done;
            lock (_lock)
            {
                if (_raised.Count == 0)
                {
                    continue;
                }

                (batch, done) = (_raised, _next);
                (_raised, _next, _current) = ([], NewSource(), done.Task);
            }

            var began = _time.GetTimestamp();
            try
            {
                await TellAsync(batch);
            }
#pragma warning disable CA1031 // whoever waits for this batch, or for a later one, must not wait for ever
            catch (Exception exception)
#pragma warning restore CA1031
            {
                LogUntold(exception);
            }

            CacheMetrics.Settled(_time.GetElapsedTime(began));
            done.SetResult();
        }
    }

    /// <summary>A command that could not be sent is as little told as one that was not answered.</summary>
    private async Task TellAsync(HashSet<CacheScope> batch)
    {
        var isTold = false;
        try
        {
            isTold = (await _redis.TryAsync(Use, session => session.Commands.KeyDeleteAsync([.. batch.Select(scope => (RedisKey)$"{SpaceOf(session)}v:{scope}")]))).IsThere;
        }
        catch (RedisCommandException exception)
        {
            LogUntold(exception);
        }

        if (!isTold)
        {
            await _fence.PutUpAsync();
        }
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "Kept answers could not be ended everywhere; other instances may give older ones until they end by themselves")]
    private partial void LogUntold(Exception exception);
}
