using System.Net;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace RootMas.Server.Platform.Http;

/// <summary>Where the server listens. Until users and logins exist, that is this machine only.</summary>
internal static class ListenAddress
{
    public static string[] Split(string urls) => urls.Split(';', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);

    /// <summary>One line for each address that cannot be used.</summary>
    public static IEnumerable<string> Problems(string urls)
    {
        foreach (var url in Split(urls))
        {
            if (!Uri.TryCreate(url, UriKind.Absolute, out var uri) || uri.Scheme is not ("http" or "https") || uri.PathAndQuery != "/")
            {
                yield return $"Server:Urls: '{url}' is not an address; legal: http://127.0.0.1:8000";
            }
            else if (uri.Scheme == "https")
            {
                yield return $"Server:Urls: '{url}': the server itself speaks http only; put a proxy that speaks https before it";
            }
            else if (!IsLoopback(uri))
            {
                yield return $"Server:Urls: '{url}' can be reached from other machines, and this version knows no users or logins yet: anybody could use your model keys. " +
                    "Legal: http://127.0.0.1:PORT, http://[::1]:PORT, http://localhost:PORT. From elsewhere, use a tunnel: ssh -L 8000:127.0.0.1:8000 HOST";
            }
        }
    }

    public static void Listen(KestrelServerOptions kestrel, string urls)
    {
        foreach (var url in Split(urls))
        {
            var uri = new Uri(url);
            if (IPAddress.TryParse(uri.DnsSafeHost, out var address))
            {
                kestrel.Listen(address, uri.Port);
            }
            else if (uri.Port == 0)
            {
                kestrel.Listen(IPAddress.Loopback, 0);
            }
            else
            {
                kestrel.ListenLocalhost(uri.Port);
            }
        }
    }

    private static bool IsLoopback(Uri uri) =>
        uri.DnsSafeHost.Equals("localhost", StringComparison.OrdinalIgnoreCase) || (IPAddress.TryParse(uri.DnsSafeHost, out var address) && IPAddress.IsLoopback(address));
}
