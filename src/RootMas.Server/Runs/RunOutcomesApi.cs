using System.ComponentModel;
using Microsoft.AspNetCore.Http.HttpResults;
using RootMas.Server.Identity.Access;
using RootMas.Server.Platform.Caching;
using RootMas.Server.Platform.Data;
using RootMas.Server.Platform.Http;

namespace RootMas.Server.Runs;

/// <summary>How runs went over time.</summary>
public sealed record RunOutcomesView
{
    /// <summary>hour or day (UTC).</summary>
    /// <example>day</example>
    public required string Bucket { get; init; }

    /// <summary>Whose runs: own, or all.</summary>
    /// <example>own</example>
    public required string Scope { get; init; }

    /// <summary>Beginning of the first bucket.</summary>
    public required DateTimeOffset From { get; init; }

    /// <summary>End of the time that was counted; not part of it.</summary>
    public required DateTimeOffset To { get; init; }

    /// <summary>Oldest first. A bucket in which no run was accepted is left out.</summary>
    public required IReadOnlyList<RunOutcomePoint> Series { get; init; }
}

/// <summary>The root runs that were accepted in one bucket.</summary>
public sealed record RunOutcomePoint
{
    /// <summary>Beginning of the bucket.</summary>
    public required DateTimeOffset Start { get; init; }

    /// <summary>All of them, unfinished ones included.</summary>
    /// <example>12</example>
    public required long Runs { get; init; }

    /// <summary>Those that gave an answer.</summary>
    /// <example>10</example>
    public required long Completed { get; init; }

    /// <summary>Those that failed.</summary>
    /// <example>1</example>
    public required long Failed { get; init; }

    /// <summary>Those that somebody stopped.</summary>
    /// <example>1</example>
    public required long Cancelled { get; init; }

    /// <summary>Mean time of the completed ones from acceptance to end in milliseconds, without the time that they waited for people; null: there was none.</summary>
    /// <example>5400.5</example>
    public double? MeanMs { get; init; }

    /// <summary>The longest of these times.</summary>
    /// <example>21000.25</example>
    public double? SlowestMs { get; init; }

    internal static RunOutcomePoint Of(RunOutcomeRow row) => new()
    {
        Start = UnixTime.FromMicros(row.Slot),
        Runs = row.Runs,
        Completed = row.Completed,
        Failed = row.Failed,
        Cancelled = row.Cancelled,
        MeanMs = row.MeanMs is { } mean ? Math.Round(mean, 3) : null,
        SlowestMs = row.SlowestMs is { } slowest ? Math.Round(slowest, 3) : null,
    };
}

/// <summary>Routes of figures about runs.</summary>
internal static class RunOutcomesApi
{
    public static void Map(IEndpointRouteBuilder routes) =>
        routes.MapGet("/api/v1/metrics/runs", ReadAsync).WithTags("Operations").RequirePermission("metrics:read").Cached(new CachedRoute([CacheScope.Runs], TimeSpan.FromSeconds(1))).WithName("GetRunOutcomes")
            .Refuses(403, "forbidden", "The runs of all need the permission usage:read.")
            .WithSummary("How runs went over time")
            .WithDescription("Root runs by the time at which they were accepted: how many completed, failed and were stopped, and how long the completed ones took. One's own, or with scope=all everybody's, for those with usage:read. At most 400 buckets.");

    private static async Task<Results<Ok<RunOutcomesView>, Problem>> ReadAsync(
        [Description("Not before this time (RFC 3339), which is moved back to the beginning of its bucket. Default: 30 days, or 48 hours, before `to`.")] string? from,
        [Description("Before this time (RFC 3339). Default: now.")] string? to,
        [Description("day (default) or hour, UTC.")] string? bucket,
        [Description("own (default) or all, which needs usage:read.")] string? scope,
        RunOutcomes outcomes, TimeProvider clock, HttpContext context)
    {
        if (scope is not (null or "own" or "all"))
        {
            return Problems.Invalid("scope", "must be own or all");
        }

        var caller = context.Caller();
        if (scope == "all" && !caller.May("usage:read"))
        {
            return Problems.Of(403, "forbidden", "The runs of others need the permission usage:read, which administrators have. Ask for scope=own.");
        }

        if (TimeBuckets.Read(from, to, bucket, clock.GetUtcNow(), out var time) is { } wrong)
        {
            return wrong;
        }

        var series = await outcomes.ReadAsync(scope == "all" ? null : caller.UserId, time, context.RequestAborted);
        return TypedResults.Ok(new RunOutcomesView { Bucket = bucket ?? "day", Scope = scope ?? "own", From = time.From, To = time.To, Series = [.. series.Select(RunOutcomePoint.Of)] });
    }
}
