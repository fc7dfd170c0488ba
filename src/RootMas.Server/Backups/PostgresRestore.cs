using System.Globalization;
using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;
using NpgsqlTypes;
using RootMas.Server.Platform.Data;
using RootMas.Server.Platform.Moving;

namespace RootMas.Server.Backups;

/// <summary>
/// A restore into the configured PostgreSQL database. What is there moves into a schema of its own, in the transaction that sets the sign; the dump is loaded in one transaction; the sign goes with the last one.
/// So the old is untouched, or nobody starts on it and the restore can be repeated.
/// </summary>
internal sealed class PostgresRestore(BackupSetup setup, BackupManifest manifest)
{
    /// <summary>Everything that can stand in the schema, as the statement that moves or removes it; extensions' own things are theirs.</summary>
    private const string Objects = """
        WITH own AS (SELECT oid FROM pg_namespace WHERE nspname = current_schema()),
             theirs AS (SELECT objid FROM pg_depend WHERE deptype IN ('e', 'a', 'i') AND classid IN ('pg_class'::regclass, 'pg_proc'::regclass, 'pg_collation'::regclass))
        SELECT CASE relkind WHEN 'S' THEN 'SEQUENCE' WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW' ELSE 'TABLE' END || ' ' || c.oid::regclass
          FROM pg_class c, own WHERE c.relnamespace = own.oid AND relkind IN ('r', 'p', 'v', 'm', 'S') AND c.relname <> 'restore_in_progress' AND c.oid NOT IN (SELECT objid FROM theirs)
        UNION ALL
        SELECT 'ROUTINE ' || p.oid::regprocedure FROM pg_proc p, own WHERE p.pronamespace = own.oid AND p.oid NOT IN (SELECT objid FROM theirs)
        UNION ALL
        SELECT 'COLLATION ' || o.oid::regcollation FROM pg_collation o, own WHERE o.collnamespace = own.oid AND o.oid NOT IN (SELECT objid FROM theirs)
        """;

    /// <summary>What a pooler keeps open after a client went does nothing, holds nothing, and last did what lets go of everything (PgBouncer's <c>server_reset_query</c>). Whoever works here also holds a lock.</summary>
    private const string Others = """
        SELECT count(*) FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend' AND usename = current_user AND application_name <> 'rootmas-backup'
          AND (state = 'idle' AND query = 'DISCARD ALL') IS NOT TRUE
        """;

    private NpgsqlConnectionStringBuilder Server
    {
        get
        {
            var server = PostgresConnection.Single(setup.Database);
            server.ApplicationName = "rootmas-backup";
            return server;
        }
    }

    /// <summary>What stood in the place, after <see cref="BeginAsync"/>, also where that is the second one; null: nothing.</summary>
    public Replaced? Replaced { get; private set; }

    public Task CheckDumpAsync(string dump, CancellationToken cancellationToken) => setup.Postgres().RequireLoadableAsync(dump, Server, manifest.Database, cancellationToken);

    /// <returns>The schema that holds what was there; null: there was nothing.</returns>
    public Task<string?> BeginAsync(bool force, CancellationToken cancellationToken) => PostgresCopy.ToldAsync(async () =>
    {
        await using var connection = await PostgresCopy.OpenAsync(Server, setup.Policies, cancellationToken);
        var schema = await PostgresCopy.SchemaAsync(connection, null, cancellationToken);
        await CheckAsync(connection, schema, cancellationToken);
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        await DatabaseReading.ExecuteAsync(connection, transaction, $"SELECT pg_advisory_xact_lock({HalfRestored.MigrationLock.ToString(CultureInfo.InvariantCulture)})", cancellationToken);
        await RefuseServersAsync(connection, transaction, cancellationToken);
        var objects = await DatabaseReading.ListAsync(connection, transaction, Objects, static row => row.GetString(0), cancellationToken);
        string? aside;
        if (await IsHalfRestoredAsync(connection, transaction, cancellationToken))
        {
            // What stands here came from the attempt that was interrupted; what was there before is aside.
            aside = await DatabaseReading.ScalarAsync(connection, transaction, $"SELECT aside FROM {HalfRestored.Table}", cancellationToken) as string;
            await EachAsync(connection, transaction, objects, static o => $"DROP {o} CASCADE", cancellationToken);
        }
        else
        {
            aside = objects.Count == 0 ? null : force ? await MoveAsideAsync(connection, transaction, objects, cancellationToken) : throw BackupRestore.NotEmpty($"{objects.Count} tables and routines in {PostgresConnection.Describe(setup.Database)}");
            await DatabaseReading.ExecuteAsync(connection, transaction, $"CREATE TABLE {HalfRestored.Table} (backup TEXT NOT NULL, aside TEXT)", cancellationToken);
            await using var sign = new NpgsqlCommand($"INSERT INTO {HalfRestored.Table} (backup, aside) VALUES (@backup, @aside)", connection, transaction);
            sign.Parameters.Add(new NpgsqlParameter("backup", NpgsqlDbType.Text) { Value = manifest.Id });
            sign.Parameters.Add(new NpgsqlParameter("aside", NpgsqlDbType.Text) { Value = (object?)aside ?? DBNull.Value });
            await sign.ExecuteNonQueryAsync(cancellationToken);
        }

        Replaced = aside is null ? null : await ReplacedAsync(connection, transaction, aside, cancellationToken);
        await transaction.CommitAsync(cancellationToken);
        return aside;
    });

