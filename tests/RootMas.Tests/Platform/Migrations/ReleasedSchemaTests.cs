using System.Net;
using Microsoft.Data.Sqlite;
using Npgsql;
using RootMas.Server.Identity.Audit;
using RootMas.Server.Identity.Secrets;
using RootMas.Server.Platform.Data;
using RootMas.Server.Platform.Migrations;
using RootMas.Tests.Support;

namespace RootMas.Tests.Platform.Migrations;

/// <summary>
/// The release before, as it left its database (schema, migrations with checksums, and data that it wrote), opened by this program; and what that release does to the schema still works, because both run side by side during an upgrade.
/// After a release: put a dump of its database beside these, and let the tests use that one.
/// </summary>
public abstract class ReleasedSchemaTests(DatabaseKind kind) : OnDatabase(kind)
{
    private const string Release = "0.1.0";

    /// <summary>Keys of that installation, made up for it.</summary>
    private static readonly (string Setting, string Value)[] Keys =
    [
        ("Identity:Pepper", "cmVsZWFzZWQtcGVwcGVyLW9mLWEtdGVzdC0wMDAwMDA="),
        ("Identity:SigningKey", "cmVsZWFzZWQtc2lnbmluZy1vZi1hLXRlc3QtMDAwMDA="),
        ("Identity:RefreshKey", "cmVsZWFzZWQtcmVmcmVzaC1vZi1hLXRlc3QtMDAwMDA="),
        ("Audit:Key", "cmVsZWFzZWQtYXVkaXRrZXktb2YtYS10ZXN0LTAwMDA="),
    ];

    private const string MasterKey = "cmVsZWFzZWQtbWFzdGVya2V5LW9mLWEtdGVzdC0wMDA=";

    [DatabaseFact]
    public async Task What_the_release_before_left_is_opened_and_everything_in_it_works()
    {
        using var folder = new TempFolder();
        await using var place = await Place.MakeAsync(folder.Path);
        await using var app = await TestApp.StartAsync(o =>
        {
            (o.Data, o.Postgres) = (folder.Path, place.Postgres);
            o.Environment["ROOTMAS_MASTER_KEY"] = MasterKey;
            foreach (var (setting, value) in Keys)
            {
                o.Settings[setting] = value;
            }
        });
        using var alice = await app.LogInAsync("alice", TestUsers.Password);
        var conversations = await alice.GetAsync("/api/v1/conversations");
        Assert.Contains(conversations.GetProperty("items").EnumerateArray(), static c => c.GetProperty("title").GetString() == "kept");
        var run = (await alice.GetAsync("/api/v1/runs")).GetProperty("items").EnumerateArray().First(static r => r.GetProperty("parent_run_id").ValueKind == System.Text.Json.JsonValueKind.Null);
        Assert.Equal("completed", run.GetProperty("status").GetString());
        var events = (await alice.GetAsync($"/api/v1/runs/{run.GetProperty("id").GetString()}/events")).GetProperty("items");
        Assert.Equal(Enumerable.Range(1, events.GetArrayLength()), events.EnumerateArray().Select(static e => e.GetProperty("seq").GetInt32()));
        Assert.Equal("sk-released", app.Get<SecretVault>().Find("kept"));
        using var helper = await app.Client.GetAsync("/api/v1/agents/helper");
        Assert.Equal(HttpStatusCode.OK, helper.StatusCode);
        Assert.Equal("completed", (await alice.PostAsync("/api/v1/chat", new { message = "What is 6 times 7?" })).GetProperty("metadata").GetProperty("status").GetString());
        Assert.Empty((await new AuditVerifier(app.Get<AuditStore>(), [app.Get<AuditKey>()]).RunAsync(null, default)).Problems);
    }

    [DatabaseFact]
    public async Task Nothing_that_the_release_before_uses_was_dropped_renamed_or_made_stricter()
    {
        using var folder = new TempFolder();
        await using var place = await Place.MakeAsync(folder.Path);
        var (columns, unique) = (await place.ColumnsAsync(), await place.UniqueIndexesAsync());
        await place.MigrateAsync();
        var now = (await place.ColumnsAsync()).ToDictionary(static c => (c.Table, c.Name));
        foreach (var column in columns)
        {
            Assert.True(now.TryGetValue((column.Table, column.Name), out var kept), $"{column.Table}.{column.Name} is gone; release {Release} still uses it while an upgrade is under way");
            Assert.Equal(column.Type, kept.Type);
            Assert.False(kept.IsRequired && !column.IsRequired, $"{column.Table}.{column.Name} is required now; release {Release} may write NULL");
        }

        var tables = columns.Select(static c => c.Table).ToHashSet(StringComparer.Ordinal);
        foreach (var added in now.Values.Where(c => tables.Contains(c.Table) && !columns.Exists(o => (o.Table, o.Name) == (c.Table, c.Name))))
        {
            Assert.False(added is { IsRequired: true, HasDefault: false }, $"{added.Table}.{added.Name} is new and required; release {Release} does not write it");
        }

        var stricter = (await place.UniqueIndexesAsync()).Where(i => tables.Contains(i.Table)).Select(static i => i.Definition).Except(unique.Select(static i => i.Definition));
        Assert.Empty(stricter);
    }

