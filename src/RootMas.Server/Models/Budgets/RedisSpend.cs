using System.Collections.Concurrent;
using System.Globalization;
using RootMas.Server.Platform.Redis;
using StackExchange.Redis;

namespace RootMas.Server.Models.Budgets;

/// <summary>
/// The counters of all instances together, exact: one script looks at all limits of a request and sets its money aside, or does nothing. A count is a hash of its day: <c>s</c> what was spent, <c>p</c> what was spent while <c>s</c> was
/// not known, and by the minute in which it ends what is set aside, so that what a killed process had set aside is free again afterwards.
/// A count that is not there (flushed, a new day) begins from the ledger, and from time to time, and after each failure of Redis, the ledger raises it: nothing that was spent elsewhere is forgotten. While Redis is away, <paramref name="without"/> decides.
/// </summary>
/// <param name="without">Knows what this process has set aside and spent in Redis too.</param>
internal sealed class RedisSpend(RedisPool redis, SharedSpend without, LedgerDays ledger, TimeProvider clock) : ISpendStore
{
    private const string Hold = """
        local now = math.floor(redis.call('TIME')[1] / 60)
        local till, least, granted = now + tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
        local over, busy = 0, 0
        for i, key in ipairs(KEYS) do
          local spent, held, all = nil, 0, redis.call('HGETALL', key)
          for j = 1, #all, 2 do
            if all[j] == 's' then
              spent = tonumber(all[j + 1])
            elseif all[j] ~= 'p' then
              if tonumber(all[j]) < now then redis.call('HDEL', key, all[j]) else held = held + tonumber(all[j + 1]) end
            end
          end
          if not spent then return {3, i, 0, 0} end
          local free = tonumber(ARGV[4 + i]) - spent
          if free < least then
            if over == 0 then over = i end
          elseif free - held < granted then
            if held > 0 then busy = i else granted = free end
          end
        end
        if over > 0 then return {1, over, 0, 0} end
        if busy > 0 then return {2, busy, 0, 0} end
        for _, key in ipairs(KEYS) do
          redis.call('HINCRBY', key, till, granted)
          redis.call('PEXPIRE', key, ARGV[4])
        end
        return {0, 0, granted, till}
        """;

    private const string Settle = """
        for _, key in ipairs(KEYS) do
          local held = redis.call('HGET', key, ARGV[1])
          if held then
            if tonumber(held) > tonumber(ARGV[2]) then redis.call('HINCRBY', key, ARGV[1], -tonumber(ARGV[2])) else redis.call('HDEL', key, ARGV[1]) end
          end
          if tonumber(ARGV[3]) > 0 then
            redis.call('HINCRBY', key, redis.call('HEXISTS', key, 's') == 1 and 's' or 'p', ARGV[3])
            redis.call('PEXPIRE', key, ARGV[4])
          end
        end
        return 1
        """;

    private const string Raise = """
        for i, key in ipairs(KEYS) do
          local known, ledger = redis.call('HGET', key, 's'), tonumber(ARGV[1 + i])
          if not known then
            redis.call('HSET', key, 's', string.format('%.0f', ledger + tonumber(redis.call('HGET', key, 'p') or 0)))
            redis.call('HDEL', key, 'p')
          elseif tonumber(known) < ledger then
            redis.call('HSET', key, 's', string.format('%.0f', ledger))
          end
          redis.call('PEXPIRE', key, ARGV[1])
        end
        return 1
        """;

    private const string Read = """
        local now, answer = math.floor(redis.call('TIME')[1] / 60), {}
        for _, key in ipairs(KEYS) do
          local spent, held, all = -1, 0, redis.call('HGETALL', key)
          for j = 1, #all, 2 do
            if all[j] == 's' then spent = tonumber(all[j + 1]) elseif all[j] ~= 'p' and tonumber(all[j]) >= now then held = held + tonumber(all[j + 1]) end
          end
          answer[#answer + 1] = string.format('%.0f', spent)
          answer[#answer + 1] = string.format('%.0f', held)
        end
        return answer
        """;

    private const string Use = "budgets";

    /// <summary>A count may be asked for by whoever still works on the day before.</summary>
    private static readonly long Kept = (long)TimeSpan.FromDays(2).TotalMilliseconds;
    private static readonly TimeSpan Fresh = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan Trusted = TimeSpan.FromMinutes(1);
    private readonly ConcurrentDictionary<string, (int Outage, long At)> _raised = new(StringComparer.Ordinal);
    private int _outages;
    private int _isAway;

