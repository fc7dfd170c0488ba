using System.Data;
using System.Runtime.CompilerServices;
using Npgsql;
using NpgsqlTypes;
using RootMas.Server.Platform.Data;
using RootMas.Server.Platform.Migrations;
using RootMas.Server.Platform.Resilience;

namespace RootMas.Server.Platform.Moving;

/// <summary>A PostgreSQL database on which no server works: each would hold its place there by a session lock. Only connecting is repeated; the rest is one transaction.</summary>
internal sealed class PostgresSide(DatabaseOptions settings, OutboundPolicies outbound, TimeProvider time, ILoggerFactory loggers) : ICopySide
{
    /// <summary>How many locks others hold in this database: every server and worker holds one for as long as it lives.</summary>
    internal const string LocksOfOthers = """
        SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted AND pid <> pg_backend_pid() AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
        """;

    private readonly DatabaseOptions _options = settings with { Kind = DatabaseKind.Postgres, CommandTimeout = TimeSpan.FromDays(7) };
    private NpgsqlConnection? _connection;
    private NpgsqlTransaction? _transaction;
    private bool _isTarget;

    public string Place => $"the PostgreSQL database {PostgresConnection.Describe(_options)}";

    private NpgsqlConnection Connection => _connection ?? throw new InvalidOperationException("Not begun.");

    public async Task BeginAsync(bool asTarget, CancellationToken cancellationToken)
    {
        _isTarget = asTarget;
        var migrator = new PostgresMigrator(_options, Migration.Embedded("postgres"), time, loggers.CreateLogger<PostgresMigrator>());
        var plan = await migrator.PlanAsync(cancellationToken);
        _connection = await outbound.Get("postgres").ExecuteAsync(async token => await PostgresConnection.OpenAsync(_options, writes: asTarget, token), cancellationToken);
        if (asTarget && CopyChecks.IsBehind(plan))
        {
            await RefuseServersAsync(cancellationToken);
            await RefuseContentAsync(cancellationToken);
            await migrator.MigrateAsync(cancellationToken);
            plan = await migrator.PlanAsync(cancellationToken);
        }

        CopyChecks.RefuseOtherSchema(plan, Place);
        _transaction = await _connection.BeginTransactionAsync(asTarget ? IsolationLevel.ReadCommitted : IsolationLevel.RepeatableRead, cancellationToken);
        await RefuseServersAsync(cancellationToken);
        if (asTarget)
        {
            await EmptyHandedAsync(cancellationToken);
        }
    }

    public async Task<IReadOnlyList<CopyTable>> TablesAsync(CancellationToken cancellationToken)
    {
        var names = (await NamesAsync(cancellationToken)).FindAll(CopyChecks.Moves);
        var columns = await ListAsync("SELECT table_name, column_name, data_type, is_identity FROM information_schema.columns WHERE table_schema = current_schema() AND table_name NOT LIKE 'fts\\_%' ORDER BY table_name, ordinal_position",
            static r => (Table: r.GetString(0), Column: new CopyColumn(r.GetString(1), KindOf(r.GetString(2))), IsSequence: r.GetString(3) == "YES"), cancellationToken);
        var parents = (await ListAsync("SELECT conrelid::regclass::text, confrelid::regclass::text FROM pg_constraint WHERE contype = 'f' AND connamespace = current_schema()::regnamespace",
            static r => (Child: r.GetString(0), Parent: r.GetString(1)), cancellationToken)).ToLookup(static p => p.Child, static p => p.Parent, StringComparer.Ordinal);
        var tables = names.Select(name => new CopyTable(name, [.. columns.Where(c => c.Table == name).Select(static c => c.Column)], columns.Find(c => c.Table == name && c.IsSequence).Column?.Name)).ToList();
        return CopyChecks.ParentsFirst(tables, names.ToDictionary(static n => n, n => (IReadOnlyList<string>)[.. parents[n]], StringComparer.Ordinal));
    }

    public async IAsyncEnumerable<object?[]> RowsAsync(CopyTable table, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await using var command = Command($"SELECT {table.ColumnList} FROM \"{table.Name}\"");
        await using var reader = await command.ExecuteReaderAsync(CommandBehavior.SequentialAccess, cancellationToken);
        while (await reader.ReadAsync(cancellationToken))
        {
            var row = new object?[table.Columns.Count];
            for (var i = 0; i < row.Length; i++)
            {
                row[i] = await reader.IsDBNullAsync(i, cancellationToken) ? null : table.Columns[i].Kind switch
                {
                    CopyKind.Integer => await reader.GetFieldValueAsync<long>(i, cancellationToken),
                    CopyKind.Real => await reader.GetFieldValueAsync<double>(i, cancellationToken),
                    CopyKind.Text => await reader.GetFieldValueAsync<string>(i, cancellationToken),
                    _ => await reader.GetFieldValueAsync<byte[]>(i, cancellationToken),
                };
            }

            yield return row;
        }
    }

    public async Task WriteAsync(CopyTable table, IAsyncEnumerable<object?[]> rows, CancellationToken cancellationToken)
    {
        await ExecuteAsync($"DELETE FROM \"{table.Name}\"", cancellationToken);
        try
        {
            await using var import = await Connection.BeginBinaryImportAsync($"COPY \"{table.Name}\" ({table.ColumnList}) FROM STDIN (FORMAT BINARY)", cancellationToken);
            await foreach (var row in rows.WithCancellation(cancellationToken))
            {
                await import.StartRowAsync(cancellationToken);
                for (var i = 0; i < row.Length; i++)
                {
                    await WriteAsync(import, row[i], table.Columns[i].Kind, cancellationToken);
                }
            }

            await import.CompleteAsync(cancellationToken);
        }
        catch (PostgresException e) when (e.SqlState == PostgresErrorCodes.CharacterNotInRepertoire)
        {
            throw new StartupRefusedException($"The table {table.Name} has a text with a character that PostgreSQL does not store (U+0000). Nothing was kept; the source is untouched. Remove the row that has it.");
        }
    }

