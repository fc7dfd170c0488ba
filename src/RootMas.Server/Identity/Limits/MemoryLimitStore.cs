using System.Collections.Concurrent;

namespace RootMas.Server.Identity.Limits;

/// <summary>
/// Limits of one process, without locks. Each key holds one number: the theoretical arrival time of the generic cell rate algorithm (GCRA, "virtual scheduling"; ITU-T I.371 Annex A, ATM Forum Traffic
/// Management 4.1 §4.4.2), moved by compare-and-set. Memory is bounded: a key whose time has passed is equal to one that was never seen, and is forgotten; when a kind of keys is full of busy ones,
/// further keys share one count per limit, so that making up keys makes limits stricter and never wider.
/// </summary>
/// <param name="keysPerScope">Most keys of one kind.</param>
public sealed class MemoryLimitStore(int keysPerScope, TimeProvider clock) : ILimitStore
{
    private readonly long _start = clock.GetTimestamp();
    private readonly Table[] _tables = [.. Enum.GetValues<LimitScope>().Select(_ => new Table(keysPerScope))];

    /// <summary>Keys that are kept, of all kinds.</summary>
    public int Count => _tables.Sum(static t => t.Count);

    public ValueTask<LimitResult> TakeAsync(LimitKey key, LimitRule rule, int cost)
    {
        var now = clock.GetElapsedTime(_start).Ticks;
        var table = _tables[(int)key.Scope];
        LimitResult result;
        while (!table.Find(key, now, mayAdd: cost > 0).TryTake(now, rule, cost, out result))
        {
            // The key was forgotten between finding and taking.
        }

        return new ValueTask<LimitResult>(result);
    }

    private sealed class Table(int capacity)
    {
        private const int LookedAtPerNewKey = 8;
        private const int LookedAtWhenFull = 64;
        private static readonly Cell Unseen = new();
        private readonly ConcurrentDictionary<LimitKey, Cell> _cells = new();
        private readonly ConcurrentDictionary<string, Cell> _shared = new(StringComparer.Ordinal);
        private IEnumerator<KeyValuePair<LimitKey, Cell>>? _place;
        private int _sweeping;
        private int _count;

        public int Count => Volatile.Read(ref _count) + _shared.Count;

        public Cell Find(LimitKey key, long now, bool mayAdd)
        {
            while (true)
            {
                if (_cells.TryGetValue(key, out var cell))
                {
                    if (!cell.IsForgotten)
                    {
                        return cell;
                    }

                    Remove(key, cell);
                }
                else if (!mayAdd)
                {
                    return _shared.GetValueOrDefault(key.Limit, Unseen);
                }
                else if (TryAdd(key, now) is { } added)
                {
                    return added;
                }
            }
        }

        /// <summary>Null: somebody else added it.</summary>
        private Cell? TryAdd(LimitKey key, long now)
        {
            Sweep(now, Volatile.Read(ref _count) < capacity ? LookedAtPerNewKey : LookedAtWhenFull);
            if (Interlocked.Increment(ref _count) > capacity)
            {
                Interlocked.Decrement(ref _count);
                return _shared.GetOrAdd(key.Limit, static _ => new Cell());
            }

            var cell = new Cell();
            if (_cells.TryAdd(key, cell))
            {
                return cell;
            }

            Interlocked.Decrement(ref _count);
            return null;
        }

        /// <summary>Every new key looks at a few old ones: the work is spread evenly, and nobody ever waits for a tidying.</summary>
        private void Sweep(long now, int atMost)
        {
            if (Interlocked.Exchange(ref _sweeping, 1) == 1)
            {
                return;
            }

            var place = _place ??= _cells.GetEnumerator();
            for (var i = 0; i < atMost; i++)
            {
                if (!place.MoveNext())
                {
                    place.Dispose();
                    _place = null;
                    break;
                }

                if (place.Current.Value.TryForget(now))
                {
                    Remove(place.Current.Key, place.Current.Value);
                }
            }

            Volatile.Write(ref _sweeping, 0);
        }

        private void Remove(LimitKey key, Cell cell)
        {
            if (_cells.TryRemove(KeyValuePair.Create(key, cell)))
            {
                Interlocked.Decrement(ref _count);
            }
        }
    }

    private sealed class Cell
    {
        private const long Forgotten = long.MinValue;
        private long _arrival; // when, at the allowed rate, the next request would be due

        public bool IsForgotten => Volatile.Read(ref _arrival) == Forgotten;

        /// <summary>Only a cell that counts nothing any more; nobody can take from it afterwards.</summary>
        public bool TryForget(long now)
        {
            var arrival = Volatile.Read(ref _arrival);
            return arrival <= now && arrival != Forgotten && Interlocked.CompareExchange(ref _arrival, Forgotten, arrival) == arrival;
        }

        /// <summary>False: the cell was forgotten.</summary>
        public bool TryTake(long now, LimitRule rule, int cost, out LimitResult result)
        {
            var interval = rule.Interval;
            var tolerance = interval * rule.Limit;
            var increment = interval * Math.Min(cost, rule.Limit);
            while (true)
            {
                var arrival = Volatile.Read(ref _arrival);
                if (arrival == Forgotten)
                {
                    result = default;
                    return false;
                }

                var due = Math.Max(arrival, now);
                var next = due + increment;
                var over = next - now - tolerance;
                if (over > 0)
                {
                    result = new LimitResult(false, Math.Max(0, (now + tolerance - due) / interval), TimeSpan.FromTicks(due - now), TimeSpan.FromTicks(over));
                    return true;
                }

                if (increment == 0 || Interlocked.CompareExchange(ref _arrival, next, arrival) == arrival)
                {
                    result = new LimitResult(true, -over / interval, TimeSpan.FromTicks(next - now), TimeSpan.Zero);
                    return true;
                }
            }
        }
    }
}
