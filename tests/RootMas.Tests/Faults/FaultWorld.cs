using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using RootMas.LlmSimulator;
using RootMas.Tests.Support;

namespace RootMas.Tests.Faults;

/// <summary>The built program as a process of its own, on the simulator's models and tools; it can be killed at any moment.</summary>
internal sealed class FaultWorld : IAsyncDisposable
{
    private FaultWorld(Simulator sim, ServerProcess server, string? postgres)
    {
        (Sim, Server) = (sim, server);
        Checker = new InvariantChecker(server.Data, server.Http, sim) { Postgres = postgres };
    }

    public Simulator Sim { get; }

    public ServerProcess Server { get; }

    public InvariantChecker Checker { get; }

    /// <param name="postgres">A database on a PostgreSQL server; null: SQLite.</param>
    /// <param name="environment">Settings beside those of every such world.</param>
    /// <param name="way">To that server; null: straight.</param>
    /// <param name="config">Its directory of settings; null: the repository's.</param>
    public static async Task<FaultWorld> StartAsync(
        string script, (PostgresServer Server, string Database)? postgres = null, Dictionary<string, string>? environment = null, CuttingProxy? way = null, string? config = null)
    {
        var sim = await Simulator.StartAsync();
        sim.Use(script.Replace("BASE", sim.BaseUrl, StringComparison.Ordinal));
        var settings = ServerSettings.With(sim);
        var variables = new Dictionary<string, string>(settings.Environment.Concat(environment ?? []), StringComparer.Ordinal)
        {
            ["ROOTMAS__Outbound__Allow__0"] = new Uri(sim.BaseUrl).Authority,
            ["ROOTMAS__Tools__Http__Idempotent__0"] = $"{sim.BaseUrl}/_tool/idempotent",
        };
        if (postgres is var (there, database))
        {
            variables["ROOTMAS__Database__Kind"] = "postgres";
            variables["ROOTMAS__Database__ConnectionString"] = way is null ? there.Url(database) : $"postgres://postgres@127.0.0.1:{way.Port}/{database}";
        }

        var server = await ServerProcess.StartAsync(settings with { Config = config ?? Repository.PathOf("config"), Environment = variables });
        return new FaultWorld(sim, server, postgres is var (where, name) ? where.ConnectionString(name) : null);
    }

    /// <summary>Starts a run and returns its id without waiting for it.</summary>
    public async Task<string> AskAsync(object body)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, "/api/v1/chat") { Content = JsonContent.Create(body) };
        request.Headers.TryAddWithoutValidation("Prefer", "wait=0");
        using var response = await Server.Http.SendAsync(request);
        var answer = await JsonOf(response);
        Assert.True(response.IsSuccessStatusCode, answer.ToString());
        var id = answer.GetProperty("run_id").GetString()!;
        Checker.Accepted.Add(id);
        return id;
    }

    public async Task<JsonElement> RunAsync(string id) => await JsonOf(await Server.Http.GetAsync($"/api/v1/runs/{id}"));

    public async Task<JsonElement> WaitAsync(string id, params string[] status)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromMinutes(3));
        while (true)
        {
            var run = await RunAsync(id);
            var now = run.GetProperty("status").GetString();
            if (status.Contains(now, StringComparer.Ordinal))
            {
                return run;
            }

            if (limit.IsCancellationRequested || (now is "completed" or "failed" or "cancelled"))
            {
                throw new InvalidOperationException($"run {id} is {now}, not {string.Join(" or ", status)}: {run}\n{await Server.Http.GetStringAsync($"/api/v1/runs/{id}/events")}\n{Server.Stdout}");
            }

            await Task.Delay(20);
        }
    }

    public async Task<JsonElement> PostAsync(string path, object body, HttpStatusCode expected)
    {
        using var response = await Server.Http.PostAsJsonAsync(path, body);
        var answer = await JsonOf(response);
        Assert.True(response.StatusCode == expected, $"{(int)response.StatusCode} {answer}");
        return answer;
    }

    public async Task ApproveAsync(string runId)
    {
        await WaitAsync(runId, "waiting_approval");
        var list = await JsonOf(await Server.Http.GetAsync($"/api/v1/approvals?run={runId}"));
        var approval = list.GetProperty("items")[0];
        await PostAsync(
            $"/api/v1/approvals/{approval.GetProperty("id").GetString()}", new { decision = "approve", arguments_hash = approval.GetProperty("arguments_hash").GetString() }, HttpStatusCode.OK);
    }

    public async Task KillAndRestartAsync()
    {
        await Server.KillAsync();
        await Server.StartAgainAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await Server.DisposeAsync();
        await Sim.DisposeAsync();
    }

    private static async Task<JsonElement> JsonOf(HttpResponseMessage response)
    {
        using (response)
        {
            return JsonElement.Parse(await response.Content.ReadAsStringAsync());
        }
    }
}
