using System.ComponentModel;
using System.Globalization;
using Microsoft.AspNetCore.Http.HttpResults;
using RootMas.Server.Identity.Access;
using RootMas.Server.Identity.Audit;
using RootMas.Server.Platform.Http;
using RootMas.Server.Platform.Idempotency;

namespace RootMas.Server.Identity.Users;

/// <summary>Users, for administrators; and one's own password.</summary>
public static class UsersApi
{
    private const string Read = "users:read";
    private const string Write = "users:write";

    public static void Map(IEndpointRouteBuilder routes)
    {
        var users = routes.MapGroup("/api/v1/users").WithTags("Users");
        users.MapGet("", ListAsync).RequirePermission(Read).WithName("ListUsers")
            .WithSummary("List users").WithDescription("By name.");
        RefusesBeyond(users.MapPost("", AddAsync)).RequirePermission(Write).Audits("user.create").ShowsAgain().WithName("AddUser")
            .Refuses(409, "username_taken", "Somebody else has that name.")
            .Refuses(429, "rate_limited", "Too many passwords wait to be hashed.")
            .WithSummary("Add a user").WithDescription("With a password that they can log in with at once, and should change. Answers with the ETag.");
        Refuses404(users.MapGet("/{id}", GetAsync)).RequirePermission(Read).WithName("GetUser")
            .WithSummary("Read a user").WithDescription("The user with their ETag.");
        RefusesBeyond(RefusesChange(users.MapPatch("/{id}", ChangeAsync))).RequirePermission(Write).Audits("user.update").WithName("ChangeUser")
            .Refuses(409, "username_taken", "Somebody else has that name.")
            .WithSummary("Change a user").WithDescription("Name, role, disabled, limits, acts_for, grants; absent members stay as they are. A change of rights reaches open streams, sockets and running work at once; disabling ends all sessions. Needs If-Match with the ETag that was read.");
        RefusesChange(users.MapDelete("/{id}", RemoveAsync)).RequirePermission(Write).Audits("user.delete").WithName("RemoveUser")
            .Refuses(409, "user_is_busy", "Runs still work for this user: disable the user first.")
            .Refuses(409, "user_is_operator", "It is the account of whoever holds the data directory.")
            .WithSummary("Erase a user").WithDescription("With conversations, runs and their logs. The ledger keeps ids. The audit log keeps its rows for ever, with the names that were used then and the addresses: it is a chain. Needs If-Match with the ETag that was read.");
        RefusesBeyond(Refuses404(users.MapPost("/{id}/password", SetPasswordAsync))).RequirePermission(Permissions.SignedIn).Audits("user.password").WithName("SetPassword")
            .Refuses(403, "old_password_wrong", "It is one's own password, and old_password is not right.")
            .Refuses(429, "rate_limited", "Too many passwords wait to be hashed.")
            .WithSummary("Set a password").WithDescription("Administrators set anybody's; everybody may change their own, with old_password. All other sessions of the user end at once; API keys stay.");
    }

    private static RouteHandlerBuilder Refuses404(RouteHandlerBuilder route) => route.Refuses(404, "user_not_found", "There is no such user.");

    private static RouteHandlerBuilder RefusesBeyond(RouteHandlerBuilder route) => route.Refuses(403, "scope_not_allowed", "The user may do, or would be able to do, more than the API key or service token that asks.");

    private static RouteHandlerBuilder RefusesChange(RouteHandlerBuilder route) => Refuses404(route)
        .Refuses(409, "last_admin", "Nobody else could administer the server.")
        .Refuses(412, "etag_mismatch", "It was changed meanwhile.").Refuses(428, "if_match_required", "If-Match is missing.");

    private static async Task<Results<Ok<Page<UserAnswer>>, Problem>> ListAsync(
        [Description("Only the user of this name.")] string? username, int? limit, string? cursor, UserStore store, HttpContext context)
    {
        if (Paging.Read(limit, cursor, 1, out var page) is { } invalid)
        {
            return invalid;
        }

        var found = await store.ListAsync(username, page.Limit + 1, page.After?[0], context.RequestAborted);
        var next = found.Count > page.Limit ? Paging.CursorOf(found[page.Limit - 1].Username) : null;
        return TypedResults.Ok(new Page<UserAnswer>([.. found.Take(page.Limit).Select(UserAnswer.Of)], next));
    }

    private static async Task<Results<Created<UserAnswer>, Problem>> AddAsync(NewUserRequest request, UserAdministration users, PasswordHasher hasher, FirstAdmin setup, HttpContext context)
    {
        var key = context.Idempotency();
        if (key?.Made is { } earlier)
        {
            // An earlier request with this key made it.
            return await context.RequestServices.GetRequiredService<UserStore>().FindAsync(earlier, context.RequestAborted) is { } there ? Made(context, there) : UserAdministration.NotFound();
        }

        var role = request.Role ?? "user";
        if (Beyond(context.Caller(), role, []) is { } beyond)
        {
            return beyond;
        }

        if (PasswordPolicy.Refusal(request.Password, request.Username) is { } refusal)
        {
            return Problems.Invalid("password", refusal);
        }

        var hash = await hasher.HashAsync(request.Password);
        var (made, problem) = await users.AddAsync(request.Username, role, hash, request.Limits, context.Audit("user.create"), key?.Making("user"), context.RequestAborted);
        if (made is null)
        {
            return problem!;
        }

        setup.Close();
        return Made(context, made);
    }

