using System.Text.Json.Nodes;
using RootMas.Server.Identity.Audit;
using RootMas.Server.Identity.Users;
using RootMas.Server.Platform.Data;

namespace RootMas.Server.Identity.Sessions;

/// <summary>Ends sessions by somebody's hand: those they belong to, or an administrator. Who it was stands in the audit log.</summary>
public sealed class SessionEnds(IDatabase database, SessionStore store, AuditLog audit)
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

    /// <summary>How many ended; null: there is no such user.</summary>
    /// <param name="except">The session that stays.</param>
    public Task<int?> EndAllAsync(string userId, string? except, AuditEntry entry) => database.WriteAsync<int?>(
        async session =>
        {
            if (await UserStore.HoldAsync(session, userId) is null)
            {
                return null;
            }

            var ended = await store.RevokeAllAsync(session, userId, except);
            await audit.AppendAsync(session, entry with { TargetKind = "user", TargetId = userId, After = new JsonObject { ["sessions"] = ended } });
            return ended;
        },
        CancellationToken.None);
}
