using System.ComponentModel;
using Microsoft.AspNetCore.Http.HttpResults;
using RootMas.Server.Identity.Access;
using RootMas.Server.Identity.Audit;
using RootMas.Server.Identity.Users;
using RootMas.Server.Platform.Http;

namespace RootMas.Server.Identity.Machines;

/// <summary>API keys of users, for administrators: seen without their secrets, and revoked.</summary>
public static class UserApiKeysApi
{
    private const string UserId = "The user.";

    public static void Map(IEndpointRouteBuilder routes)
    {
        var keys = routes.MapGroup("/api/v1/users/{id}/api-keys").WithTags("Users");
        Refuses404(keys.MapGet("", ListAsync)).RequirePermission("users:read").WithName("ListUserApiKeys")
            .WithSummary("List a user's API keys").WithDescription("Keys of the user that were not revoked, newest first; without their secrets, which are not stored.");
        Refuses404(keys.MapDelete("/{key}", RevokeAsync)).RequirePermission("users:write").Audits("user.api_key_revoke").WithName("RevokeUserApiKey")
            .Refuses(404, "api_key_not_found", "The user has no such key, or it was revoked.")
            .WithSummary("Revoke a user's API key").WithDescription("Acts at once: streams and sockets that were opened with it are closed.");
    }

    private static RouteHandlerBuilder Refuses404(RouteHandlerBuilder route) => route.Refuses(404, "user_not_found", "There is no such user.");

    private static async Task<Results<Ok<Page<ApiKeyAnswer>>, Problem>> ListAsync(
        [Description(UserId)] string id, int? limit, string? cursor, UserStore users, ApiKeyStore store, HttpContext context)
    {
        if (Paging.Read(limit, cursor, 1, out var page) is { } invalid)
        {
            return invalid;
        }

        return await users.FindAsync(id, context.RequestAborted) is null
            ? UserAdministration.NotFound()
            : TypedResults.Ok(await ApiKeysApi.PageAsync(id, page, store, context));
    }

    private static async Task<Results<NoContent, Problem>> RevokeAsync(
        [Description(UserId)] string id, [Description("One of the user's keys.")] string key, UserStore users, ApiKeyStore store, HttpContext context)
    {
        if (await users.FindAsync(id, context.RequestAborted) is null)
        {
            return UserAdministration.NotFound();
        }

        return await store.RevokeAsync(id, key, context.Audit("user.api_key_revoke"), context.RequestAborted)
            ? TypedResults.NoContent()
            : Problems.NotFound("api_key_not_found", "This user has no such API key, or it was revoked already. GET /api/v1/users/{id}/api-keys lists those that were not.");
    }
}
