namespace RootMas.Server.Tools.Outbound;

/// <summary>What counts as a URL that may be called at all; where it leads is decided when it is connected to.</summary>
internal static class OutboundUrl
{
    public const int MaxLength = 4_096;

    /// <exception cref="OutboundException">Refused, with the reason.</exception>
    public static Uri Parse(string text)
    {
        if (text.Length > MaxLength)
        {
            throw Refused($"The URL is longer than {MaxLength} characters.");
        }

        if (!Uri.TryCreate(text, UriKind.Absolute, out var url) || text.Any(static c => char.IsControl(c) || char.IsWhiteSpace(c)))
        {
            throw Refused("That is no absolute URL; write it like https://example.org/page.");
        }

        return Check(url);
    }

    /// <summary>Where a redirect leads, checked like a first URL; never from https to http.</summary>
    public static Uri Redirect(Uri from, string location)
    {
        if (location.Length > MaxLength || !Uri.TryCreate(from, location, out var url))
        {
            throw Refused($"{from.Host} redirects to something that is no URL.");
        }

        return from.Scheme == Uri.UriSchemeHttps && url.Scheme == Uri.UriSchemeHttp
            ? throw Refused($"{from.Host} redirects from https to http, which is not followed.")
            : Check(url);
    }

    public static bool SameOrigin(Uri a, Uri b) => Uri.Compare(a, b, UriComponents.SchemeAndServer | UriComponents.StrongPort, UriFormat.SafeUnescaped, StringComparison.OrdinalIgnoreCase) == 0;

    /// <summary><c>scheme://host:port</c>, the port always written; null for what is no callable URL.</summary>
    public static string? Origin(string text) =>
        Uri.TryCreate(text, UriKind.Absolute, out var url) && IsHttp(url) ? Origin(url) : null;

    public static string Origin(Uri url) => $"{url.Scheme}://{(url.HostNameType == UriHostNameType.IPv6 ? $"[{url.IdnHost.Trim('[', ']')}]" : url.IdnHost)}:{url.Port}";

    private static Uri Check(Uri url)
    {
        if (!IsHttp(url))
        {
            throw Refused($"Only http and https are possible, not {url.Scheme}.");
        }

        if (url.UserInfo.Length > 0)
        {
            throw Refused("A URL with a user name or password in it is not called.");
        }

        return url.Host.Length == 0 || url.HostNameType is UriHostNameType.Unknown or UriHostNameType.Basic ? throw Refused("The URL has no usable host name.") : url;
    }

    private static bool IsHttp(Uri url) => url.Scheme == Uri.UriSchemeHttp || url.Scheme == Uri.UriSchemeHttps;

    private static OutboundException Refused(string message) => new(OutboundFailure.Refused, message);
}
