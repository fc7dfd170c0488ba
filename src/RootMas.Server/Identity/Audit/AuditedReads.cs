using RootMas.Server.Platform.Data;
using RootMas.Server.Platform.Http;

namespace RootMas.Server.Identity.Audit;

/// <summary>Writes the row of a route that declares <see cref="RouteAudit.OnAccess"/>, before its handler: what could not be written down is not shown.</summary>
internal sealed class AuditedReads(RequestDelegate next, AuditLog log, IDatabase database)
{
    public Task InvokeAsync(HttpContext context) =>
        context.GetEndpoint()?.Metadata.GetMetadata<RouteAudit>() is { OnAccess: true, Action: { } action } ? WriteThenGoOnAsync(context, action) : next(context);

    private async Task WriteThenGoOnAsync(HttpContext context, string action)
    {
        var entry = context.Audit(action) with { TargetKind = "route", TargetId = (context.GetEndpoint() as RouteEndpoint)?.RoutePattern.RawText };
        await database.WriteAsync(session => log.AppendAsync(session, entry), context.RequestAborted);
        await next(context);
    }
}
