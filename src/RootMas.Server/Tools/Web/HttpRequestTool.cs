using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using RootMas.Runtime.Tools;
using RootMas.Server.Identity.Secrets;
using RootMas.Server.Platform.Text;
using RootMas.Server.Tools.Outbound;

namespace RootMas.Server.Tools.Web;

/// <summary>
/// A plain HTTP call. GET and HEAD read; everything else is unsafe, so it is approved first and never repeated by the system, unless the operator declared the
/// service idempotent. Reports exactly what was called and what came back.
/// </summary>
internal sealed partial class HttpRequestTool : Tool
{
    private const int MaxBodyShown = 15_000;
    private static readonly string[] ShownHeaders = ["content-type", "location", "etag", "last-modified", "retry-after", "link", "x-total-count", "x-request-id", "ratelimit-remaining", "x-ratelimit-remaining"];

    private readonly GuardedHttpClient _http;
    private readonly RetryPolicy _retry;
    private readonly Uri[] _idempotent;
    private readonly HttpCredentials _credentials;
    private Defined _defined;

    public HttpRequestTool(ToolsOptions options, GuardedHttpClient http, RetryPolicy retry, SecretVault? vault = null)
    {
        (_http, _retry) = (http, retry);
        _idempotent = [.. options.Http.Idempotent.Select(static prefix => new Uri(prefix))];
        _credentials = new HttpCredentials(options.Http, vault);
        _defined = new Defined(_credentials.Version, Define());
    }

    /// <summary>Names the credentials there are, which change while the server runs.</summary>
    public override ToolDefinition Definition
    {
        get
        {
            if (_defined.Version != _credentials.Version)
            {
                _defined = new Defined(_credentials.Version, Define());
            }

            return _defined.Definition;
        }
    }

    private ToolDefinition Define()
    {
        var all = _credentials.All;
        var names = all.Count == 0 ? "none are configured" : $"one of {string.Join(", ", all.Select(static c => $"{c.Name} (for {c.Prefix})"))}";
        return new ToolDefinition("http_request",
            "Calls an HTTP API and returns status, headers and body exactly as they came. GET and HEAD only read; any other method changes something and is approved by a person first. "
            + $"Credentials are never written into headers or URLs; name a configured one with credential ({names}).",
            """
            {
              "type": "object",
              "properties": {
                "method": { "enum": ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"], "description": "HTTP method" },
                "url": { "type": "string", "minLength": 8, "maxLength": 4096, "description": "Absolute http or https URL, query included" },
                "headers": { "type": "object", "maxProperties": 20, "additionalProperties": { "type": "string", "maxLength": 1000 }, "description": "Accept, Accept-Language, Content-Type, If-Match, If-None-Match, If-Modified-Since, Prefer, and X-… headers" },
                "json": { "type": ["object", "array"], "description": "Body to be sent as JSON" },
                "body": { "type": "string", "maxLength": 200000, "description": "Body to be sent as text, instead of json" },
                "credential": { "type": "string", "maxLength": 100, "description": "Name of a configured credential" }
              },
              "required": ["method", "url"],
              "additionalProperties": false
            }
            """,
            "1");
    }

    public override ToolEffect Effect => ToolEffect.Unsafe;

    public override ApprovalRule Approval => ApprovalRule.Always;

    public override TimeSpan Timeout => TimeSpan.FromSeconds(90);

    public override bool Taints => true;

    public override ToolEffect EffectOf(JsonElement arguments) => IsRead(arguments) ? ToolEffect.Read
        : Uri.TryCreate(arguments.Text("url"), UriKind.Absolute, out var url) && Array.Exists(_idempotent, prefix => HttpCredential.IsUnder(prefix, url)) ? ToolEffect.Idempotent
        : ToolEffect.Unsafe;

    public override ApprovalRule ApprovalOf(JsonElement arguments) => IsRead(arguments) && arguments.TextOrNull("credential") is null ? ApprovalRule.WhenTainted : ApprovalRule.Always;

