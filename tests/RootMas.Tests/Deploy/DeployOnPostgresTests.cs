using Microsoft.AspNetCore.Http;
using RootMas.Tests.Support;

namespace RootMas.Tests.Deploy;

/// <summary>deploy/deploy.sh where the data are in PostgreSQL: there is no copy of them beside the release, so what the newer program did to the schema is still there when the older one runs again.</summary>
public sealed class DeployOnPostgresTests : IAsyncLifetime
{
    private readonly Releases _releases = new();
    private PostgresServer _server = null!;
    private string _database = "";

    private string[] Lines => ["ROOTMAS__Database__Kind=postgres", $"ROOTMAS__Database__ConnectionString={_server.Url(_database)}", "ROOTMAS__Database__PoolMin=1"];

    public async Task InitializeAsync()
    {
        if (PostgresServer.Missing is null)
        {
            _server = await PostgresServer.SharedAsync();
            _database = await _server.NewDatabaseAsync(migrated: false);
            _releases.Set(Lines);
        }
    }

    public async Task DisposeAsync()
    {
        if (PostgresServer.Missing is null)
        {
            await _releases.DeployAsync("stop");
            await _server.DropAsync(_database);
        }

        _releases.Dispose();
    }

    [PostgresFact]
    public async Task A_failing_smoke_test_gives_the_release_before_back_on_the_schema_that_the_newer_one_made_and_the_data_stay()
    {
        var first = await _releases.DeployAsync("deploy", _releases.Make("1.0.0"));
        Assert.True(first.ExitCode == 0, first.Said);
        var runs = await _releases.RunsAsync();
        Assert.Single(runs.Split('\n', StringSplitOptions.RemoveEmptyEntries));

        // One whose schema the program before cannot work on, and which lost data: the old release says so, and the backup that was made first has everything.
        await using var breaks = await HookAsync(500, """
            INSERT INTO schema_migrations (number, name, checksum, applied_at, program_version) SELECT 9002, 'other', 'x', max(applied_at), '2.0.0' FROM schema_migrations;
            DROP TABLE runs CASCADE
            """);
        var second = await _releases.DeployAsync("deploy", _releases.Make("2.0.0", smoke: $"curl -fsS {breaks.Url}"));
        Assert.True(second.ExitCode == 3, second.Said);
        Assert.Contains("backup restore ID --force", second.Said, StringComparison.Ordinal);
        Assert.Equal("1.0.0", _releases.Current());
        var environment = Lines.Select(static l => l.Split('=', 2)).ToDictionary(static p => p[0], static p => p[1], StringComparer.Ordinal);
        await Shell.DoAsync(_releases.In("root", "current", "rootmas"), ["backup", "restore", "latest", "--force", "--data", _releases.Data, "--config", _releases.In("config")], environment);
        var started = await _releases.DeployAsync("start");
        Assert.True(started.ExitCode == 0, started.Said);
        Assert.Equal(runs, await _releases.RunsAsync());

        // The newer program only adds to the schema, and says that the one before can go on.
        await using var migrates = await HookAsync(200, """
            CREATE TABLE things_of_tomorrow (id BIGINT PRIMARY KEY);
            ALTER TABLE runs ADD COLUMN mood TEXT COLLATE "C";
            INSERT INTO schema_migrations (number, name, checksum, applied_at, program_version, usable_from)
                SELECT 9001, 'tomorrow', 'of tomorrow', applied_at, '3.0.0', number FROM schema_migrations ORDER BY number DESC LIMIT 1
            """);
        await using var fails = await HookAsync(500, "SELECT 1");
        var third = await _releases.DeployAsync("deploy", _releases.Make("3.0.0", before: $"[ \"$*\" != migrate ] || curl -fsS {migrates.Url}", smoke: $"curl -fsS {fails.Url}"), "--no-backup");
        Assert.True(third.ExitCode == 1, third.Said);
        Assert.Contains("the smoke test failed", third.Said, StringComparison.Ordinal);
        Assert.Contains("1.0.0 runs again, with its data", third.Said, StringComparison.Ordinal);
        Assert.Single(migrates.Requests);
        Assert.Equal("1.0.0", _releases.Current());
        Assert.Equal(runs, await _releases.RunsAsync());
        Assert.Equal(1, await _server.ScalarAsync<long>("SELECT count(*) FROM schema_migrations WHERE number = 9001", _database));
        await Shell.DoAsync(_releases.In("root", "current", "rootmas"), ["chat", "--data", _releases.Data, "What is 2 + 2?"]); // it does not only read
        var after = await _releases.RunsAsync();
        Assert.EndsWith(runs, after, StringComparison.Ordinal);
        Assert.NotEqual(runs, after);
    }

    /// <summary>As <c>rootmas data copy</c> leaves it after a move.</summary>
    [PostgresFact]
    public async Task A_file_of_the_embedded_database_that_is_left_from_before_is_no_way_back()
    {
        Directory.CreateDirectory(_releases.Data);
        FileModes.Set(_releases.Data, FileModes.Private | UnixFileMode.UserExecute);
        var left = Path.Combine(_releases.Data, "rootmas.db");
        await File.WriteAllTextAsync(left, "of before");
        var first = await _releases.DeployAsync("deploy", _releases.Make("1.0.0", smoke: "true"));
        Assert.True(first.ExitCode == 0, first.Said);

        // The newer release makes the schema one that the release before refuses: there is no copy to put in its place.
        await using var breaks = await HookAsync(500, "UPDATE schema_migrations SET checksum = 'changed' WHERE number = 1");
        var second = await _releases.DeployAsync("deploy", _releases.Make("2.0.0", smoke: $"curl -fsS {breaks.Url}"), "--no-backup");
        Assert.True(second.ExitCode == 3, second.Said);
        Assert.DoesNotContain("the copy from before the switch", second.Said, StringComparison.Ordinal);
        Assert.False(Directory.Exists(_releases.In("root", "snapshots", "before-2.0.0", "data")));
        Assert.Equal("of before", await File.ReadAllTextAsync(left));
    }

    private Task<LoopbackServer> HookAsync(int status, string sql) => LoopbackServer.StartAsync(async context =>
    {
        await _server.ExecuteAsync(sql, _database);
        context.Response.StatusCode = status;
    });
}
