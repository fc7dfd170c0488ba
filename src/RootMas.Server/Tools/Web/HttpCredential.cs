using System.Text.RegularExpressions;

namespace RootMas.Server.Tools.Web;

/// <summary>A header with a secret that goes to one URL prefix only. The model knows its name, never its value.</summary>
internal sealed partial record HttpCredential(string Name, Uri Prefix, string Header, string Value)
{
    /// <summary>Null: not of the form <c>https://api.example.org/v1 Authorization: Bearer …</c>.</summary>
    public static HttpCredential? Parse(string name, string text) =>
        Form().Match(text) is { Success: true } match && Uri.TryCreate(match.Groups["url"].Value, UriKind.Absolute, out var prefix) && prefix.UserInfo.Length == 0
            ? new HttpCredential(name, prefix, match.Groups["header"].Value, match.Groups["value"].Value)
            : null;

    public bool IsFor(Uri url) => IsUnder(Prefix, url);

    /// <summary>The same origin, and the path is the prefix's or below it: <c>/v1</c> holds <c>/v1/x</c>, not <c>/v10</c>.</summary>
    public static bool IsUnder(Uri prefix, Uri url)
    {
        var path = prefix.AbsolutePath.TrimEnd('/');
        return Outbound.OutboundUrl.SameOrigin(prefix, url)
            && url.AbsolutePath.StartsWith(path, StringComparison.Ordinal)
            && (url.AbsolutePath.Length == path.Length || url.AbsolutePath[path.Length] == '/');
    }

    [GeneratedRegex(@"^(?<url>https?://\S+)\s+(?<header>[A-Za-z0-9-]{1,60}):\s*(?<value>[\x20-\x7e]{1,4000})$", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture, 2_000)]
    private static partial Regex Form();
}
