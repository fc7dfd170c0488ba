using System.Globalization;

namespace RootMas.Server.Platform.Http;

/// <summary>Origins in the one form in which browsers write them: lower case, punycode, the port only where it is not the scheme's own.</summary>
internal static class WebOrigin
{
    /// <summary>Null: it is no origin of a page.</summary>
    public static string? Normal(string? text)
    {
        if (!Uri.TryCreate(text, UriKind.Absolute, out var uri) || uri is not { Scheme: "http" or "https", PathAndQuery: "/", Fragment: "", UserInfo: "" })
        {
            return null;
        }

        try
        {
            var host = uri.HostNameType == UriHostNameType.IPv6 ? uri.Host : uri.IdnHost; // the latter has no brackets
            return uri.IsDefaultPort ? $"{uri.Scheme}://{host}" : string.Create(CultureInfo.InvariantCulture, $"{uri.Scheme}://{host}:{uri.Port}");
        }
        catch (UriFormatException)
        {
            return null; // a name that punycode has no form for
        }
    }

    /// <summary>Whether a page of this server sent it. The port may be written in one of the two and left out in the other: proxies do either.</summary>
    public static bool IsOwn(string? origin, HttpRequest request) =>
        origin is not null && (IsSame(origin, request) || (Normal(origin) is { } normal && normal == Normal($"{request.Scheme}://{request.Host.Value}")));

    /// <summary>As nearly always; the host was checked before.</summary>
    private static bool IsSame(ReadOnlySpan<char> origin, HttpRequest request) =>
        request.Host.Value is { Length: > 0 } host && origin.Length == request.Scheme.Length + 3 + host.Length
        && origin.StartsWith(request.Scheme, StringComparison.Ordinal) && origin[request.Scheme.Length..].StartsWith("://", StringComparison.Ordinal) && origin.EndsWith(host, StringComparison.Ordinal);
}
