using System.Net;
using Microsoft.Extensions.DependencyInjection;
using RootMas.LlmSimulator;
using RootMas.Server;
using RootMas.Server.Platform.Cluster;
using RootMas.Server.Platform.Settings;
using RootMas.Tests.Support;

namespace RootMas.Tests.Platform.Cluster;

/// <summary><c>rootmas worker</c> as a process of its own.</summary>
public sealed class WorkerProcessTests
{
    [PostgresFact]
    public async Task A_worker_finishes_what_a_killed_server_had_begun_and_has_no_api()
    {
        var postgres = await PostgresServer.SharedAsync();
        var database = await postgres.NewDatabaseAsync(migrated: false);
        await using var sim = await Simulator.StartAsync();
        sim.Use("""default: { text: "one two three four five six seven eight", tokens_per_second: 1 }""");
        var settings = ServerSettings.With(sim);
        settings = settings with
        {
            Config = Repository.PathOf("config"),
            Environment = new Dictionary<string, string>(settings.Environment, StringComparer.Ordinal)
            {
                ["ROOTMAS__Database__Kind"] = "postgres",
                ["ROOTMAS__Database__ConnectionString"] = postgres.Url(database),
                ["ROOTMAS_MASTER_KEY"] = Convert.ToBase64String(System.Security.Cryptography.RandomNumberGenerator.GetBytes(32)),
            },
        };
        await using var server = await ServerProcess.StartAsync(settings);
        using var ask = new HttpRequestMessage(HttpMethod.Post, "/api/v1/chat") { Content = new StringContent("""{"message":"count","team":"solo"}""", null, "application/json"), Headers = { { "Prefer", "wait=0" } } };
        using var accepted = await server.Http.SendAsync(ask);
        Assert.Equal(HttpStatusCode.Accepted, accepted.StatusCode);
        await server.KillAsync();

        await using var worker = await ServerProcess.StartAsync(settings with { Command = "worker" });
        await TestCluster.UntilAsync(async () => await postgres.ScalarAsync<long>("SELECT count(*) FROM runs WHERE status = 'completed'", database) == 1, "the run is finished");
        using var api = await worker.Http.GetAsync("/api/v1/runs");
        Assert.Equal(HttpStatusCode.NotFound, api.StatusCode);
        Assert.Contains("rootmas_", await worker.Http.GetStringAsync("/metrics"), StringComparison.Ordinal);
        Assert.Contains("1 worker", await worker.Http.GetStringAsync("/health"), StringComparison.Ordinal);
        using var nobody = new HttpClient();
        using var open = await nobody.GetAsync(worker.BaseUrl + "/metrics");
        Assert.Equal(HttpStatusCode.Unauthorized, open.StatusCode);
        Assert.False(File.Exists(Path.Combine(worker.Data, "setup-token")));
        Assert.Equal(0, await worker.TerminateAsync());
    }

    [Fact]
    public async Task With_the_embedded_database_there_is_no_worker_beside_the_server()
    {
        using var data = new TempFolder();
        var (code, _, said) = await ServerProcess.RunAsync(new ServerSettings(), null, "worker", "--data", data.Path);
        Assert.Equal(2, code);
        Assert.Contains("Database:Kind=postgres", said, StringComparison.Ordinal);

        await using var app = await TestApp.StartAsync(o => o.Data = data.Path);
        (code, _, said) = await ServerProcess.RunAsync(new ServerSettings(), null, "worker", "--data", data.Path);
        Assert.Equal(5, code);
        Assert.Contains($"process {Environment.ProcessId} at {app.Url.ToString().TrimEnd('/')}", said, StringComparison.Ordinal);
    }

    [PostgresFact]
    public async Task A_worker_may_listen_nowhere()
    {
        await using var cluster = await TestCluster.StartAsync(1);
        using var data = new TempFolder();
        await using var worker = ServerHost.Build(new ServerArguments
        {
            Urls = "none",
            Data = data.Path,
            Config = Repository.PathOf("config"),
            WorkingDirectory = data.Path,
            IsWorker = true,
            Environment = new Dictionary<string, string>(StringComparer.Ordinal) { ["ROOTMAS_MASTER_KEY"] = cluster.MasterKey },
            Settings = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase) { ["Database:Kind"] = "postgres", ["Database:ConnectionString"] = cluster.Postgres },
        });
        await worker.StartAsync();
        Assert.Contains(await worker.Services.GetRequiredService<InstanceRegistry>().ListAsync(default), static i => i is { Role: "worker", Url: null });
        await worker.StopAsync();
    }

    [Fact]
    public async Task A_new_master_key_is_32_random_bytes()
    {
        var (code, key, _) = await ServerProcess.RunAsync(new ServerSettings(), null, "keys", "master");
        Assert.Equal((0, 32), (code, Convert.FromBase64String(key.Trim()).Length));
    }
}
