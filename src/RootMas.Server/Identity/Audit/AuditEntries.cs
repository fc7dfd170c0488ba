using RootMas.Server.Identity.Access;
using RootMas.Server.Platform.Data;
using RootMas.Server.Platform.Http;

namespace RootMas.Server.Identity.Audit;

/// <summary>Begins entries with what a request tells about its caller.</summary>
public static class AuditEntries
{
    /// <summary>An entry of this request's caller, address and request id; add target and change with <c>with</c>.</summary>
    public static AuditEntry Audit(this HttpContext context, string action)
    {
        ArgumentNullException.ThrowIfNull(context);
        var caller = context.Features.Get<Caller>();
        var edge = context.Features.Get<RequestEdge>();
        return new AuditEntry
        {
            Action = action,
            ActorId = caller?.UserId,
            ActorName = caller?.Username,
            Credential = caller is null ? null : System.Text.Json.JsonNamingPolicy.SnakeCaseLower.ConvertName(caller.Credential.ToString()),
            SessionId = caller?.SessionId,
            Address = edge?.Client.Address.ToString(),
            RequestId = edge?.RequestId,
        };
    }

    /// <summary>The entry, ready to be written by whatever makes the change, in its transaction.</summary>
    public static AuditWrite AuditRow(this HttpContext context, AuditEntry entry)
    {
        ArgumentNullException.ThrowIfNull(context);
        var log = context.RequestServices.GetRequiredService<AuditLog>();
        return session => log.AppendAsync(session, entry);
    }
}

/// <summary>Writes a prepared row in the transaction of the change it tells of.</summary>
public delegate ValueTask AuditWrite(DbSession session);