    // Headers and a body are bytes that the model composed, whoever wrote the URL.
    public override bool IsExempt(JsonElement arguments, IKnownUrls known) =>
        IsRead(arguments) && !arguments.TryGetProperty("headers", out _) && !arguments.TryGetProperty("body", out _) && !arguments.TryGetProperty("json", out _)
        && !arguments.TryGetProperty("credential", out _) && known.Contains(arguments.Text("url"));

    public override string? TargetOrigin(JsonElement arguments) => OutboundUrl.Origin(arguments.Text("url"));

    public override string? CredentialReference(JsonElement arguments) => arguments.TextOrNull("credential");

    public override async ValueTask<ToolResult> InvokeAsync(ToolContext context, JsonElement arguments, CancellationToken cancellationToken)
    {
        var effect = EffectOf(arguments);
        var (sent, received) = (false, false);
        try
        {
            var request = Request(context, arguments, effect) with { Sending = () => sent = true };
            context.Progress($"{request.Method} {request.Url.Host}");
            var response = effect == ToolEffect.Unsafe
                ? await _retry.ExecuteOnceAsync(RetryPolicy.Web, request.Url, token => SendAsync(request, token), cancellationToken)
                : await _retry.ExecuteAsync(RetryPolicy.Web, request.Url, token => SendAsync(request, token), cancellationToken);
            return new ToolResult(Report(request, response), Tainted: true);
        }
        catch (OutboundException exception)
        {
            var inDoubt = effect != ToolEffect.Read && (received || exception.Sent);
            throw new ToolException($"{exception.Message} {Outcome(effect, inDoubt)}", inDoubt, exception);
        }
        catch (OperationCanceledException exception) when (effect == ToolEffect.Unsafe && sent)
        {
            throw new ToolException("The call was cut off after it had been sent. The request may have had its effect.", inDoubt: true, exception);
        }

        // Of several tries the last one may not have left, and an earlier one was received all the same.
        async Task<OutboundResponse> SendAsync(OutboundRequest request, CancellationToken token)
        {
            try
            {
                var response = await _http.SendAsync(request, token);
                received = true;
                return response;
            }
            catch (OutboundException exception) when (exception.Sent)
            {
                received = true;
                throw;
            }
        }
    }

    private static string Outcome(ToolEffect effect, bool inDoubt) => (effect, inDoubt) switch
    {
        (ToolEffect.Idempotent, true) => "The request may have had its effect. Look before you make it again: a new call has another key and would be done a second time.",
        (ToolEffect.Idempotent, false) => "Nothing was changed by this try.", // the engine may have made the call before
        (_, true) => "The request may have had its effect.",
        _ => "Nothing was changed by this call.",
    };

    private OutboundRequest Request(ToolContext context, JsonElement arguments, ToolEffect effect)
    {
        var url = OutboundUrl.Parse(arguments.Text("url"));
        var headers = Headers(arguments, out var contentType);
        var body = Body(arguments, ref contentType);
        if (effect == ToolEffect.Read && body is not null)
        {
            throw new ToolException("GET and HEAD have no body; put the values into the URL's query.");
        }

        if (effect != ToolEffect.Read)
        {
            headers.Add(new("Idempotency-Key", context.IdempotencyKey));
        }

        if (arguments.TextOrNull("credential") is { } name)
        {
            var credential = _credentials.Find(name) ?? throw new ToolException($"There is no credential \"{name}\".{(_credentials.All.Count == 0 ? " None are configured." : $" There are {string.Join(", ", _credentials.All.Select(static c => c.Name))}.")}");
            if (!credential.IsFor(url))
            {
                throw new ToolException($"The credential \"{name}\" is only for {credential.Prefix}.");
            }

            headers.RemoveAll(h => h.Key.Equals(credential.Header, StringComparison.OrdinalIgnoreCase));
            headers.Add(new(credential.Header, credential.Value));
        }

        return new OutboundRequest(new HttpMethod(arguments.Text("method")), url)
        {
            Headers = headers,
            Body = body,
            ContentType = contentType,
            FollowRedirects = effect == ToolEffect.Read && arguments.TextOrNull("credential") is null,
        };
    }

