using System.Text.Json;
using RootMas.LlmSimulator;
using RootMas.Server.Platform.Data;
using RootMas.Tests.Chat;
using RootMas.Tests.Support;

namespace RootMas.Tests.Faults;

/// <summary>The limit of a tree of runs is one also for eight of them side by side, each of which could spend a third of it: on both databases, whoever is killed, and on two workers.</summary>
public abstract class TreeLimitTests(DatabaseKind kind) : OnDatabase(kind)
{
    /// <summary>A part of the work costs 1,000 micro-dollars, what comes before it 100; 5 are too few for any answer.</summary>
    private const string Teams = """
        default: ask
        teams:
          ask: { description: A test, pattern: direct, entry: communicator, edges: { communicator: [researcher] }, limits: { max_steps: 100, max_children: 8, max_depth: 1, max_cost_usd: 0.003105 } }
          plan: { description: A test, pattern: plan, entry: meta, writer: communicator, max_parallel: 8, edges: { meta: [researcher] }, limits: { max_steps: 100, max_children: 8, max_depth: 1, max_cost_usd: 0.003105 } }
          views: { description: A test, pattern: concurrent, writer: communicator, max_parallel: 8, members: [researcher, prompt_builder, agent_builder, multi_tool, workflow_builder, webapp_builder, budget_manager, model_selector], limits: { max_steps: 100, max_children: 8, max_depth: 1, max_cost_usd: 0.003005 } }
        """;

    private static readonly string Script = $$"""
        rules:
          - name: front
            match: { agent: communicator, last_role: user, last_user: "ask eight" }
            answer: { usage: { input: 10, output: 100 }, tool_calls: [ {{string.Join(", ", Enumerable.Range(1, 8).Select(static n => $"{{ name: delegate, arguments: {{ agent: researcher, task: \"part {n}\" }} }}"))}} ] }
          - name: planner
            match: { agent: meta, structured: true }
            answer: { usage: { input: 10, output: 100 }, json: { goal: "g", tasks: [ {{string.Join(", ", Enumerable.Range(1, 8).Select(static n => $"{{ id: \"t{n}\", agent: \"researcher\", task: \"part {n}\", depends_on: [], done_when: \"done\" }}"))}} ] } }
        default: { text: "A part is done.", first_token_ms: 200, usage: { input: 10, output: 1000 } }
        """;

    private static readonly (string Key, string Value)[] Settings = [("Budgets:MostOutput", "1000"), ("Runs:MaxBackoff", "00:00:01")];

    [DatabaseTheory]
    [InlineData("ask")]
    [InlineData("plan")]
    [InlineData("views")]
    public async Task Eight_that_ask_at_once_cost_no_more_than_the_limit_of_their_tree(string team)
    {
        await using var sim = await Simulator.StartAsync(Script);
        await using var world = await ChatWorld.StartAsync(sim: sim, configure: o =>
        {
            o.ConfigFiles["teams.yaml"] = Teams;
            o.ConfigFiles["models.yaml"] = Models(sim);
            foreach (var (key, value) in Settings)
            {
                o.Settings[key] = value;
            }
        });
        var answer = await world.AskAsync(new { message = "ask eight", team });
        Check(await world.App.GetJsonAsync($"/api/v1/runs/{answer.GetProperty("run_id").GetString()}?tree=1"), sim);
        Assert.Equal(0, Lost(sim));
    }

    [DatabaseFact]
    public async Task What_a_killed_process_had_set_aside_comes_back_and_the_limit_holds()
    {
        await using var sim = await Simulator.StartAsync(Script);
        using var config = Config(sim);
        (PostgresServer Server, string Database)? postgres = null;
        if (TestDatabase.Kind == DatabaseKind.Postgres)
        {
            var server = await PostgresServer.SharedAsync();
            postgres = (server, await server.NewDatabaseAsync(migrated: false));
        }

        await using var world = await FaultWorld.StartAsync("default: { text: unused }", postgres, Settings.ToDictionary(static s => "ROOTMAS__" + s.Key.Replace(":", "__", StringComparison.Ordinal), static s => s.Value), config: config.Path);
        var hold = sim.Hold(new HoldSpec { Agent = "researcher" });
        var id = await world.AskAsync(new { message = "ask eight", team = "ask" });
        await sim.WaitForCallsAsync(4, TimeSpan.FromSeconds(60));
        await world.KillAndRestartAsync();
        hold.Release();
        await world.WaitAsync(id, "failed");
        var run = JsonElement.Parse(await world.Server.Http.GetStringAsync($"/api/v1/runs/{id}?tree=1"));
        Check(run, sim);
        Assert.Equal(3, Lost(sim));
    }

