using RootMas.Server.Platform.Http;

namespace RootMas.Server.Identity.Sessions;

/// <summary>The cookie of a browser's session: opaque, out of reach for scripts, and never sent along by other sites.</summary>
public static class SessionCookie
{
    public const string Prefix = "rms_";

    /// <summary>What a page of ours sends and a form of somebody else's cannot.</summary>
    public const string CsrfHeader = "X-RootMas-Csrf";

    private const string Plain = "rootmas_session";

    /// <summary>Browsers take a cookie of this name only over HTTPS and for exactly this host, so no sibling host can plant one.</summary>
    private const string Secure = "__Host-rootmas_session";

    public static bool IsBrowser(HttpRequest request)
    {
        ArgumentNullException.ThrowIfNull(request);
        return request.Headers[CsrfHeader] == "1";
    }

    public static string? Read(HttpRequest request)
    {
        ArgumentNullException.ThrowIfNull(request);
        return request.Cookies[NameFor(request)] is { Length: > 0 and <= Tokens.OpaqueSecret.Longest } value ? value : null;
    }

    /// <summary>Why the cookie does not count for this request; null: it does.</summary>
    public static Problem? Misuse(HttpRequest request)
    {
        ArgumentNullException.ThrowIfNull(request);
        var connects = HttpMethods.IsConnect(request.Method);
        if (!connects && !HttpMethods.IsGet(request.Method) && !HttpMethods.IsHead(request.Method) && !HttpMethods.IsOptions(request.Method) && !IsBrowser(request))
        {
            return Problems.Forbidden("csrf_header_missing", $"A call that changes something needs the header {CsrfHeader}: 1 when it comes with a session cookie. Nothing was done.");
        }

        // A foreign Origin has been refused before; a browser always sends one with an upgrade, which in HTTP/2 is a CONNECT, and can set no header of ours there.
        return (connects || request.Headers.Upgrade.Count > 0) && request.Headers.Origin.Count == 0
            ? Problems.Forbidden("origin_missing", "A WebSocket with a session cookie needs the Origin header of one of our own pages. Use an access token instead.")
            : null;
    }

    public static void Write(HttpContext context, string value, TimeSpan lifetime) => context.Response.Cookies.Append(NameFor(context.Request), value, Form(context.Request, lifetime));

    public static void Clear(HttpContext context) => context.Response.Cookies.Delete(NameFor(context.Request), Form(context.Request, lifetime: null));

    private static string NameFor(HttpRequest request) => request.IsHttps ? Secure : Plain;

    private static CookieOptions Form(HttpRequest request, TimeSpan? lifetime) =>
        new() { HttpOnly = true, SameSite = SameSiteMode.Strict, Secure = request.IsHttps, Path = "/", MaxAge = lifetime, IsEssential = true };
}
