using RootMas.Server.Platform.Settings;
using RootMas.Server.Platform.Web;

namespace RootMas.Server.Platform.Http;

/// <summary>
/// A page in the user's browser must not reach a server on localhost (DNS rebinding, cross-site requests): only our own host names are answered, and only our own pages may call.
/// </summary>
public sealed class OriginPolicy(ServerOptions options)
{
    private readonly HashSet<string> _hosts = HostsOf(options);
    private readonly HashSet<string> _origins = new(options.AllowedOrigins.Select(WebOrigin.Normal).OfType<string>(), StringComparer.OrdinalIgnoreCase);

    public Problem? Refusal(HttpRequest request)
    {
        var headers = request.Headers;
        if (headers.Host.Count != 1 || !_hosts.Contains(request.Host.Host))
        {
            return Problems.Of(421, "host_not_allowed", "This server does not answer to that host name. Names can be added with Server:AllowedHosts.");
        }

        if (headers.TryGetValue("Sec-Fetch-Site", out var site) && site == "cross-site" && !IsAllowedOrigin(headers.Origin.ToString(), request) && !IsFollowedLink(request))
        {
            return Foreign();
        }

        return headers.Origin.Count == 0 || IsAllowedOrigin(headers.Origin.ToString(), request) ? null : Foreign();
    }

    /// <summary>The origin of an allowed page that is not our own; null: there is none.</summary>
    public string? ForeignOrigin(HttpRequest request) =>
        request.Headers.Origin.Count == 1 && request.Headers.Origin[0] is { } origin && (_origins.Contains(origin) || IsLocalPage(origin)) ? origin : null;

    private bool IsLocalPage(string origin) => options.IsDevelopment && Uri.TryCreate(origin, UriKind.Absolute, out var uri) && uri.Scheme is "http" or "https" && uri!.IsLoopback;

    /// <summary>
    /// A link in a mail or on another site that somebody opens in a window of its own: a page of the web app, the same for everybody, of which the other site sees nothing. The cookie is not sent along (SameSite=Strict).
    /// </summary>
    private static bool IsFollowedLink(HttpRequest request)
    {
        var headers = request.Headers;
        return headers.Origin.Count == 0 && headers["Sec-Fetch-Mode"] == "navigate" && headers["Sec-Fetch-Dest"] == "document" && WebPages.MayBePage(request);
    }

    private static Problem Foreign() =>
        Problems.Forbidden("foreign_origin", "Pages of other sites may not call this server. Origins can be allowed with Server:AllowedOrigins.");

    private bool IsAllowedOrigin(string origin, HttpRequest request) => _origins.Contains(origin) || WebOrigin.IsOwn(origin, request) || IsLocalPage(origin);

    private static HashSet<string> HostsOf(ServerOptions options)
    {
        var hosts = new HashSet<string>(options.AllowedHosts, StringComparer.OrdinalIgnoreCase) { "localhost", "127.0.0.1", "[::1]" };
        foreach (var url in ListenAddress.Split(options.Urls))
        {
            if (Uri.TryCreate(url, UriKind.Absolute, out var uri) && !ListenAddress.IsWildcard(uri))
            {
                hosts.Add(uri.Host);
            }
        }

        return hosts;
    }
}
