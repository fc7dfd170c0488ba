using System.ComponentModel.DataAnnotations;
using Microsoft.AspNetCore.Http.HttpResults;
using RootMas.Server.Identity.Access;
using RootMas.Server.Identity.Audit;
using RootMas.Server.Platform.Http;
using RootMas.Server.Platform.Idempotency;

namespace RootMas.Server.Identity.Machines;

/// <summary>The route of service tokens.</summary>
public static class ServiceTokensApi
{
    private const string Permission = "tokens:write";

    public static void Map(IEndpointRouteBuilder routes) =>
        routes.MapPost("/api/v1/auth/token", IssueAsync).AllowPublic().HandlesIdempotency().Audits("auth.token").WithTags("Authentication").WithName("IssueServiceToken")
            .Refuses(400, "validation_failed", "A member is not valid.")
            .Refuses(401, "authentication_required", "Neither an administrator's credential nor the admin secret was sent.")
            .Refuses(401, "admin_secret_invalid", "X-Admin-Secret is not the secret, or none is set.")
            .Refuses(403, "permission_missing", "Only administrators make service tokens, and not with a service token.")
            .Refuses(403, "role_not_allowed", "The role is more than the subject's, or admin was asked for with the admin secret.")
            .Refuses(403, "scope_not_allowed", "A scope is more than the role has, or than the API key that asks.")
            .Refuses(404, "user_not_found", "There is no such user, or the account is disabled.")
            .WithSummary("Make a service token for somebody else")
            .WithDescription("Needs an administrator, or the header X-Admin-Secret equal to ROOTMAS_ADMIN_SECRET when that is set, which never makes an administrator's token. The token is a session of its user: listed among theirs, ended like others, over with expires_minutes however often it is refreshed. It never decides approvals. One that an administrator's API key makes may no more than the key, is over when the key is, and ends when the key is revoked. One that an administrator makes ends when that account is disabled, erased or given another role.");

    private static async Task<Results<Ok<ServiceTokenAnswer>, Problem>> IssueAsync(NewServiceTokenRequest request, ServiceTokens tokens, AdminSecret secret, HttpContext context)
    {
        var caller = context.Features.Get<Caller>();
        var isAdmin = caller is { IsAdmin: true, Credential: not CredentialKind.ServiceToken } && caller.May(Permission);
        if (!isAdmin && !secret.IsIn(context.Request.Headers[AdminSecret.Header]))
        {
            var refusal = Refusal(caller, context.Request.Headers.ContainsKey(AdminSecret.Header));
            if (refusal.Code == "admin_secret_invalid")
            {
                // A guess. Refusals of known callers are written down like those of every other route.
                await tokens.RecordGuessAsync(context.Audit("auth.token"));
            }

            return refusal;
        }

        if (Permissions.NotScopes(request.Scopes) is { } wrong)
        {
            return Problems.Invalid("scopes", wrong);
        }

        var wanted = new ServiceTokenRequest(request.UserId, request.Role, request.Scopes ?? [], TimeSpan.FromMinutes(request.ExpiresMinutes));
        var maker = isAdmin ? MakerOf(caller!) : null;
        var (issued, problem) = await tokens.IssueAsync(wanted, isAdmin, maker, context.Audit("auth.token"), context.RequestAborted);
        return issued is null
            ? problem!
            : TypedResults.Ok(new ServiceTokenAnswer
            {
                AccessToken = issued.AccessToken,
                RefreshToken = issued.RefreshToken,
                ExpiresIn = (long)issued.Lifetime.TotalSeconds,
                SessionId = issued.SessionId,
                UserId = issued.UserId,
                Role = issued.Role,
            });
    }

    /// <summary>Null: whoever holds the data directory, who is the operator whatever becomes of any account.</summary>
    private static TokenMaker? MakerOf(Caller caller) => caller switch
    {
        { Credential: CredentialKind.Local } => null,
        { Credential: CredentialKind.ApiKey, SessionId: { } key } =>
            new TokenMaker(caller.UserId, key, caller.Permissions.IsSupersetOf(Permissions.OfRole(caller.Role)) ? null : caller.Permissions),
        _ => new TokenMaker(caller.UserId, null, null),
    };

    private static Problem Refusal(Caller? caller, bool sentSecret) => (caller, sentSecret) switch
    {
        (_, true) => Problems.Unauthorized("admin_secret_invalid", "X-Admin-Secret is not this server's admin secret, or none is set (ROOTMAS_ADMIN_SECRET). Nothing was done."),
        (null, _) => Problems.Unauthorized("authentication_required", "Service tokens are made by administrators, or with X-Admin-Secret. Nothing was done."),
        _ => Problems.Forbidden("permission_missing", $"This needs an administrator with the permission {Permission}, and no service token. Nothing was done."),
    };
}

/// <summary>A service token to be made.</summary>
public sealed record NewServiceTokenRequest
{
    /// <summary>For whom it works: a user, by id or name.</summary>
    /// <example>ada</example>
    [StringLength(100, MinimumLength = 1)]
    public required string UserId { get; init; }

    /// <summary>The most that it may be: user (the default, or what the subject is if that is less), agent, readonly, or admin for an administrator.</summary>
    /// <example>user</example>
    [AllowedValues("admin", "user", "agent", "readonly", null)]
    public string? Role { get; init; }

    /// <summary>Permissions that it is cut down to; absent or empty: all that the role may do.</summary>
    /// <example>["chat:read"]</example>
    [MaxLength(50)]
    public IReadOnlyList<string>? Scopes { get; init; }

    /// <summary>Minutes until it is over for good: 1 to 10,080, default 30.</summary>
    /// <example>30</example>
    [Range(1, 10_080)]
    public int ExpiresMinutes { get; init; } = 30;
}

/// <summary>A service token.</summary>
public sealed record ServiceTokenAnswer
{
    /// <summary>Send it as bearer token.</summary>
    public required string AccessToken { get; init; }

    /// <summary>Gives new access tokens at POST /auth/refresh, until the session is over.</summary>
    public required string RefreshToken { get; init; }

    /// <summary>bearer.</summary>
    /// <example>bearer</example>
    public string TokenType { get; init; } = "bearer";

    /// <summary>Seconds until it is over.</summary>
    /// <example>1800</example>
    public required long ExpiresIn { get; init; }

    /// <summary>Its session, among those of its user.</summary>
    /// <example>0198f2c4-7a13-7d10-8f00-6d1f5a2b6c70</example>
    public required string SessionId { get; init; }

    /// <summary>For whom it works.</summary>
    /// <example>0198f2c4-0000-7000-8000-000000000001</example>
    public required string UserId { get; init; }

    /// <summary>The most that it may be.</summary>
    /// <example>user</example>
    public required string Role { get; init; }
}
