using RootMas.Server.Platform.Data;
using RootMas.Server.Platform.Http;
using RootMas.Server.Platform.Retention;

namespace RootMas.Server.Runs;

/// <summary>How the root runs that were accepted in one bucket went.</summary>
internal sealed record RunOutcomeRow
{
    /// <summary>Microseconds of the beginning of the bucket.</summary>
    public required long Slot { get; init; }

    public required long Runs { get; init; }

    public required long Completed { get; init; }

    public required long Failed { get; init; }

    public required long Cancelled { get; init; }

    /// <summary>Of the completed ones, without the time that they waited for people; null: there was none.</summary>
    public double? MeanMs { get; init; }

    public double? SlowestMs { get; init; }
}

/// <summary>Root runs over time. Ids are in the order of their making, so that no question walks over all runs.</summary>
internal sealed class RunOutcomes(IDatabase database)
{
    /// <summary>A run's id is made a little before or after the moment that its row carries.</summary>
    private static readonly TimeSpan IdMargin = TimeSpan.FromHours(1);

    private const string Took = "CASE WHEN status = 'completed' THEN ended_at - created_at - 1000 * parked_on_humans_ms END";

    private const string Everybodys = $"""
        SELECT created_at / @size * @size AS slot, count(*) AS runs, CAST(sum(CASE WHEN status = 'completed' THEN 1 ELSE 0 END) AS BIGINT) AS completed,
        CAST(sum(CASE WHEN status = 'failed' THEN 1 ELSE 0 END) AS BIGINT) AS failed, CAST(sum(CASE WHEN status = 'cancelled' THEN 1 ELSE 0 END) AS BIGINT) AS cancelled,
        CAST(avg({Took}) / 1000.0 AS DOUBLE PRECISION) AS mean_ms, CAST(max({Took}) / 1000.0 AS DOUBLE PRECISION) AS slowest_ms
        FROM runs WHERE id >= @first AND id < @last AND created_at >= @from AND created_at < @to AND parent_run_id IS NULL
        """;

    private const string Grouped = " GROUP BY 1 ORDER BY 1";

    /// <summary>Oldest first; buckets in which none was accepted are left out.</summary>
    /// <param name="ownerId">Whose; null: everybody's.</param>
    public Task<IReadOnlyList<RunOutcomeRow>> ReadAsync(string? ownerId, TimeBuckets time, CancellationToken cancellationToken) => database.ReadAsync<IReadOnlyList<RunOutcomeRow>>(
        async session => await session.QueryAsync<RunOutcomeRow>(Everybodys + (ownerId is null ? "" : " AND owner_id = @owner") + Grouped, new
        {
            owner = ownerId,
            first = RetentionKind.IdAt(time.From - IdMargin),
            last = RetentionKind.IdAt(time.To + IdMargin),
            from = UnixTime.ToMicros(time.From),
            to = UnixTime.ToMicros(time.To),
            size = time.Size.Ticks / TimeSpan.TicksPerMicrosecond,
        }),
        cancellationToken);
}
