using System.Data;
using System.Data.Common;
using System.Globalization;
using RootMas.Server.Platform.Data;

namespace RootMas.Server.Backups;

/// <summary>How one kind of database is copied, and how a copy is opened to be looked at.</summary>
internal interface IDatabaseCopy
{
    /// <summary>Name of the copy in the archive.</summary>
    string EntryName { get; }

    /// <summary>Writes a consistent copy to <paramref name="path"/>, beside those who write.</summary>
    Task<DatabaseFacts> CopyAsync(string path, CancellationToken cancellationToken);

    /// <summary>When the database that is to be copied was made; null: there is none.</summary>
    /// <exception cref="BackupException">It cannot be read.</exception>
    Task<DateTimeOffset?> MadeAtAsync(CancellationToken cancellationToken);

    /// <summary>Makes a database of the copy that nobody else sees. It goes with the disposal.</summary>
    /// <exception cref="BackupException">It cannot be made, or the copy does not load.</exception>
    Task<ScratchDatabase> OpenScratchAsync(string path, DatabaseFacts facts, CancellationToken cancellationToken);
}

/// <summary>A restored copy, and what is wrong with it so far.</summary>
internal sealed class ScratchDatabase(IDatabase database, DatabaseFacts facts, IReadOnlyList<string> problems, Func<ValueTask> drop) : IAsyncDisposable
{
    public IDatabase Database => database;

    public DatabaseFacts Facts => facts;

    public IReadOnlyList<string> Problems => problems;

    public async ValueTask DisposeAsync()
    {
        await ((IAsyncDisposable)database).DisposeAsync();
        await drop();
    }
}

/// <summary>What there is in a database: the same questions for both kinds.</summary>
internal static class DatabaseReading
{
    private const string BeforeUsers = "before_users";

