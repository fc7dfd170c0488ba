namespace RootMas.Server.Models.Budgets;

/// <summary>The counters of a process that is alone with its database. They are exact: the day's ledger is read once, and everything after it passes here.</summary>
internal sealed class MemorySpend(LedgerDays ledger, TimeProvider clock) : ISpendStore
{
    private static readonly TimeSpan Fresh = TimeSpan.FromSeconds(2);
    private readonly Lock _gate = new();
    private readonly Dictionary<string, Count> _counts = new(StringComparer.Ordinal);
    private LedgerDay? _base;
    private DateOnly _day;

    public bool CountsAll => true;

    public async ValueTask<SpendAnswer> HoldAsync(SpendRequest request, CancellationToken cancellationToken = default)
    {
        await BeginAsync();
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

    public ValueTask SettleAsync(SpendRequest request, SpendAnswer held, long cost, string? row)
    {
        lock (_gate)
        {
            Begin(LedgerDays.Today(clock));
            if (request.Day == _day)
            {
                Add(request, -held.Held, cost); // what was begun on another day belongs to that day
            }
        }

        return default;
    }

    public async ValueTask<IReadOnlyList<SpendFigure>> ReadAsync(DateOnly day, IReadOnlyList<string> keys)
    {
        await BeginAsync();
        lock (_gate)
        {
            return [.. keys.Select(key => new SpendFigure(Ledger(key) + CountOf(key).Spent, CountOf(key).Held))];
        }
    }

    private async ValueTask BeginAsync()
    {
        var day = LedgerDays.Today(clock);
        lock (_gate)
        {
            Begin(day);
            if (_base is not null)
            {
                return;
            }
        }

        var read = await ledger.ReadAsync(day, Fresh);
        lock (_gate)
        {
            if (day == _day)
            {
                _base ??= read;
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
        var granted = request.Wanted;
        SpendLimit? busy = null;
        foreach (var limit in request.Limits)
        {
            var count = CountOf(limit.Key);
            var free = limit.Most.MicroUsd - Ledger(limit.Key) - count.Spent;
            if (free < request.Least)
            {
                return new SpendAnswer(SpendOutcome.Over, 0, limit);
            }

            var left = free - count.Held;
            if (left < granted)
            {
                // The last of it is given to one who is alone; before that it pays to wait until the others have settled.
                (granted, busy) = count.Held == 0 ? (left, busy) : (granted, limit);
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
        }

        foreach (var key in cost == 0 ? [] : request.Counts)
        {
            CountOf(key).Spent += cost;
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
        public long Held { get; set; }

        public long Spent { get; set; }
    }
}
