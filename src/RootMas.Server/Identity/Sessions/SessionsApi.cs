using System.ComponentModel;
using Microsoft.AspNetCore.Http.HttpResults;
using RootMas.Server.Identity.Access;
using RootMas.Server.Identity.Audit;
using RootMas.Server.Platform.Http;

namespace RootMas.Server.Identity.Sessions;

/// <summary>One's own sessions.</summary>
public static class SessionsApi
{
    public static void Map(IEndpointRouteBuilder routes)
    {
        var sessions = routes.MapGroup("/api/v1/auth/sessions").WithTags("Authentication");
        sessions.MapGet("", ListAsync).RequirePermission(Permissions.SignedIn).WithName("ListSessions")
            .WithSummary("List own sessions").WithDescription("Where one is logged in: logins, browsers and service tokens that are not over, newest first.");
        sessions.MapDelete("", EndOthersAsync).RequirePermission(Permissions.SignedIn).Audits("auth.sessions_end").WithName("EndOtherSessions")
            .WithSummary("End all other sessions").WithDescription("All of one's sessions but that of this call end at once, with their tokens, cookies, streams and sockets; the answer says how many. API keys stay. A call that comes with an API key has no session of its own: then all end.");
        Refuses404(sessions.MapGet("/{id}", GetAsync)).RequirePermission(Permissions.SignedIn).WithName("GetSession")
            .WithSummary("Read a session").WithDescription("One of one's own sessions that is not over.");
        Refuses404(sessions.MapDelete("/{id}", EndAsync)).RequirePermission(Permissions.SignedIn).Audits("auth.session_end").WithName("EndSession")
            .WithSummary("End a session").WithDescription("Its tokens, cookie, streams and sockets end at once.");
    }

    private static RouteHandlerBuilder Refuses404(RouteHandlerBuilder route) => route.Refuses(404, "session_not_found", "There is no such session, it is somebody else's, or it is over.");

    private static async Task<Results<Ok<Page<SessionAnswer>>, Problem>> ListAsync(int? limit, string? cursor, SessionStore store, HttpContext context)
    {
        if (Paging.Read(limit, cursor, 1, out var page) is { } invalid)
        {
            return invalid;
        }

        return TypedResults.Ok(await PageAsync(context.Caller().UserId, page, store, context));
    }

    internal static async Task<Page<SessionAnswer>> PageAsync(string userId, PageRequest page, SessionStore store, HttpContext context)
    {
        var found = await store.ListAsync(userId, page.Limit + 1, page.After?[0], context.RequestAborted);
        var next = found.Count > page.Limit ? Paging.CursorOf(found[page.Limit - 1].Id) : null;
        return new Page<SessionAnswer>([.. found.Take(page.Limit).Select(s => SessionAnswer.Of(s, context.Caller().SessionId))], next);
    }

    private static async Task<Results<NoContent, Problem>> EndAsync([Description("The session.")] string id, SessionEnds sessions, HttpContext context) =>
        await sessions.EndAsync(id, context.Caller().UserId, context.Audit("auth.session_end"))
            ? TypedResults.NoContent()
            : NotFound();

    private static async Task<Results<Ok<SessionAnswer>, Problem>> GetAsync([Description("The session.")] string id, SessionStore store, HttpContext context)
    {
        var caller = context.Caller();
        return await store.FindListedAsync(id, caller.UserId, context.RequestAborted) is { } found ? TypedResults.Ok(SessionAnswer.Of(found, caller.SessionId)) : NotFound();
    }

    private static async Task<Ok<SessionsEnded>> EndOthersAsync(SessionEnds sessions, HttpContext context)
    {
        var caller = context.Caller();
        return TypedResults.Ok(new SessionsEnded(await sessions.EndAllAsync(caller.UserId, caller.SessionId, context.Audit("auth.sessions_end")) ?? 0));
    }

    private static Problem NotFound() => Problems.NotFound("session_not_found", "There is no such session, or it is over already. GET /api/v1/auth/sessions lists those that are not.");
}

/// <summary>What became of one's other sessions.</summary>
/// <param name="Ended">How many ended.</param>
public sealed record SessionsEnded(int Ended);

/// <summary>A session.</summary>
public sealed record SessionAnswer
{
    /// <summary>The session.</summary>
    public required string Id { get; init; }

    /// <summary>login: tokens; cookie: a browser; service: tokens made by an administrator.</summary>
    /// <example>login</example>
    public required SessionKind Kind { get; init; }

    /// <summary>What its client calls itself; null: nothing.</summary>
    /// <example>Mozilla/5.0</example>
    public string? Label { get; init; }

    /// <summary>The address that it began from.</summary>
    /// <example>192.0.2.7</example>
    public string? Address { get; init; }

    /// <summary>When it began.</summary>
    public required DateTimeOffset CreatedAt { get; init; }

    /// <summary>When it was last used, to the minute.</summary>
    public required DateTimeOffset LastUsedAt { get; init; }

    /// <summary>When it ends at the latest.</summary>
    public required DateTimeOffset ExpiresAt { get; init; }

    /// <summary>Whether it is the session of this call.</summary>
    /// <example>true</example>
    public required bool IsCurrent { get; init; }

    internal static SessionAnswer Of(ListedSession session, string? current) => new()
    {
        Id = session.Id,
        Kind = session.Kind,
        Label = session.Label,
        Address = session.Address,
        CreatedAt = session.CreatedAt,
        LastUsedAt = session.LastUsedAt,
        ExpiresAt = session.ExpiresAt,
        IsCurrent = session.Id == current,
    };
}
