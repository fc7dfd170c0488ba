using Microsoft.Extensions.Logging.Abstractions;
using RootMas.Server.Platform.Data;
using RootMas.Server.Platform.Migrations;

namespace RootMas.Tests.Support;

/// <summary>A real database in a temporary directory, with the program's own migrations.</summary>
public sealed class TestDatabase : IAsyncDisposable
{
    private readonly bool ownsFolder;

    public TestDatabase(DatabaseOptions? options = null, TimeProvider? time = null, string? folder = null, string? sql = null)
    {
        ownsFolder = folder is null;
        Directory = new DataDirectory(folder ?? Path.Combine(Path.GetTempPath(), "rootmas-test-" + Guid.NewGuid().ToString("N")));
        Time = time ?? TimeProvider.System;
        IReadOnlyList<Migration> migrations = sql is null ? Migration.Embedded("sqlite") : [.. Migration.Embedded("sqlite"), Migration.Of(9000, "test", sql)];
        var migrator = new SqliteMigrator(Directory.DatabasePath, migrations, Time, NullLogger<SqliteMigrator>.Instance);
        Database = new SqliteDatabase(
            Directory.DatabasePath,
            options ?? new DatabaseOptions(),
            () =>
            {
                Directory.Acquire();
                migrator.Migrate();
            },
            Time,
            NullLogger<SqliteDatabase>.Instance);
    }

    public DataDirectory Directory { get; }

    public SqliteDatabase Database { get; }

    public TimeProvider Time { get; }

    public Task<long?> ScalarAsync(string sql) => Database.ReadAsync(session => session.Prepared(sql).Int64Async(), CancellationToken.None);

    public Task ExecuteAsync(string sql) => Database.WriteAsync(session => session.Prepared(sql).RunAsync(), CancellationToken.None);

    public async ValueTask DisposeAsync()
    {
        await Database.DisposeAsync();
        Directory.Dispose();
        if (ownsFolder && System.IO.Directory.Exists(Directory.Path))
        {
            System.IO.Directory.Delete(Directory.Path, recursive: true);
        }
    }
}
