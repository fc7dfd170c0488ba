using System.Diagnostics;
using System.Net;
using System.Text.Json;
using RootMas.Runtime.Runs;
using RootMas.Server.Identity.Access;
using RootMas.Server.Platform;
using RootMas.Server.Platform.Data;
using RootMas.Server.Platform.Health;
using RootMas.Server.Runs;
using RootMas.Tests.Support;

namespace RootMas.Tests.Platform.Data;

/// <summary>F7 of CHECKS.md.</summary>
public sealed class PostgresFaultTests() : OnDatabase(DatabaseKind.Postgres)
{
    private static readonly TimeSpan Bound = TimeSpan.FromSeconds(30);

    [PostgresFact]
    public async Task While_the_server_is_down_calls_get_503_liveness_stays_green_and_all_is_well_when_it_returns()
    {
        await using var server = await PostgresServer.StartAsync(durable: true);
        await using var app = await StartAsync(server);
        await WorksAsync(app);
        await TellsAsync(app, "answers in");
        for (var round = 0; round < 2; round++)
        {
            await server.StopAsync();
            await MustFailAsync(app);
            await UntilAsync(app, HttpStatusCode.ServiceUnavailable);
            await TellsAsync(app, "does not answer: ");
            await server.StartAgainAsync();
            await UntilAsync(app, HttpStatusCode.OK);
            await WorksAsync(app);
            await TellsAsync(app, "last failure");
        }
    }

    [PostgresFact]
    public async Task While_the_server_is_down_metrics_are_read_with_keys_that_were_good_a_moment_before()
    {
        await using var server = await PostgresServer.StartAsync();
        await using var app = await StartAsync(server);
        await WorksAsync(app);
        using var ann = await app.AsAsync("ann");
        var (id, scraper) = await KeyAsync(app, ann, "prometheus");
        var (_, stranger) = await KeyAsync(app, ann, "another");
        Assert.Equal(HttpStatusCode.OK, await StatusAsync(scraper, "/metrics"));
        await server.StopAsync();
        await UntilAsync(app, HttpStatusCode.ServiceUnavailable);
        await Wait.UntilAsync(static async c => await StatusAsync(c, "/api/v1/auth/me") == HttpStatusCode.ServiceUnavailable, scraper, "The key was remembered everywhere"); // for four seconds it is
        for (var i = 0; i < 3; i++)
        {
            Assert.Equal(HttpStatusCode.OK, await StatusAsync(scraper, "/metrics"));
            Assert.Equal(HttpStatusCode.ServiceUnavailable, await StatusAsync(scraper, "/api/v1/budgets"));
            Assert.Equal(HttpStatusCode.ServiceUnavailable, await StatusAsync(stranger, "/metrics"));
        }

        app.Get<LiveSessions>().End($"session {id}"); // another instance has revoked it, as this one hears
        Assert.Equal(HttpStatusCode.ServiceUnavailable, await StatusAsync(scraper, "/metrics"));
        await server.StartAgainAsync();
        await UntilAsync(app, HttpStatusCode.OK);
        await Wait.UntilAsync(static async c => await StatusAsync(c, "/metrics") == HttpStatusCode.OK, stranger, "Metrics could not be read");
        scraper.Dispose();
        stranger.Dispose();
    }

    [PostgresFact]
    public async Task A_fail_over_that_leads_to_a_standby_for_a_moment_leaves_no_connection_there()
    {
        await using var primary = await PostgresServer.StartAsync(inMemory: true);
        await using var proxy = new CuttingProxy(primary.Port);
        var database = await primary.NewDatabaseAsync(migrated: false);
        await using var app = await StartAsync(
            primary, database, [("Database:ConnectionString", $"postgres://postgres@127.0.0.1:{proxy.Port}/{database}"), ("Database:ConnectTimeout", "30s"), ("Database:CommandTimeout", "30s")]);
        await WorksAsync(app);
        await using var standby = await primary.StandbyAsync();
        proxy.LeadTo(standby.Port);
        await UntilAsync(app, HttpStatusCode.ServiceUnavailable); // what a standby knows is not read either
        await MustFailAsync(app);
        await TellsAsync(app, "takes no writes (read_only)");
        Assert.Equal(0, await standby.ScalarAsync<long>("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'", database)); // nobody's place is there

        proxy.LeadTo(primary.Port);
        await UntilAsync(app, HttpStatusCode.OK);
        await WorksAsync(app);
        await Wait.UntilAsync(async s => await s.ScalarAsync<long>("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'rootmas'", database) == 0, standby, "A connection to the standby was kept");
    }