    private static List<KeyValuePair<string, string>> Headers(JsonElement arguments, out string? contentType)
    {
        contentType = null;
        var result = new List<KeyValuePair<string, string>>();
        if (!arguments.TryGetProperty("headers", out var headers))
        {
            return result;
        }

        foreach (var header in headers.EnumerateObject())
        {
            var value = header.Value.GetString() ?? "";
            if (!AllowedHeader().IsMatch(header.Name) || value.Any(static c => c is < ' ' or > '~'))
            {
                throw new ToolException($"The header \"{WebText.Line(header.Name, 60)}\" is not allowed or has an unusable value. Allowed are Accept, Accept-Language, Content-Type, If-Match, If-None-Match, If-Modified-Since, Prefer, and X-… headers; credentials only by name.");
            }

            if (header.Name.Equals("Content-Type", StringComparison.OrdinalIgnoreCase))
            {
                contentType = value;
            }
            else
            {
                result.Add(new(header.Name, value));
            }
        }

        return result;
    }

    private static byte[]? Body(JsonElement arguments, ref string? contentType)
    {
        var hasJson = arguments.TryGetProperty("json", out var json);
        if (arguments.TextOrNull("body") is { } text)
        {
            contentType ??= "text/plain; charset=utf-8";
            return hasJson ? throw new ToolException("Give json or body, not both.") : Encoding.UTF8.GetBytes(text);
        }

        contentType ??= hasJson ? "application/json" : null;
        return hasJson ? Encoding.UTF8.GetBytes(json.GetRawText()) : null;
    }

    private static string Report(OutboundRequest request, OutboundResponse response)
    {
        var text = new StringBuilder();
        text.Append(CultureInfo.InvariantCulture, $"{request.Method} {request.Url.AbsoluteUri}\n");
        if (response.Redirects > 0)
        {
            text.Append(CultureInfo.InvariantCulture, $"(followed {response.Redirects} redirects to {response.Url.AbsoluteUri})\n");
        }

        text.Append(CultureInfo.InvariantCulture, $"{response.Status} {WebText.Line(response.Reason, 80)}\n");
        foreach (var (name, value) in response.Headers.Where(static h => ShownHeaders.Contains(h.Key, StringComparer.OrdinalIgnoreCase)))
        {
            text.Append(CultureInfo.InvariantCulture, $"{name}: {WebText.Line(value, 500)}\n");
        }

        return text.Append('\n').Append(Shown(response)).ToString().TrimEnd();
    }

    private static string Shown(OutboundResponse response)
    {
        if (response.Body.Length == 0)
        {
            return "(no body)";
        }

        if (!WebText.IsText(response.ContentType, response.Body))
        {
            return string.Create(CultureInfo.InvariantCulture, $"({response.Body.Length} bytes of {response.ContentType?.MediaType ?? "binary data"}, not shown)");
        }

        var body = WebText.Clean(WebText.Decode(response.Body, response.ContentType).ReplaceLineEndings("\n"));
        return body.Length > MaxBodyShown ? string.Create(CultureInfo.InvariantCulture, $"{body.AsSpan(0, MaxBodyShown)}\n(cut: {body.Length} characters in all)")
            : response.Truncated ? $"{body}\n(cut: the answer is larger than the limit)" : body;
    }

    private static bool IsRead(JsonElement arguments) => arguments.Text("method") is "GET" or "HEAD";

    private sealed record Defined(int Version, ToolDefinition Definition);

    // No header that routes, authenticates, frames the message or claims to be somebody else.
    [GeneratedRegex("^(?:Accept|Accept-Language|Content-Type|If-Match|If-None-Match|If-Modified-Since|If-Unmodified-Since|Prefer|X-(?!Forwarded|Real-IP|Original|Rewrite|HTTP-Method|Method-Override|Client-IP|Cluster-Client|Host|Remote|Auth|Api-Key|Access-Token|ProxyUser)[A-Za-z0-9-]{1,60})$",
        RegexOptions.IgnoreCase | RegexOptions.CultureInvariant, 2_000)]
    private static partial Regex AllowedHeader();
}
