using System.Data.Common;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Microsoft.Data.Sqlite;
using Npgsql;
using RootMas.Server;
using RootMas.Server.Backups;
using RootMas.Server.Cli;
using RootMas.Server.Platform.Data;
using RootMas.Server.Platform.Settings;
using RootMas.Tests.Cli;
using RootMas.Tests.Support;

namespace RootMas.Tests.Backups;

/// <summary>A data directory, a config directory and an empty database of the kind that the test's class says; servers and commands run on it.</summary>
internal sealed class Installation : IAsyncDisposable
{
    private readonly TempFolder _root = new();
    private readonly string? _database;
    private readonly PostgresServer? _server;
    private readonly DataDirectory _directory;

    private Installation(PostgresServer? server, string? database)
    {
        (_server, _database) = (server, database);
        Settings = new(StringComparer.OrdinalIgnoreCase) { ["Backups:Scheduled"] = "false" };
        if (server is not null)
        {
            Settings["Database:Kind"] = "postgres";
            Settings["Database:ConnectionString"] = server.Url(database!);
            Settings["Database:PoolMin"] = "1";
        }

        CopyConfig();
        _directory = new DataDirectory(Data);
    }

    public Dictionary<string, string> Settings { get; }

    public string Root => _root.Path;

    public string Data => Path.Combine(Root, "data");

    public string Config => Path.Combine(Root, "config");

    public string Backups => Path.Combine(Data, "backups");

    public string Database => _database ?? "";

    public PostgresServer Server => _server!;

    public static async Task<Installation> NewAsync()
    {
        if (TestDatabase.Kind == DatabaseKind.Sqlite)
        {
            return new Installation(null, null);
        }

        var server = await PostgresServer.SharedAsync();
        return new Installation(server, await server.NewDatabaseAsync(migrated: false));
    }

    public Task<TestApp> StartAsync(Action<TestAppOptions>? configure = null) => TestApp.StartAsync(o =>
    {
        o.Data = Data;
        foreach (var (key, value) in Settings)
        {
            o.Settings[key] = value;
        }

        configure?.Invoke(o);
    });

    /// <summary>Backups as a command on this installation sees them. It owns nothing until a restore takes the directory.</summary>
    public BackupSetup Setup()
    {
        var tree = ServerHost.ReadSettings(new ServerArguments { Data = Data, Config = Config, Environment = new Dictionary<string, string>(), WorkingDirectory = Root, Settings = Settings });
        tree.ThrowIfInvalid();
        return BackupCommand.SetupOf(tree, _directory);
    }

    public BackupDesk Desk() => new(Setup());

    public async Task<BackupRecord> BackUpAsync(bool verify = true)
    {
        var (record, warnings) = await Desk().CreateAsync("manual", verify, default);
        Assert.True(warnings.Count == 0, string.Join('\n', warnings));
        return record;
    }

    /// <summary>As the command does it: takes the directory, and lets it go again.</summary>
    public async Task<RestoreResult> RestoreAsync(string backup, bool force = false, bool withConfig = false, bool withoutKeys = false, bool same = false, bool endRuns = false)
    {
        try
        {
            return await new BackupRestore(Setup(), Desk()).RunAsync(backup, new RestoreChoices(force, withConfig, withoutKeys, same, endRuns), default);
        }
        finally
        {
            _directory.Dispose();
        }
    }

    public async Task<BackupFailure> RefusalAsync(string backup, bool force = false) => (await Assert.ThrowsAsync<BackupException>(() => RestoreAsync(backup, force))).Failure;

    public string ArchiveOf(BackupRecord record) => Path.Combine(Backups, BackupNames.ArchiveOf(record.Id));

    public CliSession Cli()
    {
        var session = new CliSession(Data);
        session.Environment["ROOTMAS_CONFIG"] = Config;
        foreach (var (key, value) in Settings)
        {
            session.Environment["ROOTMAS__" + key.Replace(":", "__", StringComparison.Ordinal)] = value;
        }

        return session;
    }

    /// <summary>All that stands in each table, as one hash, and the number of rows.</summary>
    public async Task<SortedDictionary<string, string>> ContentAsync(params string[] except)
    {
        await using var connection = Connect();
        await connection.OpenAsync();
        var content = new SortedDictionary<string, string>(StringComparer.Ordinal);
        foreach (var table in await ListAsync(connection, _database is null ? "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'" : "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"))
        {
            if (!except.Contains(table))
            {
                var rows = await ListAsync(connection, $"SELECT * FROM {table}");
                rows.Sort(StringComparer.Ordinal);
                content[table] = $"{rows.Count}: {Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(string.Join('\n', rows))))}";
            }
        }

        return content;
    }

    public async Task<List<string>> RowsAsync(string sql)
    {
        await using var connection = Connect();
        await connection.OpenAsync();
        return await ListAsync(connection, sql);
    }

    /// <summary>Beside all programs.</summary>
    public async Task ExecuteAsync(string sql)
    {
        await using var connection = _server is null ? new SqliteConnection($"Data Source={Path.Combine(Data, "rootmas.db")};Pooling=False") : Connect();
        await connection.OpenAsync();
        await ListAsync(connection, sql);
    }

    public async Task<long> CountAsync(string sql) => long.Parse((await RowsAsync(sql))[0], CultureInfo.InvariantCulture);

    public async ValueTask DisposeAsync()
    {
        _directory.Dispose();
        if (_server is not null)
        {
            await _server.DropAsync(_database!);
            await TestDatabase.DropForFolderAsync(Data);
        }

        _root.Dispose();
    }

    public void CopyConfig()
    {
        foreach (var file in Directory.EnumerateFiles(Repository.PathOf("config"), "*", SearchOption.AllDirectories))
        {
            var target = Path.Combine(Config, Path.GetRelativePath(Repository.PathOf("config"), file));
            Directory.CreateDirectory(Path.GetDirectoryName(target)!);
            File.Copy(file, target, overwrite: true);
        }
    }

    private DbConnection Connect() => _server is null
        ? new SqliteConnection($"Data Source={Path.Combine(Data, "rootmas.db")};Mode=ReadOnly;Pooling=False")
        : new NpgsqlConnection(_server.ConnectionString(_database!));

    private static async Task<List<string>> ListAsync(DbConnection connection, string sql)
    {
        await using var command = connection.CreateCommand();
#pragma warning disable CA2100 // a test's own text
        command.CommandText = sql;
#pragma warning restore CA2100
        await using var row = await command.ExecuteReaderAsync();
        var rows = new List<string>();
        while (await row.ReadAsync())
        {
            rows.Add(string.Join('\u001f', Enumerable.Range(0, row.FieldCount).Select(i => row.GetValue(i) is byte[] bytes ? Convert.ToHexString(bytes) : Convert.ToString(row.GetValue(i), CultureInfo.InvariantCulture))));
        }

        return rows;
    }
}
