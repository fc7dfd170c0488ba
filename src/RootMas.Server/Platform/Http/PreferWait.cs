using System.Globalization;
using Microsoft.Net.Http.Headers;

namespace RootMas.Server.Platform.Http;

/// <summary><c>Prefer: wait=N</c> (RFC 7240): how long the client wants to wait for the end, in seconds.</summary>
internal static class PreferWait
{
    public static readonly TimeSpan Longest = TimeSpan.FromSeconds(120);

    /// <summary>Null: fine. Other preferences are ignored, as the RFC wants it.</summary>
    public static Problem? Read(HttpRequest request, out TimeSpan patience)
    {
        patience = Longest;
        foreach (var header in request.Headers["Prefer"])
        {
            foreach (var preference in (header ?? "").Split(',', StringSplitOptions.TrimEntries))
            {
                if (!NameValueHeaderValue.TryParse(preference, out var parsed) || !parsed.Name.Equals("wait", StringComparison.OrdinalIgnoreCase))
                {
                    continue;
                }

                if (!int.TryParse(parsed.Value, NumberStyles.None, CultureInfo.InvariantCulture, out var seconds))
                {
                    return Problems.Invalid("Prefer", "must be wait=N with N from 0 to 120 seconds");
                }

                patience = TimeSpan.FromSeconds(Math.Min(seconds, Longest.TotalSeconds));
            }
        }

        return null;
    }
}
