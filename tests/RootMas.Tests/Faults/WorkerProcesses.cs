using System.Net.Http.Json;
using System.Text.Json;
using RootMas.LlmSimulator;
using RootMas.Tests.Support;

namespace RootMas.Tests.Faults;

/// <summary>Several processes of the built program on one PostgreSQL (and one RabbitMQ), each with a data directory of its own: a server that advances no runs, and workers.</summary>
internal sealed class WorkerProcesses : IAsyncDisposable
{
    private readonly List<ServerProcess> _workers = [];

    private WorkerProcesses(Simulator sim, ServerProcess front, string postgres)
    {
        (Sim, Front) = (sim, front);
        Checker = new InvariantChecker(front.Data, front.Http, sim) { Postgres = postgres };
    }

    public Simulator Sim { get; }

    /// <summary>Takes requests and works on none.</summary>
    public ServerProcess Front { get; }

    public IReadOnlyList<ServerProcess> Workers => _workers;

    public InvariantChecker Checker { get; }

    /// <param name="settings">Of all of them, by key.</param>
    public static Task<WorkerProcesses> StartAsync(string script, int workers, RabbitServer? rabbit = null, params (string Key, string Value)[] settings) =>
        StartAsync(script, workers, rabbit, Repository.PathOf("config"), settings);

    /// <param name="config">Directory of their settings, instead of the repository's.</param>
    /// <param name="settings">Of all of them, by key.</param>
    public static Task<WorkerProcesses> StartAsync(string script, int workers, string config, (string Key, string Value)[] settings) => StartAsync(script, workers, rabbit: null, config, settings);

    private static async Task<WorkerProcesses> StartAsync(string script, int workers, RabbitServer? rabbit, string config, (string Key, string Value)[] settings)
    {
        var server = await PostgresServer.SharedAsync();
        var sim = await Simulator.StartAsync(script);
        var database = await server.NewDatabaseAsync(migrated: false);
        var environment = new Dictionary<string, string>(ServerSettings.With(sim).Environment, StringComparer.Ordinal)
        {
            ["ROOTMAS__Database__Kind"] = "postgres",
            ["ROOTMAS__Database__ConnectionString"] = server.Url(database),
            ["ROOTMAS__Database__PoolMin"] = "1",
            ["ROOTMAS_MASTER_KEY"] = Convert.ToBase64String(new byte[32].Select(static (_, i) => (byte)(i * 7)).ToArray()), // opens what instances must agree on
        };
        if (rabbit is not null)
        {
            environment["ROOTMAS__RabbitMq__Uri"] = rabbit.Url;
            environment["ROOTMAS__RabbitMq__Queue"] = RabbitServer.NewQueue();
        }

        foreach (var (key, value) in settings)
        {
            environment["ROOTMAS__" + key.Replace(":", "__", StringComparison.Ordinal)] = value;
        }

        var common = new ServerSettings { Config = config, Environment = environment };
        var front = await ServerProcess.StartAsync(common with { Environment = new Dictionary<string, string>(environment, StringComparer.Ordinal) { ["ROOTMAS__Runs__Parallelism"] = "0" } });
        var world = new WorkerProcesses(sim, front, server.ConnectionString(database));
        try
        {
            world._workers.AddRange(await Task.WhenAll(Enumerable.Range(0, workers).Select(_ => ServerProcess.StartAsync(common))));
            return world;
        }
        catch
        {
            await world.DisposeAsync();
            throw;
        }
    }

    public async Task<string> AskAsync(string message, string team = "solo")
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, "/api/v1/chat") { Content = JsonContent.Create(new { message, team }) };
        request.Headers.TryAddWithoutValidation("Prefer", "wait=0");
        using var response = await Front.Http.SendAsync(request);
        var answer = await response.Content.ReadAsStringAsync();
        Assert.True(response.IsSuccessStatusCode, answer);
        return JsonElement.Parse(answer).GetProperty("run_id").GetString()!;
    }

    public async Task<JsonElement> RunAsync(string id) => JsonElement.Parse(await Front.Http.GetStringAsync($"/api/v1/runs/{id}"));

    public async Task<JsonElement> WaitAsync(string id, Func<JsonElement, bool> until)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromMinutes(2));
        while (true)
        {
            var run = await RunAsync(id);
            if (until(run))
            {
                return run;
            }

            if (limit.IsCancellationRequested)
            {
                throw new TimeoutException($"{run}\n{string.Join("\n---\n", _workers.Select(static w => w.Stdout))}");
            }

            await Task.Delay(20);
        }
    }

    public async Task<JsonElement> EndAsync(string id)
    {
        var run = await WaitAsync(id, static r => r.GetProperty("status").GetString() is "completed" or "failed" or "cancelled");
        Assert.True(run.GetProperty("status").GetString() == "completed", run.ToString());
        return run;
    }

    /// <summary>The worker that has the run.</summary>
    public async Task<ServerProcess> OwnerAsync(string id)
    {
        var events = JsonElement.Parse(await Front.Http.GetStringAsync($"/api/v1/runs/{id}/events")).GetProperty("items").EnumerateArray();
        var worker = events.Last(static e => e.GetProperty("type").GetString() == "run.started").GetProperty("worker").GetString()!;
        return _workers.Single(w => worker.Contains($":{w.Pid}:", StringComparison.Ordinal));
    }

    /// <summary>Each event of the run has its number, without a hole, and there is one end.</summary>
    public async Task CheckLogAsync(string id)
    {
        var events = JsonElement.Parse(await Front.Http.GetStringAsync($"/api/v1/runs/{id}/events")).GetProperty("items").EnumerateArray().ToList();
        Assert.Equal(Enumerable.Range(1, events.Count).Select(static n => (long)n), events.Select(static e => e.GetProperty("seq").GetInt64()));
        Assert.Single(events, static e => e.GetProperty("type").GetString() is "run.completed" or "run.failed" or "run.cancelled");
        Assert.Equal("run.completed", events[^1].GetProperty("type").GetString());
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var process in _workers.Append(Front))
        {
            await process.DisposeAsync();
        }

        await Sim.DisposeAsync();
    }
}
