using System.Runtime.CompilerServices;
using Microsoft.Data.Sqlite;
using RootMas.Server.Platform.Data;
using RootMas.Server.Platform.Migrations;

namespace RootMas.Server.Platform.Moving;

/// <summary>The file in a data directory, which this process owns for as long as it copies.</summary>
internal sealed class SqliteSide(DataDirectory directory, TimeProvider time, ILoggerFactory loggers) : ICopySide
{
    private readonly List<string> _triggers = [];
    private SqliteConnection? _connection;

    /// <summary>Keys that come with what is copied here; they are written before it is kept.</summary>
    public IReadOnlyDictionary<string, byte[]> Keys { get; set; } = new Dictionary<string, byte[]>(StringComparer.Ordinal);

    public string Place => directory.DatabasePath;

    private SqliteConnection Connection => _connection ?? throw new InvalidOperationException("Not begun.");

    public async Task BeginAsync(bool asTarget, CancellationToken cancellationToken)
    {
        if (!asTarget && !File.Exists(directory.DatabasePath))
        {
            throw new StartupRefusedException($"There is no database at {directory.DatabasePath}. Name the data directory with --data.");
        }

        directory.Acquire();
        HalfRestored.Refuse(directory);
        var migrator = new SqliteMigrator(directory.DatabasePath, Migration.Embedded("sqlite"), time, loggers.CreateLogger<SqliteMigrator>());
        var plan = migrator.Plan();
        if (asTarget && CopyChecks.IsBehind(plan))
        {
            if (plan.Applied.Count > 0)
            {
                await using var before = await OpenAsync(cancellationToken);
                await RefuseContentAsync(cancellationToken);
            }

            migrator.Migrate();
            plan = migrator.Plan();
        }

        CopyChecks.RefuseOtherSchema(plan, Place);
        await OpenAsync(cancellationToken);
        await ExecuteAsync("PRAGMA foreign_keys = ON", cancellationToken);
        await ExecuteAsync(asTarget ? "BEGIN IMMEDIATE" : "BEGIN", cancellationToken);
        if (asTarget)
        {
            await RefuseContentAsync(cancellationToken);
            await DropTriggersAsync(cancellationToken);
        }
    }

    /// <summary>None can: the directory is ours.</summary>
    public Task RefuseLateServersAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public async Task<IReadOnlyList<CopyTable>> TablesAsync(CancellationToken cancellationToken)
    {
        var names = (await NamesAsync(cancellationToken)).FindAll(CopyChecks.Moves);
        var tables = new List<CopyTable>();
        var parents = new Dictionary<string, IReadOnlyList<string>>(StringComparer.Ordinal);
        foreach (var name in names)
        {
            var columns = await ListAsync($"SELECT name, type FROM pragma_table_info('{name}')", static r => new CopyColumn(r.GetString(0), KindOf(r.GetString(1))), cancellationToken);
            var counted = await ListAsync($"SELECT 1 FROM sqlite_schema WHERE name = '{name}' AND sql LIKE '%AUTOINCREMENT%'", static r => r.GetInt32(0), cancellationToken);
            tables.Add(new CopyTable(name, columns, counted.Count > 0 ? "id" : null));
            parents[name] = await ListAsync($"SELECT \"table\" FROM pragma_foreign_key_list('{name}')", static r => r.GetString(0), cancellationToken);
        }

        return CopyChecks.ParentsFirst(tables, parents);
    }

    public async IAsyncEnumerable<object?[]> RowsAsync(CopyTable table, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await using var command = Command($"SELECT {table.ColumnList} FROM \"{table.Name}\"");
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        while (await reader.ReadAsync(cancellationToken))
        {
            var row = new object?[table.Columns.Count];
            for (var i = 0; i < row.Length; i++)
            {
                row[i] = await reader.IsDBNullAsync(i, cancellationToken) ? null : table.Columns[i].Kind switch
                {
                    CopyKind.Integer => reader.GetInt64(i),
                    CopyKind.Real => reader.GetDouble(i),
                    CopyKind.Text => reader.GetString(i),
                    _ => await reader.GetFieldValueAsync<byte[]>(i, cancellationToken),
                };
            }

            yield return row;
        }
    }

