using System.Globalization;
using System.Net.Http.Headers;
using System.Text.Json;

namespace RootMas.Server.Models.OpenAi;

/// <summary>Turns what providers say about a failure into a <see cref="FailureKind"/>. Their message is for our log at most; class, code and parameter name are harmless.</summary>
internal static class ProviderErrors
{
    private static readonly string[] ContextCodes = ["context_length_exceeded", "string_above_max_length", "request_too_large"];

    private static readonly string[] ContextPhrases =
        ["maximum context length", "context length", "context window", "prompt is too long", "too many tokens", "reduce the length", "exceeds the available context"];

    /// <summary>As servers name the limit of an answer, or what of a context is meant for it.</summary>
    private static readonly string[] OutputPhrases = ["max_tokens", "max_completion_tokens", "max_output_tokens", "completion tokens", "in the completion", "output tokens"];

    private static readonly string[] UnknownPhrases = ["unsupported", "unrecognized", "unknown", "not permitted", "not allowed"];

    /// <param name="body">The answer's body, cut off at a bound.</param>
    public static EndpointException FromResponse(int status, ReadOnlySpan<byte> body, TimeSpan? retryAfter)
    {
        try
        {
            var json = new Utf8JsonReader(body);
            if (JsonElement.TryParseValue(ref json, out var root) && root is { ValueKind: JsonValueKind.Object } document)
            {
                return FromErrorValue(document.TryGetProperty("error"u8, out var inner) ? inner : document, status, retryAfter);
            }
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            // Not JSON, or names that are no text: proxies answer in HTML. The status alone decides.
        }

        return FromErrorValue(default, status, retryAfter);
    }

    /// <param name="status">Of the answer; 200 for an error inside a stream, whose own code then decides.</param>
    public static EndpointException FromErrorValue(JsonElement error, int status, TimeSpan? retryAfter)
    {
        var code = Text(error, "code"u8) ?? Text(error, "type"u8) ?? "";
        var type = Text(error, "type"u8) ?? "";
        var message = Text(error) ?? Text(error, "message"u8) ?? "";
        var told = Number(error, "status_code"u8) ?? Number(error, "status"u8) ?? Number(error, "code"u8);
        var effective = status is >= 200 and < 300 ? told ?? 0 : status;
        var (kind, parameter) = (KindOf(effective, code, type, message), Text(error, "param"u8));
        return new EndpointException(kind, Describe(effective, code, parameter), retryAfter)
        {
            IsOfOutputLimit = kind is FailureKind.BadRequest or FailureKind.ContextLength && IsOfOutputLimit(code, $"{parameter} {message}"),
        };
    }

    public static TimeSpan? RetryAfter(HttpResponseHeaders headers, TimeProvider clock)
    {
        if (headers.TryGetValues("retry-after-ms", out var values) &&
            double.TryParse(values.FirstOrDefault(), NumberStyles.Float, CultureInfo.InvariantCulture, out var ms) && ms is >= 0 and < 86_400_000)
        {
            return TimeSpan.FromMilliseconds(ms);
        }

        var wait = headers.RetryAfter switch
        {
            { Delta: { } delta } => delta,
            { Date: { } date } => date - clock.GetUtcNow(),
            _ => (TimeSpan?)null,
        };
        return wait is { } span && span < TimeSpan.Zero ? TimeSpan.Zero : wait;
    }

    private static FailureKind KindOf(int status, string code, string type, string message)
    {
        if (ContextCodes.Contains(code, StringComparer.Ordinal) ||
            (status is 400 or 413 or 422 or 500 or 0 && ContextPhrases.Any(p => message.Contains(p, StringComparison.OrdinalIgnoreCase))))
        {
            return FailureKind.ContextLength;
        }

        return code switch
        {
            "content_filter" or "content_policy_violation" => FailureKind.ContentFilter,
            // Groq checks tool calls itself: the model wrote a bad one, the request was fine.
            "tool_use_failed" or "json_validate_failed" => FailureKind.InvalidAnswer,
            "invalid_api_key" => FailureKind.Auth,
            // OpenAI answers 429 when there is no credit, and says so: that does not pass by waiting. Others mean a limit by it.
            "insufficient_quota" when message.Contains("billing", StringComparison.OrdinalIgnoreCase) => FailureKind.Credit,
            "rate_limit_exceeded" or "insufficient_quota" => FailureKind.RateLimited,
            "model_not_found" => FailureKind.NotFound,
            _ => OfStatus(status, type),
        };
    }

    /// <summary>A server that does not know the member at all is no matter of its size.</summary>
    private static bool IsOfOutputLimit(string code, string said) =>
        !UnknownPhrases.Any(p => code.Contains(p, StringComparison.OrdinalIgnoreCase) || said.Contains(p, StringComparison.OrdinalIgnoreCase)) && OutputPhrases.Any(p => said.Contains(p, StringComparison.OrdinalIgnoreCase));

    private static FailureKind OfStatus(int status, string type) => status switch
    {
        401 or 403 => FailureKind.Auth,
        402 => FailureKind.Credit,
        404 => FailureKind.NotFound,
        408 or 504 => FailureKind.Timeout,
        409 or 425 or 429 => FailureKind.RateLimited,
        413 => FailureKind.ContextLength,
        >= 500 => FailureKind.ServerError,
        >= 400 => FailureKind.BadRequest,
        _ when type is "invalid_request_error" => FailureKind.BadRequest,
        _ => FailureKind.ServerError,
    };

    private static string Describe(int status, string code, string? parameter)
    {
        var parts = new List<string>(3);
        if (status > 0)
        {
            parts.Add(status.ToString(CultureInfo.InvariantCulture));
        }

        if (Harmless(code) is { } safeCode)
        {
            parts.Add(safeCode);
        }

        if (parameter is not null && Harmless(parameter) is { } safe)
        {
            parts.Add("parameter " + safe);
        }

        return string.Join(", ", parts);
    }

    /// <summary>Identifiers only: a provider's free text may hold parts of the prompt or of a key.</summary>
    private static string? Harmless(string text) =>
        text.Length is > 0 and <= 64 && text.All(c => char.IsAsciiLetterOrDigit(c) || c is '_' or '.' or '[' or ']' or '-') ? text : null;

    private static string? Text(JsonElement error, ReadOnlySpan<byte> name) =>
        error.ValueKind == JsonValueKind.Object && error.TryGetProperty(name, out var value) ? Text(value) : null;

    /// <summary>Null: it is no text, or its bytes are none. A message that somebody cut within a character says nothing, and hides no status.</summary>
    private static string? Text(JsonElement value)
    {
        try
        {
            return value.ValueKind == JsonValueKind.String ? value.GetString() : null;
        }
        catch (InvalidOperationException)
        {
            return null;
        }
    }

    private static int? Number(JsonElement error, ReadOnlySpan<byte> name) =>
        error.ValueKind == JsonValueKind.Object && error.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out var number)
            ? number
            : null;
}
