namespace RootMas.Server.Platform.Http;

/// <summary>
/// HEAD is answered as GET is (RFC 9110 §9.3.2): status and headers, so that whoever only looks whether an address answers need not read it. The server below drops the body, and keeps its length where the route knew it.
/// Streams do not begin for it (<see cref="Is"/>). With the offer of a WebSocket it stays what it is, and nothing takes it; other offers (h2c) are ignored, as any server may (RFC 9110 §7.8).
/// </summary>
internal sealed class HeadRequests(RequestDelegate next)
{
    public Task InvokeAsync(HttpContext context) =>
        HttpMethods.IsHead(context.Request.Method) && !OffersSocket(context.Request.Headers) ? ReadAsync(context) : next(context);

    /// <summary>Whether nobody gets the body of this answer.</summary>
    public static bool Is(HttpContext context) => HttpMethods.IsHead(context.Request.Method) || context.Features.Get<Mark>() is not null;

    /// <summary>Where GET is allowed, so is HEAD.</summary>
    public static void Allow(IHeaderDictionary headers)
    {
        var allowed = headers.GetCommaSeparatedValues("Allow");
        if (allowed.Contains(HttpMethods.Get, StringComparer.Ordinal) && !allowed.Contains(HttpMethods.Head, StringComparer.Ordinal))
        {
            headers.Allow = $"{headers.Allow}, {HttpMethods.Head}";
        }
    }

    private static bool OffersSocket(IHeaderDictionary headers) =>
        Array.Exists(headers.GetCommaSeparatedValues("Upgrade"), static u => u.Trim().Equals("websocket", StringComparison.OrdinalIgnoreCase));

    private async Task ReadAsync(HttpContext context)
    {
        context.Features.Set(Mark.Instance);
        context.Request.Method = HttpMethods.Get;
        try
        {
            await next(context);
        }
        finally
        {
            context.Request.Method = HttpMethods.Head;
        }
    }

    private sealed class Mark
    {
        public static readonly Mark Instance = new();
    }
}
