using RootMas.Server.Platform.Cluster;
using RootMas.Server.Platform.Data;

namespace RootMas.Server.Models.Budgets;

/// <summary>
/// The counters of an instance among others, without Redis. Before it spends, an instance takes a part of what is left into a row of its own, one instance at a time, and gives out no more than its row says; what it does not use goes back
/// within seconds. What the ledger shows, and all rows together, never come to more than the limit. What an instance spent stays in its row until the ledger shows it.
/// </summary>
/// <param name="shown">How often this instance was not seen by the others for so long that they may have freed its rows; null: that may be so now.</param>
internal sealed class SharedSpend(IDatabase database, IPresence presence, Instance instance, Func<int?> shown, TimeProvider clock) : ISpendStore, IDisposable
{
    private static readonly TimeSpan Fresh = TimeSpan.FromSeconds(2);

    private readonly SemaphoreSlim _one = new(1, 1);
    private readonly Lock _gate = new();
    private readonly Dictionary<string, SharedCount> _counts = new(StringComparer.Ordinal);
    private readonly SharedRows _rows = new(presence, instance.Name);
    private DateOnly _day;
    private bool _isVisiting;
    private int _visits;
    private int _shown;
    private SharedDay? _look;

    public async ValueTask<SpendAnswer> HoldAsync(SpendRequest request, CancellationToken cancellationToken = default)
    {
        if (TryHere(request) is { } known)
        {
            return known;
        }

        await _one.WaitAsync(cancellationToken);
        try
        {
            if (TryHere(request) is { } meanwhile)
            {
                return meanwhile;
            }

            var answer = await TakeAsync(request);
            return answer.Outcome == SpendOutcome.Busy && await _rows.FreeGoneAsync(database) ? await TakeAsync(request) : answer;
        }
        finally
        {
            _one.Release();
        }
    }

    public ValueTask SettleAsync(SpendRequest request, SpendAnswer held, long cost, string? row)
    {
        Note(request, -held.Held, cost, row);
        return default;
    }

    /// <summary>What is held is this instance's; what others hold is not asked for.</summary>
    public async ValueTask<IReadOnlyList<SpendFigure>> ReadAsync(DateOnly day, IReadOnlyList<string> keys)
    {
        var look = await LookAsync(day);
        lock (_gate)
        {
            Begin();
            return [.. keys.Select(key => Figure(look.Of(key), CountOf(key)))];
        }

        SpendFigure Figure(long sum, SharedCount count) => day == _day ? new(sum + count.SettledBeside(look.Shown), count.Held) : new(sum, 0);
    }

    /// <summary>What this process set aside or spent elsewhere, so that it is known here when that place is gone.</summary>
    public void Note(SpendRequest request, long held, long cost, string? row)
    {
        lock (_gate)
        {
            Begin();
            if (request.Day == _day)
            {
                foreach (var limit in request.Limits)
                {
                    CountOf(limit.Key).Add(held, cost, row, clock); // what was begun on another day belongs to that day
                }
            }
        }
    }

    /// <summary>The others may have spent elsewhere meanwhile: what was taken before is relied on no more.</summary>
    public void Doubt()
    {
        lock (_gate)
        {
            foreach (var count in _counts.Values)
            {
                count.Mistrust();
            }
        }
    }

    /// <summary>Gives back what was taken in advance and is not used.</summary>
    /// <param name="everything">Also what was used a moment ago: the process stops.</param>
    public async Task ReturnAsync(bool everything, CancellationToken cancellationToken)
    {
        await _one.WaitAsync(cancellationToken);
        try
        {
            Dictionary<string, SharedCount> unused;
            DateOnly day;
            lock (_gate)
            {
                Begin();
                day = _day;
                unused = _counts.Where(c => everything ? c.Value.HasTaken : c.Value.IsToReturn(clock)).ToDictionary(StringComparer.Ordinal);
                BeginVisit(unused.Values);
            }

            await VisitAsync([.. unused.Values], session => _rows.LowerAsync(session, day, [.. unused.Select(static u => (u.Key, u.Value))]), static () => true);
        }
        finally
        {
            _one.Release();
        }
    }

