using System.Security.Cryptography;
using System.Text;
using Microsoft.Extensions.Logging.Abstractions;
using RootMas.Server.Platform.Data;
using RootMas.Server.Platform.Migrations;

namespace RootMas.Tests.Support;

/// <summary>A real database with the program's own migrations, in a temporary directory: SQLite, or what the test's class says (<see cref="OnDatabase"/>).</summary>
public sealed class TestDatabase : IAsyncDisposable
{
    private static readonly AsyncLocal<DatabaseKind> Ambient = new();
    private readonly bool ownsFolder;
    private readonly PostgresServer? server;
    private readonly string name = "";

    public TestDatabase(DatabaseOptions? options = null, TimeProvider? time = null, string? folder = null, string? sql = null)
    {
        ownsFolder = folder is null;
        Directory = new DataDirectory(folder ?? Path.Combine(Path.GetTempPath(), "rootmas-test-" + Guid.NewGuid().ToString("N")));
        Time = time ?? TimeProvider.System;
        if (Kind == DatabaseKind.Postgres)
        {
            server = PostgresServer.SharedAsync().GetAwaiter().GetResult();
            name = NameOf(Directory.Path);
            Options = (options ?? new DatabaseOptions { PoolMin = 1, PoolMax = 6, ConnectTimeout = TimeSpan.FromMinutes(1) }) with { Kind = DatabaseKind.Postgres, ConnectionString = server.Url(name) };
            Database = OnPostgres(time, sql);
        }
        else
        {
            Options = options ?? new DatabaseOptions();
            Database = OnSqlite(time, sql);
        }
    }

    /// <summary>A database that somebody else made and will dispose of.</summary>
    public TestDatabase(IDatabase database)
    {
        Directory = new DataDirectory(Path.Combine(Path.GetTempPath(), "rootmas-test-none"));
        (Time, Options, Database) = (TimeProvider.System, new DatabaseOptions(), database);
    }

    /// <summary>The database of the tests of this class.</summary>
    public static DatabaseKind Kind
    {
        get => Ambient.Value;
        set => Ambient.Value = value;
    }

    public DataDirectory Directory { get; }

    public DatabaseOptions Options { get; }

    public IDatabase Database { get; }

    public SqliteDatabase Sqlite => (SqliteDatabase)Database;

    public TimeProvider Time { get; }

    /// <summary>The address of a database for a server on this data directory, the same for each start on it; null where the tests of this class run on SQLite.</summary>
    public static async Task<string?> ForFolderAsync(string folder)
    {
        if (Kind == DatabaseKind.Sqlite)
        {
            return null;
        }

        var shared = await PostgresServer.SharedAsync();
        await shared.EnsureDatabaseAsync(NameOf(folder));
        return shared.Url(NameOf(folder));
    }

    public static async Task DropForFolderAsync(string folder) => await (await PostgresServer.SharedAsync()).DropAsync(NameOf(folder));

    public Task<long?> ScalarAsync(string sql) => Database.ReadAsync(session => session.Prepared(sql).Int64Async(), CancellationToken.None);

    public Task ExecuteAsync(string sql) => Database.WriteAsync(session => session.Prepared(sql).RunAsync(), CancellationToken.None);

    public async ValueTask DisposeAsync()
    {
        await ((IAsyncDisposable)Database).DisposeAsync();
        Directory.Dispose();
        if (!ownsFolder)
        {
            return;
        }

        if (server is not null)
        {
            await server.DropAsync(name);
        }

        if (System.IO.Directory.Exists(Directory.Path))
        {
            System.IO.Directory.Delete(Directory.Path, recursive: true);
        }
    }

    /// <summary>One database per folder, so that a second one on the same folder finds it again.</summary>
    private static string NameOf(string folder) => "t" + Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(folder)))[..24];

    private SqliteDatabase OnSqlite(TimeProvider? time, string? sql)
    {
        var migrator = new SqliteMigrator(Directory.DatabasePath, Migrations("sqlite", sql), Time, NullLogger<SqliteMigrator>.Instance);
        return new SqliteDatabase(
            Directory.DatabasePath,
            Options,
            () =>
            {
                Directory.Acquire();
                if (time is null) // by another clock it was installed at another time
                {
                    SqliteTemplate.PutInto(Directory);
                }

                migrator.Migrate();
            },
            Time,
            NullLogger<SqliteDatabase>.Instance);
    }

    private PostgresDatabase OnPostgres(TimeProvider? clock, string? sql)
    {
        var migrator = new PostgresMigrator(Options, Migrations("postgres", sql), Time, NullLogger<PostgresMigrator>.Instance);
        return new PostgresDatabase(
            Options,
            async cancellationToken =>
            {
                Directory.Acquire();
                await server!.EnsureDatabaseAsync(name);
                await migrator.MigrateAsync(cancellationToken);
            },
            TimeProvider.System,
            NullLogger<PostgresDatabase>.Instance,
            clock) { RefusesStandby = true };
    }

    private static IReadOnlyList<Migration> Migrations(string database, string? sql) =>
        sql is null ? Migration.Embedded(database) : [.. Migration.Embedded(database), Migration.Of(9000, "test", sql)];
}