    public Task LoadAsync(string dump, CancellationToken cancellationToken) => PostgresCopy.ToldAsync(async () =>
    {
        await setup.Postgres().LoadAsync(dump, Server, manifest.Database, cancellationToken);
        await using var connection = await PostgresCopy.OpenAsync(Server, setup.Policies, cancellationToken);
        var found = await PostgresCopy.FactsAsync(connection, null, manifest.Database.Schema ?? "public", cancellationToken);
        var differences = DatabaseReading.Differences(manifest.Database, found).ToList();
        return differences.Count == 0 ? true : throw new BackupException(BackupFailure.Damaged, $"What was loaded is not what the source was: {string.Join("; ", differences)}. What was there before is kept aside; restore another backup.");
    });

    /// <param name="fromArchive">Its opened keys.</param>
    /// <returns>For people.</returns>
    public async Task<List<string>> EndAsync(IReadOnlyDictionary<string, byte[]> fromArchive, RestoreChoices choices, CancellationToken cancellationToken)
    {
        await using var database = new PostgresDatabase(setup.Database with { PoolMin = 0, PoolMax = 2 }, static _ => Task.CompletedTask, setup.Time, NullLogger<PostgresDatabase>.Instance, outbound: setup.Policies);
        return await RestoredDatabase.FinishAsync(database, manifest, await setup.AuditKeysAsync(fromArchive, database, cancellationToken), Replaced, choices, cancellationToken);
    }

    private async Task CheckAsync(NpgsqlConnection connection, string schema, CancellationToken cancellationToken)
    {
        if (schema != (manifest.Database.Schema ?? "public"))
        {
            throw new BackupException(BackupFailure.Mismatch, $"The backup is of the schema {manifest.Database.Schema}, and Database:ConnectionString leads to {schema}. Nothing was changed. Set the search path to the backup's schema.");
        }

        if (connection.PostgreSqlVersion.Major < PostgresCopy.MajorOf(manifest.Database.ServerVersion))
        {
            throw new BackupException(BackupFailure.Mismatch, $"The backup is of PostgreSQL {manifest.Database.ServerVersion}, and this server is {connection.ServerVersion}. Nothing was changed. Restore it on a server that is not older.");
        }

        if (Convert.ToInt64(await DatabaseReading.ScalarAsync(connection, null, Others, cancellationToken), CultureInfo.InvariantCulture) is > 0 and var others)
        {
            throw new BackupException(BackupFailure.Busy, $"{others} connections of other processes are open on {PostgresConnection.Describe(setup.Database)}. Nothing was changed. Stop every server and worker of this installation, then restore. What a pooler keeps open counts too, unless it was reset (DISCARD ALL).");
        }
    }

    /// <summary>The backup's time is not unique, so the schema has a name of its own.</summary>
    private async Task<string> MoveAsideAsync(NpgsqlConnection connection, NpgsqlTransaction transaction, List<string> objects, CancellationToken cancellationToken)
    {
        var aside = "rootmas_replaced_" + BackupNames.NewId(setup.Time.GetUtcNow()).Replace('-', '_').ToLowerInvariant();
        await DatabaseReading.ExecuteAsync(connection, transaction, $"CREATE SCHEMA {aside}", cancellationToken);
        await EachAsync(connection, transaction, objects, o => $"ALTER {o} SET SCHEMA {aside}", cancellationToken);
        return aside;
    }

    private static async Task EachAsync(NpgsqlConnection connection, NpgsqlTransaction transaction, List<string> objects, Func<string, string> statement, CancellationToken cancellationToken)
    {
        // Names are PostgreSQL's own quoting (regclass, regprocedure).
        foreach (var thing in objects)
        {
            await DatabaseReading.ExecuteAsync(connection, transaction, statement(thing), cancellationToken);
        }
    }

    /// <summary>Whoever works on the database holds a lock of the session there, as whatever role and from wherever it connects.</summary>
    private async Task RefuseServersAsync(NpgsqlConnection connection, NpgsqlTransaction transaction, CancellationToken cancellationToken)
    {
        if (Convert.ToInt64(await DatabaseReading.ScalarAsync(connection, transaction, PostgresSide.LocksOfOthers, cancellationToken), CultureInfo.InvariantCulture) > 0)
        {
            throw new BackupException(BackupFailure.Busy, $"A server or worker runs on {PostgresConnection.Describe(setup.Database)}. Nothing was changed. Stop every server and worker of this installation, on every machine, then restore.");
        }
    }

    /// <summary>A statement that fails would end the transaction, and what cannot be read may be why there is a restore.</summary>
    private static async Task<Replaced> ReplacedAsync(NpgsqlConnection connection, NpgsqlTransaction transaction, string schema, CancellationToken cancellationToken)
    {
        return await DatabaseReading.ScalarAsync(connection, transaction, $"SELECT to_regclass('{schema}.schema_migrations') IS NOT NULL", cancellationToken) is true
            ? await DatabaseReading.ReplacedAsync(connection, transaction, schema + ".", cancellationToken)
            : new Replaced(null);
    }

    private static async Task<bool> IsHalfRestoredAsync(NpgsqlConnection connection, NpgsqlTransaction transaction, CancellationToken cancellationToken) =>
        await DatabaseReading.ScalarAsync(connection, transaction, $"SELECT to_regclass('{HalfRestored.Table}') IS NOT NULL", cancellationToken) is true;
}
