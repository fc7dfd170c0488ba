using RootMas.Server.Identity.Audit;
using RootMas.Server.Platform.Data;

namespace RootMas.Server.Identity.Sessions;

/// <summary>Ends sessions by the hand of those they belong to.</summary>
public sealed class OwnSessions(IDatabase database, SessionStore store, AuditLog audit)
{
    /// <summary>False: the user has no such session, or it is over already.</summary>
    public Task<bool> EndAsync(string id, string userId, AuditEntry entry) => database.WriteAsync(
        async session =>
        {
            var ended = await store.RevokeAsync(session, id, userId);
            if (ended)
            {
                await audit.AppendAsync(session, entry with { TargetKind = "session", TargetId = id });
            }

            return ended;
        },
        CancellationToken.None);
}
