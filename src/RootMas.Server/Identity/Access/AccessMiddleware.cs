using System.Diagnostics;
using RootMas.Server.Identity.Limits;
using RootMas.Server.Platform.Http;

namespace RootMas.Server.Identity.Access;

/// <summary>After routing, before the handler: who calls, how often, and whether the route's permission is theirs. Then the body's form, and room for a stream.</summary>
public sealed class AccessMiddleware(RequestDelegate next, ICallers callers, RequestLimiter limiter, OpenStreams streams)
{
    public async Task InvokeAsync(HttpContext context)
    {
        var (caller, refusal) = context.GetEndpoint()?.Metadata.GetMetadata<IgnoredCredentials>() is null ? await callers.ResolveAsync(context) : default;
        if (caller is not null)
        {
            context.Features.Set(caller);
            Activity.Current?.SetTag("user.id", caller.UserId); // for lines of the log, and for the span
        }

        Activity.Current?.SetTag("http.request.method", context.Request.Method);

        var route = limiter.RouteOf(context);
        var problem = await limiter.TakeAsync(context, route, caller, failed: refusal is { Status: 401 }) ?? Check(context, caller, refusal, callers) ?? await BodyForm.CheckAsync(context);
        if (problem is not null)
        {
            await ProblemWriter.WriteAsync(context, problem);
            return;
        }

        if (route.StreamOf(context.Request) is { } kind)
        {
            await ServeStreamAsync(context, caller, kind);
            return;
        }

        try
        {
            await next(context);
        }
        finally
        {
            if (context.Features.Get<AttachedStream>() is { } attached)
            {
                await streams.CloseAsync(attached.Caller, attached.Kind);
            }
        }

        if (caller is null && context.Response.StatusCode == StatusCodes.Status401Unauthorized)
        {
            await limiter.CountFailureAsync(context, route);
        }
    }

    /// <summary>Without a caller it is a socket that is yet to say whose it is.</summary>
    private async Task ServeStreamAsync(HttpContext context, Caller? caller, StreamKind kind)
    {
        var edge = context.Features.Get<RequestEdge>()!;
        if ((caller is null ? streams.TryOpenStranger(edge) : await streams.TryOpenAsync(caller, kind, edge: edge)) is { } full)
        {
            await ProblemWriter.WriteAsync(context, full);
            return;
        }

        try
        {
            await next(context);
        }
        finally
        {
            if (caller is null)
            {
                streams.CloseStranger(edge.Client);
            }
            else
            {
                await streams.CloseAsync(caller, kind);
            }
        }
    }

    private static Problem? Check(HttpContext context, Caller? caller, Problem? refusal, ICallers callers)
    {
        // 405 and 415 answers are endpoints too; they are not routes and run nothing of ours.
        if (context.GetEndpoint() is not RouteEndpoint endpoint || endpoint.Metadata.GetMetadata<RoutePermission>() is { Name: null })
        {
            return null;
        }

        if (caller is null && refusal is null && endpoint.Metadata.GetMetadata<LateAuthentication>() is not null)
        {
            return null;
        }

        if (caller is null)
        {
            return refusal ?? callers.Nobody;
        }

        var permission = endpoint.Metadata.GetMetadata<RoutePermission>();
        return permission is { Name: { } name } && caller.May(name)
            ? null
            : Problems.Forbidden("permission_missing", $"This needs the permission {permission?.Name ?? "(none is declared)"}, which you do not have.");
    }
}
