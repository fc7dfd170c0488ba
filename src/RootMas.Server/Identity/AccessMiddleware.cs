using RootMas.Server.Platform.Http;

namespace RootMas.Server.Identity;

/// <summary>After routing, before the handler: who calls, how often, and whether the route's permission is theirs. Then the body's form.</summary>
public sealed class AccessMiddleware(RequestDelegate next, ICallers callers, RequestLimiter limiter)
{
    public async Task InvokeAsync(HttpContext context)
    {
        var caller = await callers.ResolveAsync(context);
        context.Features.Set(caller);
        var limit = limiter.Take(caller.UserId);
        context.Features.Get<RequestEdge>()!.RateLimit = limit;
        var problem = !limit.IsWithin ? limiter.Refusal(limit) : Check(context, caller) ?? await BodyForm.CheckAsync(context);
        if (problem is not null)
        {
            await ProblemWriter.WriteAsync(context, problem);
            return;
        }

        await next(context);
    }

    private static Problem? Check(HttpContext context, Caller caller)
    {
        // 405 and 415 answers are endpoints too; they are not routes and run nothing of ours.
        if (context.GetEndpoint() is not RouteEndpoint endpoint)
        {
            return null;
        }

        var permission = endpoint.Metadata.GetMetadata<RoutePermission>();
        if (permission is { Name: null } || (permission is { Name: { } name } && caller.May(name)))
        {
            return null;
        }

        return Problems.Forbidden("permission_missing", $"This needs the permission {permission?.Name ?? "(none is declared)"}, which you do not have.");
    }
}
