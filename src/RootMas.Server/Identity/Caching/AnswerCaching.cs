using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using System.Text;
using RootMas.Server.Identity.Access;
using RootMas.Server.Platform.Caching;

namespace RootMas.Server.Identity.Caching;

/// <summary>
/// Gives answers of reading routes again, to the same caller with the same rights for the same question; and sees to it that a change is acknowledged only when no instance gives an answer from before it.
/// After access was checked and noted down: what is given again was allowed now.
/// </summary>
public sealed class AnswerCaching(RequestDelegate next, IAnswerCache cache, CacheOptions options)
{
    private const string Header = "X-Cache";
    private const string Json = "application/json; charset=utf-8";

    private static readonly ConditionalWeakTable<object, string> Identities = [];
    private static readonly ConditionalWeakTable<IReadOnlySet<string>, string> Rights = [];

    public Task InvokeAsync(HttpContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        if (context.Features.Get<Caller>() is not { } caller)
        {
            return next(context);
        }

        if (HttpMethods.IsGet(context.Request.Method) || HttpMethods.IsConnect(context.Request.Method))
        {
            return context.GetEndpoint()?.Metadata.GetMetadata<CachedRoute>() is { } route ? ReadAsync(context, caller, route) : next(context);
        }

        context.Response.OnStarting(static state => ((AnswerCaching Self, HttpContext Context))state is var (self, context) ? self.AcknowledgeAsync(context) : Task.CompletedTask, (this, context));
        return next(context);
    }

    /// <summary>Before the first byte of an answer to a request that may have changed something. What was refused changed nothing.</summary>
    private Task AcknowledgeAsync(HttpContext context)
    {
        if (context.Response.StatusCode is < 400 or >= 500)
        {
            cache.Raise(CacheScope.OfUser(context.Caller().UserId));
            foreach (var change in context.GetEndpoint()?.Metadata.GetOrderedMetadata<RouteChanges>() ?? [])
            {
                cache.Raise(change.Scope);
            }
        }

        return cache.SettledAsync();
    }

    private async Task ReadAsync(HttpContext context, Caller caller, CachedRoute route)
    {
        var name = ((RouteEndpoint)context.GetEndpoint()!).RoutePattern.RawText ?? "";
        var key = KeyOf(context, caller, route, name);
        var look = await cache.LookAsync(key, [.. route.Scopes, CacheScope.OfUser(caller.UserId)], route.Longest is { } own && own < options.Longest ? own : options.Longest);
        if (look.Answer is { } known && !WantsFresh(context.Request))
        {
            CacheMetrics.Answered(name, "hit");
            context.Response.Headers[Header] = "hit";
            context.Response.ContentType = Json;
            context.Response.ContentLength = known.Length;
            await context.Response.Body.WriteAsync(known, context.RequestAborted);
            return;
        }

        if (cache.IsShared && route.Freshen is { } freshen)
        {
            await freshen(context.RequestServices, context.RequestAborted);
        }

        var outcome = look.Version is null ? "bypass" : "miss";
        CacheMetrics.Answered(name, outcome);
        context.Response.Headers[Header] = outcome;
        await (look.Version is null ? next(context) : MakeAsync(context, key, look));
    }

    private async Task MakeAsync(HttpContext context, string key, CacheLook look)
    {
        var body = context.Response.Body;
        using var kept = new MemoryStream();
        context.Response.Body = kept;
        try
        {
            await next(context);
        }
        finally
        {
            context.Response.Body = body;
        }

        var answer = kept.ToArray();
        if (context.Response is { StatusCode: StatusCodes.Status200OK, ContentType: Json } && context.Response.Headers.SetCookie.Count == 0 && answer.Length <= options.AnswerKilobytes * 1024)
        {
            await cache.KeepAsync(key, look, answer);
        }

        // An empty write would start the answer, and a refusal could not get its problem document any more.
        if (answer.Length > 0)
        {
            await body.WriteAsync(answer, context.RequestAborted);
        }
    }

    private static bool WantsFresh(HttpRequest request) =>
        request.Headers.CacheControl.Any(static value => value is not null && value.Contains("no-cache", StringComparison.OrdinalIgnoreCase));

    /// <summary>Who asks, with which rights, what; hashed, so that it is short and shows nothing. Each part is preceded by its length, so that no two questions look the same.</summary>
    private static string KeyOf(HttpContext context, Caller caller, CachedRoute route, string name)
    {
        string[] parts = [name, caller.UserId, caller.Role, Rights.GetValue(caller.Permissions, static p => string.Join(' ', p.Order(StringComparer.Ordinal))), context.Request.QueryString.Value ?? "", IdentityOf(context, route)];
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        Span<byte> length = stackalloc byte[4];
        foreach (var part in parts)
        {
            var bytes = Encoding.UTF8.GetBytes(part);
            BinaryPrimitives.WriteInt32LittleEndian(length, bytes.Length);
            hash.AppendData(length);
            hash.AppendData(bytes);
        }

        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    /// <summary>An object of this process stands for itself: its answers are not for other instances.</summary>
    private static string IdentityOf(HttpContext context, CachedRoute route) =>
        route.Of?.Invoke(context.RequestServices) is { } state ? Identities.GetValue(state, static _ => Guid.NewGuid().ToString("N")) : "";
}
