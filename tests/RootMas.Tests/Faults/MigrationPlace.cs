using System.Diagnostics;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Logging.Abstractions;
using RootMas.Server.Platform.Data;
using RootMas.Server.Platform.Migrations;
using RootMas.Tests.Support;

namespace RootMas.Tests.Faults;

/// <summary>A data directory, and where the tests are of PostgreSQL an empty database, on which the program's commands run.</summary>
internal sealed class MigrationPlace : IAsyncDisposable
{
    private readonly TempFolder _folder = new();
    private PostgresServer? _server;
    private string _name = "";

    public IReadOnlyList<Migration> Known { get; } = Migration.Embedded(TestDatabase.Kind == DatabaseKind.Postgres ? "postgres" : "sqlite");

    public static async Task<MigrationPlace> NewAsync()
    {
        var place = new MigrationPlace();
        if (TestDatabase.Kind == DatabaseKind.Postgres)
        {
            place._server = await PostgresServer.SharedAsync();
            place._name = await place._server.NewDatabaseAsync(migrated: false);
        }

        return place;
    }

    public Task<(int ExitCode, string Stdout, string Stderr)> RunAsync(string command, int ownData = 0) =>
        ServerProcess.RunAsync(new ServerSettings { Environment = Environment }, null, command, "--data", DataOf(ownData), "--config", Repository.PathOf("config"));

    /// <param name="more">Of its environment.</param>
    public ProcessStartInfo Start(string command, IReadOnlyDictionary<string, string>? more = null)
    {
        var start = new ProcessStartInfo("dotnet", [ServerProcess.ProgramPath(), command, "--data", DataOf(0), "--config", Repository.PathOf("config")]) { UseShellExecute = false, RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (var (name, value) in Environment.Concat(more ?? new Dictionary<string, string>(StringComparer.Ordinal)))
        {
            start.Environment[name] = value;
        }

        return start;
    }

    public async Task<List<int>> AppliedAsync()
    {
        await using var connection = Open();
        if (connection is null)
        {
            return [];
        }

        await connection.OpenAsync();
        await using var there = connection.CreateCommand();
        there.CommandText = _server is null ? "SELECT count(*) FROM sqlite_schema WHERE name = 'schema_migrations'" : "SELECT count(*) FROM pg_tables WHERE tablename = 'schema_migrations'";
        if (Convert.ToInt64(await there.ExecuteScalarAsync(), System.Globalization.CultureInfo.InvariantCulture) == 0)
        {
            return [];
        }

        await using var command = connection.CreateCommand();
        command.CommandText = "SELECT number FROM schema_migrations ORDER BY number";
        return await command.ListAsync(static row => row.GetInt32(0));
    }

    public async Task ExecuteAsync(string sql)
    {
        await using var connection = Open()!;
        await connection.OpenAsync();
        await using var command = connection.CreateCommand();
        command.CommandText = sql;
        await command.ExecuteNonQueryAsync();
    }

    /// <summary>Brings the database as far as the first so many migrations, as a program of before did.</summary>
    public async Task MigrateAsync(int count)
    {
        List<Migration> first = [.. Known.Take(count)];
        if (_server is not null)
        {
            var options = new DatabaseOptions { Kind = DatabaseKind.Postgres, ConnectionString = _server.Url(_name) };
            await new PostgresMigrator(options, first, TimeProvider.System, NullLogger<PostgresMigrator>.Instance).MigrateAsync(CancellationToken.None);
            return;
        }

        using var data = new DataDirectory(DataOf(0));
        data.Create();
        new SqliteMigrator(data.DatabasePath, first, TimeProvider.System, NullLogger<SqliteMigrator>.Instance).Migrate();
    }

    /// <summary>Every table with its columns, and every index.</summary>
    public Task<List<string>> SchemaAsync() => ListAsync(_server is null
        ? "SELECT coalesce(sql, name) FROM sqlite_schema ORDER BY type, name"
        : "SELECT table_name || '.' || column_name || ' ' || data_type AS line FROM information_schema.columns WHERE table_schema = 'public' UNION ALL SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY line");

    public async Task<List<string>> ListAsync(string sql)
    {
        await using var connection = Open()!;
        await connection.OpenAsync();
        await using var command = connection.CreateCommand();
#pragma warning disable CA2100 // a test's own text
        command.CommandText = sql;
#pragma warning restore CA2100
        return await command.ListAsync(static row => row.GetString(0));
    }

    /// <summary>A lock of somebody else's on a table, which lets it be read, until the connection is disposed of.</summary>
    public async Task<System.Data.Common.DbConnection> LockAsync(string table)
    {
        var connection = Open()!;
        await connection.OpenAsync();
        await using var command = connection.CreateCommand();
#pragma warning disable CA2100 // a test's own text
        command.CommandText = $"BEGIN; LOCK TABLE {table} IN ROW EXCLUSIVE MODE";
#pragma warning restore CA2100
        await command.ExecuteNonQueryAsync();
        return connection;
    }

    public async ValueTask DisposeAsync()
    {
        _folder.Dispose();
        if (_server is not null)
        {
            await _server.DropAsync(_name);
        }
    }

    private Dictionary<string, string> Environment => _server is null ? [] : new Dictionary<string, string>(StringComparer.Ordinal)
    {
        ["ROOTMAS__Database__Kind"] = "postgres",
        ["ROOTMAS__Database__ConnectionString"] = _server.Url(_name),
    };

    private string DataOf(int number) => Path.Combine(_folder.Path, $"data{number}");

    /// <summary>Null: there is no file yet.</summary>
    private System.Data.Common.DbConnection? Open()
    {
        if (_server is not null)
        {
            return new Npgsql.NpgsqlConnection(_server.ConnectionString(_name));
        }

        var path = Path.Combine(DataOf(0), "rootmas.db");
        return File.Exists(path) ? new SqliteConnection($"Data Source={path};Pooling=False") : null;
    }
}
