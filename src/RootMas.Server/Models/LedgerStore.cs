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
    private const string SpendSql = """
        SELECT strftime('%Y-%m-%d', created_at / 1000000, 'unixepoch') AS day, coalesce(agent, '') AS agent, model,
               count(*) AS requests, sum(input_tokens) AS input_tokens, sum(cached_tokens) AS cached_tokens, sum(output_tokens) AS output_tokens,
               sum(cost_micro_usd) AS cost_micro_usd, sum(estimated) AS estimated
        FROM usage_ledger
        WHERE owner_id = @owner AND created_at >= @since
        GROUP BY 1, 2, 3
        ORDER BY 1 DESC, cost_micro_usd DESC
        LIMIT 200
        """;

    private const string StatsSql = """
        SELECT model, tier, count(*) AS requests, sum(outcome = 'ok') AS succeeded, sum(cost_micro_usd) AS cost_micro_usd,
               avg(CASE WHEN outcome = 'ok' THEN latency_us END) / 1000.0 AS mean_latency_ms,
               avg(CASE WHEN outcome = 'ok' THEN ttft_us END) / 1000.0 AS mean_ttft_ms
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
        database.ReadAsync(session => session.QueryAsync<SpendRow>(SpendSql, new { owner = ownerId, since = UnixTime.ToMicros(since) }), cancellationToken);

    public Task<IReadOnlyList<ModelStatsRow>> StatsAsync(string ownerId, DateTimeOffset since, CancellationToken cancellationToken) =>
        database.ReadAsync(session => session.QueryAsync<ModelStatsRow>(StatsSql, new { owner = ownerId, since = UnixTime.ToMicros(since) }), cancellationToken);
}
