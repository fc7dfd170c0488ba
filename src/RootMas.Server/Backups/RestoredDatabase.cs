using System.Text.Json.Nodes;
using RootMas.Server.Identity.Audit;
using RootMas.Server.Platform;
using RootMas.Server.Platform.Data;

namespace RootMas.Server.Backups;

/// <summary>What is changed in a restored database before anybody uses it.</summary>
internal static class RestoredDatabase
{
    private const string AnInstallationOfItsOwn =
        "This is an installation of its own now: its queues on a broker, and its backups in a place that others share, are told from those of the installation that the backup is of. If it takes that one's place on a new machine, restore with --same-installation.";

    /// <summary>
    /// One transaction. Sessions and tokens that ended after the backup would live again, so all of them end. What else was taken from people since (accounts, roles, passwords, API keys) they have again, which is told. The restore is a row of
    /// the audit log, if the key that made the newest row is here.
    /// </summary>
    /// <param name="replaced">What stood in the place; null: nothing.</param>
    /// <returns>For people.</returns>
    public static Task<List<string>> FinishAsync(IDatabase database, BackupManifest manifest, IReadOnlyList<AuditKey> keys, Replaced? replaced, RestoreChoices choices, CancellationToken cancellationToken) => database.WriteAsync(
        async session =>
        {
            var anew = IsAnew(manifest, replaced, choices);
            if (anew)
            {
                await session.Prepared("update schema_migrations set applied_at = @now where number = (select min(number) from schema_migrations)").Set("now", session.Now).RunAsync();
            }

            if (manifest.Database.Tables.ContainsKey("sessions"))
            {
                await session.Prepared("update sessions set revoked_at = @now where revoked_at is null").Set("now", session.Now).RunAsync();
            }

            var users = replaced?.Users is null ? null : RestoredUsers.Note(manifest, replaced, await session.Prepared($"{UserStanding.Select}users").ListAsync(UserStanding.Read));
            var runs = await RestoredRuns.SettleAsync(session, manifest, choices.EndRuns, anew);
            await RecordAsync(session, manifest, keys);
            if (session.Kind == DatabaseKind.Postgres)
            {
                await session.Prepared($"drop table if exists {HalfRestored.Table}").RunAsync();
            }

            return new[] { anew ? AnInstallationOfItsOwn : null, users, runs }.OfType<string>().ToList();
        },
        cancellationToken);

    /// <summary>
    /// Whether it becomes an installation of its own: the source may live on, and both would use the queues of one broker and the backups of one place. It stays the one it was where it takes that one's place, where what stands there cannot be
    /// read and is being mended, and where whoever restores says so.
    /// </summary>
    /// <param name="replaced">What stood in the place; null: nothing.</param>
    public static bool IsAnew(BackupManifest manifest, Replaced? replaced, RestoreChoices choices) =>
        !choices.SameInstallation && manifest.Database.Installation is not null && (replaced is null || (replaced.Installation is { } id && id != manifest.Database.Installation));

    private static async ValueTask RecordAsync(DbSession session, BackupManifest manifest, IReadOnlyList<AuditKey> keys)
    {
        if (manifest.Database.AuditHead is null)
        {
            return;
        }

        var last = await AuditStore.LastKeyAsync(session);
        if (keys.FirstOrDefault(k => last is null || k.Id == last) is { } key)
        {
            await new AuditLog(key).AppendAsync(session, EntryOf(manifest));
        }
    }

    private static AuditEntry EntryOf(BackupManifest manifest) => new()
    {
        Action = "backup.restore",
        Credential = "local",
        TargetKind = "backup",
        TargetId = manifest.Id,
        After = new JsonObject { ["created_at"] = manifest.CreatedAt.ToString("O"), ["version"] = ProgramVersion.Text, ["head"] = manifest.Database.AuditHead },
    };
}

/// <summary>A database whose place a backup takes.</summary>
/// <param name="Installation">Null: it cannot be read.</param>
/// <param name="Users">Null: they cannot be read.</param>
/// <param name="AuditEnd">Number of the newest row of its audit log.</param>
internal sealed record Replaced(string? Installation, IReadOnlyList<UserStanding>? Users = null, long AuditEnd = 0);
