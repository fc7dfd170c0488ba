using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using RootMas.Server.Identity.Audit;
using RootMas.Server.Identity.Sessions;
using RootMas.Server.Platform.Data;

namespace RootMas.Server.Identity.Tokens;

/// <summary>What came of a refresh token.</summary>
/// <param name="Token">The one that follows; null: it was not good.</param>
public sealed record Refreshed(string? Token, string UserId = "", string SessionId = "", DateTimeOffset SessionEndsAt = default);

/// <summary>
/// Refresh tokens: opaque, spent with each use. The successor is derived from the token that is presented, so two tabs, or a client whose answer was lost, get the same one without anything secret being stored.
/// Whoever comes with a spent token later than that has a copy of it: the whole family ends.
/// </summary>
public sealed class RefreshTokens(IdentityOptions options, IdentityKeys keys, IDatabase database, SessionStore sessions, AuditLog audit)
{
    public const string Prefix = "rmr_";

    /// <summary>For how long a spent token still gives its successor.</summary>
    public static readonly TimeSpan Grace = TimeSpan.FromSeconds(30);

    /// <summary>Held: of two who present it at once the second sees that it is spent.</summary>
    private static readonly SqlText Found = SqlDialect.Held(
        "select t.session_id, t.expires_at, t.spent_at, s.user_id, s.expires_at, s.revoked_at from refresh_tokens t join sessions s on s.id = t.session_id join users u on u.id = s.user_id where t.hash = @hash and u.disabled_at is null", of: "t");

    /// <summary>The first token of a session, in the transaction that makes it.</summary>
    public async ValueTask<string> FirstAsync(DbSession session, string sessionId, DateTimeOffset sessionEndsAt)
    {
        ArgumentNullException.ThrowIfNull(session);
        var token = OpaqueSecret.New(Prefix);
        await AddAsync(session, token, sessionId, sessionEndsAt);
        return token;
    }

    public async Task<Refreshed> RefreshAsync(string token, AuditEntry entry, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(token);
        if (token.Length > OpaqueSecret.Longest || !token.StartsWith(Prefix, StringComparison.Ordinal))
        {
            return new Refreshed(null);
        }

        var hash = OpaqueSecret.Hash(token);
        var next = SuccessorOf(token);
        return await database.WriteAsync(session => SpendAsync(session, hash, next, entry), cancellationToken);
    }

    private async ValueTask<Refreshed> SpendAsync(DbSession session, byte[] hash, string next, AuditEntry entry)
    {
        var found = await session.Prepared(Found).Set("hash", hash).FirstOrDefaultAsync(static row =>
            new Row(row.GetString(0), row.Time(1), row.TimeOrNull(2), row.GetString(3), row.Time(4), !row.IsDBNull(5)));
        if (found is null || found.IsRevoked || found.ExpiresAt <= session.Now || found.SessionEndsAt <= session.Now)
        {
            return new Refreshed(null);
        }

        if (found.SpentAt is null)
        {
            await session.Prepared("update refresh_tokens set spent_at = @now where hash = @hash").Set("now", session.Now).Set("hash", hash).RunAsync();
            await session.Prepared("update sessions set last_used_at = @now where id = @id").Set("now", session.Now).Set("id", found.SessionId).RunAsync();
            await AddAsync(session, next, found.SessionId, found.SessionEndsAt);
        }
        else if (session.Now - found.SpentAt > Grace)
        {
            await sessions.RevokeAsync(session, found.SessionId, found.UserId);
            await audit.AppendAsync(session, entry with
            {
                Action = "auth.refresh_reused",
                Outcome = AuditOutcome.Denied,
                ActorId = found.UserId,
                SessionId = found.SessionId,
                TargetKind = "session",
                TargetId = found.SessionId,
            });
            return new Refreshed(null);
        }

        return new Refreshed(next, found.UserId, found.SessionId, found.SessionEndsAt);
    }

    private async ValueTask AddAsync(DbSession session, string token, string sessionId, DateTimeOffset sessionEndsAt)
    {
        var expires = session.Now + options.RefreshTokenLifetime;
        await session.Prepared("insert into refresh_tokens (hash, session_id, created_at, expires_at) values (@hash, @session, @now, @expires)")
            .Set("hash", OpaqueSecret.Hash(token)).Set("session", sessionId).Set("now", session.Now).Set("expires", expires < sessionEndsAt ? expires : sessionEndsAt)
            .RunAsync();
    }

    private string SuccessorOf(string token) => Prefix + Base64Url.EncodeToString(HMACSHA256.HashData(keys.Refresh, Encoding.UTF8.GetBytes(token)));

    private sealed record Row(string SessionId, DateTimeOffset ExpiresAt, DateTimeOffset? SpentAt, string UserId, DateTimeOffset SessionEndsAt, bool IsRevoked);
}
