using System.Diagnostics;
using Microsoft.Data.Sqlite;
using RootMas.Server.Platform.Data;
using RootMas.Server.Platform.Migrations;
using RootMas.Tests.Support;

namespace RootMas.Tests.Faults;

/// <summary>F18 of CHECKS.md with the real program: a migration that is killed, several that start together, and a database that is newer than the program.</summary>
public abstract class MigrationFaultTests(DatabaseKind kind) : OnDatabase(kind)
{
    [DatabaseFact]
    public async Task A_program_that_is_killed_while_it_migrates_leaves_a_database_that_the_next_start_finishes()
    {
        await using var place = await Place.NewAsync();
        var random = new Random(18);
        for (var kills = 0; kills < 6; kills++)
        {
            using var process = Process.Start(place.Start("migrate"))!;
            using var moment = new CancellationTokenSource(TimeSpan.FromMilliseconds(random.Next(150, 900)));
            try
            {
                await process.WaitForExitAsync(moment.Token);
            }
            catch (OperationCanceledException)
            {
                process.Kill();
                await process.WaitForExitAsync(CancellationToken.None);
            }

            // Whole migrations only: a number is there with everything that it makes, or not at all.
            var applied = await place.AppliedAsync(); // once: a server may still be at a commit of the killed program
            Assert.Equal(place.Known.Take(applied.Count).Select(static m => m.Number), applied);
        }

        Assert.Equal(0, (await place.RunAsync("migrate")).ExitCode);
        Assert.Equal(place.Known.Select(static m => m.Number), await place.AppliedAsync());
    }

    [DatabaseFact]
    public async Task Of_programs_that_start_together_each_migration_is_applied_once()
    {
        await using var place = await Place.NewAsync();
        var ends = await Task.WhenAll(Enumerable.Range(0, 3).Select(i => place.RunAsync("migrate", ownData: TestDatabase.Kind == DatabaseKind.Postgres ? i : 0)));
        Assert.Contains(ends, static e => e.ExitCode == 0);
        Assert.All(ends, static e => Assert.True(e.ExitCode is 0 or 5, e.Stderr)); // 5: on the embedded database somebody else owns the directory
        Assert.Equal(place.Known.Select(static m => m.Number), await place.AppliedAsync());
    }

    [DatabaseFact]
    public async Task A_database_newer_than_the_program_is_refused_with_advice_and_left_alone()
    {
        await using var place = await Place.NewAsync();
        Assert.Equal(0, (await place.RunAsync("migrate")).ExitCode);
        await place.ExecuteAsync("INSERT INTO schema_migrations (number, name, checksum, applied_at, program_version) VALUES (9999, 'future', 'x', 0, '9.9.9')");
        var (code, _, said) = await place.RunAsync("serve");
        Assert.Equal(2, code);
        Assert.Contains("newer than this program", said, StringComparison.Ordinal);
        Assert.Contains("Start version 9.9.9 or a later one", said, StringComparison.Ordinal);
        Assert.Equal(9999, (await place.AppliedAsync())[^1]);
    }

    [DatabaseFact]
    public async Task A_database_to_which_a_newer_program_only_added_something_is_opened()
    {
        await using var place = await Place.NewAsync();
        Assert.Equal(0, (await place.RunAsync("migrate")).ExitCode);
        await place.ExecuteAsync($"INSERT INTO schema_migrations (number, name, checksum, applied_at, program_version, usable_from) VALUES (9999, 'future', 'x', 0, '9.9.9', {place.Known[^1].Number})");
        var (code, _, said) = await place.RunAsync("migrate");
        Assert.True(code == 0, said);
        Assert.Equal(9999, (await place.AppliedAsync())[^1]);
    }

    private sealed class Place : IAsyncDisposable
    {
        private readonly TempFolder _folder = new();
        private PostgresServer? _server;
        private string _name = "";

        public IReadOnlyList<Migration> Known { get; } = Migration.Embedded(TestDatabase.Kind == DatabaseKind.Postgres ? "postgres" : "sqlite");

        public static async Task<Place> NewAsync()
        {
            var place = new Place();
            if (TestDatabase.Kind == DatabaseKind.Postgres)
            {
                place._server = await PostgresServer.SharedAsync();
                place._name = await place._server.NewDatabaseAsync(migrated: false);
            }

            return place;
        }

        public Task<(int ExitCode, string Stdout, string Stderr)> RunAsync(string command, int ownData = 0) =>
            ServerProcess.RunAsync(new ServerSettings { Environment = Environment }, null, command, "--data", DataOf(ownData), "--config", Repository.PathOf("config"));

        public ProcessStartInfo Start(string command)
        {
            var start = new ProcessStartInfo("dotnet", [ServerProcess.ProgramPath(), command, "--data", DataOf(0), "--config", Repository.PathOf("config")]) { UseShellExecute = false, RedirectStandardOutput = true, RedirectStandardError = true };
            foreach (var (name, value) in Environment)
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
}

public sealed class MigrationFaultsOnSqliteTests() : MigrationFaultTests(DatabaseKind.Sqlite);

public sealed class MigrationFaultsOnPostgresTests() : MigrationFaultTests(DatabaseKind.Postgres), IOnPostgres;
