using System.Text.Json.Nodes;
using RootMas.Server.Identity.Access;
using RootMas.Server.Identity.Audit;
using RootMas.Server.Identity.Sessions;
using RootMas.Server.Identity.Tokens;
using RootMas.Server.Identity.Users;
using RootMas.Server.Platform.Data;
using RootMas.Server.Platform.Http;

namespace RootMas.Server.Identity.Machines;

/// <summary>What is asked for.</summary>
/// <param name="Role">The most that the token may be; null: user, or what the subject is if that is less.</param>
public sealed record ServiceTokenRequest(string UserId, string? Role, IReadOnlyList<string> Scopes, TimeSpan Lifetime);

/// <summary>The administrator who asks: what they make ends when they are none any more.</summary>
/// <param name="KeyId">The API key by which they do: what it makes is never more than itself, and ends with it. Null: they have logged in.</param>
/// <param name="Permissions">What the key may do; null: all that its user may.</param>
public sealed record TokenMaker(string UserId, string? KeyId, IReadOnlySet<string>? Permissions);

/// <summary>Tokens of a session that was made for somebody else.</summary>
public sealed record IssuedServiceToken(string UserId, string SessionId, string AccessToken, string RefreshToken, string Role, TimeSpan Lifetime);

/// <summary>What came of it.</summary>
public readonly record struct ServiceTokenResult(IssuedServiceToken? Issued, Problem? Refusal)
{
    public static implicit operator ServiceTokenResult(IssuedServiceToken issued) => new(issued, null);

    public static implicit operator ServiceTokenResult(Problem refusal) => new(null, refusal);
}

/// <summary>Makes tokens that work as somebody else: an ordinary session with a cap, listed and ended like others, and never more than its subject is.</summary>
public sealed class ServiceTokens(UserRights users, AccessTokens tokens, RefreshTokens refresh, IDatabase database, AuditLog audit, TimeProvider clock)
{
    /// <param name="mayBeAdmin">Whether an administrator asks, and not a program with the operator's secret.</param>
    /// <param name="maker">Null: whoever holds the data directory asks, or a program with the operator's secret.</param>
    public async Task<ServiceTokenResult> IssueAsync(ServiceTokenRequest request, bool mayBeAdmin, TokenMaker? maker, AuditEntry entry, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(request);
        if (await users.FindByNameAsync(request.UserId, cancellationToken) is not { IsDisabled: false } subject)
        {
            return Problems.NotFound("user_not_found", "There is no such user, or the account is disabled. Nothing was done.");
        }

        var role = request.Role ?? (IsWithin("user", subject) ? "user" : subject.Role);
        if (!IsWithin(role, subject) || (role == "admin" && !mayBeAdmin))
        {
            return Problems.Forbidden("role_not_allowed", role == "admin" && subject.Role == "admin"
                ? "The admin secret never makes an administrator's token. Nothing was done."
                : $"The role {role} is more than that user has ({subject.Role}). Nothing was done.");
        }

        var allowed = Permissions.Intersect(Permissions.OfRole(role), subject.Permissions);
        if (request.Scopes.FirstOrDefault(scope => !Permissions.Allows(allowed, scope)) is { } excess)
        {
            return Problems.Forbidden("scope_not_allowed", $"The permission {excess} is more than the role {role} of that user has. Nothing was done.");
        }

        return ScopesOf(request.Scopes, allowed, maker?.Permissions) is { } scopes
            ? await MakeAsync(request with { Role = role, Scopes = scopes }, subject, maker, entry, cancellationToken)
            : Problems.Forbidden("scope_not_allowed", "The token would be more than the API key that asks: a key passes on no permission that it does not have itself. Nothing was done.");
    }

    /// <summary>What a token is cut down to; empty: nothing. Null: it would be more than the key that asks.</summary>
    private static IReadOnlyList<string>? ScopesOf(IReadOnlyList<string> asked, IReadOnlySet<string> allowed, IReadOnlySet<string>? own)
    {
        if (own is null)
        {
            return asked;
        }

        var both = Permissions.Intersect(allowed, own);
        return both.Count == 0 || asked.Any(scope => !Permissions.Allows(both, scope)) ? null : asked.Count > 0 ? asked : [.. both.Order(StringComparer.Ordinal)];
    }

    private async Task<ServiceTokenResult> MakeAsync(ServiceTokenRequest request, UserState subject, TokenMaker? maker, AuditEntry entry, CancellationToken cancellationToken)
    {
        var now = clock.GetUtcNow();
        var made = new NewSession
        {
            UserId = subject.Id,
            Kind = SessionKind.Service,
            RoleCap = request.Role,
            Scopes = request.Scopes,
            ExpiresAt = now + request.Lifetime,
            MadeBy = maker?.KeyId,
            MadeByUser = maker?.UserId,
            Label = entry.ActorName is { } by ? $"service token, made by {by}" : "service token, made with the admin secret",
            Address = entry.Address,
        };
        var begun = await database.WriteAsync(session => BeginAsync(session, made, entry), cancellationToken);
        return begun is var (id, refreshToken, ends)
            ? new IssuedServiceToken(subject.Id, id, tokens.Issue(subject.Id, id, ends), refreshToken, request.Role!, ends - now)
            : SessionCallers.NotGood();
    }

    /// <summary>Somebody came with a secret that is not the operator's.</summary>
    public Task RecordGuessAsync(AuditEntry entry) =>
        database.WriteAsync(session => audit.AppendAsync(session, entry with { Outcome = AuditOutcome.Denied, After = "admin_secret_invalid" }), CancellationToken.None);

    /// <summary>Null: the key that asks was revoked meanwhile, or its user is no administrator any more.</summary>
    private async ValueTask<(string Id, string Refresh, DateTimeOffset Ends)?> BeginAsync(DbSession session, NewSession made, AuditEntry entry)
    {
        if (made.MadeByUser is { } admin && !await UserStore.StaysAdminAsync(session, admin))
        {
            return null;
        }

        if (made.MadeBy is { } key)
        {
            if (await ApiKeyStore.UseAsync(session, key) is not [var ends])
            {
                return null;
            }

            made = ends < made.ExpiresAt ? made with { ExpiresAt = ends.Value } : made;
        }

        var id = await SessionStore.AddAsync(session, made);
        await audit.AppendAsync(session, entry with
        {
            TargetKind = "user",
            TargetId = made.UserId,
            After = new JsonObject
            {
                ["session"] = id,
                ["role"] = made.RoleCap,
                ["scopes"] = new JsonArray([.. (made.Scopes ?? []).Select(static s => (JsonNode?)s)]),
                ["expires_at"] = made.ExpiresAt,
            },
        });
        return (id, await refresh.FirstAsync(session, id, made.ExpiresAt), made.ExpiresAt);
    }

    private static bool IsWithin(string role, UserState subject) => Permissions.OfRole(role).All(permission => Permissions.Allows(subject.Permissions, permission));
}
