using RootMas.Server.Identity.Sessions;
using RootMas.Server.Identity.Users;
using RootMas.Server.Platform.Http;

namespace RootMas.Server.Identity.Access;

/// <summary>Finds out who calls by the form of what they bring: the token of the data directory, an access token, or a browser's cookie where no token is sent.</summary>
public sealed class Callers(CallerCache cache, LocalAccess local, SessionCallers sessions, LiveSessions live, FirstAdmin setup) : ICallers
{
    private const string Scheme = "Bearer ";

    /// <summary>No credential of ours is nearly as long.</summary>
    private const int Longest = 4_096;

    /// <summary>How often a session may change while it is read before the caller is told to come again.</summary>
    private const int Attempts = 5;

    public ValueTask<Authentication> ResolveAsync(HttpContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        var header = context.Request.Headers.Authorization;
        if (header.Count == 0)
        {
            return context.Request.Headers.Cookie.Count == 0 || SessionCookie.Read(context.Request) is not { } cookie ? ValueTask.FromResult(Nobody()) : OfCookieAsync(context, cookie);
        }

        return header.Count == 1 && header[0] is { } value && value.StartsWith(Scheme, StringComparison.OrdinalIgnoreCase)
            ? AuthenticateAsync(context, value[Scheme.Length..])
            : ValueTask.FromResult<Authentication>(Problems.Unauthorized("authorization_malformed", "Authorization must be sent once, as: Bearer and an access token or API key. Nothing was done."));
    }

    public ValueTask<Authentication> AuthenticateAsync(HttpContext context, string secret)
    {
        ArgumentNullException.ThrowIfNull(secret);
        if (secret.Length > Longest)
        {
            return ValueTask.FromResult<Authentication>(SessionCallers.NotGood());
        }

        if (secret.StartsWith(LocalAccess.Prefix, StringComparison.Ordinal))
        {
            return local.AuthenticateAsync(context, secret);
        }

        var key = CallerKey.Of('b', secret);
        return cache.Find(key) is { } caller ? ValueTask.FromResult<Authentication>(caller) : ReadAsync(key, token => sessions.OfTokenAsync(secret, token), context.RequestAborted);
    }

    private async ValueTask<Authentication> OfCookieAsync(HttpContext context, string cookie)
    {
        if (SessionCookie.Misuse(context.Request) is { } misuse)
        {
            return misuse;
        }

        var key = CallerKey.Of('c', cookie);
        return cache.Find(key) is { } caller ? caller : await ReadAsync(key, token => sessions.OfCookieAsync(cookie, token), context.RequestAborted);
    }

    /// <summary>What is remembered was read after the last end of any session, and before the next one, which ends it.</summary>
    private async ValueTask<Authentication> ReadAsync(CallerKey key, Func<CancellationToken, ValueTask<SessionCaller>> read, CancellationToken cancellationToken)
    {
        for (var i = 0; i < Attempts; i++)
        {
            var before = live.Ends;
            var (caller, expiresAt, refusal) = await read(cancellationToken);
            if (live.Ends != before)
            {
                continue;
            }

            if (caller is null)
            {
                return refusal ?? SessionCallers.NotGood();
            }

            cache.Keep(key, caller, expiresAt);
            return caller;
        }

        return Problems.Unavailable("sessions_change", "Sessions change faster than they can be read. Nothing was done. Try again in a moment.", TimeSpan.FromSeconds(1));
    }

    private Authentication Nobody() => setup.IsOpen
        ? Problems.Unauthorized(
            "authentication_required",
            "Nobody can log in yet. Make the first administrator: POST /api/v1/auth/setup with the token in the file setup-token of the data directory, or start with ROOTMAS_ADMIN_USERNAME and ROOTMAS_ADMIN_PASSWORD_FILE. Nothing was done.")
        : default;
}