    public async Task<long> SequenceAsync(CopyTable table, CancellationToken cancellationToken)
    {
        var name = (await ListAsync($"SELECT pg_get_serial_sequence('\"{table.Name}\"', '{table.Sequence}')", static r => r.GetString(0), cancellationToken))[0];
        return (await ListAsync($"SELECT CASE WHEN is_called THEN last_value ELSE last_value - 1 END FROM {name}", static r => r.GetInt64(0), cancellationToken))[0];
    }

    public Task SetSequenceAsync(CopyTable table, long last, CancellationToken cancellationToken) =>
        ExecuteAsync(FormattableString.Invariant($"SELECT setval(pg_get_serial_sequence('\"{table.Name}\"', '{table.Sequence}'), {Math.Max(last, 1)}, {(last > 0 ? "true" : "false")})"), cancellationToken);

    public Task RefuseLateServersAsync(CancellationToken cancellationToken) => RefuseServersAsync(cancellationToken);

    public async Task CommitAsync(CancellationToken cancellationToken)
    {
        foreach (var name in _isTarget ? await NamesAsync(cancellationToken) : [])
        {
            await ExecuteAsync($"ALTER TABLE \"{name}\" ENABLE TRIGGER USER", cancellationToken);
        }

        await _transaction!.CommitAsync(cancellationToken);

        // Fresh tables have no statistics, and the first hour on them would be slow.
        await using var analyze = new NpgsqlCommand("ANALYZE", Connection) { CommandTimeout = 0 };
        await analyze.ExecuteNonQueryAsync(cancellationToken);
    }

    public async ValueTask DisposeAsync()
    {
        if (_transaction is not null)
        {
            await _transaction.DisposeAsync();
        }

        if (_connection is not null)
        {
            await _connection.DisposeAsync();
        }
    }

    private static async Task WriteAsync(NpgsqlBinaryImporter import, object? value, CopyKind kind, CancellationToken cancellationToken)
    {
        if (value is null)
        {
            await import.WriteNullAsync(cancellationToken);
            return;
        }

        await (kind switch
        {
            CopyKind.Integer => import.WriteAsync((long)value, NpgsqlDbType.Bigint, cancellationToken),
            CopyKind.Real => import.WriteAsync((double)value, NpgsqlDbType.Double, cancellationToken),
            CopyKind.Text => import.WriteAsync((string)value, NpgsqlDbType.Text, cancellationToken),
            _ => import.WriteAsync((byte[])value, NpgsqlDbType.Bytea, cancellationToken),
        });
    }

    private async Task RefuseServersAsync(CancellationToken cancellationToken)
    {
        var held = await ListAsync(LocksOfOthers, static r => r.GetInt64(0), cancellationToken);
        if (held[0] > 0)
        {
            throw new StartupRefusedException($"A server or worker runs on {Place}. Stop it first: what it writes while we copy would be lost. Nothing was changed.", exitCode: 5);
        }
    }

    /// <summary>Nobody may write here until we are done, and there must be nothing yet. Triggers guard against our own mistakes; a copy writes what they would refuse.</summary>
    private async Task EmptyHandedAsync(CancellationToken cancellationToken)
    {
        foreach (var name in await NamesAsync(cancellationToken))
        {
            await ExecuteAsync($"LOCK TABLE \"{name}\" IN ACCESS EXCLUSIVE MODE", cancellationToken);
            await RefuseContentAsync(name, cancellationToken);
            await ExecuteAsync($"ALTER TABLE \"{name}\" DISABLE TRIGGER USER", cancellationToken);
        }
    }

    private async Task RefuseContentAsync(CancellationToken cancellationToken)
    {
        foreach (var name in await NamesAsync(cancellationToken))
        {
            await RefuseContentAsync(name, cancellationToken);
        }
    }

    private async Task RefuseContentAsync(string table, CancellationToken cancellationToken) =>
        CopyChecks.RefuseContent(table, (await ListAsync($"SELECT count(*) FROM \"{table}\"", static r => r.GetInt64(0), cancellationToken))[0], Place);

    private Task<List<string>> NamesAsync(CancellationToken cancellationToken) =>
        ListAsync("SELECT table_name FROM information_schema.tables WHERE table_schema = current_schema() AND table_type = 'BASE TABLE' AND table_name NOT LIKE 'fts\\_%' AND table_name <> 'schema_migrations' ORDER BY table_name COLLATE \"C\"", static r => r.GetString(0), cancellationToken);

    private static CopyKind KindOf(string type) => type switch
    {
        "bigint" => CopyKind.Integer,
        "double precision" => CopyKind.Real,
        "bytea" => CopyKind.Bytes,
        "text" => CopyKind.Text,
        _ => throw new InvalidOperationException($"Columns of type {type} are not copied."),
    };

    private async Task<List<T>> ListAsync<T>(string sql, Func<NpgsqlDataReader, T> map, CancellationToken cancellationToken)
    {
        await using var command = Command(sql);
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        var rows = new List<T>();
        while (await reader.ReadAsync(cancellationToken))
        {
            rows.Add(map(reader));
        }

        return rows;
    }

    private async Task ExecuteAsync(string sql, CancellationToken cancellationToken)
    {
        await using var command = Command(sql);
        await command.ExecuteNonQueryAsync(cancellationToken);
    }

    private NpgsqlCommand Command(string sql) => new(sql, Connection, _transaction) { CommandTimeout = 0 };
}
