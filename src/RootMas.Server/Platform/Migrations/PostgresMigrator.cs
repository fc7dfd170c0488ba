using Npgsql;
using RootMas.Server.Platform.Data;

namespace RootMas.Server.Platform.Migrations;

/// <summary>
/// Brings a PostgreSQL database up to date. Each script runs in one transaction with its row in <c>schema_migrations</c>, under an advisory lock that ends with the transaction:
/// a process that dies midway leaves nothing of it, and of several that start together one does the work while the others wait.
/// </summary>
public sealed class PostgresMigrator(DatabaseOptions options, IReadOnlyList<Migration> known, TimeProvider time, ILogger<PostgresMigrator> logger)
{
    /// <summary>Migrations that this call applied.</summary>
    /// <exception cref="StartupRefusedException">The database is newer than this program, or its history is another one. Nothing was changed.</exception>
    public async Task<IReadOnlyList<Migration>> MigrateAsync(CancellationToken cancellationToken)
    {
        await using var connection = await PostgresConnection.OpenAsync(options, writes: true, cancellationToken);
        List<Migration> applied = [];
        while (await ApplyNextAsync(connection, cancellationToken) is { } migration)
        {
            applied.Add(migration);
            MigratorLog.Applied(logger, migration.Number, migration.Name);
        }

        return applied;
    }

    /// <summary>Looks only.</summary>
    public async Task<MigrationPlan> PlanAsync(CancellationToken cancellationToken)
    {
        await using var connection = await PostgresConnection.OpenAsync(options, writes: false, cancellationToken);
        return MigrationPlan.Of(known, await AppliedAsync(connection, cancellationToken));
    }

    /// <summary>One transaction: wait for others, look, decide, apply. Null: nothing is pending any more.</summary>
    private async Task<Migration?> ApplyNextAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        await ExecuteAsync(connection, $"SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0; SELECT pg_advisory_xact_lock({HalfRestored.MigrationLock})", cancellationToken);
        var plan = MigrationPlan.Of(known, await AppliedAsync(connection, cancellationToken));
        if (plan.Refusal is { } refusal)
        {
            throw new StartupRefusedException(refusal);
        }

        var next = plan.Pending.Count > 0 ? plan.Pending[0] : null;
        if (next is not null)
        {
            await ApplyAsync(connection, next, cancellationToken);
        }

        await transaction.CommitAsync(cancellationToken);
        return next;
    }

    private async Task ApplyAsync(NpgsqlConnection connection, Migration migration, CancellationToken cancellationToken)
    {
        await ExecuteAsync(
            connection,
            """
            CREATE TABLE IF NOT EXISTS schema_migrations (
                number          BIGINT NOT NULL PRIMARY KEY,
                name            TEXT   NOT NULL,
                checksum        TEXT   NOT NULL,
                applied_at      BIGINT NOT NULL,
                program_version TEXT   NOT NULL
            )
            """,
            cancellationToken);
        await ExecuteAsync(connection, migration.Sql, cancellationToken);
        await using var command = connection.CreateCommand();
        var tells = await TellsUseAsync(connection, cancellationToken);
        command.CommandText = $"INSERT INTO schema_migrations (number, name, checksum, applied_at, program_version{(tells ? ", usable_from" : "")}) VALUES (@number, @name, @checksum, @now, @version{(tells ? ", @usable" : "")})";
        command.Set("number", migration.Number).Set("name", migration.Name).Set("checksum", migration.Checksum)
            .Set("now", time.GetUtcNow()).Set("version", ProgramVersion.Text);
        if (tells)
        {
            command.Set("usable", migration.UsableFrom);
        }

        await command.ExecuteNonQueryAsync(cancellationToken);
    }

    /// <exception cref="StartupRefusedException">A restore was interrupted.</exception>
    private static async Task<List<AppliedMigration>> AppliedAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        await using var half = new NpgsqlCommand($"SELECT to_regclass('{HalfRestored.Table}') IS NOT NULL", connection);
        if (await half.ExecuteScalarAsync(cancellationToken) is true)
        {
            throw HalfRestored.Refusal();
        }

        await using var exists = new NpgsqlCommand("SELECT to_regclass('schema_migrations') IS NOT NULL", connection);
        if (await exists.ExecuteScalarAsync(cancellationToken) is not true)
        {
            return [];
        }

        var use = await TellsUseAsync(connection, cancellationToken) ? "usable_from" : "NULL::bigint";
        await using var command = new NpgsqlCommand($"SELECT number, name, checksum, applied_at, program_version, {use} FROM schema_migrations ORDER BY number", connection);
        await using var row = await command.ExecuteReaderAsync(cancellationToken);
        List<AppliedMigration> applied = [];
        while (await row.ReadAsync(cancellationToken))
        {
            applied.Add(new AppliedMigration(row.GetInt32(0), row.GetString(1), row.GetString(2), row.Time(3), row.GetString(4), (int?)row.Int64OrNull(5)));
        }

        return applied;
    }

    /// <summary>Since migration 48.</summary>
    private static async Task<bool> TellsUseAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand("SELECT 1 FROM information_schema.columns WHERE table_schema = current_schema() AND table_name = 'schema_migrations' AND column_name = 'usable_from'", connection);
        return await command.ExecuteScalarAsync(cancellationToken) is not null;
    }

    /// <summary>Scripts may take as long as they need.</summary>
    private static async Task ExecuteAsync(NpgsqlConnection connection, string sql, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand(sql, connection) { CommandTimeout = 0 };
        await command.ExecuteNonQueryAsync(cancellationToken);
    }
}
