using System.Globalization;
using RootMas.Server.Platform.Cluster;
using RootMas.Server.Platform.Data;

namespace RootMas.Server.Models.Budgets;

/// <summary>
/// The counters of an instance among others, without Redis. Before it spends, an instance takes a part of what is left into a row of its own, one instance at a time, and gives out no more than its row says; what it does not use goes back
/// within seconds. What the ledger shows, and all rows together, never come to more than the limit. What an instance spent a moment ago stays in its row until the ledger must show it, and counts twice for so long.
/// </summary>
/// <param name="isSeen">Whether this instance has shown itself to the others within <see cref="Relied"/>.</param>
internal sealed class SharedSpend(IDatabase database, IPresence presence, LedgerDays ledger, Instance instance, Func<bool> isSeen, TimeProvider clock) : ISpendStore, IDisposable
{
    private const string Turn = "SELECT pg_advisory_xact_lock(hashtextextended('budgets', 0))";
    private const string Forget = "DELETE FROM budget_holds WHERE until <= @now";
    private const string Others = "SELECT CAST(coalesce(sum(micro_usd), 0) AS BIGINT) FROM budget_holds WHERE day = @day AND name = @name AND instance <> @instance";

    private const string Keep = """
        INSERT INTO budget_holds (day, name, instance, micro_usd, until) VALUES (@day, @name, @instance, @held, @until)
        ON CONFLICT (day, name, instance) DO UPDATE SET micro_usd = excluded.micro_usd, until = greatest(budget_holds.until, excluded.until)
        """;

    private const string Lower = "UPDATE budget_holds SET micro_usd = @held WHERE day = @day AND name = @name AND instance = @instance AND micro_usd > @held";

    private const string Shown = "SELECT id FROM usage_ledger WHERE id = ANY(string_to_array(@rows, ','))";

    /// <summary>Instances that have not shown themselves for so long; whether they live is asked then.</summary>
    private const string Silent = """
        SELECT DISTINCT h.instance FROM budget_holds h LEFT JOIN instances i ON i.name = h.instance
        WHERE h.instance <> @instance AND (i.seen_at IS NULL OR i.seen_at < @longAgo)
        """;

    private const string Free = "DELETE FROM budget_holds WHERE instance = @instance";

    /// <summary>An instance that has not shown itself for so long relies on its rows no more.</summary>
    public static readonly TimeSpan Relied = TimeSpan.FromSeconds(12);

    /// <summary>And what others count with.</summary>
    private static readonly TimeSpan Gone = TimeSpan.FromSeconds(20);

    private static readonly TimeSpan Fresh = TimeSpan.FromSeconds(2);

    /// <summary>What was taken in advance and not asked for so long goes back.</summary>
    private static readonly TimeSpan Idle = TimeSpan.FromSeconds(5);

    private readonly SemaphoreSlim _one = new(1, 1);
    private readonly Lock _gate = new();
    private readonly Dictionary<string, SharedCount> _counts = new(StringComparer.Ordinal);
    private DateOnly _day;
    private bool _isVisiting;