    [PostgresFact]
    public async Task A_database_that_took_no_writes_for_a_while_is_written_to_as_soon_as_it_does()
    {
        var server = await PostgresServer.SharedAsync();
        var database = await server.NewDatabaseAsync(migrated: true);
        try
        {
            await using var app = await StartAsync(server, database, [("Database:ConnectTimeout", "30s"), ("Database:CommandTimeout", "30s")]);
            await WorksAsync(app);
            await server.ExecuteAsync($"ALTER DATABASE {database} SET default_transaction_read_only = on");
            await server.ExecuteAsync($"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{database}'");
            await UntilAsync(app, HttpStatusCode.ServiceUnavailable);
            await MustFailAsync(app);
            await server.ExecuteAsync($"ALTER DATABASE {database} RESET default_transaction_read_only");
            await UntilAsync(app, HttpStatusCode.OK);
            await WorksAsync(app);
        }
        finally
        {
            await server.DropAsync(database);
        }
    }

    [PostgresFact]
    public async Task A_server_that_neither_answers_nor_refuses_costs_bounded_time()
    {
        await using var server = await PostgresServer.StartAsync();
        await using var app = await StartAsync(server);
        await server.PauseAsync(paused: true);
        try
        {
            await MustFailAsync(app);
            await UntilAsync(app, HttpStatusCode.ServiceUnavailable);
        }
        finally
        {
            await server.PauseAsync(paused: false);
        }

        await UntilAsync(app, HttpStatusCode.OK);
        await WorksAsync(app);
    }

    [PostgresFact]
    public async Task Two_hundred_slow_requests_on_a_pool_of_five_are_answered_or_refused_in_bounded_time()
    {
        await using var server = await PostgresServer.StartAsync();
        await using var app = await StartAsync(server, ("Database:PoolMax", "5"), ("Database:PoolMin", "5"), ("Database:CommandTimeout", "60s"));
        var blocking = app.Get<IDatabase>();
        var over = new TaskCompletionSource<bool>(TaskCreationOptions.RunContinuationsAsynchronously);
        var slow = Enumerable.Range(0, 40).Select(_ => blocking.ReadAsync(async _ => await over.Task, default)).ToList();
        var began = Stopwatch.GetTimestamp();
        var answers = await Task.WhenAll(Enumerable.Range(0, 200).Select(async _ =>
        {
            using var response = await app.Client.GetAsync("/api/v1/conversations");
            return (response.StatusCode, Retry: response.Headers.RetryAfter is not null);
        }));
        Assert.InRange(Stopwatch.GetElapsedTime(began), TimeSpan.Zero, Bound);
        Assert.All(answers, static a => Assert.True(a.StatusCode == HttpStatusCode.OK || (a.StatusCode == HttpStatusCode.ServiceUnavailable && a.Retry), $"{a}"));
        Assert.Contains(answers, static a => a.StatusCode == HttpStatusCode.ServiceUnavailable);
        over.SetResult(true);
        await Task.WhenAll(slow).ContinueWith(static _ => { }, TaskScheduler.Default);
        await WorksAsync(app);
    }

    [PostgresFact]
    public async Task An_append_whose_commit_was_done_but_not_answered_counts_as_done()
    {
        await using var world = await CutWorld.StartAsync();
        var h = world.Harness;
        var run = await h.OwnedAsync();
        world.Proxy.CutNextCommit(CutAt.After);
        Assert.Equal(AppendOutcome.Appended, (await run.AppendAsync(RunStatus.Running, Asked("m1"))).Outcome);
        Assert.Equal(1, world.Proxy.Cuts);
        Assert.Equal(AppendOutcome.Appended, (await run.AppendAsync(RunStatus.Running, Asked("m2"))).Outcome);
        Assert.Equal([1L, 2, 3, 4], (await h.LogAsync(run.Id)).Select(static e => e.Seq));
    }

    [PostgresFact]
    public async Task An_append_whose_commit_never_arrived_is_not_taken_for_done_and_written_once_in_the_end()
    {
        await using var world = await CutWorld.StartAsync();
        var h = world.Harness;
        var run = await h.OwnedAsync();
        world.Proxy.CutNextCommit(CutAt.Before);
        var batch = run.Batch(RunStatus.Running, Asked("m1"));
        Assert.Equal(AppendOutcome.Appended, (await h.Store.AppendAsync(batch, default)).Outcome);
        Assert.Equal(1, world.Proxy.Cuts);
        Assert.Equal([1L, 2, 3], (await h.LogAsync(run.Id)).Select(static e => e.Seq));
        Assert.Equal(AppendOutcome.Fenced, (await h.Store.AppendAsync(batch, default)).Outcome);
    }

