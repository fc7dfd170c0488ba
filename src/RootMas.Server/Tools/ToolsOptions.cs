using System.ComponentModel.DataAnnotations;
using RootMas.Server.Platform.Settings;

namespace RootMas.Server.Tools;

/// <summary>The built-in tools (section <c>Tools</c>).</summary>
public sealed record ToolsOptions : IValidatableObject
{
    /// <summary>IANA time zone that <c>current_time</c> uses when no place is named.</summary>
    [Required]
    public string TimeZone { get; init; } = "UTC";

    public SearchOptions Search { get; init; } = new();

    public HttpToolOptions Http { get; init; } = new();

    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        if (TimeZones.Find(TimeZone) is null)
        {
            yield return new ValidationResult($"'{TimeZone}' is no known time zone; legal: UTC, Europe/Moscow …", [nameof(TimeZone)]);
        }

        if (Search is { Kind: "searxng", BaseUrl: not { IsAbsoluteUri: true } })
        {
            yield return new ValidationResult("SearXNG needs its address; legal: https://search.example.org", ["Search:BaseUrl"]);
        }

        if (Search is { Kind: "brave", ApiKey: null or "" })
        {
            yield return new ValidationResult("Brave needs a key", ["Search:ApiKey"]);
        }

        foreach (var problem in Http.Problems())
        {
            yield return problem;
        }
    }
}

/// <summary>The engine behind <c>web_search</c>.</summary>
public sealed record SearchOptions
{
    /// <summary><c>searxng</c>: a SearXNG instance with its JSON format enabled; <c>brave</c>: the Brave Search API, or one shaped like it; <c>none</c>: no search.</summary>
    [AllowedValues("none", "searxng", "brave")]
    public string Kind { get; init; } = "none";

    /// <summary>Where the engine is, without the path of its API: <c>https://search.example.org</c>. For Brave the default is its own address.</summary>
    public Uri? BaseUrl { get; init; }

    /// <summary>Sent as <c>X-Subscription-Token</c> (Brave) or <c>Authorization: Bearer</c> (SearXNG behind a gate).</summary>
    [Secret]
    public string? ApiKey { get; init; }

    /// <summary>Queries may go out without approval also in a run that has read text from outside. Only for an engine whose logs nobody else reads: a hostile page could make the model put data into a query.</summary>
    public bool Trusted { get; init; }
}

/// <summary>What <c>http_request</c> may do beyond a plain call.</summary>
public sealed record HttpToolOptions
{
    /// <summary>URL prefixes of services that take a request once per <c>Idempotency-Key</c>: such a call may be repeated after a failure.</summary>
    public IReadOnlyList<string> Idempotent { get; init; } = [];

    /// <summary>Credentials by name: <c>URL prefix, space, header name, colon, value</c>, as in <c>https://api.example.org/v1 Authorization: Bearer …</c>. The model names one; it never sees it, and it goes only to that prefix.</summary>
    [Secret]
    public IReadOnlyDictionary<string, string> Credentials { get; init; } = new Dictionary<string, string>(StringComparer.Ordinal);

    /// <summary>What the annotations cannot say.</summary>
    internal IEnumerable<ValidationResult> Problems() =>
    [
        .. Idempotent.Where(static p => !Uri.TryCreate(p, UriKind.Absolute, out _)).Select(static p => new ValidationResult($"'{p}' is no URL; legal: https://api.example.org/orders", ["Http:Idempotent"])),
        .. Credentials.Where(static c => Web.HttpCredential.Parse(c.Key, c.Value) is null)
            .Select(static c => new ValidationResult($"the credential '{c.Key}' is not readable; legal: https://api.example.org/v1 Authorization: Bearer …", ["Http:Credentials"])),
    ];
}
