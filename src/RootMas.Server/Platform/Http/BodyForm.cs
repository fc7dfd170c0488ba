using System.Buffers;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Http.Metadata;
using Microsoft.Extensions.Primitives;
using Microsoft.Net.Http.Headers;

namespace RootMas.Server.Platform.Http;

/// <summary>Bodies are as large as their route accepts, not packed, and JSON in UTF-8, without a byte order mark, on every route that does not say otherwise.</summary>
public static class BodyForm
{
    private const string Plain = "identity";

    public static ValueTask<Problem?> CheckAsync(HttpContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        var request = context.Request;
        if (request.ContentLength is { } length && context.Features.Get<IHttpMaxRequestBodySizeFeature>() is { MaxRequestBodySize: { } limit } size && length > limit)
        {
            // The server below reads and drops what is on its way, for five seconds at most: who still sends when the connection is closed never sees the answer.
            if (!size.IsReadOnly)
            {
                size.MaxRequestBodySize = null;
            }

            return ValueTask.FromResult<Problem?>(Problems.TooLarge(limit));
        }

        if (context.Features.Get<IHttpRequestBodyDetectionFeature>()?.CanHaveBody != true)
        {
            return ValueTask.FromResult<Problem?>(null);
        }

        if (!IsPlain(request.Headers.ContentEncoding))
        {
            context.Response.Headers.AcceptEncoding = Plain;
            return ValueTask.FromResult<Problem?>(Problems.UnsupportedEncoding());
        }

        if (context.GetEndpoint()?.Metadata.GetMetadata<AnyBody>() is not null)
        {
            return ValueTask.FromResult<Problem?>(null);
        }

        if (!IsJson(request.ContentType))
        {
            return ValueTask.FromResult<Problem?>(Problems.UnsupportedMediaType());
        }

        // Where no handler reads it nobody looks into it either: Kestrel has been seen to end a connection over a body that was begun and left ("Reading is already in progress").
        return context.GetEndpoint()?.Metadata.GetMetadata<IAcceptsMetadata>() is null ? ValueTask.FromResult<Problem?>(null) : CheckStartAsync(request, context.RequestAborted);
    }

    /// <summary>Nothing here unpacks: a small body could become any size.</summary>
    private static bool IsPlain(StringValues codings) =>
        codings.Count == 0 || codings.All(static c => string.IsNullOrWhiteSpace(c) || c.Trim().Equals(Plain, StringComparison.OrdinalIgnoreCase));

    private static bool IsJson(string? contentType)
    {
        if (contentType is "application/json" or "application/json; charset=utf-8")
        {
            return true;
        }

        return MediaTypeHeaderValue.TryParse(contentType, out var type)
            && (type.MediaType.Equals("application/json", StringComparison.OrdinalIgnoreCase) || type.Suffix.Equals("json", StringComparison.OrdinalIgnoreCase))
            && (type.Charset.Length == 0 || type.Charset.ToString().Trim('"').Equals("utf-8", StringComparison.OrdinalIgnoreCase));
    }

    private static async ValueTask<Problem?> CheckStartAsync(HttpRequest request, CancellationToken cancellationToken)
    {
        var reader = request.BodyReader;
        var read = await reader.ReadAsync(cancellationToken);
        var marked = StartsWithMark(read.Buffer);
        reader.AdvanceTo(read.Buffer.Start);
        return marked ? Problems.Validation(new Dictionary<string, string[]>(StringComparer.Ordinal)
        {
            ["$"] = ["must be UTF-8 without a byte order mark"],
        }) with
        { Code = "invalid_json" } : null;
    }

    private static bool StartsWithMark(ReadOnlySequence<byte> body)
    {
        Span<byte> start = stackalloc byte[3];
        var length = (int)Math.Min(3, body.Length);
        body.Slice(0, length).CopyTo(start);
        return start is [0xEF, 0xBB, 0xBF] or [0xFE, 0xFF, _] or [0xFF, 0xFE, _];
    }
}
