using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using Microsoft.AspNetCore.Http.HttpResults;
using RootMas.Server.Identity.Access;
using RootMas.Server.Identity.Audit;
using RootMas.Server.Identity.Tokens;
using RootMas.Server.Platform.Http;
using RootMas.Server.Platform.Idempotency;

namespace RootMas.Server.Identity.Machines;

/// <summary>Routes of one's own API keys.</summary>
public static class ApiKeysApi
{
    private const int HintLength = 10;

    public static void Map(IEndpointRouteBuilder routes)
    {
        var keys = routes.MapGroup("/api/v1/api-keys").WithTags("Authentication");
        keys.MapGet("", ListAsync).RequirePermission(Permissions.SignedIn).WithName("ListApiKeys")
            .WithSummary("List API keys").WithDescription("One's own keys that were not revoked, newest first; without their secrets, which are not stored.");
        keys.MapPost("", CreateAsync).RequirePermission(Permissions.SignedIn).Audits("api_key.create").WithSecretMembers("secret").WithName("CreateApiKey")
            .Refuses(400, "validation_failed", "The name, a scope or the expiry is not valid.")
            .Refuses(403, "login_required", "API keys and service tokens make no keys: one that leaked could outlive its own end.")
            .Refuses(403, "scope_not_allowed", "A scope is more than one may do oneself.")
            .Refuses(409, "too_many_api_keys", "There are as many keys as one may have.")
            .WithSummary("Make an API key")
            .WithDescription("The secret is in this answer and nowhere else; with an Idempotency-Key the repeat has null in its place. Without scopes the key may do what its user may.");
        keys.MapDelete("/{id}", RevokeAsync).RequirePermission(Permissions.SignedIn).Audits("api_key.revoke").WithName("RevokeApiKey")
            .Refuses(403, "login_required", "An API key can revoke itself, but no other.")
            .Refuses(404, "api_key_not_found", "There is no such key, or it is somebody else's, or it was revoked.")
            .WithSummary("Revoke an API key").WithDescription("Acts at once: streams and sockets that were opened with it are closed.");
    }

    private static async Task<Results<Ok<Page<ApiKeyAnswer>>, Problem>> ListAsync(int? limit, string? cursor, ApiKeyStore store, HttpContext context)
    {
        if (Paging.Read(limit, cursor, 1, out var page) is { } invalid)
        {
            return invalid;
        }

        return TypedResults.Ok(await PageAsync(context.Caller().UserId, page, store, context));
    }

    internal static async Task<Page<ApiKeyAnswer>> PageAsync(string userId, PageRequest page, ApiKeyStore store, HttpContext context)
    {
        var found = await store.ListAsync(userId, page.After?[0], page.Limit + 1, context.RequestAborted);
        var next = found.Count > page.Limit ? Paging.CursorOf(found[page.Limit - 1].Id) : null;
        return new Page<ApiKeyAnswer>([.. found.Take(page.Limit).Select(ApiKeyAnswer.Of)], next);
    }

    private static async Task<Results<Created<NewApiKeyAnswer>, Problem>> CreateAsync(NewApiKeyRequest request, ApiKeyStore store, TimeProvider clock, HttpContext context)
    {
        var caller = context.Caller();
        var now = clock.GetUtcNow();
        if (Refusal(request, caller, now) is { } refusal)
        {
            return refusal;
        }

        var once = context.Idempotency();
        if (once?.Made is { } earlier)
        {
            // An earlier request with this key made it, and its answer was lost, with the secret.
            return await store.FindOwnAsync(caller.UserId, earlier, context.RequestAborted) is { } there
                ? TypedResults.Created($"/api/v1/api-keys/{there.Id}", NewApiKeyAnswer.Of(there, secret: null))
                : Problems.NotFound("api_key_not_found", "There is no such API key. Nothing was done.");
        }

        var secret = OpaqueSecret.New(ApiKeys.Prefix);
        var scopes = (request.Scopes ?? []).Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal).ToList();
        var key = new StoredApiKey(Guid.CreateVersion7().ToString(), request.Name, secret[..HintLength], scopes, now, request.ExpiresAt, null);
        return await store.AddAsync(caller.UserId, key, OpaqueSecret.Hash(secret), context.Audit("api_key.create"), once?.Making("api_key"), context.RequestAborted)
            ? TypedResults.Created($"/api/v1/api-keys/{key.Id}", NewApiKeyAnswer.Of(key, secret))
            : Problems.Conflict("too_many_api_keys", $"You have {ApiKeyStore.MostPerUser} keys, which is the most. Nothing was done. Revoke one first.");
    }

    private static async Task<Results<NoContent, Problem>> RevokeAsync([Description("The key.")] string id, ApiKeyStore store, HttpContext context)
    {
        var caller = context.Caller();
        if (IsMachine(caller) && caller.SessionId != id)
        {
            return LoginRequired("An API key can revoke itself, but no other. Nothing was done.");
        }

        return await store.RevokeAsync(caller.UserId, id, context.Audit("api_key.revoke"), context.RequestAborted)
            ? TypedResults.NoContent()
            : Problems.NotFound("api_key_not_found", "There is no such API key. Nothing was done.");
    }

    private static Problem? Refusal(NewApiKeyRequest request, Caller caller, DateTimeOffset now)
    {
        if (IsMachine(caller))
        {
            return LoginRequired("API keys are made by people who signed in, not with an API key or a service token. Nothing was done.");
        }

        if (request.ExpiresAt <= now)
        {
            return Problems.Invalid("expires_at", "must be in the future");
        }

        if (Permissions.NotScopes(request.Scopes) is { } wrong)
        {
            return Problems.Invalid("scopes", wrong);
        }

        return request.Scopes?.FirstOrDefault(scope => !caller.May(scope)) is { } excess
            ? Problems.Forbidden("scope_not_allowed", $"You do not have the permission {excess} yourself. Nothing was done.")
            : null;
    }

    private static bool IsMachine(Caller caller) => caller.Credential is CredentialKind.ApiKey or CredentialKind.ServiceToken;

    private static Problem LoginRequired(string detail) => Problems.Forbidden("login_required", detail);
}

