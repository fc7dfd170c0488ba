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

    private RequestEdge(HttpContext context, string requestId, ClientOrigin client)
    {
        _context = context;
        RequestId = requestId;
        Client = client;
    }

    /// <summary>Where the request comes from, proxies taken into account.</summary>
    public ClientOrigin Client { get; }

    /// <summary>The client's <c>X-Request-Id</c>, or our own.</summary>
    public string RequestId { get; }

    /// <summary>The foreign origin whose page sent this and may read the answer; null: none.</summary>
    public string? AllowedOrigin { get; set; }

    /// <summary>Set by the limiter before the handler runs.</summary>
    public RateLimitState? RateLimit { get; set; }

    public static RequestEdge Begin(HttpContext context, ClientOrigin client)
    {
        ArgumentNullException.ThrowIfNull(context);
        var id = RequestIdOf(context.Request.Headers["X-Request-Id"]);
        var edge = new RequestEdge(context, id, client);
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
        if (headers.CacheControl.Count == 0 && IsForOneCaller())
        {
            // With a version it may be kept by its own reader, who asks whether it still holds.
            headers.CacheControl = headers.ETag.Count == 0 ? "no-store" : "private, no-cache";
        }

        if (RateLimit is { } limit)
        {
            headers["RateLimit-Limit"] = NumberText.Of(limit.Limit);
            headers["RateLimit-Remaining"] = NumberText.Of(limit.Remaining);
            headers["RateLimit-Reset"] = NumberText.Of(limit.ResetSeconds);
        }

        return Task.CompletedTask;
    }

    /// <summary>Below the addresses of the API, and wherever a permission is needed, answers are for who asked, and some hold secrets.</summary>
    private bool IsForOneCaller()
    {
        var path = _context.Request.Path;
        return path.StartsWithSegments("/api", StringComparison.OrdinalIgnoreCase) || path.StartsWithSegments("/v1", StringComparison.OrdinalIgnoreCase)
            || _context.GetEndpoint()?.Metadata.GetMetadata<RoutePermission>() is { Name: not null };
    }
}

/// <summary>The limit that is closest to being used up.</summary>
/// <param name="Limit">Requests that may come at once.</param>
/// <param name="Remaining">How many of them are left.</param>
/// <param name="ResetSeconds">Seconds until all of them are there again.</param>
public readonly record struct RateLimitState(long Limit, long Remaining, long ResetSeconds);

/// <summary>Three numbers are written on every answer; the usual ones are texts already.</summary>
internal static class NumberText
{
    private static readonly string[] Small = [.. Enumerable.Range(0, 2048).Select(static n => n.ToString(CultureInfo.InvariantCulture))];

    public static string Of(long number) => (ulong)number < (ulong)Small.Length ? Small[number] : number.ToString(CultureInfo.InvariantCulture);
}
