using System.Text.Json;
using RootMas.Server.Platform.Text;

namespace RootMas.Server.Tools.Web;

internal sealed record SearchHit(string Title, string Url, string Snippet, string? Age);

/// <summary>The two shapes of search API: SearXNG's JSON (<c>/search?format=json</c>) and Brave's (<c>/res/v1/web/search</c>).</summary>
internal sealed record SearchEngine(bool IsBrave, Uri BaseUrl, string? ApiKey)
{
    private static readonly Uri BraveUrl = new("https://api.search.brave.com");

    /// <summary>Null: not configured, or not completely.</summary>
    public static SearchEngine? From(SearchOptions options) => options.Kind switch
    {
        "searxng" when options.BaseUrl is { IsAbsoluteUri: true } url => new SearchEngine(false, url, options.ApiKey),
        "brave" when options.ApiKey is { Length: > 0 } => new SearchEngine(true, options.BaseUrl ?? BraveUrl, options.ApiKey),
        _ => null,
    };

    public HttpRequestMessage Request(string query, int count, string? language)
    {
        var path = BaseUrl.AbsolutePath.TrimEnd('/');
        var escaped = Uri.EscapeDataString(query);
        var target = IsBrave
            ? $"{path}/res/v1/web/search?q={escaped}&count={count}{(language is null ? "" : $"&search_lang={language}")}"
            : $"{path}/search?q={escaped}&format=json{(language is null ? "" : $"&language={language}")}";
        var message = new HttpRequestMessage(HttpMethod.Get, new Uri(BaseUrl, target));
        message.Headers.TryAddWithoutValidation("Accept", "application/json");
        if (ApiKey is { Length: > 0 })
        {
            message.Headers.TryAddWithoutValidation(IsBrave ? "X-Subscription-Token" : "Authorization", IsBrave ? ApiKey : $"Bearer {ApiKey}");
        }

        return message;
    }

    /// <summary>Only hits with a web address; markup in titles and snippets is removed.</summary>
    /// <exception cref="JsonException">Not the expected shape.</exception>
    public IEnumerable<SearchHit> Read(byte[] body)
    {
        using var document = JsonDocument.Parse(body);
        var results = IsBrave && document.RootElement.ValueKind == JsonValueKind.Object && document.RootElement.TryGetProperty("web", out var web) ? web : document.RootElement;
        if (results.ValueKind != JsonValueKind.Object || !results.TryGetProperty("results", out var list) || list.ValueKind != JsonValueKind.Array)
        {
            // Brave leaves "web" out when nothing was found.
            return IsBrave && document.RootElement.ValueKind == JsonValueKind.Object ? [] : throw new JsonException("There is no list of results.");
        }

        return list.EnumerateArray()
            .Select(Hit)
            .OfType<SearchHit>()
            .Where(static hit => IsWebAddress(hit.Url))
            .DistinctBy(static hit => hit.Url, StringComparer.Ordinal)
            .ToList();
    }

    /// <summary>Null: a text of it is no Unicode, as engines pass on what they found; the others are hits all the same.</summary>
    private SearchHit? Hit(JsonElement hit)
    {
        try
        {
            return new SearchHit(
                WebText.Plain(hit.TextOrNull("title"), 200),
                hit.TextOrNull("url") ?? "",
                WebText.Plain(hit.TextOrNull(IsBrave ? "description" : "content"), 500),
                WebText.Plain(hit.TextOrNull(IsBrave ? "age" : "publishedDate"), 40) is { Length: > 0 } age ? age : null);
        }
        catch (InvalidOperationException)
        {
            return null;
        }
    }

    public static string Explain(int status) => status switch
    {
        401 or 403 => $"The search engine refused the request ({status}): its key is missing, wrong or not allowed. The operator must check Tools:Search.",
        429 => "The search engine allows no more requests for now. Try later, or answer without a search.",
        >= 300 and < 400 => "The search engine redirects elsewhere; the operator must set Tools:Search:BaseUrl to its final address.",
        _ => $"The search engine answered {status}.",
    };

    private static bool IsWebAddress(string url) =>
        url.Length <= Outbound.OutboundUrl.MaxLength && !url.Any(static c => char.IsControl(c) || char.IsWhiteSpace(c)) && Outbound.OutboundUrl.Origin(url) is not null;
}
