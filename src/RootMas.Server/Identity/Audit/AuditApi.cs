using System.ComponentModel;
using System.Globalization;
using System.Text.Json;
using Microsoft.AspNetCore.Http.HttpResults;
using RootMas.Server.Platform.Data;
using RootMas.Server.Platform.Http;

namespace RootMas.Server.Identity.Audit;

/// <summary>A page of the audit log.</summary>
public sealed record AuditPage
{
    /// <summary>The rows of this page, newest first.</summary>
    public required IReadOnlyList<AuditView> Items { get; init; }

    /// <summary>Send it as cursor to get the next page; null: this is the last one.</summary>
    /// <example>null</example>
    public required string? NextCursor { get; init; }
}

/// <summary>One security-relevant act.</summary>
public sealed record AuditView
{
    /// <summary>Its number: 1, 2, 3 … without a hole.</summary>
    /// <example>412</example>
    public required string Id { get; init; }

    /// <summary>When it happened.</summary>
    public required DateTimeOffset At { get; init; }

    /// <summary>What was done, as area.verb.</summary>
    /// <example>agent.replace</example>
    public required string Action { get; init; }

    /// <summary>done, denied or failed.</summary>
    /// <example>done</example>
    public required string Outcome { get; init; }

    /// <summary>Id of the user who did it; null: nobody who is known, or the server itself.</summary>
    /// <example>0198f2c4-0000-7000-8000-000000000001</example>
    public string? ActorId { get; init; }

    /// <summary>Their name as it was then; for a failed login, the name that was given.</summary>
    /// <example>alice</example>
    public string? ActorName { get; init; }

    /// <summary>How they proved who they are: local, access_token, cookie, api_key, service_token.</summary>
    /// <example>access_token</example>
    public string? Credential { get; init; }

    /// <summary>The session or API key.</summary>
    /// <example>0198f2c4-7a13-7d10-8f00-6d1f5a2b6c70</example>
    public string? SessionId { get; init; }

    /// <summary>The kind of thing it was done to.</summary>
    /// <example>agent</example>
    public string? TargetKind { get; init; }

    /// <summary>Which one.</summary>
    /// <example>researcher</example>
    public string? TargetId { get; init; }

    /// <summary>The changed members before, without secrets and contents.</summary>
    public JsonElement? Before { get; init; }

    /// <summary>The changed members afterwards; for a refusal its code.</summary>
    public JsonElement? After { get; init; }

    /// <summary>The client's address.</summary>
    /// <example>192.0.2.7</example>
    public string? Address { get; init; }

    /// <summary>The request's X-Request-Id.</summary>
    /// <example>0198f2c47a137d108f006d1f5a2b6c70</example>
    public string? RequestId { get; init; }

    internal static AuditView Of(AuditRow row) => new()
    {
        Id = row.Id.ToString(CultureInfo.InvariantCulture),
        At = UnixTime.FromMicros(row.At),
        Action = row.Action,
        Outcome = row.Outcome,
        ActorId = row.ActorId,
        ActorName = row.ActorName,
        Credential = row.Credential,
        SessionId = row.SessionId,
        TargetKind = row.TargetKind,
        TargetId = row.TargetId,
        Before = row.Before is null ? null : JsonElement.Parse(row.Before),
        After = row.After is null ? null : JsonElement.Parse(row.After),
        Address = row.Address,
        RequestId = row.RequestId,
    };
}

/// <summary>Routes of the audit log.</summary>
internal static class AuditApi
{
    public static void Map(IEndpointRouteBuilder routes) =>
        routes.MapGet("/api/v1/audit", List).WithTags("Operations").RequirePermission("audit:read").WithName("ListAudit")
            .WithSummary("The audit log").WithDescription("Security-relevant acts, newest first: who did what to what, when, from where, and what changed. Rows are never changed or removed; 'rootmas audit verify' proves it.");

    private static async Task<Results<Ok<AuditPage>, Problem>> List(
        [Description("Id or name of who did it.")] string? actor,
        [Description("Beginning of the action: auth. gives everything about logins.")] string? action,
        [Description("Id of what it was done to.")] string? target,
        [Description("done, denied or failed.")] string? outcome,
        [Description("Not before this time (RFC 3339).")] string? from,
        [Description("Before this time (RFC 3339).")] string? to,
        int? limit, string? cursor, AuditStore store, CancellationToken cancellationToken)
    {
        if (Paging.Read(limit, cursor, 1, out var page) is { } problem)
        {
            return problem;
        }

        var before = 0L;
        if (page.After is [var text] && !long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out before))
        {
            return Problems.Invalid("cursor", "is not a cursor of this list; leave it away to begin at the start");
        }

        if (outcome is not (null or "done" or "denied" or "failed"))
        {
            return Problems.Invalid("outcome", "must be done, denied or failed");
        }

        if (!TryReadTime(from, out var since) || !TryReadTime(to, out var until))
        {
            return Problems.Invalid(TryReadTime(from, out _) ? "to" : "from", "must be a time as in 2026-11-26T08:00:00Z");
        }

        var filter = new AuditFilter { Actor = actor, Action = action, Target = target, Outcome = outcome, From = since, To = until };
        var rows = await store.ListAsync(filter, page.After is null ? null : before, page.Limit + 1, cancellationToken);
        return TypedResults.Ok(new AuditPage
        {
            Items = [.. rows.Take(page.Limit).Select(AuditView.Of)],
            NextCursor = rows.Count > page.Limit ? Paging.CursorOf(rows[page.Limit - 1].Id.ToString(CultureInfo.InvariantCulture)) : null,
        });
    }

    private static bool TryReadTime(string? text, out DateTimeOffset? time)
    {
        var isTime = DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var read);
        time = isTime ? read : null;
        return isTime || text is null;
    }
}