    public async Task WriteAsync(CopyTable table, IAsyncEnumerable<object?[]> rows, CancellationToken cancellationToken)
    {
        await ExecuteAsync($"DELETE FROM \"{table.Name}\"", cancellationToken);
        await using var command = Command($"INSERT INTO \"{table.Name}\" ({table.ColumnList}) VALUES ({string.Join(", ", table.Columns.Select(static (_, i) => $"@p{i}"))})");
        var parameters = table.Columns.Select((_, i) => command.Parameters.Add(new SqliteParameter { ParameterName = $"@p{i}" })).ToArray();
        await foreach (var row in rows.WithCancellation(cancellationToken))
        {
            for (var i = 0; i < row.Length; i++)
            {
                parameters[i].Value = row[i] ?? DBNull.Value;
            }

            await command.ExecuteNonQueryAsync(cancellationToken);
        }
    }

    public async Task<long> SequenceAsync(CopyTable table, CancellationToken cancellationToken) =>
        (await ListAsync($"SELECT seq FROM sqlite_sequence WHERE name = '{table.Name}'", static r => r.GetInt64(0), cancellationToken)).FirstOrDefault();

    public async Task SetSequenceAsync(CopyTable table, long last, CancellationToken cancellationToken)
    {
        await ExecuteAsync($"DELETE FROM sqlite_sequence WHERE name = '{table.Name}'", cancellationToken);
        await ExecuteAsync(FormattableString.Invariant($"INSERT INTO sqlite_sequence (name, seq) VALUES ('{table.Name}', {last})"), cancellationToken);
    }

    public async Task CommitAsync(CancellationToken cancellationToken)
    {
        foreach (var trigger in _triggers)
        {
            await ExecuteAsync(trigger, cancellationToken);
        }

        CarriedKeys.Write(Keys, directory);
        await ExecuteAsync("COMMIT", cancellationToken);
    }

    public async ValueTask DisposeAsync()
    {
        if (_connection is not null)
        {
            await _connection.DisposeAsync(); // what was not committed is rolled back
        }
    }

    private async Task<SqliteConnection> OpenAsync(CancellationToken cancellationToken)
    {
        _connection = new SqliteConnection(SqliteConnectionKeeper.ConnectionString(directory.DatabasePath, TimeSpan.FromSeconds(30), SqliteOpenMode.ReadWrite));
        await _connection.OpenAsync(cancellationToken);
        return _connection;
    }

    private async Task RefuseContentAsync(CancellationToken cancellationToken)
    {
        foreach (var name in await NamesAsync(cancellationToken))
        {
            var rows = (await ListAsync($"SELECT count(*) FROM \"{name}\"", static r => r.GetInt64(0), cancellationToken))[0];
            CopyChecks.RefuseContent(name, rows, Place);
        }
    }

    /// <summary>They guard against our own mistakes; a copy writes what they would refuse. They come back with the commit.</summary>
    private async Task DropTriggersAsync(CancellationToken cancellationToken)
    {
        foreach (var (name, sql) in await ListAsync("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'", static r => (r.GetString(0), r.GetString(1)), cancellationToken))
        {
            _triggers.Add(sql);
            await ExecuteAsync($"DROP TRIGGER \"{name}\"", cancellationToken);
        }
    }

    private Task<List<string>> NamesAsync(CancellationToken cancellationToken) =>
        ListAsync("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND name NOT LIKE 'fts\\_%' ESCAPE '\\' AND name <> 'schema_migrations' ORDER BY name", static r => r.GetString(0), cancellationToken);

    private static CopyKind KindOf(string type) => type.ToUpperInvariant() switch
    {
        "INTEGER" => CopyKind.Integer,
        "REAL" => CopyKind.Real,
        "BLOB" => CopyKind.Bytes,
        _ => CopyKind.Text,
    };

    private async Task<List<T>> ListAsync<T>(string sql, Func<SqliteDataReader, T> map, CancellationToken cancellationToken)
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

    private SqliteCommand Command(string sql)
    {
        var command = Connection.CreateCommand();
#pragma warning disable CA2100 // names come from the schema
        command.CommandText = sql;
#pragma warning restore CA2100
        command.CommandTimeout = 0;
        return command;
    }
}