    private sealed record Column(string Table, string Name, string Type, bool IsRequired, bool HasDefault);

    private sealed class Place(string folder, PostgresServer? server, string name) : IAsyncDisposable
    {
        public string? Postgres => server?.Url(name);

        private string SqlitePath => Path.Combine(folder, "rootmas.db");

        public static async Task<Place> MakeAsync(string folder)
        {
            var isPostgres = TestDatabase.Kind == DatabaseKind.Postgres;
            var sql = await File.ReadAllTextAsync(Repository.PathOf($"tests/RootMas.Tests/Platform/Migrations/Released/{Release}.{(isPostgres ? "postgres" : "sqlite")}.sql"));
            if (isPostgres)
            {
                var server = await PostgresServer.SharedAsync();
                var place = new Place(folder, server, await server.NewDatabaseAsync(migrated: false));
                await server.ExecuteAsync(sql, place.Name);
                return place;
            }

            var sqlite = new Place(folder, null, "");
            await using var connection = new SqliteConnection($"Data Source={sqlite.SqlitePath};Pooling=False;Foreign Keys=False");
            connection.Open();
            using var command = connection.CreateCommand();
            command.CommandText = sql;
            command.ExecuteNonQuery();
            return sqlite;
        }

        private string Name => name;

        public async Task MigrateAsync()
        {
            using var directory = new DataDirectory(folder);
            var options = new DatabaseOptions { Kind = TestDatabase.Kind, ConnectionString = Postgres ?? "" };
            await MigrationTarget.Of(options, directory, TimeProvider.System, Microsoft.Extensions.Logging.Abstractions.NullLoggerFactory.Instance).Migrate(default);
        }

        public Task<List<Column>> ColumnsAsync() => ListAsync(
            """
            SELECT t.name, c.name, c.type, c."notnull" = 1 OR c.pk > 0, c.dflt_value IS NOT NULL OR (c.pk > 0 AND c.type = 'INTEGER')
            FROM sqlite_schema t JOIN pragma_table_info(t.name) c WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite_%'
            """,
            """
            SELECT table_name::text, column_name::text, data_type::text, is_nullable = 'NO', column_default IS NOT NULL OR is_identity = 'YES'
            FROM information_schema.columns WHERE table_schema = 'public'
            """,
            static r => new Column(r.GetString(0), r.GetString(1), r.GetString(2), r.Flag(3), r.Flag(4)));

        public Task<List<(string Table, string Definition)>> UniqueIndexesAsync() => ListAsync(
            "SELECT tbl_name, sql FROM sqlite_schema WHERE type = 'index' AND sql LIKE 'CREATE UNIQUE%'",
            "SELECT tablename::text, indexdef FROM pg_indexes WHERE schemaname = 'public' AND indexdef LIKE 'CREATE UNIQUE%'",
            static r => (r.GetString(0), r.GetString(1)));

        public async ValueTask DisposeAsync()
        {
            if (server is not null)
            {
                await server.DropAsync(name);
            }
        }

        private async Task<List<T>> ListAsync<T>(string sqlite, string postgres, Func<System.Data.Common.DbDataReader, T> read)
        {
            await using System.Data.Common.DbConnection connection = server is null ? new SqliteConnection($"Data Source={SqlitePath};Pooling=False") : new NpgsqlConnection(server.ConnectionString(name));
            await connection.OpenAsync();
            await using var command = connection.CreateCommand();
            command.CommandText = server is null ? sqlite : postgres;
            return await command.ListAsync(read);
        }
    }
}

public sealed class ReleasedSchemaOnSqliteTests() : ReleasedSchemaTests(DatabaseKind.Sqlite);

public sealed class ReleasedSchemaOnPostgresTests() : ReleasedSchemaTests(DatabaseKind.Postgres), IOnPostgres;
