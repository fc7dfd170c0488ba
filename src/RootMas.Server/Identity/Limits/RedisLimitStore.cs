using RootMas.Server.Platform.Redis;
using StackExchange.Redis;

namespace RootMas.Server.Identity.Limits;

/// <summary>
/// Limits of all instances together: the same algorithm as <see cref="MemoryLimitStore"/>, as one script on Redis and by Redis' clock, so that with limit L exactly L pass, whoever asks where. A key lives as long as it counts something.
/// Without Redis limits get stricter, never wider: each instance counts for itself, at once, and allows only its part. What was counted on the other side is not carried over, so an outage lets pass one more limit at most.
/// </summary>
/// <param name="fallback">Counts while Redis is away.</param>
/// <param name="instances">Among so many a limit is divided then.</param>
/// <param name="clock">Null: that of Redis. Another one need not go as fast, so keys are kept longer than they count.</param>
internal sealed class RedisLimitStore(RedisPool redis, ILimitStore fallback, Func<int> instances, TimeProvider? clock = null) : ILimitStore
{
    /// <summary>In ticks since 2026: Lua's numbers are exact to 2^53, which is the year 2054.</summary>
    private const string Script = """
        local interval, tolerance, increment = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
        local now = tonumber(ARGV[4])
        if not now then
          local time = redis.call('TIME')
          now = (time[1] - 1767225600) * 10000000 + time[2] * 10
        end
        local due = math.max(tonumber(redis.call('GET', KEYS[1])) or now, now)
        local next = due + increment
        local over = next - now - tolerance
        if over > 0 then
          return {0, math.max(0, math.floor((now + tolerance - due) / interval)), due - now, over}
        end
        if increment > 0 then
          redis.call('SET', KEYS[1], string.format('%.0f', next), 'PX', math.ceil((next - now) / 10000) + tonumber(ARGV[5]))
        end
        return {1, math.floor(-over / interval), next - now, 0}
        """;

    private static readonly long Epoch = new DateTimeOffset(2026, 1, 1, 0, 0, 0, TimeSpan.Zero).UtcTicks;
    private readonly long _keptLonger = clock is null ? 1 : (long)TimeSpan.FromHours(1).TotalMilliseconds;

    public async ValueTask<LimitResult> TakeAsync(LimitKey key, LimitRule rule, int cost)
    {
        var interval = rule.Interval;
        var answer = await redis.TryScriptAsync(
            "limits",
            Script,
            [$"{redis.Prefix}limit:{key}"],
            [interval, interval * rule.Limit, interval * Math.Min(cost, rule.Limit), clock is null ? "" : clock.GetUtcNow().UtcTicks - Epoch, _keptLonger]);
        if (!answer.IsThere)
        {
            return await fallback.TakeAsync(key, PartOf(rule, instances()), cost);
        }

        var values = (RedisResult[])answer.Value;
        return new LimitResult((int)values[0] == 1, (long)values[1], TimeSpan.FromTicks((long)values[2]), TimeSpan.FromTicks((long)values[3]));
    }

    /// <summary>One of so many instances' part. Nothing is less than one request, so then it comes more rarely.</summary>
    internal static LimitRule PartOf(LimitRule rule, int instances) =>
        rule.Limit >= instances ? rule with { Limit = rule.Limit / instances } : new LimitRule(1, rule.Period * ((double)instances / rule.Limit));
}
