namespace RootMas.Server.Models.Budgets;

/// <summary>
/// The counters of one process. Alone (the embedded database) they are exact: the day's ledger is read once, and everything after it passes here. Where others write the same ledger, it is read again every few seconds, and of what is left
/// this process gives out its part; what it spent shortly before a reading is counted once more, since its rows may not have been written by then. So several processes together never give out more than the limit, but may stop short of it.
/// </summary>
/// <param name="instances">How many processes share what is left; 1 and never another number: this one is alone.</param>
/// <param name="reread">How old the ledger's sums may get; null: nobody else writes it.</param>
internal sealed class MemorySpend(LedgerDays ledger, TimeProvider clock, Func<int> instances, TimeSpan? reread) : ISpendStore
{
    private static readonly TimeSpan Fresh = TimeSpan.FromSeconds(2);
    private readonly Lock _gate = new();
    private readonly Dictionary<string, Count> _counts = new(StringComparer.Ordinal);
    private LedgerDay? _base;
    private DateOnly _day;
    private bool _isDoubted;

    public async ValueTask<SpendAnswer> HoldAsync(SpendRequest request)
    {
        await FollowAsync();
        lock (_gate)
        {
            var answer = Look(request);
            if (answer.Outcome == SpendOutcome.Granted && request.Day == _day)
            {
                Add(request, answer.Held, 0);
            }

            return answer;
        }
    }

    public ValueTask SettleAsync(SpendRequest request, SpendAnswer held, long cost)
    {
        Note(request, -held.Held, cost);
        return default;
    }

    public async ValueTask<IReadOnlyList<SpendFigure>> ReadAsync(DateOnly day, IReadOnlyList<string> keys)
    {
        await FollowAsync();
        lock (_gate)
        {
            return [.. keys.Select(key => new SpendFigure(Ledger(key) + CountOf(key).Recent, CountOf(key).Held))];
        }
    }

    /// <summary>What this process set aside or spent elsewhere, so that it is known here when that place is gone.</summary>
    public void Note(SpendRequest request, long held, long cost)
    {
        lock (_gate)
        {
            Begin(LedgerDays.Today(clock));
            if (request.Day == _day)
            {
                Add(request, held, cost); // what was begun on another day belongs to that day
            }
        }
    }

    /// <summary>Whether the ledger has to be read again before this can be relied on: others may have spent meanwhile.</summary>
    public void Doubt()
    {
        lock (_gate)
        {
            _isDoubted = true;
        }
    }

    private async ValueTask FollowAsync()
    {
        var day = LedgerDays.Today(clock);
        lock (_gate)
        {
            Begin(day);
            if (!_isDoubted && _base is { } known && known.Day == day && (reread is not { } longest || clock.GetElapsedTime(known.At) <= longest))
            {
                return;
            }
        }

        var read = await ledger.ReadAsync(day, Fresh);
        lock (_gate)
        {
            _isDoubted = false;
            if (day != _day || (_base?.At == read.At && _base.Day == day))
            {
                return;
            }

            _base = read;
            foreach (var count in _counts.Values)
            {
                count.Rebase(clock);
            }
        }
    }

    /// <summary>Another day, by the clock alone: a request that was made just before midnight must not bring yesterday back.</summary>
    private void Begin(DateOnly day)
    {
        if (day != _day)
        {
            _counts.Clear();
            (_day, _base) = (day, null);
        }
    }

    /// <summary>Of a day that began this very moment nothing is written yet.</summary>
    private long Ledger(string key) => _base?.Of(key) ?? 0;

    private SpendAnswer Look(SpendRequest request)
    {
        var (granted, share) = (request.Wanted, Math.Max(1, instances()));
        SpendLimit? busy = null;
        foreach (var limit in request.Limits)
        {
            var count = CountOf(limit.Key);
            var free = limit.Most.MicroUsd - Ledger(limit.Key);
            if (free - count.Recent < request.Least * share)
            {
                return new SpendAnswer(SpendOutcome.Over, 0, limit);
            }

            var left = (free / share) - count.Recent - count.Earlier - count.Held;
            if (left < granted)
            {
                // The last of it is given to one who is alone; before that it pays to wait until the others have settled.
                (granted, busy) = left >= request.Least && count.Held == 0 && count.Earlier == 0 ? (left, busy) : (granted, limit);
            }
        }

        return busy is null ? new SpendAnswer(SpendOutcome.Granted, granted) : new SpendAnswer(SpendOutcome.Busy, 0, busy);
    }

    private void Add(SpendRequest request, long held, long cost)
    {
        foreach (var limit in request.Limits)
        {
            var count = CountOf(limit.Key);
            count.Held = Math.Max(0, count.Held + held);
            count.Spend(cost, clock);
        }
    }

    private Count CountOf(string key)
    {
        if (!_counts.TryGetValue(key, out var count))
        {
            _counts[key] = count = new Count();
        }

        return count;
    }

    /// <summary>Micro-dollars beyond what the ledger said.</summary>
    private sealed class Count
    {
        /// <summary>A row is written with its step: far sooner than this after it was settled.</summary>
        private static readonly TimeSpan Unwritten = TimeSpan.FromSeconds(10);

        private long _young;
        private long _old;
        private long _turned;

        public long Held { get; set; }

        /// <summary>Settled since the ledger was read.</summary>
        public long Recent { get; private set; }

        /// <summary>Settled shortly before: the ledger may or may not have shown it.</summary>
        public long Earlier { get; private set; }

        public void Spend(long cost, TimeProvider clock)
        {
            Turn(clock);
            (Recent, _young) = (Recent + cost, _young + cost);
        }

        public void Rebase(TimeProvider clock)
        {
            Turn(clock);
            (Earlier, Recent) = (_old + _young, 0);
        }

        private void Turn(TimeProvider clock)
        {
            var age = clock.GetElapsedTime(_turned);
            if (age >= Unwritten)
            {
                (_old, _young, _turned) = (age >= 2 * Unwritten ? 0 : _young, 0, clock.GetTimestamp());
            }
        }
    }
}
