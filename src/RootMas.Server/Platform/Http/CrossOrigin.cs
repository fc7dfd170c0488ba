using Microsoft.Extensions.Primitives;

namespace RootMas.Server.Platform.Http;

/// <summary>What pages of allowed origins are told: which one, always exactly; never <c>*</c>, because calls may carry cookies.</summary>
internal static class CrossOrigin
{
    private static readonly StringValues Methods = "GET, HEAD, POST, PUT, PATCH, DELETE";
    private static readonly StringValues RequestHeaders =
        "Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, Last-Event-ID, Prefer, X-Request-Id, X-RootMas-Csrf, traceparent";

    private static readonly StringValues ResponseHeaders =
        "ETag, Location, Retry-After, RateLimit-Limit, RateLimit-Remaining, RateLimit-Reset, X-Request-Id, X-Process-Time, Idempotency-Replayed, Allow, Content-Disposition";

    private static readonly StringValues Minutes10 = "600";

    /// <summary>The browser asks before it sends. Answered here, before routes: it carries no credentials and does nothing.</summary>
    public static bool IsPreflight(HttpRequest request) =>
        HttpMethods.IsOptions(request.Method) && request.Headers.Origin.Count == 1 && request.Headers.AccessControlRequestMethod.Count == 1;

    public static void AnswerPreflight(HttpResponse response)
    {
        response.StatusCode = StatusCodes.Status204NoContent;
        response.Headers.AccessControlAllowMethods = Methods;
        response.Headers.AccessControlAllowHeaders = RequestHeaders;
        response.Headers.AccessControlMaxAge = Minutes10;
    }

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