    public async ValueTask<SpendAnswer> HoldAsync(SpendRequest request)
    {
        if (TryHere(request) is { } known)
        {
            return known;
        }

        await _one.WaitAsync();
        try
        {
            if (TryHere(request) is { } meanwhile)
            {
                return meanwhile;
            }

            var answer = await TakeAsync(request);
            return answer.Outcome == SpendOutcome.Busy && await FreeGoneAsync() ? await TakeAsync(request) : answer;
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

    public async ValueTask<IReadOnlyList<SpendFigure>> ReadAsync(DateOnly day, IReadOnlyList<string> keys)
    {
        var sums = await ledger.ReadAsync(day, Fresh);
        lock (_gate)
        {
            Begin(day);
            return [.. keys.Select(key => (Sum: sums.Of(key), Count: CountOf(key))).Select(static c => new SpendFigure(Math.Max(c.Sum, c.Count.Known), c.Count.Held))];
        }
    }

    /// <summary>What this process set aside or spent elsewhere, so that it is known here when that place is gone.</summary>
    public void Note(SpendRequest request, long held, long cost, string? row)
    {
        lock (_gate)
        {
            Begin(LedgerDays.Today(clock));
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
                count.Row = 0;
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
            var (day, unused) = Unused(everything);
            if (unused.Count > 0)
            {
                await VisitAsync([.. unused.Select(static u => u.Count)], session => LowerAsync(session, day, unused), static () => true);
            }
        }
        finally
        {
            _one.Release();
        }
    }

    public void Dispose() => _one.Dispose();

    private (string Day, List<(string Key, SharedCount Count)> Unused) Unused(bool everything)
    {
        lock (_gate)
        {
            Begin(LedgerDays.Today(clock));
            return (Text(_day), [.. _counts.Where(c => c.Value.Row > c.Value.Held && (everything || clock.GetElapsedTime(c.Value.UsedAt) >= Idle)).Select(static c => (c.Key, c.Value))]);
        }
    }

    private async ValueTask<Visit> LowerAsync(DbSession session, string day, List<(string Key, SharedCount Count)> unused)
    {
        var shown = await ShownAsync(session, unused.ConvertAll(static u => u.Count));
        var rows = unused.ConvertAll(u => Math.Min(u.Count.Row, u.Count.NeededWithout(shown)));
        for (var i = 0; i < unused.Count; i++)
        {
            await session.SendAsync(session.Prepared(Lower).Set("held", rows[i]).Set("day", day).Set("name", unused[i].Key).Set("instance", instance.Name));
        }

        return new Visit(rows, shown);
    }

    /// <summary>Lets go of what killed instances had taken. False: there is nothing of such.</summary>
    private async Task<bool> FreeGoneAsync()
    {
        var silent = await database.ReadAsync(
            session => session.Prepared(Silent).Set("instance", instance.Name).Set("longAgo", session.Now - Gone).ListAsync(static r => r.GetString(0)), CancellationToken.None);
        var gone = await presence.GoneAsync(silent, CancellationToken.None);
        if (gone.Count > 0)
        {
            await database.WriteAsync(
                async session =>
                {
                    foreach (var name in gone)
                    {
                        await session.SendAsync(session.Prepared(Free).Set("instance", name));
                    }
                },
                CancellationToken.None);
        }

        return gone.Count > 0;
    }

    /// <summary>Which rows of the ledger are there of those that may not have been.</summary>
    private static async ValueTask<HashSet<string>> ShownAsync(DbSession session, List<SharedCount> counts)
    {
        var rows = string.Join(',', counts.SelectMany(static c => c.Doubtful).Distinct(StringComparer.Ordinal));
        return rows.Length == 0 ? [] : [.. await session.Prepared(Shown).Set("rows", rows).ListAsync(static r => r.GetString(0))];
    }

    /// <summary>Answers with what is known here; null: the database has to be asked.</summary>
    private SpendAnswer? TryHere(SpendRequest request)
    {
        lock (_gate)
        {
            Begin(LedgerDays.Today(clock));
            if (request.Day != _day)
            {
                return new SpendAnswer(SpendOutcome.Busy, 0, request.Limits[0]); // made just before midnight; asked again it is of this day
            }

            if (_isVisiting)
            {
                return null;
            }

            var counts = request.Limits.Select(l => CountOf(l.Key)).ToList();
            counts.ForEach(count => count.UsedAt = clock.GetTimestamp());
            if (Find(request, counts, (count, most) => count.IsOver(request.Least, most, clock)) is { } over)
            {
                return new SpendAnswer(SpendOutcome.Over, 0, over);
            }

            if (Find(request, counts, (count, _) => count.IsRefused(clock)) is { } busy)
            {
                return new SpendAnswer(SpendOutcome.Busy, 0, busy);
            }

            if (!isSeen())
            {
                return null; // the others may count it among the dead
            }

            var offers = counts.ConvertAll(count => count.Offer(request, clock));
            return offers.Contains(null) ? null : Grant(counts, offers.Min()!.Value);
        }
    }

    private static SpendLimit? Find(SpendRequest request, List<SharedCount> counts, Func<SharedCount, long, bool> isSo) =>
        request.Limits.Where((limit, i) => isSo(counts[i], limit.Most.MicroUsd)).FirstOrDefault();

    private SpendAnswer Grant(List<SharedCount> counts, long granted)
    {
        counts.ForEach(count => count.Add(granted, 0, null, clock));
        return new SpendAnswer(SpendOutcome.Granted, granted);
    }

    private async Task<SpendAnswer> TakeAsync(SpendRequest request)
    {
        List<SharedCount> counts;
        lock (_gate)
        {
            counts = [.. request.Limits.Select(l => CountOf(l.Key))];
        }

        List<SharedLook> looks = [];
        return await VisitAsync(
            counts,
            async session =>
            {
                (looks, var shown) = await LookAsync(session, request, counts);
                var isGranted = looks.TrueForAll(static l => l.Offer is not null);
                var rows = counts.Select((count, i) => count.NeededWithout(shown) + (isGranted ? looks[i].Taken : 0)).ToList();
                for (var i = 0; i < rows.Count; i++)
                {
                    await session.SendAsync(session.Prepared(Keep).Set("day", Text(request.Day)).Set("name", request.Limits[i].Key).Set("instance", instance.Name)
                        .Set("held", rows[i]).Set("until", session.Now + (2 * request.Life)));
                }

                return new Visit(rows, shown);
            },
            () => Answer(request, counts, looks));
    }

    private SpendAnswer Answer(SpendRequest request, List<SharedCount> counts, List<SharedLook> looks)
    {
        for (var i = 0; i < looks.Count; i++)
        {
            counts[i].Seen(looks[i], request.Life, clock);
        }

        var over = looks.FindIndex(l => l.Most - l.Ledger < request.Least);
        if (over >= 0)
        {
            return new SpendAnswer(SpendOutcome.Over, 0, request.Limits[over]);
        }

        var busy = looks.FindIndex(static l => l.Offer is null);
        if (busy >= 0)
        {
            counts[busy].RefusedAt = clock.GetTimestamp();
            return new SpendAnswer(SpendOutcome.Busy, 0, request.Limits[busy]);
        }

        return Grant(counts, looks.Min(static l => l.Offer!.Value));
    }

    /// <summary>How each count stands; others cannot take anything meanwhile.</summary>
    private async ValueTask<(List<SharedLook> Looks, HashSet<string> Shown)> LookAsync(DbSession session, SpendRequest request, List<SharedCount> counts)
    {
        await session.Prepared(Turn).RunAsync();
        await session.Prepared(Forget).Set("now", session.Now).RunAsync();
        var others = new List<long>();
        foreach (var limit in request.Limits)
        {
            others.Add(await session.Prepared(Others).Set("day", Text(request.Day)).Set("name", limit.Key).Set("instance", instance.Name).Int64Async() ?? 0);
        }

        // After the others' rows: what left one of them is in the ledger.
        var (spent, shown) = await LedgerStore.SpentOnAsync(session, request.Day, counts.SelectMany(static c => c.Doubtful).Distinct(StringComparer.Ordinal));
        var sums = LedgerDays.Sum(spent);
        return ([.. request.Limits.Select((limit, i) => SharedLook.At(limit.Most.MicroUsd, sums.GetValueOrDefault(limit.Key), others[i], counts[i].NeededWithout(shown), request))], shown);
    }

    /// <summary>Changes this instance's rows. Meanwhile nothing is given out here; what is settled meanwhile is counted.</summary>
    /// <param name="end">When that is so, and before anybody here can take any of it.</param>
    private async Task<T> VisitAsync<T>(List<SharedCount> counts, Func<DbSession, ValueTask<Visit>> change, Func<T> end)
    {
        lock (_gate)
        {
            _isVisiting = true;
            counts.ForEach(count => count.Rebase(clock));
        }

        Visit? visit = null;
        try
        {
            visit = await database.WriteAsync(change, CancellationToken.None);
        }
        finally
        {
            lock (_gate)
            {
                for (var i = 0; i < counts.Count; i++)
                {
                    counts[i].Visited(visit?.Rows[i] ?? 0, visit?.Shown ?? []); // whether it was changed is not known when it failed: it is asked for anew
                }

                _isVisiting = visit is not null;
            }
        }

        lock (_gate)
        {
            _isVisiting = false;
            return end();
        }
    }

    private static string Text(DateOnly day) => day.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture);

    /// <summary>Another day, by the clock alone: a request that was made just before midnight must not bring yesterday back.</summary>
    private void Begin(DateOnly day)
    {
        if (day > _day)
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

    /// <param name="Rows">What the row of each count says then.</param>
    /// <param name="Shown">Ids of rows that the ledger shows.</param>
    private sealed record Visit(List<long> Rows, HashSet<string> Shown);
}
