using RootMas.Runtime.Runs;
using RootMas.Server.Platform.Data;

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

/// <summary>Writes ledger rows that belong to no step's transaction (failed and superseded attempts, calls without a run), and reads the ledger.</summary>
public sealed class LedgerStore(IDatabase database)
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

    /// <summary>Completes when the row is durable, so that a crash afterwards leaves at most the next request in doubt.</summary>
    public Task AppendAsync(LedgerEntry entry, CancellationToken cancellationToken) =>
        database.WriteAsync(session => LedgerSql.InsertAsync(session, entry), cancellationToken);

    public Task<IReadOnlyList<SpendRow>> SpendAsync(string ownerId, DateTimeOffset since, CancellationToken cancellationToken) =>
        database.ReadAsync(session => session.QueryAsync<SpendRow>(SpendSql.For(session.Kind), new { owner = ownerId, since = UnixTime.ToMicros(since) }), cancellationToken);

    public Task<IReadOnlyList<ModelStatsRow>> StatsAsync(string ownerId, DateTimeOffset since, CancellationToken cancellationToken) =>
        database.ReadAsync(session => session.QueryAsync<ModelStatsRow>(StatsSql, new { owner = ownerId, since = UnixTime.ToMicros(since) }), cancellationToken);
}