    public void Dispose() => _one.Dispose();

    /// <summary>Answers with what is known here; null: the database has to be asked.</summary>
    private SpendAnswer? TryHere(SpendRequest request)
    {
        lock (_gate)
        {
            if (Refuse(request) is { } refused)
            {
                return refused;
            }

            var counts = request.Limits.Select(l => CountOf(l.Key)).ToList();
            if (Find(request, counts, (count, most) => count.IsOver(request.Least, most, clock)) is { } over)
            {
                return new SpendAnswer(SpendOutcome.Over, 0, over);
            }

            if (Find(request, counts, (count, _) => count.IsRefused(clock)) is { } busy)
            {
                return new SpendAnswer(SpendOutcome.Busy, 0, busy);
            }

            var offers = request.Limits.Select((l, i) => counts[i].Offer(request, l.Most.MicroUsd, clock)).ToList();
            return _isVisiting || offers.Contains(null) ? null : Grant(counts, offers.Min()!.Value);
        }
    }

    /// <summary>What can only be tried again in a moment: it was made just before midnight, or the others may count this instance among the dead.</summary>
    private SpendAnswer? Refuse(SpendRequest request)
    {
        Begin();
        if (request.Day != _day || shown() is not { } times)
        {
            return new SpendAnswer(SpendOutcome.Busy, 0, request.Limits[0]);
        }

        if (times != _shown)
        {
            _shown = times;
            foreach (var count in _counts.Values)
            {
                count.Mistrust();
            }
        }

        return null;
    }

    private static SpendLimit? Find(SpendRequest request, List<SharedCount> counts, Func<SharedCount, long, bool> isSo) =>
        request.Limits.Where((limit, i) => isSo(counts[i], limit.Most.MicroUsd)).FirstOrDefault();

    private SpendAnswer Grant(List<SharedCount> counts, long granted)
    {
        foreach (var count in counts)
        {
            count.Add(granted, 0, null, clock);
            count.UsedAt = clock.GetTimestamp();
        }

        return new SpendAnswer(SpendOutcome.Granted, granted);
    }

    /// <summary>Asks for what the counts that have too little need; the others keep it aside meanwhile.</summary>
    private async Task<SpendAnswer> TakeAsync(SpendRequest request)
    {
        Taking taking;
        lock (_gate)
        {
            if (Refuse(request) is { } refused)
            {
                return refused;
            }

            var isReady = request.Limits.ToLookup(l => CountOf(l.Key).Offer(request, l.Most.MicroUsd, clock) == request.Wanted);
            taking = new Taking(request, [.. isReady[false]], [.. isReady[false].Select(l => CountOf(l.Key))], [.. isReady[true].Select(l => CountOf(l.Key))], _shown);
            BeginVisit(taking.Few);
            taking.Ready.ForEach(count => count.Add(request.Wanted, 0, null, clock));
        }

        List<SharedLook> looks = [];
        try
        {
            return await VisitAsync(
                taking.Few,
                async session =>
                {
                    (looks, var visits) = await _rows.TakeAsync(session, request, taking.Limits, taking.Few);
                    return visits;
                },
                () => Answer(taking, looks));
        }
        finally
        {
            lock (_gate)
            {
                taking.Ready.ForEach(count => count.Add(-request.Wanted, 0, null, clock));
            }
        }
    }

    private SpendAnswer Answer(Taking taking, List<SharedLook> looks)
    {
        var request = taking.Request;
        for (var i = 0; i < looks.Count; i++)
        {
            taking.Few[i].Seen(looks[i], request.Life, clock);
        }

        if (Refuse(request) is { } refused)
        {
            return refused;
        }

        if (_shown != taking.Shown)
        {
            return new SpendAnswer(SpendOutcome.Busy, 0, request.Limits[0]); // it took so long that the others may have counted this instance among the dead
        }

        var over = looks.FindIndex(l => l.Most - l.Ledger < request.Least);
        if (over >= 0)
        {
            return new SpendAnswer(SpendOutcome.Over, 0, taking.Limits[over]);
        }

        var busy = looks.FindIndex(static l => l.Offer is null);
        if (busy >= 0)
        {
            taking.Few[busy].RefusedAt = clock.GetTimestamp();
            return new SpendAnswer(SpendOutcome.Busy, 0, taking.Limits[busy]);
        }

        return Grant([.. taking.Few, .. taking.Ready], looks.Select(static l => l.Offer!.Value).Append(request.Wanted).Min());
    }

