using Microsoft.Data.Sqlite;
using RootMas.Server.Platform.Data;

namespace RootMas.Server.Platform.Migrations;

/// <summary>
/// Brings a SQLite file up to date. Each script runs in one transaction with its row in <c>schema_migrations</c>, under the file's write lock:
/// a process that dies midway leaves nothing of it, and of two that start together one does the work while the other waits.
/// </summary>
public sealed class SqliteMigrator(string path, IReadOnlyList<Migration> known, TimeProvider time, ILogger<SqliteMigrator> logger)
{
    private static readonly TimeSpan LockTimeout = TimeSpan.FromSeconds(30);

    /// <summary>Migrations that this call applied.</summary>
    /// <exception cref="StartupRefusedException">The database is newer than this program, or its history is another one. Nothing was changed.</exception>
    /// <exception cref="StorageUnavailableException">The file is damaged, or cannot be read or written.</exception>
    public IReadOnlyList<Migration> Migrate() => Told(ApplyAll);

    /// <summary>Looks only. A file that is not there yet counts as empty.</summary>
    /// <exception cref="StorageUnavailableException">The file is damaged, or cannot be read.</exception>
    public MigrationPlan Plan() => Told(Look);

    private static T Told<T>(Func<T> work)
    {
        try
        {
            return work();
        }
        catch (SqliteException e) when (SqliteErrors.IsOutage(e))
        {
            throw SqliteErrors.Translate(e);
        }
    }

    private List<Migration> ApplyAll()
    {
        CreatePrivately();
        using var connection = Open(SqliteOpenMode.ReadWriteCreate);
        Execute(connection, "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = OFF;");
        List<Migration> applied = [];
        while (ApplyNext(connection) is { } migration)
        {
            applied.Add(migration);
            MigratorLog.Applied(logger, migration.Number, migration.Name);
        }

        return applied;
    }

    private MigrationPlan Look()
    {
        if (!File.Exists(path))
        {
            return MigrationPlan.Of(known, []);
        }

        using var connection = Open(SqliteOpenMode.ReadOnly);
        return MigrationPlan.Of(known, Applied(connection));
    }

    /// <summary>One transaction: look, decide, apply. Null: nothing is pending any more.</summary>
    private Migration? ApplyNext(SqliteConnection connection)
    {
        Execute(connection, "BEGIN IMMEDIATE");
        try
        {
            var plan = MigrationPlan.Of(known, Applied(connection));
            if (plan.Refusal is { } refusal)
            {
                throw new StartupRefusedException(refusal);
            }

            var next = plan.Pending.Count > 0 ? plan.Pending[0] : null;
            if (next is not null)
            {
                Apply(connection, next);
            }

            Execute(connection, "COMMIT");
            return next;
        }
        catch
        {
            TryRollback(connection);
            throw;
        }
    }

    private void Apply(SqliteConnection connection, Migration migration)
    {
        Execute(connection, """
            CREATE TABLE IF NOT EXISTS schema_migrations (
                number          INTEGER PRIMARY KEY,
                name            TEXT    NOT NULL,
                checksum        TEXT    NOT NULL,
                applied_at      INTEGER NOT NULL,
                program_version TEXT    NOT NULL
            ) STRICT
            """);
        Execute(connection, migration.Sql);
        using var command = connection.CreateCommand();
        var tells = TellsUse(connection);
        command.CommandText = $"INSERT INTO schema_migrations (number, name, checksum, applied_at, program_version{(tells ? ", usable_from" : "")}) VALUES (@number, @name, @checksum, @now, @version{(tells ? ", @usable" : "")})";
        command.Set("number", migration.Number).Set("name", migration.Name).Set("checksum", migration.Checksum)
            .Set("now", time.GetUtcNow()).Set("version", ProgramVersion.Text);
        if (tells)
        {
            command.Set("usable", migration.UsableFrom);
        }

        command.ExecuteNonQuery();
        using var check = connection.CreateCommand();
        check.CommandText = "PRAGMA foreign_key_check";
        using var broken = check.ExecuteReader();
        if (broken.Read())
        {
            throw new StartupRefusedException($"Migration {migration.Number:0000}_{migration.Name} would leave rows of {broken.GetString(0)} that point nowhere. Nothing was changed. Restore a backup, or report this with the output of `rootmas doctor`.");
        }
    }

    private static List<AppliedMigration> Applied(SqliteConnection connection)
    {
        using var exists = connection.CreateCommand();
        exists.CommandText = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'schema_migrations'";
        if (exists.ExecuteScalar() is null)
        {
            return [];
        }

        using var command = connection.CreateCommand();
        command.CommandText = $"SELECT number, name, checksum, applied_at, program_version, {(TellsUse(connection) ? "usable_from" : "NULL")} FROM schema_migrations ORDER BY number";
        using var row = command.ExecuteReader();
        List<AppliedMigration> applied = [];
        while (row.Read())
        {
            applied.Add(new AppliedMigration(row.GetInt32(0), row.GetString(1), row.GetString(2), row.Time(3), row.GetString(4), (int?)row.Int64OrNull(5)));
        }

        return applied;
    }

    /// <summary>Since migration 48.</summary>
    private static bool TellsUse(SqliteConnection connection)
    {
        using var command = connection.CreateCommand();
        command.CommandText = "SELECT 1 FROM pragma_table_info('schema_migrations') WHERE name = 'usable_from'";
        return command.ExecuteScalar() is not null;
    }

    /// <summary>SQLite gives its log and index the mode of the database file.</summary>
    private void CreatePrivately()
    {
        var how = new FileStreamOptions { Mode = FileMode.OpenOrCreate, Access = FileAccess.ReadWrite, Share = FileShare.ReadWrite };
        if (!OperatingSystem.IsWindows())
        {
            how.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        }

        new FileStream(path, how).Dispose();
    }

    private SqliteConnection Open(SqliteOpenMode mode)
    {
        var connection = new SqliteConnection(SqliteConnectionKeeper.ConnectionString(path, LockTimeout, mode));
        try
        {
            connection.Open();
            Execute(connection, FormattableString.Invariant($"PRAGMA busy_timeout = {LockTimeout.TotalMilliseconds:0}"));
            return connection;
        }
        catch
        {
            connection.Dispose();
            throw;
        }
    }

    private static void TryRollback(SqliteConnection connection)
    {
        try
        {
            Execute(connection, "ROLLBACK");
        }
        catch (SqliteException)
        {
            // SQLite has already rolled back (disk full); the first error is the one to tell.
        }
    }

    private static void Execute(SqliteConnection connection, string sql)
    {
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        command.ExecuteNonQuery();
    }
}

internal static partial class MigratorLog
{
    [LoggerMessage(Level = LogLevel.Information, Message = "Applied migration {Number} {Name}")]
    public static partial void Applied(ILogger logger, int number, string name);
}
