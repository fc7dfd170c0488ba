using RootMas.Server.Identity.Access;
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
}