    private static Created<UserAnswer> Made(HttpContext context, User made)
    {
        context.Response.SetETag(VersionOf(made));
        return TypedResults.Created($"/api/v1/users/{made.Id}", UserAnswer.Of(made));
    }

    private static async Task<Results<Ok<UserAnswer>, Problem>> GetAsync([Description("The user.")] string id, UserStore store, HttpContext context) =>
        await store.FindAsync(id, context.RequestAborted) is { } found ? Answer(context, found) : UserAdministration.NotFound();

    private static async Task<Results<Ok<UserAnswer>, Problem>> ChangeAsync(
        [Description("The user.")] string id, UserChangeRequest request, UserStore store, UserAdministration users, LocalUser local, HttpContext context)
    {
        if (await store.FindAsync(id, context.RequestAborted) is not { } found)
        {
            return UserAdministration.NotFound();
        }

        if (Preconditions.IfMatch(context.Request, VersionOf(found)) is { } refusal)
        {
            return refusal;
        }

        var change = new UserChange(request.Username, request.Role, request.Disabled, request.Limits, request.ActsFor, request.Grants);
        if (Beyond(context.Caller(), found, change) is { } beyond)
        {
            return beyond;
        }

        var (now, problem) = await users.ChangeAsync(id, found.Version, change, context.Audit("user.update"), context.RequestAborted);
        if (now is null)
        {
            return problem!;
        }

        if (now.IsLocal)
        {
            local.Set(now.Id, now.Username);
        }

        return Answer(context, now);
    }

    private static async Task<Results<NoContent, Problem>> RemoveAsync([Description("The user.")] string id, UserStore store, UserAdministration users, HttpContext context)
    {
        if (await store.FindAsync(id, context.RequestAborted) is not { } found)
        {
            return UserAdministration.NotFound();
        }

        return (Preconditions.IfMatch(context.Request, VersionOf(found)) ?? await users.RemoveAsync(id, found.Version, context.Audit("user.delete"), context.RequestAborted)) is { } refusal
            ? refusal
            : TypedResults.NoContent();
    }

    private static async Task<Results<NoContent, Problem>> SetPasswordAsync(
        [Description("The user.")] string id, PasswordRequest request, UserStore store, PasswordChanges changes, HttpContext context)
    {
        var caller = context.Caller();
        var isOwn = id == caller.UserId;
        if ((!isOwn && !caller.May(Write)) || await store.FindAsync(id, context.RequestAborted) is not { } user)
        {
            return UserAdministration.NotFound();
        }

        if (!isOwn && Beyond(caller, user.Role, user.Grants) is { } beyond)
        {
            return beyond;
        }

        // Whoever holds the data directory has no old password to give, and needs none.
        var needsOld = isOwn && caller.Credential is not CredentialKind.Local;
        return await changes.SetAsync(user, request.Password, needsOld, request.OldPassword, caller.SessionId, context.Audit("user.password")) is { } refusal ? refusal : TypedResults.NoContent();
    }

    /// <summary>Limits, and that somebody is disabled, give nobody any rights.</summary>
    private static Problem? Beyond(Caller caller, User user, UserChange change) => change is { Username: null, Role: null, Disabled: not false, ActsFor: null, Grants: null }
        ? null
        : Beyond(caller, user.Role, user.Grants) ?? Beyond(caller, change.Role ?? user.Role, change.Grants ?? user.Grants);

    /// <summary>A key that is cut down makes no account that may do more than itself, and takes none over: whoever has it would log in there, and stay when it is revoked.</summary>
    private static Problem? Beyond(Caller caller, string role, IReadOnlyList<string> grants) =>
        caller.Credential is not (CredentialKind.ApiKey or CredentialKind.ServiceToken)
        || Permissions.Cover(caller.Permissions, Permissions.OfRole(caller.Role)) || Permissions.Cover(caller.Permissions, Permissions.Of(role, null, grants))
            ? null
            : Problems.Forbidden("scope_not_allowed", "That user may do, or would be able to do, more than the API key or service token that asks: it passes on no permission that it does not have itself. Nothing was done.");

    private static Ok<UserAnswer> Answer(HttpContext context, User user)
    {
        context.Response.SetETag(VersionOf(user));
        return TypedResults.Ok(UserAnswer.Of(user));
    }

    private static string VersionOf(User user) => user.Version.ToString(CultureInfo.InvariantCulture);
}
