using RootMas.Runtime.Runs;
using RootMas.Server.Platform.Data;
using RootMas.Server.Platform.Retention;

namespace RootMas.Server.Models;

/// <summary>What an owner spent, summed over one day, agent and model.</summary>
public sealed record SpendRow
{
    /// <summary>UTC, <c>yyyy-MM-dd</c>.</summary>
    public required string Day { get; init; }

    public required string Agent { get; init; }

    public required string Model { get; init; }

    public required long Requests { get; init; }

    public required long InputTokens { get; init; }

    public required long CachedTokens { get; init; }

    public required long OutputTokens { get; init; }

    public required long CostMicroUsd { get; init; }

    /// <summary>Requests whose tokens were counted here because the provider did not say.</summary>
    public required long Estimated { get; init; }
}

/// <summary>How a model did in a tier.</summary>
public sealed record ModelStatsRow
{
    public required string Model { get; init; }

    public required string Tier { get; init; }

    public required long Requests { get; init; }

    public required long Succeeded { get; init; }

    public required long CostMicroUsd { get; init; }

    /// <summary>Of successful requests, milliseconds.</summary>
    public double? MeanLatencyMs { get; init; }

    /// <summary>Of successful requests, milliseconds.</summary>
    public double? MeanTtftMs { get; init; }
}

/// <summary>Writes a row of a run's call outside of the run's steps. The slice of runs registers it: it knows whether a step will book what the row says.</summary>
public delegate ValueTask RunRowWrite(DbSession session, LedgerEntry entry);

/// <summary>Writes ledger rows that belong to no step's transaction (failed and superseded attempts, calls without a run), and reads the ledger.</summary>
/// <param name="write">Where there are no runs: <see cref="LedgerSql.InsertAsync"/>.</param>
public sealed class LedgerStore(IDatabase database, RunRowWrite write)
{
    private static readonly SqlText SpendSql = SqlDialect.WithDay(
        """
        SELECT {day} AS day, coalesce(agent, '') AS agent, model,
               count(*) AS requests, CAST(sum(input_tokens) AS BIGINT) AS input_tokens, CAST(sum(cached_tokens) AS BIGINT) AS cached_tokens,
               CAST(sum(output_tokens) AS BIGINT) AS output_tokens, CAST(sum(cost_micro_usd) AS BIGINT) AS cost_micro_usd, CAST(sum(estimated) AS BIGINT) AS estimated
        FROM usage_ledger
        WHERE owner_id = @owner AND created_at >= @since
        GROUP BY 1, 2, 3
        ORDER BY 1 DESC, 8 DESC
        LIMIT 200
        """,
        "created_at");

    private const string StatsSql = """
        SELECT model, tier, count(*) AS requests, sum(CASE WHEN outcome = 'ok' THEN 1 ELSE 0 END) AS succeeded, CAST(sum(cost_micro_usd) AS BIGINT) AS cost_micro_usd,
               CAST(avg(CASE WHEN outcome = 'ok' THEN latency_us END) / 1000.0 AS DOUBLE PRECISION) AS mean_latency_ms,
               CAST(avg(CASE WHEN outcome = 'ok' THEN ttft_us END) / 1000.0 AS DOUBLE PRECISION) AS mean_ttft_ms
        FROM usage_ledger
        WHERE owner_id = @owner AND created_at >= @since
        GROUP BY model, tier
        ORDER BY requests DESC
        LIMIT 100
        """;

    /// <summary>By the ids, which are in the order of their making: those of a day are found without an index of their own.</summary>
    private const string DaySql = """
        SELECT owner_id, agent, CAST(sum(cost_micro_usd) AS BIGINT) FROM usage_ledger
        WHERE id >= @first AND id < @last AND created_at >= @from AND created_at < @to AND cost_micro_usd > 0
        GROUP BY owner_id, agent
        """;

    /// <summary>A row's id is made a little before or after the moment that it carries.</summary>
    internal static readonly TimeSpan IdMargin = TimeSpan.FromHours(1);

    /// <summary>What a day (UTC) cost so far, by owner and agent.</summary>
    public Task<IReadOnlyList<(string Owner, string? Agent, long Cost)>> SpentOnAsync(DateOnly day, CancellationToken cancellationToken) =>
        database.ReadAsync(session => SpentOnAsync(session, day), cancellationToken);

    internal static async ValueTask<IReadOnlyList<(string Owner, string? Agent, long Cost)>> SpentOnAsync(DbSession session, DateOnly day)
    {
        var from = new DateTimeOffset(day, TimeOnly.MinValue, TimeSpan.Zero);
        return await session.Prepared(DaySql)
            .Set("first", RetentionKind.IdAt(from - IdMargin)).Set("last", RetentionKind.IdAt(from.AddDays(1) + IdMargin))
            .Set("from", UnixTime.ToMicros(from)).Set("to", UnixTime.ToMicros(from.AddDays(1)))
            .ListAsync(static r => (r.GetString(0), r.StringOrNull(1), r.GetInt64(2)));
    }

    /// <summary>Completes when the row is durable, so that a crash afterwards leaves at most the next request in doubt.</summary>
    public Task AppendAsync(LedgerEntry entry, CancellationToken cancellationToken) =>
        database.WriteAsync(session => entry.RunId is not null ? write(session, entry) : LedgerSql.InsertAsync(session, entry), cancellationToken);

    public Task<IReadOnlyList<SpendRow>> SpendAsync(string ownerId, DateTimeOffset since, CancellationToken cancellationToken) =>
        database.ReadAsync(session => session.QueryAsync<SpendRow>(SpendSql.For(session.Kind), new { owner = ownerId, since = UnixTime.ToMicros(since) }), cancellationToken);

    public Task<IReadOnlyList<ModelStatsRow>> StatsAsync(string ownerId, DateTimeOffset since, CancellationToken cancellationToken) =>
        database.ReadAsync(session => session.QueryAsync<ModelStatsRow>(StatsSql, new { owner = ownerId, since = UnixTime.ToMicros(since) }), cancellationToken);
}
