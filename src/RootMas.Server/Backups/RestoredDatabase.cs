using System.Text.Json.Nodes;
using RootMas.Server.Identity.Audit;
using RootMas.Server.Platform;
using RootMas.Server.Platform.Data;

namespace RootMas.Server.Backups;

/// <summary>What is changed in a restored database before anybody uses it.</summary>
internal static class RestoredDatabase
{
    /// <summary>
    /// One transaction. Sessions and tokens that ended after the backup would live again, so all of them end: nobody gets in by something that was taken from them. The restore is a row of the audit log, if the key
    /// that made the newest row is here.
    /// </summary>
    public static Task FinishAsync(IDatabase database, BackupManifest manifest, IReadOnlyList<AuditKey> keys, CancellationToken cancellationToken) => database.WriteAsync(
        async session =>
        {
            if (manifest.Database.Tables.ContainsKey("sessions"))
            {
                await session.Prepared("update sessions set revoked_at = @now where revoked_at is null").Set("now", session.Now).RunAsync();
            }

            if (manifest.Database.AuditHead is not null)
            {
                var last = await AuditStore.LastKeyAsync(session);
                if (keys.FirstOrDefault(k => last is null || k.Id == last) is { } key)
                {
                    await new AuditLog(key).AppendAsync(session, EntryOf(manifest));
                }
            }

            if (session.Kind == DatabaseKind.Postgres)
            {
                await session.Prepared($"drop table if exists {HalfRestored.Table}").RunAsync();
            }
        },
        cancellationToken);

    private static AuditEntry EntryOf(BackupManifest manifest) => new()
    {
        Action = "backup.restore",
        Credential = "local",
        TargetKind = "backup",
        TargetId = manifest.Id,
        After = new JsonObject { ["created_at"] = manifest.CreatedAt.ToString("O"), ["version"] = ProgramVersion.Text, ["head"] = manifest.Database.AuditHead },
    };
}
