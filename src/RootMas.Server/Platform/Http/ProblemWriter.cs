using System.Buffers;
using System.Diagnostics;
using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace RootMas.Server.Platform.Http;

/// <summary>Hears of every 401 and 403 before the client does.</summary>
public delegate ValueTask RefusalObserver(HttpContext context, Problem problem);

/// <summary>Writes problems: <c>application/problem+json</c>, and OpenAI's error shape under <c>/v1</c>.</summary>
public static class ProblemWriter
{
    private static readonly JsonWriterOptions Json = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public static Task WriteAsync(HttpContext context, Problem problem) =>
        problem.Status is 401 or 403 && context.RequestServices.GetService<RefusalObserver>() is { } observer
            ? ObserveThenSendAsync(context, problem, observer)
            : SendAsync(context, problem);

    private static async Task ObserveThenSendAsync(HttpContext context, Problem problem, RefusalObserver observer)
    {
        await observer(context, problem);
        await SendAsync(context, problem);
    }

    private static Task SendAsync(HttpContext context, Problem problem)
    {
        var response = context.Response;
        response.StatusCode = problem.Status;
        response.Headers.CacheControl = "no-store";
        if (problem.Status == StatusCodes.Status401Unauthorized)
        {
            response.Headers.WWWAuthenticate = "Bearer";
        }

        if (problem.RetryAfter is { } after)
        {
            response.Headers.RetryAfter = Math.Max(1, (long)Math.Ceiling(after.TotalSeconds)).ToString(CultureInfo.InvariantCulture);
        }

        var buffer = new ArrayBufferWriter<byte>(512);
        if (IsOpenAi(context.Request.Path))
        {
            response.ContentType = "application/json";
            WriteOpenAi(buffer, problem);
        }
        else
        {
            response.ContentType = "application/problem+json";
            Write(buffer, problem, context.Request.Path.Value, TraceId(context));
        }

        response.ContentLength = buffer.WrittenCount;
        return HeadRequests.Is(context)
            ? Task.CompletedTask
            : response.Body.WriteAsync(buffer.WrittenMemory, context.RequestAborted).AsTask();
    }

    /// <summary>The document alone, for <c>error</c> events of streams and sockets.</summary>
    public static byte[] ToJson(Problem problem, string? instance, string traceId)
    {
        var buffer = new ArrayBufferWriter<byte>(512);
        Write(buffer, problem, instance, traceId);
        return buffer.WrittenSpan.ToArray();
    }

    /// <summary>OpenAI's <c>{"error":{…}}</c>, for streams under <c>/v1</c>.</summary>
    public static byte[] ToOpenAiJson(Problem problem)
    {
        var buffer = new ArrayBufferWriter<byte>(256);
        WriteOpenAi(buffer, problem);
        return buffer.WrittenSpan.ToArray();
    }

    /// <summary>The W3C trace id of this request, 32 hex digits.</summary>
    public static string TraceId(HttpContext context) => Activity.Current?.TraceId.ToHexString() ?? context.TraceIdentifier;

    private static bool IsOpenAi(PathString path) => path.StartsWithSegments("/v1", StringComparison.Ordinal);

    private static void Write(ArrayBufferWriter<byte> buffer, Problem problem, string? instance, string traceId)
    {
        using var json = new Utf8JsonWriter(buffer, Json);
        json.WriteStartObject();
        json.WriteString("type"u8, string.Concat("urn:rootmas:problem:", problem.Code));
        json.WriteString("title"u8, problem.Title);
        json.WriteNumber("status"u8, problem.Status);
        json.WriteString("detail"u8, problem.Detail);
        if (instance is not null)
        {
            json.WriteString("instance"u8, Escape(instance));
        }

        json.WriteString("code"u8, problem.Code);
        json.WriteString("trace_id"u8, traceId);
        if (problem.Errors is not null)
        {
            WriteErrors(json, problem.Errors);
        }

        foreach (var (name, value) in problem.Extra ?? Enumerable.Empty<KeyValuePair<string, string>>())
        {
            json.WriteString(name, value);
        }

        json.WriteEndObject();
    }

    private static void WriteErrors(Utf8JsonWriter json, IReadOnlyDictionary<string, string[]> errors)
    {
        json.WriteStartObject("errors"u8);
        foreach (var (field, messages) in errors)
        {
            json.WriteStartArray(field);
            foreach (var message in messages)
            {
                json.WriteStringValue(message);
            }

            json.WriteEndArray();
        }

        json.WriteEndObject();
    }

    private static void WriteOpenAi(ArrayBufferWriter<byte> buffer, Problem problem)
    {
        using var json = new Utf8JsonWriter(buffer, Json);
        json.WriteStartObject();
        json.WriteStartObject("error"u8);
        var first = problem.Errors?.FirstOrDefault();
        json.WriteString("message"u8, SentenceOf(problem));
        json.WriteString("type"u8, problem.Status switch
        {
            401 => "authentication_error",
            403 => "permission_error",
            429 => "rate_limit_error",
            >= 500 => "server_error",
            _ => "invalid_request_error",
        });
        if (first is { Key: { } field })
        {
            json.WriteString("param"u8, field);
        }
        else
        {
            json.WriteNull("param"u8);
        }

        json.WriteString("code"u8, problem.Code);
        json.WriteEndObject();
        json.WriteEndObject();
    }

    /// <summary>
    /// Clients show the message alone, so it is a whole sentence: the detail, or, where that points to <c>errors</c>, which are not in this shape, what is wrong with the first field, which does not say by itself of what it speaks.
    /// </summary>
    private static string SentenceOf(Problem problem) =>
        problem.Errors?.FirstOrDefault() is { Key: { } field, Value: [var message, ..] } && problem.Detail.Contains("`errors`", StringComparison.Ordinal)
            ? $"{(field == "$" ? "The body" : $"'{field}'")} {message.TrimEnd('.')}. Nothing was done."
            : problem.Detail;

    /// <summary>RFC 9457 wants a URI reference, and a path is what the client sent: everything outside of the unreserved characters is escaped.</summary>
    private static string Escape(string path) => new PathString(path).ToUriComponent();
}
