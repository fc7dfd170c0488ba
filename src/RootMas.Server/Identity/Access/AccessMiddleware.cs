using RootMas.Server.Identity.Limits;
using RootMas.Server.Platform.Http;

namespace RootMas.Server.Identity.Access;

/// <summary>After routing, before the handler: who calls, how often, and whether the route's permission is theirs. Then the body's form.</summary>
public sealed class AccessMiddleware(RequestDelegate next, ICallers callers, RequestLimiter limiter)
{
    public async Task InvokeAsync(HttpContext context)
    {
        var (caller, refusal) = await callers.ResolveAsync(context);
        if (caller is not null)
        {
            context.Features.Set(caller);
        }

        var limit = limiter.Take(caller?.UserId ?? "");
        context.Features.Get<RequestEdge>()!.RateLimit = limit;
        var problem = !limit.IsWithin ? limiter.Refusal(limit) : Check(context, caller, refusal) ?? await BodyForm.CheckAsync(context);
        if (problem is not null)
        {
            await ProblemWriter.WriteAsync(context, problem);
            return;
        }

        await next(context);
    }

    private static Problem? Check(HttpContext context, Caller? caller, Problem? refusal)
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
            return refusal ?? Problems.Unauthorized("authentication_required", "This needs a login: send Authorization: Bearer with an access token or an API key. Nothing was done.");
        }

        var permission = endpoint.Metadata.GetMetadata<RoutePermission>();
        return permission is { Name: { } name } && caller.May(name)
            ? null
            : Problems.Forbidden("permission_missing", $"This needs the permission {permission?.Name ?? "(none is declared)"}, which you do not have.");
    }
}