    [PostgresFact]
    public async Task Connections_that_are_cut_between_calls_are_not_noticed()
    {
        await using var world = await CutWorld.StartAsync();
        var h = world.Harness;
        var run = await h.OwnedAsync();
        for (var i = 0; i < 5; i++)
        {
            world.Proxy.CutAll();
            Assert.Equal(AppendOutcome.Appended, (await run.AppendAsync(RunStatus.Running, Asked($"m{i}"))).Outcome);
        }

        Assert.Equal(7, (await h.LogAsync(run.Id)).Count);
    }

    private static async Task<(string Id, HttpClient Client)> KeyAsync(TestApp app, TestUser user, string name)
    {
        var key = await user.PostAsync("/api/v1/api-keys", new { name, scopes = new[] { "metrics:read" } }, HttpStatusCode.Created);
        return (key.GetProperty("id").GetString()!, app.NewClient(key.GetProperty("secret").GetString()));
    }

    private static async Task<HttpStatusCode> StatusAsync(HttpClient client, string path)
    {
        using var response = await client.GetAsync(path);
        return response.StatusCode;
    }

    private static ModelRequested Asked(string id) => new(id, "cheap", "v1", "h", "answer", 1);

    private static async Task<TestApp> StartAsync(PostgresServer server, params (string Key, string Value)[] settings)
    {
        var database = await server.NewDatabaseAsync(migrated: false);
        for (var tries = 1; ; tries++)
        {
            try
            {
                return await StartAsync(server, database, settings);
            }
            catch (Exception e) when (tries < 5 && e is StorageUnavailableException or StartupRefusedException)
            {
                // A connection has a second here; to start takes some.
            }
        }
    }

    /// <summary>In what health says of it, sooner or later: its look has two seconds.</summary>
    private static Task TellsAsync(TestApp app, string words) => Wait.UntilAsync(
        async app =>
        {
            using var health = await app.Client.GetAsync("/health");
            return JsonElement.Parse(await health.Content.ReadAsStringAsync()).GetProperty("details").GetProperty("postgres").GetString()!.Contains(words, StringComparison.Ordinal);
        },
        app,
        $"Health did not say '{words}'");

    private static Task<TestApp> StartAsync(PostgresServer server, string database, (string Key, string Value)[] settings) =>
        TestApp.StartAsync(o =>
        {
            o.Settings["Database:Kind"] = "postgres";
            o.Settings["Database:ConnectionString"] = server.Url(database);
            o.Settings["Database:ConnectTimeout"] = "1s";
            o.Settings["Database:PoolMax"] = "20"; // a start waits for none of its connections
            o.Settings["Database:CommandTimeout"] = "2s";
            foreach (var (key, value) in settings)
            {
                o.Settings[key] = value;
            }
        });

    /// <summary>As soon as it has its connections, each of which may take longer than the second that it has here.</summary>
    private static Task WorksAsync(TestApp app) => Wait.UntilAsync(
        static async app =>
        {
            using var response = await app.PostAsync("/api/v1/chat", """{"message":"What is 2 + 3?","team":"solo"}""");
            Assert.True(response.StatusCode is HttpStatusCode.OK or HttpStatusCode.ServiceUnavailable, $"{response.StatusCode}");
            return response.StatusCode == HttpStatusCode.OK;
        },
        app,
        "A chat was not answered");

    private static async Task MustFailAsync(TestApp app)
    {
        var began = Stopwatch.GetTimestamp();
        using var refused = await app.PostAsync("/api/v1/chat", """{"message":"Hi","team":"solo"}""");
        Assert.Equal(HttpStatusCode.ServiceUnavailable, refused.StatusCode);
        Assert.NotNull(refused.Headers.RetryAfter);
        Assert.InRange(Stopwatch.GetElapsedTime(began), TimeSpan.Zero, Bound);
        using var probe = app.NewClient(null); // who shows credentials has them looked up
        using var live = await probe.GetAsync("/health/live");
        Assert.Equal(HttpStatusCode.OK, live.StatusCode);
    }

    private static async Task UntilAsync(TestApp app, HttpStatusCode ready)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromMinutes(2));
        using var probe = app.NewClient(null);
        while (true)
        {
            using var response = await probe.GetAsync("/health/ready", limit.Token);
            if (response.StatusCode == ready)
            {
                return;
            }

            await Task.Delay(50, limit.Token);
        }
    }
}