/// <summary>An API key to be made.</summary>
public sealed record NewApiKeyRequest
{
    /// <summary>What it is for, in the owner's words: 1 to 100 characters.</summary>
    /// <example>nightly report</example>
    [StringLength(100, MinimumLength = 1)]
    public required string Name { get; init; }

    /// <summary>Permissions that it is cut down to; absent or empty: all that its user may do, also after their role changed.</summary>
    /// <example>["chat:read", "chat:write"]</example>
    [MaxLength(50)]
    public IReadOnlyList<string>? Scopes { get; init; }

    /// <summary>When it ends by itself; absent: never.</summary>
    /// <example>2099-01-01T00:00:00Z</example>
    public DateTimeOffset? ExpiresAt { get; init; }
}

/// <summary>An API key, without its secret.</summary>
public sealed record ApiKeyAnswer
{
    /// <summary>Id of the key.</summary>
    /// <example>0198f2c4-7a13-7d10-8f00-6d1f5a2b6c70</example>
    public required string Id { get; init; }

    /// <summary>What it is for.</summary>
    /// <example>nightly report</example>
    public required string Name { get; init; }

    /// <summary>How its secret begins.</summary>
    /// <example>rmk_9fK2aQ</example>
    public required string Hint { get; init; }

    /// <summary>Permissions that it is cut down to; empty: all that its user may do.</summary>
    /// <example>["chat:read", "chat:write"]</example>
    public required IReadOnlyList<string> Scopes { get; init; }

    /// <summary>When it was made.</summary>
    public required DateTimeOffset CreatedAt { get; init; }

    /// <summary>When it ends by itself; null: never.</summary>
    public DateTimeOffset? ExpiresAt { get; init; }

    /// <summary>When it was last used, to the minute; null: not yet.</summary>
    public DateTimeOffset? LastUsedAt { get; init; }

    internal static ApiKeyAnswer Of(StoredApiKey key) => new()
    {
        Id = key.Id,
        Name = key.Name,
        Hint = key.Hint,
        Scopes = key.Scopes,
        CreatedAt = key.CreatedAt,
        ExpiresAt = key.ExpiresAt,
        LastUsedAt = key.LastUsedAt,
    };
}

/// <summary>An API key that was just made.</summary>
public sealed record NewApiKeyAnswer
{
    /// <summary>Id of the key.</summary>
    /// <example>0198f2c4-7a13-7d10-8f00-6d1f5a2b6c70</example>
    public required string Id { get; init; }

    /// <summary>The secret: send it as bearer token. It cannot be shown again; null: this is a repeat of the request that made it.</summary>
    /// <example>null</example>
    public required string? Secret { get; init; }

    /// <summary>What it is for.</summary>
    /// <example>nightly report</example>
    public required string Name { get; init; }

    /// <summary>How its secret begins.</summary>
    /// <example>rmk_9fK2aQ</example>
    public required string Hint { get; init; }

    /// <summary>Permissions that it is cut down to; empty: all that its user may do.</summary>
    /// <example>["chat:read", "chat:write"]</example>
    public required IReadOnlyList<string> Scopes { get; init; }

    /// <summary>When it was made.</summary>
    public required DateTimeOffset CreatedAt { get; init; }

    /// <summary>When it ends by itself; null: never.</summary>
    public DateTimeOffset? ExpiresAt { get; init; }

    internal static NewApiKeyAnswer Of(StoredApiKey key, string? secret) => new()
    {
        Id = key.Id,
        Secret = secret,
        Name = key.Name,
        Hint = key.Hint,
        Scopes = key.Scopes,
        CreatedAt = key.CreatedAt,
        ExpiresAt = key.ExpiresAt,
    };
}
