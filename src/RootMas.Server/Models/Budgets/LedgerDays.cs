using RootMas.Server.Identity.Access;
using RootMas.Server.Platform.Data;

namespace RootMas.Server.Models.Budgets;

/// <summary>A day of the ledger, summed up by the keys of <see cref="SpendLimit"/>.</summary>
/// <param name="At">Timestamp of the moment before it was read.</param>
internal sealed record LedgerDay(DateOnly Day, long At, IReadOnlyDictionary<string, long> Sums)
{
    public long Of(string key) => Sums.GetValueOrDefault(key);
}

/// <summary>Says which day it is, for all processes the same one, and reads what a day has cost so far, for all who ask at the same time once.</summary>
internal sealed class LedgerDays(LedgerStore ledger, TimeProvider clock) : IDisposable
{
    private readonly SemaphoreSlim _one = new(1, 1);
    private volatile LedgerDay? _last;

    public DateOnly Today() => Today(clock);

    public static DateOnly Today(TimeProvider clock) => DateOnly.FromDateTime(clock.GetUtcNow().UtcDateTime);

    /// <param name="maxAge">What was read so long ago will do.</param>
    public async ValueTask<LedgerDay> ReadAsync(DateOnly day, TimeSpan maxAge)
    {
        if (Known(day, maxAge) is { } known)
        {
            return known;
        }

        await _one.WaitAsync();
        try
        {
            if (Known(day, maxAge) is { } meanwhile)
            {
                return meanwhile;
            }

            var at = clock.GetTimestamp();
            var rows = await ledger.SpentOnAsync(day, CancellationToken.None);
            return _last = new LedgerDay(day, at, Sum(rows));
        }
        finally
        {
            _one.Release();
        }
    }

    public void Dispose() => _one.Dispose();

    private LedgerDay? Known(DateOnly day, TimeSpan maxAge) => _last is { } last && last.Day == day && clock.GetElapsedTime(last.At) <= maxAge ? last : null;

    /// <param name="rows">Of one day.</param>
    public static IReadOnlyDictionary<string, long> Sum(IReadOnlyList<(string Owner, string? Agent, long Cost)> rows)
    {
        var sums = new Dictionary<string, long>(StringComparer.Ordinal);
        foreach (var (owner, agent, cost) in rows)
        {
            Add(sums, SpendLimit.Everybody, cost);
            Add(sums, SpendLimit.OfUser(Subjects.UserOf(owner).UserId), cost);
            if (agent is not null)
            {
                Add(sums, SpendLimit.OfAgent(agent), cost);
            }
        }

        return sums;
    }

    private static void Add(Dictionary<string, long> sums, string key, long cost) => sums[key] = sums.GetValueOrDefault(key) + cost;
}