    /// <summary>As many have had their answer as the limit holds for; the others, and whoever would have put it together, are told why they have none.</summary>
    internal static void Check(JsonElement run, Simulator sim)
    {
        var limit = run.GetProperty("team").GetString() == "views" ? 3_005 : 3_105;
        var cost = decimal.Parse(run.GetProperty("tree_cost_usd").GetString()!, System.Globalization.CultureInfo.InvariantCulture) * 1_000_000;
        Assert.True(cost <= limit, $"the tree cost {cost}: {run}");
        Assert.Equal(3 + Lost(sim), sim.Calls.Count(static c => c.Rule is not ("front" or "planner")));
        var parts = run.GetProperty("children").EnumerateArray().ToList();
        Assert.Equal(8, parts.Count);
        Assert.Equal(3, parts.Count(static p => p.GetProperty("status").GetString() == "completed"));
        var refused = parts.Where(static p => p.GetProperty("status").GetString() == "failed").ToList();
        Assert.Equal(5, refused.Count);
        Assert.All(refused.Append(run), static p => Assert.Equal("model_budget", p.GetProperty("error_code").GetString()));
        Assert.All(refused.Append(run), static p => Assert.Contains("budget of this run is used up", p.GetProperty("reason").GetString(), StringComparison.Ordinal));
    }

    /// <summary>Answers for a process that was killed: nobody knows what they cost, so they count as nothing.</summary>
    internal static int Lost(Simulator sim) => sim.Calls.Count(static c => c.Aborted);

    /// <summary>A directory of settings with the test's teams and models.</summary>
    internal static TempFolder Config(Simulator sim)
    {
        var folder = new TempFolder();
        var from = Repository.PathOf("config");
        foreach (var file in Directory.EnumerateFiles(from, "*", SearchOption.AllDirectories))
        {
            var target = Path.Combine(folder.Path, Path.GetRelativePath(from, file));
            Directory.CreateDirectory(Path.GetDirectoryName(target)!);
            File.Copy(file, target);
        }

        File.WriteAllText(Path.Combine(folder.Path, "teams.yaml"), Teams);
        File.WriteAllText(Path.Combine(folder.Path, "models.yaml"), Models(sim));
        return folder;
    }

    internal static Task<Simulator> SimulatorAsync() => Simulator.StartAsync(Script);

    internal static IReadOnlyList<(string Key, string Value)> Common => Settings;

    private static string Models(Simulator sim) => $$"""
        providers: { sim: { base_url: "{{sim.OpenAiUrl}}" } }
        models: { priced: { provider: sim, price: { input: 0, output: 1 } } }
        tiers: { cheap: [priced], standard: [priced], premium: [priced] }
        """;
}

public sealed class TreeLimitOnSqliteTests() : TreeLimitTests(DatabaseKind.Sqlite);

public sealed class TreeLimitOnPostgresTests() : TreeLimitTests(DatabaseKind.Postgres), IOnPostgres;

/// <summary>The same where children are at two workers, one of which is killed.</summary>
public sealed class TreeLimitOfWorkersTests
{
    [PostgresFact]
    public async Task Two_workers_keep_one_limit_also_when_one_of_them_is_killed()
    {
        await using var sim = await TreeLimitTests.SimulatorAsync();
        using var config = TreeLimitTests.Config(sim);
        await using var world = await WorkerProcesses.StartAsync("default: { text: unused }", workers: 2, config.Path, [.. TreeLimitTests.Common]);
        var hold = sim.Hold(new HoldSpec { Agent = "researcher" });
        var id = await world.AskAsync("ask eight", "ask");
        await sim.WaitForCallsAsync(4, TimeSpan.FromMinutes(1));
        var (child, attempt, owner) = await AskingAsync(world, id);
        await owner.KillAsync();
        await world.WaitAsync(child, r => r.GetProperty("attempt").GetInt32() > attempt);
        hold.Release();
        await world.WaitAsync(id, static r => r.GetProperty("status").GetString() == "failed");
        TreeLimitTests.Check(await TreeAsync(world, id), sim);
        Assert.NotEqual(0, TreeLimitTests.Lost(sim));
    }

    /// <summary>A child that waits for its model, and the worker that has it. As long as more than three of them say that they ask, some are about to be refused.</summary>
    private static async Task<(string Id, int Attempt, ServerProcess Owner)> AskingAsync(WorkerProcesses world, string id)
    {
        List<(string Id, int Attempt)> asking = [];
        await TestCluster.UntilAsync(async () => (asking = await AllAskingAsync(world, id)).Count == 3, "three of the children wait for their model");
        return (asking[0].Id, asking[0].Attempt, await world.OwnerAsync(asking[0].Id));
    }

    private static async Task<List<(string Id, int Attempt)>> AllAskingAsync(WorkerProcesses world, string id)
    {
        List<(string, int)> asking = [];
        foreach (var child in (await TreeAsync(world, id)).GetProperty("children").EnumerateArray())
        {
            var name = child.GetProperty("id").GetString()!;
            var events = JsonElement.Parse(await world.Front.Http.GetStringAsync($"/api/v1/runs/{name}/events")).GetProperty("items").EnumerateArray().Select(static e => e.GetProperty("type").GetString()).ToList();
            if (events.LastOrDefault() == "model.requested" && !events.Contains("model.failed"))
            {
                asking.Add((name, child.GetProperty("attempt").GetInt32()));
            }
        }

        return asking;
    }

    private static async Task<JsonElement> TreeAsync(WorkerProcesses world, string id) => JsonElement.Parse(await world.Front.Http.GetStringAsync($"/api/v1/runs/{id}?tree=1"));
}
