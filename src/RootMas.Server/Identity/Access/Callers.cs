using RootMas.Server.Identity.Machines;
using RootMas.Server.Identity.Sessions;
using RootMas.Server.Identity.Users;
using RootMas.Server.Platform.Http;

namespace RootMas.Server.Identity.Access;

/// <summary>Finds out who calls by the form of what they bring: the token of the data directory, an API key, an access token, or a browser's cookie where nothing else is sent.</summary>
public sealed class Callers(CallerCache cache, LocalAccess local, SessionCallers sessions, ApiKeys apiKeys, LiveSessions live, FirstAdmin setup) : ICallers
{
    private const string Scheme = "Bearer ";

    /// <summary>No credential of ours is nearly as long.</summary>
    private const int Longest = 4_096;

    /// <summary>How often a session may change while it is read before the caller is told to come again.</summary>
    private const int Attempts = 5;

    public Problem Nobody => setup.IsOpen
        ? Problems.Unauthorized(
            "authentication_required",
            "Nobody can log in yet. Make the first administrator: POST /api/v1/auth/setup with the token in the file setup-token of the data directory, or start with ROOTMAS_ADMIN_USERNAME and ROOTMAS_ADMIN_PASSWORD_FILE. Nothing was done.")
        : Problems.Unauthorized("authentication_required", "This needs a login: send Authorization: Bearer with an access token or an API key. Nothing was done.");

    public ValueTask<Authentication> ResolveAsync(HttpContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        var header = context.Request.Headers.Authorization;
        if (header.Count == 0)
        {
            return context.Request.Headers.Cookie.Count == 0 || SessionCookie.Read(context.Request) is not { } cookie ? ValueTask.FromResult(default(Authentication)) : OfCookieAsync(context, cookie);
        }

        return header.Count == 1 && header[0] is { } value && value.StartsWith(Scheme, StringComparison.OrdinalIgnoreCase)
            ? AuthenticateAsync(context, value[Scheme.Length..])
            : ValueTask.FromResult<Authentication>(Problems.Unauthorized("authorization_malformed", "Authorization must be sent once, as: Bearer and an access token or API key. Nothing was done."));
    }

    public ValueTask<Authentication> AuthenticateAsync(HttpContext context, string token)
    {
        ArgumentNullException.ThrowIfNull(context);
        ArgumentNullException.ThrowIfNull(token);
        if (token.Length > Longest)
        {
            return ValueTask.FromResult<Authentication>(SessionCallers.NotGood());
        }

        if (token.StartsWith(LocalAccess.Prefix, StringComparison.Ordinal))
        {
            return local.AuthenticateAsync(context, token);
        }

        var key = CallerKey.Of('b', token);
        var isKey = token.StartsWith(ApiKeys.Prefix, StringComparison.Ordinal);
        var outlives = isKey && context.GetEndpoint()?.Metadata.GetMetadata<OutlivesStorage>() is not null;
        if (cache.Find(key) is { } caller && (!outlives || apiKeys.Scrapes.IsFresh(key)))
        {
            return ValueTask.FromResult<Authentication>(caller);
        }

        return outlives ? OfScraperAsync(key, token, context.RequestAborted)
            : isKey ? OfApiKeyAsync(key, token, context.RequestAborted)
            : OfTokenAsync(key, token, context.RequestAborted);
    }

    private async ValueTask<Authentication> OfCookieAsync(HttpContext context, string cookie)
    {
        if (SessionCookie.Misuse(context.Request) is { } misuse)
        {
            return misuse;
        }

        var key = CallerKey.Of('c', cookie);
        return cache.Find(key) is { } caller ? caller : await ReadAsync(key, stop => sessions.OfCookieAsync(cookie, stop), context.RequestAborted);
    }

    /// <summary>Apart from the way of those who are remembered, which allocates nothing.</summary>
    private ValueTask<Authentication> OfTokenAsync(CallerKey key, string token, CancellationToken cancellationToken) => ReadAsync(key, stop => sessions.OfTokenAsync(token, stop), cancellationToken);

    private ValueTask<Authentication> OfApiKeyAsync(CallerKey key, string secret, CancellationToken cancellationToken) => ReadAsync(key, stop => apiKeys.OfSecretAsync(secret, stop), cancellationToken);

    /// <summary>The same for who reads metrics, also while the database is away.</summary>
    private ValueTask<Authentication> OfScraperAsync(CallerKey key, string secret, CancellationToken cancellationToken) =>
        apiKeys.Scrapes.LookAsync(
            key, () => ReadAsync(key, async stop => apiKeys.Scrapes.Verified(key, await apiKeys.OfSecretAsync(secret, stop)), cancellationToken).AsTask(), cancellationToken);

    /// <summary>What is remembered was read after the last end of any session, and before the next one, which ends it.</summary>
    private async ValueTask<Authentication> ReadAsync(CallerKey key, Func<CancellationToken, ValueTask<SessionCaller>> read, CancellationToken cancellationToken)
    {
        for (var i = 0; i < Attempts; i++)
        {
            var (before, generation) = (live.Ends, cache.Generation);
            var (caller, expiresAt, refusal) = await read(cancellationToken);
            if (live.Ends != before)
            {
                continue;
            }

            if (refusal is not null)
            {
                return refusal;
            }

            cache.Keep(key, caller!, expiresAt, generation);
            return caller!;
        }

        return Problems.Unavailable("sessions_change", "Sessions change faster than they can be read. Nothing was done. Try again in a moment.", TimeSpan.FromSeconds(1));
    }
}
