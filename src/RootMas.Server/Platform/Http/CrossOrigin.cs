using System.Buffers;
using Microsoft.Extensions.Primitives;

namespace RootMas.Server.Platform.Http;

/// <summary>What pages of allowed origins are told: which one, always exactly; never <c>*</c>, because calls may carry cookies.</summary>
internal static class CrossOrigin
{
    /// <summary>No client asks for so many headers that their names are longer together.</summary>
    private const int LongestNames = 2_048;

    /// <summary>The characters of names (RFC 9110 §5.6.2) but <c>*</c>, which would be all of them, and what stands between names.</summary>
    private static readonly SearchValues<char> Names = SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!#$%&'+-.^_`|~, ");

    private const string RequestHeaders =
        "Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, Last-Event-ID, Prefer, X-Request-Id, X-RootMas-Csrf, traceparent";

    private static readonly StringValues Methods = "GET, HEAD, POST, PUT, PATCH, DELETE";

    private static readonly StringValues ResponseHeaders =
        "ETag, Location, Retry-After, RateLimit-Limit, RateLimit-Remaining, RateLimit-Reset, X-Request-Id, X-Process-Time, Idempotency-Replayed, Allow, Content-Disposition, X-Cache, x-should-retry";

    private static readonly StringValues Minutes10 = "600";

    /// <summary>The browser asks before it sends. Answered here, before routes: it carries no credentials and does nothing.</summary>
    public static bool IsPreflight(HttpRequest request) =>
        HttpMethods.IsOptions(request.Method) && request.Headers.Origin.Count == 1 && request.Headers.AccessControlRequestMethod.Count == 1;

    /// <summary>Beside what this API reads, a page may send what it asks for: clients of providers name their language and their version in headers of their own, and any other program may send those too.</summary>
    public static void AnswerPreflight(HttpRequest request, HttpResponse response)
    {
        response.StatusCode = StatusCodes.Status204NoContent;
        response.Headers.AccessControlAllowMethods = Methods;
        response.Headers.AccessControlAllowHeaders = AskedFor(request) is { } asked ? $"{RequestHeaders}, {asked}" : RequestHeaders;
        response.Headers.AccessControlMaxAge = Minutes10;
        response.Headers.Vary = "Access-Control-Request-Headers";
    }

    /// <summary>Null: nothing, or what are no names.</summary>
    private static string? AskedFor(HttpRequest request) =>
        request.Headers.AccessControlRequestHeaders is [{ Length: > 0 and <= LongestNames } names] && !names.AsSpan().ContainsAnyExcept(Names) ? names : null;

    /// <param name="origin">The allowed foreign origin of the request; null: it has none.</param>
    public static void Write(IHeaderDictionary headers, string? origin)
    {
        // Also where no origin was sent: a cache must not give that answer to a page.
        headers.Vary = headers.Vary.Count == 0 ? "Origin" : StringValues.Concat(headers.Vary, "Origin");
        if (origin is not null)
        {
            headers.AccessControlAllowOrigin = origin;
            headers.AccessControlAllowCredentials = "true";
            headers.AccessControlExposeHeaders = ResponseHeaders;
        }
    }
}
