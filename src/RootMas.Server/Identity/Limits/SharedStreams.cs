using RootMas.Server.Platform.Cluster;
using RootMas.Server.Platform.Health;
using RootMas.Server.Platform.Http;
using RootMas.Server.Platform.Redis;
using StackExchange.Redis;

namespace RootMas.Server.Identity.Limits;

/// <summary>
/// How many streams and sockets of a user are open on all instances together: a hash on Redis with a field for each instance, changed by one script, so that the last free place is given once. A field ends by itself when its instance no longer
/// renews it, so what a killed process had open does not count for long. Without Redis limits get stricter: each instance allows its part.
/// </summary>
internal sealed class SharedStreams(RedisPool redis, Instance instance, Func<int> instances, TimeProvider time, ILogger<SharedStreams> logger) : SupervisedService
{
    private const string Change = """
        local now, delta, most, own, others = tonumber(redis.call('TIME')[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), 0, 0
        local all = redis.call('HGETALL', KEYS[1])
        for i = 1, #all, 2 do
          local open, till = string.match(all[i + 1], '(%d+):(%d+)')
          if tonumber(till) < now then redis.call('HDEL', KEYS[1], all[i])
          elseif all[i] == ARGV[1] then own = tonumber(open)
          else others = others + tonumber(open) end
        end
        if delta > 0 and own + others + delta > most then return own + others end
        own = math.max(0, own + delta)
        if own == 0 then redis.call('HDEL', KEYS[1], ARGV[1]) else redis.call('HSET', KEYS[1], ARGV[1], own .. ':' .. (now + ARGV[4])) end
        redis.call('EXPIRE', KEYS[1], ARGV[4])
        return -1
        """;

    private const string Renew = """
        if ARGV[2] == '0' then return redis.call('HDEL', KEYS[1], ARGV[1]) end
        redis.call('HSET', KEYS[1], ARGV[1], ARGV[2] .. ':' .. (redis.call('TIME')[1] + ARGV[3]))
        return redis.call('EXPIRE', KEYS[1], ARGV[3])
        """;

    private const string Use = "open_streams";
    private const int SecondsKept = 90;
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(30);

    /// <summary>What this instance has open, as its own counts say; null: nobody has told.</summary>
    public Func<IReadOnlyList<(string User, StreamKind Kind, int Open)>>? Own { get; set; }

    /// <summary>Null: it may be opened, and counts. Else how many are open already.</summary>
    /// <param name="here">How many this instance has open, this one included.</param>
    public async ValueTask<int?> EnterAsync(string user, StreamKind kind, int most, int here)
    {
        var answer = await redis.TryScriptAsync(Use, Change, [KeyOf(user, kind)], [instance.Name, 1, most, SecondsKept]);
        if (answer.IsThere)
        {
            return (int)answer.Value is var open and >= 0 ? open : null;
        }

        return here > Math.Max(1, most / Math.Max(1, instances())) ? here - 1 : null;
    }

    /// <summary>If Redis does not hear it, the next renewal tells it.</summary>
    public async ValueTask LeaveAsync(string user, StreamKind kind) =>
        await redis.TryScriptAsync(Use, Change, [KeyOf(user, kind)], [instance.Name, -1, 0, SecondsKept]);

    /// <summary>Says what is open here, whatever was said before.</summary>
    public async Task RenewAsync()
    {
        foreach (var (user, kind, open) in Own?.Invoke() ?? [])
        {
            await redis.TryScriptAsync(Use, Renew, [KeyOf(user, kind)], [instance.Name, open, SecondsKept]);
        }
    }

    protected override (TimeProvider Clock, ILogger Logger) Means => (time, logger);

    protected override async Task RunAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Interval, time);
        try
        {
            while (await timer.WaitForNextTickAsync(stoppingToken))
            {
                await RenewAsync();
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // The process ends; what it had open ends with it.
        }
    }

    private RedisKey KeyOf(string user, StreamKind kind) => $"{redis.Prefix}open:{(kind == StreamKind.Socket ? "socket" : "events")}:{user}";
}
