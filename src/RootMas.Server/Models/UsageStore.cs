using RootMas.Server.Platform.Data;
using RootMas.Server.Platform.Retention;

namespace RootMas.Server.Models;

/// <summary>What is asked of the ledger.</summary>
/// <param name="Owner">Whose rows; null: everybody's.</param>
/// <param name="By">agent, model, tier or user.</param>
/// <param name="Bucket">Width of a step in time.</param>
public sealed record UsageQuestion(string? Owner, string By, DateTimeOffset From, DateTimeOffset To, TimeSpan Bucket);

/// <summary>Sums over rows of the ledger.</summary>
public sealed record UsageRow
{
    /// <summary>Microseconds of the beginning of the bucket; 0 for the sum over all.</summary>
    public long Slot { get; init; }

    /// <summary>Agent, model, tier or user; null: all others.</summary>
    public string? Key { get; init; }

    /// <summary>Name of the user, where one is asked for and there still is one.</summary>
    public string? Label { get; init; }

    public required long Runs { get; init; }

    public required long Requests { get; init; }

    public required long Failed { get; init; }

    public required long InputTokens { get; init; }

    public required long CachedTokens { get; init; }

    public required long OutputTokens { get; init; }

    public required long CostMicroUsd { get; init; }

    /// <summary>Of successful requests, milliseconds.</summary>
    public double? MeanLatencyMs { get; init; }
}

/// <summary>The ledger summed for people who watch it. One owner's rows are found by owner and time; everybody's by their ids, which are in the order of their making, so that neither walks over the whole ledger.</summary>
public sealed class UsageStore(IDatabase database)
{
    /// <summary>As many have a line of their own in time; the rest is summed up.</summary>
    public const int Lines = 8;

    private const int Keys = 100;

    /// <summary>A row's id is made a little before or after the moment that it carries.</summary>
    private static readonly TimeSpan IdMargin = TimeSpan.FromHours(1);

    private const string Sums = """
        count(DISTINCT root_run_id) AS runs, count(*) AS requests, CAST(sum(CASE WHEN outcome IN ('ok', 'cancelled') THEN 0 ELSE 1 END) AS BIGINT) AS failed,
        CAST(sum(input_tokens) AS BIGINT) AS input_tokens, CAST(sum(cached_tokens) AS BIGINT) AS cached_tokens, CAST(sum(output_tokens) AS BIGINT) AS output_tokens,
        CAST(sum(cost_micro_usd) AS BIGINT) AS cost_micro_usd, CAST(avg(CASE WHEN outcome = 'ok' THEN latency_us END) / 1000.0 AS DOUBLE PRECISION) AS mean_latency_ms
        """;

    private const string Span = "created_at >= @from AND created_at < @to";

    private static string Column(string by) => by switch
    {
        "agent" => "coalesce(agent, '')",
        "model" => "model",
        "tier" => "tier",
        "user" => "owner_id",
        _ => throw new ArgumentOutOfRangeException(nameof(by), by, "The ledger is not summed by this."),
    };

    private static string Where(UsageQuestion asked) => asked.Owner is null ? $"id >= @first AND id < @last AND {Span}" : $"owner_id = @owner AND {Span}";

    /// <summary>The sums by key, dearest first, and in time.</summary>
    public Task<(IReadOnlyList<UsageRow> Keys, IReadOnlyList<UsageRow> Series)> ReadAsync(UsageQuestion asked, CancellationToken cancellationToken) =>
        database.ReadAsync(session => ReadAsync(session, asked), cancellationToken);

    private static async ValueTask<(IReadOnlyList<UsageRow> Keys, IReadOnlyList<UsageRow> Series)> ReadAsync(DbSession session, UsageQuestion asked)
    {
        var label = asked.By == "user" ? "(SELECT username FROM users WHERE users.id = owner_id)" : "NULL";
        var keys = await session.QueryAsync<UsageRow>(
            $"SELECT {Column(asked.By)} AS key, {label} AS label, {Sums} FROM usage_ledger WHERE {Where(asked)} GROUP BY {Column(asked.By)} ORDER BY cost_micro_usd DESC, requests DESC, 1 LIMIT {Keys}",
            Arguments(asked, []));
        var named = keys.Take(Lines).Select(k => k.Key);
        var series = SqlDialect.InList(
            "SELECT created_at / @size * @size AS slot, CASE WHEN", Column(asked.By), "named",
            $"THEN {Column(asked.By)} END AS key, {Sums} FROM usage_ledger WHERE {Where(asked)} GROUP BY 1, 2 ORDER BY 1, 2");
        return (keys, await session.QueryAsync<UsageRow>(series.For(session.Kind), Arguments(asked, named)));
    }

    private static object Arguments(UsageQuestion asked, IEnumerable<string?> named) => new
    {
        owner = asked.Owner,
        first = RetentionKind.IdAt(asked.From - IdMargin),
        last = RetentionKind.IdAt(asked.To + IdMargin),
        from = UnixTime.ToMicros(asked.From),
        to = UnixTime.ToMicros(asked.To),
        size = asked.Bucket.Ticks / TimeSpan.TicksPerMicrosecond,
        named = System.Text.Json.JsonSerializer.Serialize(named),
    };
}
