using System.Globalization;
using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;
using RootMas.Server.Platform;
using RootMas.Server.Platform.Data;
using RootMas.Server.Platform.Migrations;
using RootMas.Tests.Support;

namespace RootMas.Tests.Platform.Migrations;

/// <summary>F18 of CHECKS.md on PostgreSQL, and that no migration was forgotten there.</summary>
public sealed class PostgresMigrationTests
{
    private static readonly Migration One = Migration.Of(1, "one", "CREATE TABLE one (id BIGINT PRIMARY KEY); INSERT INTO one VALUES (1);");
    private static readonly Migration Two = Migration.Of(2, "two", "CREATE TABLE two (id BIGINT PRIMARY KEY);");

    [Fact]
    public void Every_migration_is_there_for_both_databases() =>
        Assert.Equal(Migration.Embedded("sqlite").Select(static m => (m.Number, m.Name)), Migration.Embedded("postgres").Select(static m => (m.Number, m.Name)));

    [PostgresFact]
    public async Task Both_databases_have_the_same_tables_with_the_same_columns_and_unique_keys()
    {
        TestDatabase.Kind = DatabaseKind.Sqlite;
        await using var sqlite = new TestDatabase();
        var expected = await sqlite.Database.ReadAsync(
            static session => session.Prepared("""
                SELECT t.name || '.' || c.name || ' ' || CASE c.type WHEN 'INTEGER' THEN 'bigint' WHEN 'BLOB' THEN 'bytea' ELSE lower(c.type) END || CASE WHEN c."notnull" = 1 OR c.pk > 0 THEN ' not null' ELSE '' END
                FROM sqlite_schema t JOIN pragma_table_info(t.name) c WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite_%' AND t.name NOT LIKE 'fts\_%' ESCAPE '\' AND t.name <> 'schema_migrations'
                """).ListAsync(static row => row.GetString(0)),
            default);
        TestDatabase.Kind = DatabaseKind.Postgres;
        await using var postgres = new TestDatabase();
        var actual = await postgres.Database.ReadAsync(
            static session => session.Prepared("""
                SELECT table_name || '.' || column_name || ' ' || data_type || CASE WHEN is_nullable = 'NO' THEN ' not null' ELSE '' END
                FROM information_schema.columns WHERE table_schema = 'public' AND table_name NOT LIKE 'fts\_%' AND table_name <> 'schema_migrations'
                """).ListAsync(static row => row.GetString(0)),
            default);
        Assert.Equal(expected.Order(StringComparer.Ordinal), actual.Order(StringComparer.Ordinal));

        // Texts are compared as bytes, whatever the database's language: ids that rise must sort so everywhere. Names of users are compared without case.
        var odd = await postgres.Database.ReadAsync(
            static session => session.Prepared("""
                SELECT table_name || '.' || column_name || ' ' || coalesce(collation_name, 'default') FROM information_schema.columns
                WHERE table_schema = 'public' AND data_type = 'text' AND table_name <> 'schema_migrations' AND collation_name IS DISTINCT FROM 'C'
                """).ListAsync(static row => row.GetString(0)),
            default);
        Assert.Equal(["users.username nocase"], odd);
    }

    [PostgresFact]
    public async Task Every_index_of_one_database_is_there_in_the_other()
    {
        TestDatabase.Kind = DatabaseKind.Sqlite;
        await using var sqlite = new TestDatabase();
        var expected = await sqlite.Database.ReadAsync(
            static session => session.Prepared("SELECT name FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL ORDER BY name").ListAsync(static row => row.GetString(0)), default);
        TestDatabase.Kind = DatabaseKind.Postgres;
        await using var postgres = new TestDatabase();
        var actual = await postgres.Database.ReadAsync(
            static session => session.Prepared("SELECT indexname FROM pg_indexes WHERE schemaname = 'public'").ListAsync(static row => row.GetString(0)), default);
        Assert.Empty(expected.Except(actual, StringComparer.Ordinal));
    }

    [PostgresFact]
    public async Task A_migration_killed_midway_leaves_nothing_and_runs_again()
    {
        await using var place = await Place.NewAsync();
        Assert.Equal([One], await place.Migrator(One).MigrateAsync(default));
        var broken = Migration.Of(2, "two", Two.Sql + " INSERT INTO one VALUES (2); INSERT INTO nowhere VALUES (1);");
        await Assert.ThrowsAsync<PostgresException>(() => place.Migrator(One, broken).MigrateAsync(default));

        // Killed while it works: the server rolls back.
        var slow = Migration.Of(2, "two", Two.Sql + " INSERT INTO one VALUES (2); SELECT pg_sleep(60);");
        var working = place.Migrator(One, slow).MigrateAsync(default);
        while (await place.CountAsync($"SELECT count(*) FROM pg_stat_activity WHERE datname = '{place.Name}' AND query LIKE '%pg_sleep(60)%' AND pid <> pg_backend_pid()") == 0)
        {
            await Task.Delay(10);
        }

        await place.CountAsync($"SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = '{place.Name}' AND query LIKE '%pg_sleep(60)%' AND pid <> pg_backend_pid()");
        await Assert.ThrowsAnyAsync<NpgsqlException>(() => working);
        Assert.Equal(1, await place.CountAsync("SELECT count(*) FROM one"));
        Assert.Equal(0, await place.CountAsync("SELECT count(*) FROM pg_tables WHERE tablename = 'two'"));
        Assert.Equal([Two], await place.Migrator(One, Two).MigrateAsync(default));
    }