    /// <summary>As many counts are remembered as known to Redis; beyond that all are asked for once more.</summary>
    private const int MostRaised = 20_000;

    public async ValueTask<SpendAnswer> HoldAsync(SpendRequest request, CancellationToken cancellationToken = default)
    {
        var keys = KeysOf(request);
        for (var tries = 0; tries < 2; tries++)
        {
            if (!await RaiseAsync(request.Day, [.. request.Limits.Select(static l => l.Key)], isLost: tries > 0))
            {
                break;
            }

            var answer = await redis.TryScriptAsync(Use, Hold, keys,
                [Minutes(request.Life), request.Least, request.Wanted, Kept, .. request.Limits.Select(static l => (RedisValue)l.Most.MicroUsd)], CancellationToken.None); // whoever has asked is told what was set aside
            if (!answer.IsThere)
            {
                Lost();
                break;
            }

            Volatile.Write(ref _isAway, 0);
            var values = (long[])answer.Value;
            if (values[0] == 3)
            {
                continue; // flushed since it was raised
            }

            if (values[0] == 0)
            {
                without.Note(request, values[2], 0, null);
                return new SpendAnswer(SpendOutcome.Granted, values[2], null, values[3]);
            }

            return new SpendAnswer(values[0] == 1 ? SpendOutcome.Over : SpendOutcome.Busy, 0, request.Limits[(int)values[1] - 1]);
        }

        return await without.HoldAsync(request, cancellationToken);
    }

    public async ValueTask SettleAsync(SpendRequest request, SpendAnswer held, long cost, string? row)
    {
        without.Note(request, -held.Held, cost, row);
        var answer = await redis.TryScriptAsync(Use, Settle, KeysOf(request), [held.Bucket, held.Held, cost, Kept]);
        if (!answer.IsThere)
        {
            Lost(); // the ledger has it, and raises the count when Redis is back
        }
    }

    public async ValueTask<IReadOnlyList<SpendFigure>> ReadAsync(DateOnly day, IReadOnlyList<string> keys)
    {
        var answer = await redis.TryScriptAsync(Use, Read, [.. keys.Select(k => KeyOf(day, k))], []);
        if (!answer.IsThere)
        {
            return await without.ReadAsync(day, keys);
        }

        var values = (RedisResult[])answer.Value;
        var sums = await ledger.ReadAsync(day, Fresh);
        return [.. keys.Select((key, i) => new SpendFigure(Math.Max(sums.Of(key), (long)values[2 * i]), (long)values[(2 * i) + 1]))];
    }

    /// <summary>Lets the ledger raise counts that were not raised for a while, or not since Redis was away. False: Redis is away.</summary>
    /// <param name="isLost">Redis has just said that it does not know them.</param>
    private async ValueTask<bool> RaiseAsync(DateOnly day, IReadOnlyList<string> keys, bool isLost)
    {
        var outages = Volatile.Read(ref _outages);
        var due = keys.Where(k => isLost || !_raised.TryGetValue(KeyName(day, k), out var raised) || raised.Outage != outages || clock.GetElapsedTime(raised.At) > Trusted).ToList();
        if (due.Count == 0)
        {
            return true;
        }

        var isOld = !isLost && due.TrueForAll(k => _raised.TryGetValue(KeyName(day, k), out var raised) && raised.Outage == outages);
        var sums = await ledger.ReadAsync(day, isOld ? Trusted : Fresh);
        var answer = await redis.TryScriptAsync(Use, Raise, [.. due.Select(k => KeyOf(day, k))], [Kept, .. due.Select(k => (RedisValue)sums.Of(k))]);
        if (!answer.IsThere)
        {
            Lost();
            return false;
        }

        if (_raised.Count > MostRaised)
        {
            _raised.Clear();
        }

        due.ForEach(k => _raised[KeyName(day, k)] = (outages, clock.GetTimestamp()));
        return true;
    }

    private void Lost()
    {
        Interlocked.Increment(ref _outages);
        if (Interlocked.Exchange(ref _isAway, 1) == 0)
        {
            without.Doubt(); // from now on it counts, until Redis is back
        }
    }

    private RedisKey[] KeysOf(SpendRequest request) => [.. request.Limits.Select(l => KeyOf(request.Day, l.Key))];

    private RedisKey KeyOf(DateOnly day, string key) => $"{redis.Prefix}budget:{KeyName(day, key)}";

    private static string KeyName(DateOnly day, string key) => $"{day.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture)}:{key}";

    private static long Minutes(TimeSpan time) => (long)Math.Ceiling(time.TotalMinutes);
}
