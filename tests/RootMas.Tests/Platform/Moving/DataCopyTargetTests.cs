using System.Net;
using System.Security.Cryptography;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Logging.Abstractions;
using RootMas.Server.Identity.Audit;
using RootMas.Server.Identity.Secrets;
using RootMas.Server.Platform;
using RootMas.Server.Platform.Data;
using RootMas.Server.Platform.Migrations;
using RootMas.Server.Platform.Moving;
using RootMas.Server.Platform.Resilience;
using RootMas.Tests.Cli;
using RootMas.Tests.Support;

namespace RootMas.Tests.Platform.Moving;

/// <summary>What a copy does to its target before it is sure, and what of the source stays behind.</summary>
public sealed class DataCopyTargetTests
{
    private const string Content = "INSERT INTO outbox (topic, payload, created_at) VALUES ('t', 'p', 1)";
    private const string OfItsOwn = "INSERT INTO backup_state (name, at, backup, instance) VALUES ('last_success', 1, 'b', 'i'); INSERT INTO shared_keys (name, fingerprint, created_at) VALUES ('master', 'f', 1)";
    private const string CountOwn = "SELECT (SELECT count(*) FROM backup_state) + (SELECT count(*) FROM shared_keys)";
    private const string CountMigrations = "SELECT count(*) FROM schema_migrations";

    [PostgresFact]
    public async Task The_way_back_leads_also_to_a_database_with_another_master_key()
    {
        var server = await PostgresServer.SharedAsync();
        var (first, second) = (await server.NewDatabaseAsync(migrated: true), await server.NewDatabaseAsync(migrated: false));
        using var folder = new TempFolder();
        var data = Path.Combine(folder.Path, "data");
        var (one, two) = (NewKey(), NewKey());
        try
        {
            await UseAsync(server.Url(first), one);
            using var cli = new CliSession(data);
            cli.Environment["ROOTMAS_MASTER_KEY"] = one;
            cli.Environment["ROOTMAS__Database__ConnectionString"] = server.Url(first);
            await cli.DoAsync("data", "copy", "--from", "postgres", "--to", "sqlite");
            Assert.Equal(0, await OnSqliteAsync(data, "SELECT count(*) FROM shared_keys"));

            cli.Environment.Remove("ROOTMAS_MASTER_KEY");
            cli.Environment["ROOTMAS__Database__ConnectionString"] = server.Url(second);
            await cli.DoAsync("data", "copy", "--from", "sqlite", "--to", "postgres");
            await using var app = await TestApp.StartAsync(o => (o.Data, o.Postgres, o.Environment["ROOTMAS_MASTER_KEY"]) = (data, server.Url(second), two));
            using var ann = await app.LogInAsync("ann", TestUsers.Password);
            Assert.Equal("sk-moved", app.Get<SecretVault>().Find("openai"));
            Assert.Empty((await new AuditVerifier(app.Get<AuditStore>(), [app.Get<AuditKey>()]).RunAsync(null, default)).Problems);
        }
        finally
        {
            await server.DropAsync(first);
            await server.DropAsync(second);
        }
    }

    [PostgresFact]
    public async Task Sealed_keys_and_times_of_backups_stay_behind_either_way()
    {
        var server = await PostgresServer.SharedAsync();
        var database = await server.NewDatabaseAsync(migrated: false);
        using var folder = new TempFolder();
        using var fresh = new TempFolder();
        try
        {
            var options = new DatabaseOptions { ConnectionString = server.Url(database) };
            await using (var filled = new TestDatabase(folder: folder.Path))
            {
                await filled.ExecuteAsync(Content);
            }

            await OnSqliteAsync(folder.Path, OfItsOwn);
            await CopyAsync(folder.Path, options, toPostgres: true);
            Assert.Equal(1, await server.ScalarAsync<long>("SELECT count(*) FROM outbox", database));
            Assert.Equal(0, await server.ScalarAsync<long>(CountOwn, database));

            await server.ExecuteAsync(OfItsOwn, database);
            await CopyAsync(fresh.Path, options, toPostgres: false);
            Assert.Equal(1, await OnSqliteAsync(fresh.Path, "SELECT count(*) FROM outbox"));
            Assert.Equal(0, await OnSqliteAsync(fresh.Path, CountOwn));
        }
        finally
        {
            await server.DropAsync(database);
        }
    }

    [PostgresFact]
    public async Task A_postgres_target_of_an_older_schema_is_migrated_only_when_it_is_empty()
    {
        var server = await PostgresServer.SharedAsync();
        var database = await server.NewDatabaseAsync(migrated: false);
        using var folder = new TempFolder();
        try
        {
            await using (var source = new TestDatabase(folder: folder.Path))
            {
                await source.Database.OpenAsync();
            }

            var options = new DatabaseOptions { Kind = DatabaseKind.Postgres, ConnectionString = server.Url(database) };
            await new PostgresMigrator(options, Older("postgres"), TimeProvider.System, NullLogger<PostgresMigrator>.Instance).MigrateAsync(default);
            var before = await server.ScalarAsync<long>(CountMigrations, database);
            await server.ExecuteAsync(Content, database);
            var refused = await Assert.ThrowsAsync<StartupRefusedException>(() => CopyAsync(folder.Path, options, toPostgres: true));
            Assert.Contains("is not empty", refused.Message, StringComparison.Ordinal);
            Assert.Equal(before, await server.ScalarAsync<long>(CountMigrations, database));

            await server.ExecuteAsync("DELETE FROM outbox", database);
            await CopyAsync(folder.Path, options, toPostgres: true);
            Assert.Equal(before + 1, await server.ScalarAsync<long>(CountMigrations, database));
        }
        finally
        {
            await server.DropAsync(database);
        }
    }

