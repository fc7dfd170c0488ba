using System.Text.Json.Nodes;
using RootMas.Server.Identity.Access;
using RootMas.Server.Identity.Audit;
using RootMas.Server.Identity.Sessions;
using RootMas.Server.Identity.Tokens;
using RootMas.Server.Platform.Data;
using RootMas.Server.Platform.Http;

namespace RootMas.Server.Identity.Machines;

/// <summary>What is asked for.</summary>
/// <param name="Role">The most that the token may be; null: user, or what the subject is if that is less.</param>
public sealed record ServiceTokenRequest(string UserId, string? Role, IReadOnlyList<string> Scopes, TimeSpan Lifetime);

/// <summary>Tokens of a session that was made for somebody else.</summary>
public sealed record IssuedServiceToken(string UserId, string SessionId, string AccessToken, string RefreshToken, string Role, DateTimeOffset ExpiresAt);

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
    public async Task<ServiceTokenResult> IssueAsync(ServiceTokenRequest request, bool mayBeAdmin, AuditEntry entry, CancellationToken cancellationToken)
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

        var ends = clock.GetUtcNow() + request.Lifetime;
        var (id, refreshToken) = await database.WriteAsync(session => BeginAsync(session, request, subject, role, ends, entry), cancellationToken);
        return new IssuedServiceToken(subject.Id, id, tokens.Issue(subject.Id, id, ends), refreshToken, role, ends);
    }

    private async ValueTask<(string Id, string Refresh)> BeginAsync(DbSession session, ServiceTokenRequest request, UserState subject, string role, DateTimeOffset ends, AuditEntry entry)
    {
        var id = await SessionStore.AddAsync(session, new NewSession
        {
            UserId = subject.Id,
            Kind = SessionKind.Service,
            RoleCap = role,
            Scopes = request.Scopes,
            ExpiresAt = ends,
            Label = entry.ActorName is { } by ? $"service token, made by {by}" : "service token, made with the admin secret",
            Address = entry.Address,
        });
        await audit.AppendAsync(session, entry with
        {
            TargetKind = "user",
            TargetId = subject.Id,
            After = new JsonObject
            {
                ["session"] = id,
                ["role"] = role,
                ["scopes"] = new JsonArray([.. request.Scopes.Select(static s => (JsonNode?)s)]),
                ["expires_at"] = ends,
            },
        });
        return (id, await refresh.FirstAsync(session, id, ends));
    }

    private static bool IsWithin(string role, UserState subject) => Permissions.OfRole(role).All(permission => Permissions.Allows(subject.Permissions, permission));
}