    [PostgresFact]
    public async Task Of_several_that_start_together_one_migrates()
    {
        await using var place = await Place.NewAsync();
        var applied = await Task.WhenAll(Enumerable.Range(0, 6).Select(_ => place.Migrator([.. Migration.Embedded("postgres")]).MigrateAsync(default)));
        Assert.Equal(Migration.Embedded("postgres").Count, applied.Sum(static a => a.Count));
    }

    [PostgresFact]
    public async Task A_database_newer_than_the_program_is_refused_with_advice()
    {
        await using var place = await Place.NewAsync();
        await place.Migrator(One, Two).MigrateAsync(default);
        var refused = await Assert.ThrowsAsync<StartupRefusedException>(() => place.Migrator(One).MigrateAsync(default));
        Assert.Equal(2, refused.ExitCode);
        Assert.Contains("newer than this program", refused.Message, StringComparison.Ordinal);
        await Assert.ThrowsAsync<StartupRefusedException>(() => place.Migrator(Migration.Of(1, "one", One.Sql + " "), Two).MigrateAsync(default));
        Assert.Equal(2, await place.CountAsync("SELECT count(*) FROM schema_migrations"));
    }

    [PostgresFact]
    public async Task A_program_of_before_goes_on_where_a_migration_says_that_it_can()
    {
        await using var place = await Place.NewAsync();
        var tells = Migration.Of(2, "tells", "ALTER TABLE schema_migrations ADD COLUMN usable_from BIGINT;");
        var adds = Migration.Of(3, "adds", "-- usable from 0002\nCREATE TABLE three (id BIGINT PRIMARY KEY);");
        await place.Migrator(One, tells, adds).MigrateAsync(default);
        Assert.Empty(await place.Migrator(One, tells).MigrateAsync(default));
        await Assert.ThrowsAsync<StartupRefusedException>(() => place.Migrator(One).MigrateAsync(default));
    }

    [PostgresFact]
    public async Task The_command_plans_and_applies_and_tells_when_nobody_is_there()
    {
        await using var place = await Place.NewAsync();
        using var folder = new TempFolder();
        using var directory = new DataDirectory(folder.Path);
        var target = MigrationTarget.Of(place.Options, directory, TimeProvider.System, NullLoggerFactory.Instance);
        var (plan, notes) = (new StringWriter(CultureInfo.InvariantCulture), new StringWriter(CultureInfo.InvariantCulture));
        Assert.Equal(0, await MigrateCommand.RunAsync(target, directory, planOnly: true, json: false, plan, notes, default));
        Assert.Contains("pending", plan.ToString(), StringComparison.Ordinal);
        Assert.Equal(0, await MigrateCommand.RunAsync(target, directory, planOnly: false, json: false, plan, notes, default));
        Assert.Contains($"to {place.Name} on 127.0.0.1", notes.ToString(), StringComparison.Ordinal);

        var nowhere = place.Options with { ConnectionString = $"postgres://postgres@127.0.0.1:{ServerProcess.FreePort()}/nowhere" };
        Assert.Equal(7, await MigrateCommand.RunAsync(MigrationTarget.Of(nowhere, directory, TimeProvider.System, NullLoggerFactory.Instance), directory, planOnly: true, json: false, plan, notes, default));
        Assert.Contains("(connection_refused)", notes.ToString(), StringComparison.Ordinal);

        var nobody = place.Options with { ConnectionString = place.Options.ConnectionString.Replace("postgres@", "nobody@", StringComparison.Ordinal) };
        Assert.Equal(2, await MigrateCommand.RunAsync(MigrationTarget.Of(nobody, directory, TimeProvider.System, NullLoggerFactory.Instance), directory, planOnly: true, json: false, plan, notes, default));
        Assert.Contains("(login_refused)", notes.ToString(), StringComparison.Ordinal);
    }

    private sealed class Place(PostgresServer server, string name) : IAsyncDisposable
    {
        public string Name => name;

        public DatabaseOptions Options { get; } = new() { Kind = DatabaseKind.Postgres, ConnectionString = server.Url(name) };

        public static async Task<Place> NewAsync()
        {
            var server = await PostgresServer.SharedAsync();
            return new Place(server, await server.NewDatabaseAsync(migrated: false));
        }

        public PostgresMigrator Migrator(params Migration[] known) => new(Options, known, TimeProvider.System, NullLogger<PostgresMigrator>.Instance);

        public Task<long> CountAsync(string sql) => server.ScalarAsync<long>(sql, name);

        public async ValueTask DisposeAsync() => await server.DropAsync(name);
    }
}
