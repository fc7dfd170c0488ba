using System.Diagnostics;
using System.Globalization;
using Microsoft.Extensions.Primitives;

namespace RootMas.Server.Platform.Http;

/// <summary>What every answer carries. One small object per request, kept as a feature.</summary>
public sealed class RequestEdge
{
    private static readonly Func<object, Task> WriteHeaders = static state => ((RequestEdge)state).Write();
    private readonly HttpContext _context;
    private readonly long _started = Stopwatch.GetTimestamp();

    private RequestEdge(HttpContext context, string requestId)
    {
        _context = context;
        RequestId = requestId;
    }

    /// <summary>The client's <c>X-Request-Id</c>, or our own.</summary>
    public string RequestId { get; }

    /// <summary>The foreign origin whose page sent this and may read the answer; null: none.</summary>
    public string? AllowedOrigin { get; set; }

    /// <summary>Set by the limiter before the handler runs.</summary>
    public RateLimitState? RateLimit { get; set; }

    public static RequestEdge Begin(HttpContext context)
    {
        var id = RequestIdOf(context.Request.Headers["X-Request-Id"]);
        var edge = new RequestEdge(context, id);
        context.TraceIdentifier = id;
        context.Features.Set(edge);
        context.Response.OnStarting(WriteHeaders, edge);
        return edge;
    }

    /// <summary>1–100 of letters, digits, <c>. _ - : / + =</c>; anything else is replaced, never echoed.</summary>
    private static string RequestIdOf(StringValues header)
    {
        if (header.Count == 1 && header[0] is { Length: > 0 and <= 100 } sent && !sent.AsSpan().ContainsAnyExcept(Allowed))
        {
            return sent;
        }

        return Guid.CreateVersion7().ToString("N", CultureInfo.InvariantCulture);
    }

    private static readonly System.Buffers.SearchValues<char> Allowed =
        System.Buffers.SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-:/+=");

    private Task Write()
    {
        var headers = _context.Response.Headers;
        headers["X-Request-Id"] = RequestId;
        headers["X-Process-Time"] = Stopwatch.GetElapsedTime(_started).TotalSeconds.ToString("F6", CultureInfo.InvariantCulture);
        SecurityHeaders.Write(headers, _context.Request.IsHttps);
        CrossOrigin.Write(headers, AllowedOrigin);
        if (RateLimit is { } limit)
        {
            headers["RateLimit-Limit"] = limit.Limit;
            headers["RateLimit-Remaining"] = limit.Remaining.ToString(CultureInfo.InvariantCulture);
            headers["RateLimit-Reset"] = limit.ResetSeconds.ToString(CultureInfo.InvariantCulture);
        }

        return Task.CompletedTask;
    }
}

/// <param name="Limit">As sent: requests per window.</param>
/// <param name="Remaining">Requests left in this window.</param>
/// <param name="ResetSeconds">Seconds until the window ends.</param>
/// <param name="IsWithin">False: this request was one too many.</param>
public sealed record RateLimitState(string Limit, long Remaining, int ResetSeconds, bool IsWithin);
