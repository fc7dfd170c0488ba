using System.Net;
using System.Net.NetworkInformation;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Https;
using RootMas.Server.Platform.Settings;

namespace RootMas.Server.Platform.Http;

/// <summary>Where the server listens.</summary>
internal static class ListenAddress
{
    private const string Legal = "legal: http://127.0.0.1:8000, https://0.0.0.0:8443, https://[::]:8443";

    /// <summary>A worker that answers nobody.</summary>
    public static bool IsNone(ServerOptions options) => options.Urls.Trim() == "none";

    public static string[] Split(string urls) => urls.Split(';', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);

    /// <summary>One line for each address that cannot be used.</summary>
    public static IEnumerable<string> Problems(ServerOptions options)
    {
        foreach (var url in Split(options.Urls))
        {
            if (!Uri.TryCreate(url, UriKind.Absolute, out var uri) || uri.Scheme is not ("http" or "https") || uri.PathAndQuery != "/" || uri.UserInfo.Length > 0)
            {
                yield return $"Server:Urls: '{url}' is not an address; {Legal}";
            }
            else if (!IsLocalhost(uri) && !IPAddress.TryParse(uri.DnsSafeHost, out _))
            {
                yield return $"Server:Urls: '{url}' names a host and not an address of this machine; {Legal}. Names that it is called by belong into Server:AllowedHosts";
            }
            else if (uri.Scheme == "https" && options.Certificate.Path is null or "")
            {
                yield return $"Server:Urls: '{url}' needs a certificate: set Server:Certificate:Path (and KeyPath for PEM)";
            }
        }
    }

    public static void Listen(KestrelServerOptions kestrel, string urls, ServerCertificate? certificate)
    {
        foreach (var url in Split(urls))
        {
            var uri = new Uri(url);
            void Configure(ListenOptions listen)
            {
                if (uri.Scheme == "https")
                {
                    listen.UseHttps(new TlsHandshakeCallbackOptions { OnConnection = certificate!.OnConnection });
                }
            }

            if (IPAddress.TryParse(uri.DnsSafeHost, out var address))
            {
                kestrel.Listen(address, uri.Port, Configure);
            }
            else if (uri.Port == 0)
            {
                kestrel.Listen(IPAddress.Loopback, 0, Configure);
            }
            else
            {
                kestrel.ListenLocalhost(uri.Port, Configure);
            }
        }
    }

    /// <summary>Only programs on this machine can reach it.</summary>
    public static bool IsLoopback(Uri uri) => IsLocalhost(uri) || (IPAddress.TryParse(uri.DnsSafeHost, out var address) && IPAddress.IsLoopback(address));

    /// <summary>How this machine itself reaches it: nobody is called 0.0.0.0, and no server answers to that name.</summary>
    public static Uri FromHere(Uri uri) => IsWildcard(uri) ? new UriBuilder(uri) { Host = "127.0.0.1" }.Uri : uri;

    /// <summary>
    /// Of the addresses of one server, that at which this machine itself reaches it best: by loopback, in plain http if it speaks that there; elsewhere by https, beside which plain http is not answered. Null: there is none.
    /// </summary>
    public static Uri? Nearest(IEnumerable<string> urls)
    {
        var addresses = urls.Select(static u => Uri.TryCreate(u, UriKind.Absolute, out var uri) ? uri : null).OfType<Uri>().ToList();
        var best = addresses.Where(static u => IsLoopback(u) || IsWildcard(u)).OrderBy(static u => u.Scheme == "https").FirstOrDefault()
            ?? addresses.OrderBy(static u => u.Scheme == "http").FirstOrDefault();
        return best is null ? null : FromHere(best);
    }

    /// <summary>A client takes whatever certificate it finds at an address of this machine: it is for the name that others use, and nobody is between.</summary>
    public static void TakeCertificateOf(Uri server, SocketsHttpHandler handler)
    {
        if (server.Scheme == "https" && IsOnThisMachine(server))
        {
            handler.SslOptions.RemoteCertificateValidationCallback = static (_, certificate, _, _) => certificate is not null;
        }
    }

    /// <summary>Every address of this machine.</summary>
    public static bool IsWildcard(Uri uri) => IPAddress.TryParse(uri.DnsSafeHost, out var address) && (address.Equals(IPAddress.Any) || address.Equals(IPAddress.IPv6Any));

    /// <summary>What is sent to it never leaves this machine.</summary>
    private static bool IsOnThisMachine(Uri uri)
    {
        if (IsLoopback(uri))
        {
            return true;
        }

        try
        {
            return IPAddress.TryParse(uri.DnsSafeHost, out var address)
                && NetworkInterface.GetAllNetworkInterfaces().SelectMany(static i => i.GetIPProperties().UnicastAddresses).Any(own => own.Address.Equals(address));
        }
        catch (NetworkInformationException)
        {
            return false; // the system does not tell
        }
    }

    private static bool IsLocalhost(Uri uri) => uri.DnsSafeHost.Equals("localhost", StringComparison.OrdinalIgnoreCase);
}
