using System.ComponentModel;
using Microsoft.AspNetCore.Http.HttpResults;
using RootMas.Runtime.Runs;
using RootMas.Server.Identity.Access;
using RootMas.Server.Platform.Caching;
using RootMas.Server.Platform.Data;
using RootMas.Server.Platform.Http;

namespace RootMas.Server.Models;

/// <summary>What models were asked and what that cost, summed.</summary>
public sealed record UsageReport
{
    /// <summary>agent, model, tier or user.</summary>
    /// <example>model</example>
    public required string By { get; init; }

    /// <summary>hour or day (UTC).</summary>
    /// <example>day</example>
    public required string Bucket { get; init; }

    /// <summary>Whose usage: own, or all.</summary>
    /// <example>own</example>
    public required string Scope { get; init; }

    /// <summary>Beginning of the first bucket.</summary>
    public required DateTimeOffset From { get; init; }

    /// <summary>End of the time that was summed; not part of it.</summary>
    public required DateTimeOffset To { get; init; }

    /// <summary>Sums over the whole time by key, dearest first; 100 at most.</summary>
    public required IReadOnlyList<UsageTotal> Items { get; init; }

    /// <summary>Sums in time, oldest first, of the first eight keys; the others together have no key. A bucket without requests is left out.</summary>
    public required IReadOnlyList<UsagePoint> Series { get; init; }
}

/// <summary>Sums of one key.</summary>
public sealed record UsageTotal
{
    /// <summary>The agent, model, tier or user id; empty: requests that no agent made.</summary>
    /// <example>communicator</example>
    public required string Key { get; init; }

    /// <summary>What people call it: a user's name; null: the key says it, or the user is gone.</summary>
    /// <example>null</example>
    public string? Label { get; init; }

    /// <summary>The figures.</summary>
    public required UsageFigures Figures { get; init; }
}

/// <summary>Sums of one key in one bucket.</summary>
public sealed record UsagePoint
{
    /// <summary>Beginning of the bucket.</summary>
    public required DateTimeOffset Start { get; init; }

    /// <summary>The key; null: all that have no line of their own.</summary>
    /// <example>communicator</example>
    public string? Key { get; init; }

    /// <summary>The figures.</summary>
    public required UsageFigures Figures { get; init; }
}

/// <summary>Figures of the ledger.</summary>
public sealed record UsageFigures
{
    /// <summary>Root runs that asked a model.</summary>
    /// <example>12</example>
    public required long Runs { get; init; }

    /// <summary>Requests to models, failed ones included.</summary>
    /// <example>40</example>
    public required long Requests { get; init; }

    /// <summary>Requests that failed; what somebody stopped is not counted.</summary>
    /// <example>1</example>
    public required long Failed { get; init; }

    /// <summary>Tokens read, cached ones included.</summary>
    /// <example>52000</example>
    public required long InputTokens { get; init; }

    /// <summary>Tokens of the input that came from the provider's cache.</summary>
    /// <example>18000</example>
    public required long CachedTokens { get; init; }

    /// <summary>Tokens written.</summary>
    /// <example>6100</example>
    public required long OutputTokens { get; init; }

    /// <summary>Cost in US dollars, failed requests included.</summary>
    public required Money CostUsd { get; init; }

    /// <summary>Mean time of the successful requests in milliseconds; null: there was none.</summary>
    /// <example>840.5</example>
    public double? MeanLatencyMs { get; init; }

    internal static UsageFigures Of(UsageRow row) => new()
    {
        Runs = row.Runs,
        Requests = row.Requests,
        Failed = row.Failed,
        InputTokens = row.InputTokens,
        CachedTokens = row.CachedTokens,
        OutputTokens = row.OutputTokens,
        CostUsd = new Money(row.CostMicroUsd),
        MeanLatencyMs = row.MeanLatencyMs is { } mean ? Math.Round(mean, 3) : null,
    };
}

/// <summary>The ledger, for dashboards.</summary>
internal static class UsageApi
{
    public static void Map(IEndpointRouteBuilder routes) =>
        routes.MapGet("/api/v1/usage", ReadAsync).WithTags("Operations").RequirePermission("metrics:read").Cached(new CachedRoute([CacheScope.Runs], TimeSpan.FromSeconds(1))).WithName("GetUsage")
            .Refuses(403, "forbidden", "The usage of all, or by user, needs the permission usage:read.")
            .WithSummary("Usage of models in time")
            .WithDescription("Requests, failures, tokens, latency and cost from the ledger, summed by agent, model, tier or user and in time: one's own, or with scope=all everybody's, for those with usage:read. At most 400 buckets.");

    private static async Task<Results<Ok<UsageReport>, Problem>> ReadAsync(
        [Description("agent, model (default), tier or user. By user needs usage:read.")] string? by,
        [Description("Not before this time (RFC 3339), which is moved back to the beginning of its bucket. Default: 30 days, or 48 hours, before `to`.")] string? from,
        [Description("Before this time (RFC 3339). Default: now.")] string? to,
        [Description("day (default) or hour, UTC.")] string? bucket,
        [Description("own (default) or all, which needs usage:read.")] string? scope,
        UsageStore store, TimeProvider clock, HttpContext context)
    {
        var caller = context.Caller();
        if (Problem(by, bucket, scope) is { } problem)
        {
            return problem;
        }

        var all = scope == "all" || by == "user";
        if (all && !caller.May("usage:read"))
        {
            return Problems.Of(403, "forbidden", "The usage of others needs the permission usage:read, which administrators have. Ask for scope=own, by agent, model or tier.");
        }

        if (TimeBuckets.Read(from, to, bucket, clock.GetUtcNow(), out var time) is { } wrong)
        {
            return wrong;
        }

        var asked = new UsageQuestion(all ? null : caller.UserId, by ?? "model", time.From, time.To, time.Size);
        var (keys, series) = await store.ReadAsync(asked, context.RequestAborted);
        return TypedResults.Ok(new UsageReport
        {
            By = asked.By,
            Bucket = bucket ?? "day",
            Scope = all ? "all" : "own",
            From = time.From,
            To = time.To,
            Items = [.. keys.Select(static k => new UsageTotal { Key = k.Key ?? "", Label = k.Label, Figures = UsageFigures.Of(k) })],
            Series = [.. series.Select(static p => new UsagePoint { Start = UnixTime.FromMicros(p.Slot), Key = p.Key, Figures = UsageFigures.Of(p) })],
        });
    }

    private static Problem? Problem(string? by, string? bucket, string? scope) =>
        by is not (null or "agent" or "model" or "tier" or "user") ? Problems.Invalid("by", "must be agent, model, tier or user")
        : bucket is not (null or "day" or "hour") ? Problems.Invalid("bucket", "must be day or hour")
        : scope is not (null or "own" or "all") ? Problems.Invalid("scope", "must be own or all")
        : null;
}
