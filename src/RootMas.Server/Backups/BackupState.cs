using System.Data.Common;
using Microsoft.Extensions.Logging.Abstractions;
using RootMas.Server.Platform;
using RootMas.Server.Platform.Data;

namespace RootMas.Server.Backups;

/// <summary>When backups went well last, on whichever instance.</summary>
/// <param name="Installed">When the database was made.</param>
internal sealed record BackupTimes(DateTimeOffset? Success, DateTimeOffset? Verified, DateTimeOffset Installed)
{
    /// <summary>From when on the age of the newest backup counts.</summary>
    public DateTimeOffset Since => Success ?? Installed;

    /// <summary>Clocks of several instances differ by less: taken for an error, what one of them made would have the others make another, and it one more after theirs.</summary>
    private static readonly TimeSpan Skew = TimeSpan.FromDays(1);

    /// <summary>A clock that was ahead made it: when it really was nobody knows.</summary>
    public static bool IsAhead(DateTimeOffset time, DateTimeOffset now) => time - now > Skew;

    public bool AnyAhead(DateTimeOffset now) => IsAhead(Success ?? Installed, now) || IsAhead(Verified ?? Installed, now);

    /// <summary>With what is later than now as unknown, so that a backup is due at once and its age is seen.</summary>
    public BackupTimes AsOf(DateTimeOffset now) => new(
        Success is { } made && IsAhead(made, now) ? null : Success,
        Verified is { } seen && IsAhead(seen, now) ? null : Verified,
        IsAhead(Installed, now) ? DateTimeOffset.UnixEpoch : Installed);
}

/// <summary>The times that instances share. The archives themselves, with their records, are the truth about what there is.</summary>
internal sealed class BackupState(IDatabase database)
{
    private const string Save = "insert into backup_state (name, at, backup, instance) values (@name, @at, @backup, @instance) on conflict (name) do update set at = @at, backup = @backup, instance = @instance";

    public Task<BackupTimes> ReadAsync(CancellationToken cancellationToken) => database.ReadAsync(
        static async session =>
        {
            var times = (await session.Prepared("select name, at from backup_state").ListAsync(static row => (row.GetString(0), row.Time(1)))).ToDictionary(StringComparer.Ordinal);
            var installed = await session.Prepared("select min(applied_at) from schema_migrations").Int64Async();
            return new BackupTimes(TimeOf(times, "last_success"), TimeOf(times, "last_verified"), UnixTime.FromMicros(installed ?? 0));
        },
        cancellationToken);

    /// <summary>What was made or checked, and in the same transaction whatever else is to be written about it.</summary>
    public Task KeepAsync(BackupRecord record, bool made, Func<DbSession, ValueTask>? also, CancellationToken cancellationToken) => database.WriteAsync(
        async session =>
        {
            if (made)
            {
                await SaveAsync(session, "last_success", record.CreatedAt, record.Id);
            }

            if (record.Verification is { Ok: true } verified)
            {
                await SaveAsync(session, "last_verified", verified.At, record.Id);
            }

            if (also is not null)
            {
                await also(session);
            }
        },
        cancellationToken);

    /// <summary>The same by a command, where no server runs: nothing is started, and nobody's data directory taken.</summary>
    /// <returns>Why it could not be noted; null: it was, or there is no database to note it in.</returns>
    public static async Task<string?> KeepBesideAsync(BackupSetup setup, BackupRecord record, bool made)
    {
        try
        {
            HalfRestored.Refuse(setup.Data);
            if (setup.Database.Kind == DatabaseKind.Postgres)
            {
                await using var server = new PostgresDatabase(
                    setup.Database with { PoolMin = 0, PoolMax = 2 }, static _ => Task.CompletedTask, setup.Time, NullLogger<PostgresDatabase>.Instance, outbound: setup.Policies);
                await new BackupState(server).KeepAsync(record, made, null, CancellationToken.None);
            }
            else if (File.Exists(setup.Data.DatabasePath)) // opened to be written it would be made
            {
                await using var file = new SqliteDatabase(setup.Data.DatabasePath, setup.Database, static () => { }, setup.Time, NullLogger<SqliteDatabase>.Instance);
                await new BackupState(file).KeepAsync(record, made, null, CancellationToken.None);
            }

            return null;
        }
        catch (Exception e) when (e is DbException or StorageUnavailableException or StartupRefusedException or TimeoutException or IOException or UnauthorizedAccessException)
        {
            return $"The database could not note this, so doctor, /health and alerts do not count it: {e.Message}";
        }
    }

    /// <summary>For acts that changed no time.</summary>
    public Task KeepAsync(Func<DbSession, ValueTask> also, CancellationToken cancellationToken) => database.WriteAsync(also, cancellationToken);

    private static async ValueTask SaveAsync(DbSession session, string name, DateTimeOffset at, string backup) =>
        await session.Prepared(Save).Set("name", name).Set("at", at).Set("backup", backup).Set("instance", Environment.MachineName).RunAsync();

    private static DateTimeOffset? TimeOf(Dictionary<string, DateTimeOffset> times, string name) => times.TryGetValue(name, out var at) ? at : null;
}