    [PostgresFact]
    public async Task An_sqlite_target_of_an_older_schema_is_migrated_only_when_it_is_empty()
    {
        var server = await PostgresServer.SharedAsync();
        var database = await server.NewDatabaseAsync(migrated: true);
        using var folder = new TempFolder();
        try
        {
            var options = new DatabaseOptions { ConnectionString = server.Url(database) };
            using (var directory = new DataDirectory(folder.Path))
            {
                new SqliteMigrator(directory.DatabasePath, Older("sqlite"), TimeProvider.System, NullLogger<SqliteMigrator>.Instance).Migrate();
            }

            var before = await OnSqliteAsync(folder.Path, CountMigrations);
            await OnSqliteAsync(folder.Path, Content);
            var refused = await Assert.ThrowsAsync<StartupRefusedException>(() => CopyAsync(folder.Path, options, toPostgres: false));
            Assert.Contains("is not empty", refused.Message, StringComparison.Ordinal);
            Assert.Equal(before, await OnSqliteAsync(folder.Path, CountMigrations));

            await OnSqliteAsync(folder.Path, "DELETE FROM outbox");
            await CopyAsync(folder.Path, options, toPostgres: false);
            Assert.Equal(before + 1, await OnSqliteAsync(folder.Path, CountMigrations));
        }
        finally
        {
            await server.DropAsync(database);
        }
    }

    [PostgresFact]
    public async Task A_copy_whose_keys_cannot_be_written_keeps_nothing_and_is_repeated()
    {
        var server = await PostgresServer.SharedAsync();
        var database = await server.NewDatabaseAsync(migrated: true);
        using var folder = new TempFolder();
        var data = Path.Combine(folder.Path, "data");
        var key = NewKey();
        try
        {
            await UseAsync(server.Url(database), key);
            new DataDirectory(data).Create();
            await File.WriteAllTextAsync(Path.Combine(data, "keys"), ""); // in the place of their folder
            using var cli = new CliSession(data);
            cli.Environment["ROOTMAS_MASTER_KEY"] = key;
            cli.Environment["ROOTMAS__Database__ConnectionString"] = server.Url(database);
            Assert.NotEqual(0, await cli.RunAsync("data", "copy", "--from", "postgres", "--to", "sqlite"));
            Assert.Equal(0, await OnSqliteAsync(data, "SELECT count(*) FROM users"));

            File.Delete(Path.Combine(data, "keys"));
            await cli.DoAsync("data", "copy", "--from", "postgres", "--to", "sqlite");
            Assert.True(File.Exists(Path.Combine(data, "keys", "pepper")));
            Assert.True(await OnSqliteAsync(data, "SELECT count(*) FROM users") > 0);
        }
        finally
        {
            await server.DropAsync(database);
        }
    }

    private static async Task UseAsync(string postgres, string master)
    {
        await using var app = await TestApp.StartAsync(o => (o.Postgres, o.Environment["ROOTMAS_MASTER_KEY"]) = (postgres, master));
        using var ann = await app.AsAsync("ann");
        using var put = await app.SendAsync(HttpMethod.Put, "/api/v1/secrets/openai", """{"value":"sk-moved"}""");
        Assert.Equal(HttpStatusCode.Created, put.StatusCode);
    }

    private static string NewKey() => Convert.ToBase64String(RandomNumberGenerator.GetBytes(32));

    private static List<Migration> Older(string database) => [.. Migration.Embedded(database).SkipLast(1)];

    private static async Task CopyAsync(string folder, DatabaseOptions options, bool toPostgres)
    {
        using var directory = new DataDirectory(folder);
        await using var sqlite = new SqliteSide(directory, TimeProvider.System, NullLoggerFactory.Instance);
        await using var postgres = new PostgresSide(options, new OutboundPolicies(new ResilienceOptions(), TimeProvider.System), TimeProvider.System, NullLoggerFactory.Instance);
        await (toPostgres ? DataCopy.RunAsync(sqlite, postgres, static _ => { }, CancellationToken.None) : DataCopy.RunAsync(postgres, sqlite, static _ => { }, CancellationToken.None));
    }

    /// <summary>Runs it on the file of a data directory; what a SELECT of one number gave.</summary>
    private static async Task<long> OnSqliteAsync(string folder, string sql)
    {
        await using var connection = new SqliteConnection($"Data Source={Path.Combine(folder, "rootmas.db")};Pooling=False");
        await connection.OpenAsync();
        await using var command = connection.CreateCommand();
#pragma warning disable CA2100 // a test's own text
        command.CommandText = sql;
#pragma warning restore CA2100
        return await command.ExecuteScalarAsync() is long number ? number : 0;
    }
}
