using System.ComponentModel;
using Microsoft.AspNetCore.Http.HttpResults;
using RootMas.Server.Identity.Access;
using RootMas.Server.Identity.Audit;
using RootMas.Server.Identity.Sessions;
using RootMas.Server.Platform.Http;

namespace RootMas.Server.Identity.Users;

/// <summary>Where users are signed in, for administrators.</summary>
public static class UserSessionsApi
{
    private const string UserId = "The user.";

    public static void Map(IEndpointRouteBuilder routes)
    {
        var sessions = routes.MapGroup("/api/v1/users/{id}/sessions").WithTags("Users");
        Refuses404(sessions.MapGet("", ListAsync)).RequirePermission("users:read").WithName("ListUserSessions")
            .WithSummary("List a user's sessions").WithDescription("Where the user is logged in: logins, browsers and service tokens that are not over, newest first.");
        Refuses404(sessions.MapDelete("", EndAllAsync)).RequirePermission("users:write").Audits("user.sessions_end").WithName("EndUserSessions")
            .WithSummary("End all of a user's sessions").WithDescription("Tokens, cookies, streams and sockets end at once; API keys stay. Of one's own, the session of this call stays.");
        Refuses404(sessions.MapDelete("/{session}", EndAsync)).RequirePermission("users:write").Audits("user.session_end").WithName("EndUserSession")
            .Refuses(404, "session_not_found", "The user has no such session, or it is over.")
            .WithSummary("End a user's session").WithDescription("Its tokens, cookie, streams and sockets end at once.");
    }

    private static RouteHandlerBuilder Refuses404(RouteHandlerBuilder route) => route.Refuses(404, "user_not_found", "There is no such user.");

    private static async Task<Results<Ok<Page<SessionAnswer>>, Problem>> ListAsync(
        [Description(UserId)] string id, int? limit, string? cursor, UserStore users, SessionStore store, HttpContext context)
    {
        if (Paging.Read(limit, cursor, 1, out var page) is { } invalid)
        {
            return invalid;
        }

        return await users.FindAsync(id, context.RequestAborted) is null
            ? UserAdministration.NotFound()
            : TypedResults.Ok(await SessionsApi.PageAsync(id, page, store, context));
    }

    private static async Task<Results<NoContent, Problem>> EndAllAsync([Description(UserId)] string id, SessionEnds sessions, HttpContext context)
    {
        var caller = context.Caller();
        return await sessions.EndAllAsync(id, id == caller.UserId ? caller.SessionId : null, context.Audit("user.sessions_end")) is not null ? TypedResults.NoContent() : UserAdministration.NotFound();
    }

    private static async Task<Results<NoContent, Problem>> EndAsync(
        [Description(UserId)] string id, [Description("One of the user's sessions.")] string session, UserStore users, SessionEnds sessions, HttpContext context)
    {
        if (await users.FindAsync(id, context.RequestAborted) is null)
        {
            return UserAdministration.NotFound();
        }

        return await sessions.EndAsync(session, id, context.Audit("user.session_end"))
            ? TypedResults.NoContent()
            : Problems.NotFound("session_not_found", "This user has no such session, or it is over already. GET /api/v1/users/{id}/sessions lists those that are not.");
    }
}