    public static async Task<DatabaseFacts> FactsAsync(DbConnection connection, DatabaseKind kind, IReadOnlyList<string> tables, DbTransaction? transaction, CancellationToken cancellationToken)
    {
        var rows = new SortedDictionary<string, long>(StringComparer.Ordinal);
        foreach (var table in tables)
        {
            rows[table] = Convert.ToInt64(await ScalarAsync(connection, transaction, $"SELECT count(*) FROM \"{table.Replace("\"", "\"\"", StringComparison.Ordinal)}\"", cancellationToken), CultureInfo.InvariantCulture);
        }

        return new DatabaseFacts
        {
            Kind = kind,
            ServerVersion = connection.ServerVersion,
            Migrations = rows.ContainsKey("schema_migrations") ? await MigrationsAsync(connection, transaction, cancellationToken) : [],
            Tables = rows,
            AuditHead = rows.ContainsKey("audit_head") ? await HeadAsync(connection, transaction, cancellationToken) : null,
        };
    }

    /// <summary>What differs between two copies of the same database.</summary>
    public static IEnumerable<string> Differences(DatabaseFacts expected, DatabaseFacts found)
    {
        foreach (var table in expected.Tables.Keys.Union(found.Tables.Keys, StringComparer.Ordinal).Order(StringComparer.Ordinal))
        {
            var (had, has) = (expected.Tables.GetValueOrDefault(table, -1), found.Tables.GetValueOrDefault(table, -1));
            if (had != has)
            {
                yield return had < 0 ? $"there is a table {table} that the source did not have" : has < 0 ? $"the table {table} is missing" : $"{table} has {has} rows instead of {had}";
            }
        }

        if (expected.AuditHead != found.AuditHead)
        {
            yield return $"the audit log ends at {found.AuditHead ?? "nothing"} instead of {expected.AuditHead ?? "nothing"}";
        }

        if (!Steps(expected).SequenceEqual(Steps(found)))
        {
            yield return "the list of applied migrations is another one";
        }
    }

    /// <summary>When its first migration was applied.</summary>
    public static async Task<DateTimeOffset?> MadeAtAsync(DbConnection connection, CancellationToken cancellationToken) => (await ListAsync(
        connection, null, "SELECT applied_at FROM schema_migrations ORDER BY number LIMIT 1", static row => (DateTimeOffset?)row.Time(0), cancellationToken)).FirstOrDefault();

    /// <summary>A database whose place a backup takes. Which installation it is comes first and by itself: the rest may be what is damaged.</summary>
    /// <param name="schema">Before the names of its tables: empty, or with a dot at its end.</param>
    public static async Task<Replaced> ReplacedAsync(DbConnection connection, DbTransaction? transaction, string schema, CancellationToken cancellationToken)
    {
        var made = await ListAsync(connection, transaction, $"SELECT applied_at FROM {schema}schema_migrations ORDER BY number LIMIT 1", static row => (DateTimeOffset?)row.Time(0), cancellationToken);
        var replaced = new Replaced(made is [{ } at] ? DatabaseFacts.InstallationOf(at) : null);
        await (transaction?.SaveAsync(BeforeUsers, cancellationToken) ?? Task.CompletedTask); // a statement that fails would end it
        try
        {
            var users = await ListAsync(connection, transaction, $"{UserStanding.Select}{schema}users", UserStanding.Read, cancellationToken);
            var end = await ListAsync(connection, transaction, $"SELECT last_id FROM {schema}audit_head WHERE one = 1", static row => row.GetInt64(0), cancellationToken);
            return replaced with { Users = users, AuditEnd = end.FirstOrDefault() };
        }
        catch (DbException) when (connection.State == ConnectionState.Open)
        {
            await (transaction?.RollbackAsync(BeforeUsers, cancellationToken) ?? Task.CompletedTask);
            return replaced;
        }
    }

    public static async Task<object?> ScalarAsync(DbConnection connection, DbTransaction? transaction, string sql, CancellationToken cancellationToken)
    {
        await using var command = Command(connection, transaction, sql);
        return await command.ExecuteScalarAsync(cancellationToken);
    }

    public static async Task<List<T>> ListAsync<T>(DbConnection connection, DbTransaction? transaction, string sql, Func<DbDataReader, T> read, CancellationToken cancellationToken)
    {
        await using var command = Command(connection, transaction, sql);
        await using var row = await command.ExecuteReaderAsync(cancellationToken);
        List<T> rows = [];
        while (await row.ReadAsync(cancellationToken))
        {
            rows.Add(read(row));
        }

        return rows;
    }

    public static async Task ExecuteAsync(DbConnection connection, DbTransaction? transaction, string sql, CancellationToken cancellationToken)
    {
        await using var command = Command(connection, transaction, sql);
        await command.ExecuteNonQueryAsync(cancellationToken);
    }

    /// <summary>Every column that there is: who may use the schema is told since migration 48.</summary>
    private static Task<List<SchemaStep>> MigrationsAsync(DbConnection connection, DbTransaction? transaction, CancellationToken cancellationToken) => ListAsync(
        connection, transaction, "SELECT * FROM schema_migrations ORDER BY number",
        static row => new SchemaStep(
            row.GetInt32(row.GetOrdinal("number")), row.GetString(row.GetOrdinal("name")), row.GetString(row.GetOrdinal("checksum")), row.Time(row.GetOrdinal("applied_at")), row.GetString(row.GetOrdinal("program_version")),
            UsableFrom(row)), cancellationToken);

    private static int? UsableFrom(DbDataReader row) =>
        Enumerable.Range(0, row.FieldCount).Where(i => row.GetName(i) == "usable_from").Select(i => (int?)row.Int64OrNull(i)).FirstOrDefault();

    /// <summary>What tells migrations apart: an older version's archive does not say who may use the schema.</summary>
    private static IEnumerable<SchemaStep> Steps(DatabaseFacts facts) => facts.Migrations.Select(static m => m with { UsableFrom = null });

    private static async Task<string?> HeadAsync(DbConnection connection, DbTransaction? transaction, CancellationToken cancellationToken) => (await ListAsync(
        connection, transaction, "SELECT last_id, mac FROM audit_head WHERE one = 1",
        static row => string.Create(CultureInfo.InvariantCulture, $"{row.GetInt64(0)}:{Convert.ToHexStringLower(row.Bytes(1))}"), cancellationToken)).FirstOrDefault();

    /// <summary>Counting takes as long as it takes.</summary>
    private static DbCommand Command(DbConnection connection, DbTransaction? transaction, string sql)
    {
        var command = connection.CreateCommand();
#pragma warning disable CA2100 // our own literals, and table names that are quoted
        command.CommandText = sql;
#pragma warning restore CA2100
        command.CommandTimeout = 0;
        command.Transaction = transaction;
        return command;
    }
}
