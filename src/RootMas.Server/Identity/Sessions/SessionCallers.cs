using RootMas.Server.Identity.Access;
using RootMas.Server.Identity.Tokens;
using RootMas.Server.Platform.Http;

namespace RootMas.Server.Identity.Sessions;

/// <summary>Who a session belongs to, until when that may be remembered, or why it is not good.</summary>
public readonly record struct SessionCaller(Caller? Caller, DateTimeOffset ExpiresAt, Problem? Refusal);

/// <summary>Access tokens and cookies as callers: both name a session, and what it may do is read from the database.</summary>
public sealed class SessionCallers(AccessTokens tokens, SessionStore store, LiveSessions live, SessionTouches touches)
{
    /// <summary>One answer for everything that is wrong with a token: which check it failed is nobody's business.</summary>
    public static Problem NotGood() =>
        Problems.Unauthorized("token_invalid", "The access token, key or session is not valid, or no longer. Refresh it at POST /api/v1/auth/refresh, or log in again. Nothing was done.");

    public async ValueTask<SessionCaller> OfTokenAsync(string token, CancellationToken cancellationToken)
    {
        if (await tokens.ReadAsync(token, cancellationToken) is not { } identity || await store.FindLiveAsync(identity.SessionId, identity.UserId, cancellationToken) is not { } session)
        {
            return new SessionCaller(null, default, NotGood());
        }

        return Of(session, session.Kind == SessionKind.Service ? CredentialKind.ServiceToken : CredentialKind.AccessToken, identity.ExpiresAt);
    }

    public async ValueTask<SessionCaller> OfCookieAsync(string cookie, CancellationToken cancellationToken) =>
        await store.FindLiveByCookieAsync(OpaqueSecret.Hash(cookie), cancellationToken) is { } session
            ? Of(session, CredentialKind.Cookie, session.ExpiresAt)
            : new SessionCaller(null, default, NotGood());

    private SessionCaller Of(LiveSession session, CredentialKind credential, DateTimeOffset expiresAt)
    {
        touches.Touch(session.Id);
        var user = session.User;

        // A role above the user's own counts for nothing: it was the user's once.
        var role = session.RoleCap is null or "admin" ? user.Role : session.RoleCap;
        var whole = session.RoleCap is null && session.Scopes is null;
        var caller = new Caller
        {
            UserId = user.Id,
            Username = user.Username,
            Role = role,
            Permissions = whole ? user.Permissions : Permissions.Intersect(Permissions.Of(role, session.Scopes), user.Permissions),
            Credential = credential,
            SessionId = session.Id,
            Limits = user.Limits,
            Ended = live.Token(user.Id, session.Id),
        };
        return new SessionCaller(caller, expiresAt, null);
    }
}
