using Microsoft.Net.Http.Headers;

namespace RootMas.Server.Platform.Http;

/// <summary>Routes that answer with JSON or with server-sent events, as the client says. One reading of what it says, so that what is counted as a stream is one.</summary>
public static class EventStreams
{
    public const string MediaType = "text/event-stream";

    /// <summary>The client takes events, and likes JSON no better (RFC 9110 §12.5.1).</summary>
    public static bool AreWanted(HttpRequest request)
    {
        ArgumentNullException.ThrowIfNull(request);
        var accepted = request.GetTypedHeaders().Accept;
        var events = QualityOf(accepted, MediaType) ?? 0;
        var json = QualityOf(accepted, "application/json") ?? QualityOf(accepted, "application/*") ?? QualityOf(accepted, "*/*") ?? 0;
        return events > 0 && events >= json;
    }

    /// <summary>1 where it is named without a quality; null: it is not named.</summary>
    private static double? QualityOf(IList<MediaTypeHeaderValue> accepted, string type)
    {
        double? best = null;
        foreach (var range in accepted)
        {
            if (range.MediaType.Equals(type, StringComparison.OrdinalIgnoreCase))
            {
                best = Math.Max(best ?? 0, range.Quality ?? 1);
            }
        }

        return best;
    }
}