    /// <summary>What the ledger says, and which of the rows that were settled here are in that.</summary>
    private async Task<SharedDay> LookAsync(DateOnly day)
    {
        int visits;
        lock (_gate)
        {
            visits = _visits;
            if (_look is { } known && known.Day == day && known.Visits == visits && clock.GetElapsedTime(known.At) <= Fresh)
            {
                return known;
            }
        }

        var at = clock.GetTimestamp();
        var look = await database.ReadAsync(
            async session =>
            {
                var sums = LedgerDays.Sum(await LedgerStore.SpentOnAsync(session, day));
                return new SharedDay(day, at, visits, sums, await SharedRows.ShownAsync(session, Settled())); // asked second: what is settled after the first look at the ledger is not in it
            },
            CancellationToken.None);
        lock (_gate)
        {
            return _look = look;
        }
    }

    private IReadOnlyCollection<string> Settled()
    {
        lock (_gate)
        {
            return [.. _counts.Values.SelectMany(static c => c.Settled).Distinct(StringComparer.Ordinal)];
        }
    }

    /// <summary>Meanwhile nothing is given out here; what is settled meanwhile is counted.</summary>
    private void BeginVisit(IEnumerable<SharedCount> counts)
    {
        _isVisiting = true;
        foreach (var count in counts)
        {
            count.Rebase(clock);
        }
    }

    /// <summary>Changes this instance's rows.</summary>
    /// <param name="end">When that is so, and before anybody here can take any of it.</param>
    private async Task<T> VisitAsync<T>(List<SharedCount> counts, Func<DbSession, ValueTask<List<SharedVisit>>> change, Func<T> end)
    {
        List<SharedVisit>? visits = null;
        try
        {
            visits = counts.Count == 0 ? [] : await database.WriteAsync(change, CancellationToken.None);
        }
        catch
        {
            lock (_gate)
            {
                counts.ForEach(static count => count.Mistrust()); // whether they were changed is not known
                _isVisiting = false;
            }

            throw;
        }

        lock (_gate)
        {
            for (var i = 0; i < counts.Count; i++)
            {
                counts[i].Visited(visits[i], clock);
            }

            _visits++; // what it saw in the ledger is remembered here no more
            _isVisiting = false;
            return end();
        }
    }

    /// <summary>Another day, by the clock alone: a request that was made just before midnight must not bring yesterday back.</summary>
    private void Begin()
    {
        var day = LedgerDays.Today(clock);
        if (day != _day)
        {
            _counts.Clear();
            _day = day;
        }
    }

    private SharedCount CountOf(string key)
    {
        if (!_counts.TryGetValue(key, out var count))
        {
            _counts[key] = count = new SharedCount();
        }

        return count;
    }

    /// <summary>A request whose rows are being looked at.</summary>
    /// <param name="Limits">Those of <paramref name="Few"/>.</param>
    /// <param name="Few">Counts that have too little.</param>
    /// <param name="Ready">Counts that have enough.</param>
    private sealed record Taking(SpendRequest Request, List<SpendLimit> Limits, List<SharedCount> Few, List<SharedCount> Ready, int Shown);

    /// <summary>A day of the ledger as it was read for whoever looks, and which rows of this instance it has.</summary>
    /// <param name="At">Timestamp of the moment before it was read.</param>
    /// <param name="Visits">How many there had been by then.</param>
    private sealed record SharedDay(DateOnly Day, long At, int Visits, IReadOnlyDictionary<string, long> Sums, HashSet<string> Shown)
    {
        public long Of(string key) => Sums.GetValueOrDefault(key);
    }
}
