using RootMas.Server.Models.Budgets;
using RootMas.Server.Platform.Data;
using RootMas.Server.Platform.Retention;
using RootMas.Server.Platform.Telemetry;

namespace RootMas.Server.Models;

/// <summary>
/// Everybody's requests since 00:00 UTC, by the database's clock, so that every instance says the same: those that take requests of people ask no model where workers do. They are summed once for all who ask at the same time, and then given
/// again for a while that grows with the time it took: of a day with millions of rows, open dashboards cost the database a small share of its time, and of a small one they are those of this moment.
/// </summary>
/// <param name="clock">Says which day it is, for all processes the same one.</param>
internal sealed class DayFigures(IDatabase database, TimeProvider clock) : IDashboardSource, IDisposable
{
    /// <summary>A sum will do for so many times as long as it took.</summary>
    private const int Rest = 20;

    /// <summary>By the ids, which are in the order of their making: those of a day are found without an index of their own.</summary>
    private const string DaySql = """
        SELECT count(*), count(CASE WHEN outcome NOT IN ('ok', 'cancelled') THEN 1 END), CAST(coalesce(sum(cost_micro_usd), 0) AS BIGINT) FROM usage_ledger
        WHERE id >= @first AND id < @last AND created_at >= @from AND created_at < @to
        """;

    private readonly SemaphoreSlim _one = new(1, 1);
    private volatile Summed? _last;

    public async ValueTask AddAsync(IDictionary<string, double> values, CancellationToken cancellationToken)
    {
        var today = LedgerDays.Today(clock);
        var (requests, failed, cost) = (Known(today) ?? await SumAsync(today, cancellationToken)).Figures;
        values["model_calls"] = requests;
        values["model_failures"] = failed;
        values["cost_usd"] = cost / 1_000_000d;
    }

    public void Dispose() => _one.Dispose();

    private async ValueTask<Summed> SumAsync(DateOnly day, CancellationToken cancellationToken)
    {
        await _one.WaitAsync(cancellationToken);
        try
        {
            if (Known(day) is { } meanwhile)
            {
                return meanwhile;
            }

            var began = clock.GetTimestamp();
            var figures = await database.LookAsync(session => ReadAsync(session, day), CancellationToken.None); // whoever asks next has it, also when this one has left
            var now = clock.GetTimestamp();
            return _last = new Summed(day, now, clock.GetElapsedTime(began, now), figures);
        }
        finally
        {
            _one.Release();
        }
    }

    private Summed? Known(DateOnly day) => _last is { } last && last.Day == day && clock.GetElapsedTime(last.At) < last.Took * Rest ? last : null;

    private static async ValueTask<(long Requests, long Failed, long MicroUsd)> ReadAsync(DbSession session, DateOnly day)
    {
        var from = new DateTimeOffset(day, TimeOnly.MinValue, TimeSpan.Zero);
        return await session.Prepared(DaySql)
            .Set("first", RetentionKind.IdAt(from - LedgerStore.IdMargin)).Set("last", RetentionKind.IdAt(from.AddDays(1) + LedgerStore.IdMargin))
            .Set("from", UnixTime.ToMicros(from)).Set("to", UnixTime.ToMicros(from.AddDays(1)))
            .FirstOrDefaultAsync(static r => (r.GetInt64(0), r.GetInt64(1), r.GetInt64(2)));
    }

    /// <param name="At">Timestamp of the moment after it was read.</param>
    private sealed record Summed(DateOnly Day, long At, TimeSpan Took, (long Requests, long Failed, long MicroUsd) Figures);
}
