using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using RootMas.LlmSimulator;
using RootMas.Server.Platform.Data;
using RootMas.Tests.Support;

namespace RootMas.Tests.Models.Budgets;

/// <summary>Daily budgets in the real server.</summary>
public abstract class BudgetServerTests(DatabaseKind kind) : OnDatabase(kind)
{
    /// <summary>An answer costs 0.001 US dollars.</summary>
    private const string Script = """
        default: { text: "done", usage: { input: 100, output: 10 } }
        """;

    [DatabaseFact]
    public async Task A_limit_is_a_limit_also_under_two_hundred_parallel_calls()
    {
        await using var sim = await Simulator.StartAsync(Script);
        await using var app = await StartAsync(sim, o => o.Settings["Budgets:User"] = "0.05");
        using var ann = await app.AsAsync("ann");
        using var bob = await app.AsAsync("bob");
        var runs = await Task.WhenAll(Enumerable.Range(0, 200).Select(_ => AskAsync(ann)));
        var ends = new List<JsonElement>();
        foreach (var run in runs)
        {
            ends.Add(await EndAsync(ann, run));
        }

        var failed = ends.Where(static r => r.GetProperty("status").GetString() == "failed").ToList();
        Assert.All(failed, static r => Assert.Equal("model_budget", Text(r, "error_code")));
        Assert.All(failed, static r => Assert.Contains("daily budget of 0.05 US dollars of this user is used up", Text(r, "reason"), StringComparison.Ordinal));
        Assert.Equal(ends.Count - failed.Count, sim.Stats.Chat);
        Assert.InRange(sim.Stats.Chat, 48, 50); // what is left then is less than the shortest answer costs

        var budget = (await BudgetsAsync(ann)).Single();
        Assert.Equal(("user", "0.05", "0.00"), (Text(budget, "scope"), Text(budget, "limit_usd"), Text(budget, "held_usd")));
        Assert.Equal(sim.Stats.Chat * 1_000, (long)(decimal.Parse(Text(budget, "spent_usd")!, System.Globalization.CultureInfo.InvariantCulture) * 1_000_000));
        Assert.Equal("completed", Text(await EndAsync(bob, await AskAsync(bob)), "status")); // others have their own
        Assert.Contains("rootmas_budget_refused_total{reason=\"spent\",scope=\"user\"}", await app.Client.GetStringAsync("/metrics"), StringComparison.Ordinal);

        using var openai = await ann.Client.PostAsJsonAsync("/v1/chat/completions", new { model = "solo", messages = new[] { new { role = "user", content = "hello" } } });
        Assert.Equal(HttpStatusCode.TooManyRequests, openai.StatusCode);
    }

    [DatabaseFact]
    public async Task What_was_spent_before_there_was_a_limit_counts_when_one_is_set()
    {
        await using var sim = await Simulator.StartAsync(Script);
        await using var app = await StartAsync(sim, static _ => { });
        using var ann = await app.AsAsync("ann");
        Assert.Equal("0.00", Text((await BudgetsAsync(ann)).Single(), "spent_usd"));
        for (var i = 0; i < 3; i++)
        {
            Assert.Equal("completed", Text(await EndAsync(ann, await AskAsync(ann)), "status"));
        }

        await TestCluster.UntilAsync(async () => Text((await BudgetsAsync(ann)).Single(), "spent_usd") == "0.003", "what was spent is shown");
        await app.ChangeUserAsync(ann.Id, """{"limits":{"spend_per_day_usd":0.002}}""");
        await TestCluster.UntilAsync(async () => Text((await BudgetsAsync(ann)).Single(), "limit_usd") == "0.002", "the limit counts");
        Assert.Equal("model_budget", Text(await EndAsync(ann, await AskAsync(ann)), "error_code"));
        Assert.Equal(3, sim.Stats.Chat);
    }

    [DatabaseFact]
    public async Task A_users_own_limit_goes_before_the_general_one_and_counts_again_after_a_restart()
    {
        await using var sim = await Simulator.StartAsync(Script);
        using var data = new TempFolder();
        var app = await StartAsync(sim, o => (o.Data, o.Settings["Budgets:User"]) = (data.Path, "100"));
        string id;
        using (var ann = await app.AsAsync("ann"))
        {
            id = ann.Id;
            await app.ChangeUserAsync(id, """{"limits":{"spend_per_day_usd":0.003}}""");
            Assert.Equal("completed", Text(await EndAsync(ann, await AskAsync(ann)), "status"));
        }

        await app.App.StopAsync();
        await app.DisposeAsync();
        app = await StartAsync(sim, o => (o.Data, o.Settings["Budgets:User"]) = (data.Path, "100"));
        using (var ann = await app.AsAsync("ann"))
        {
            var budget = (await BudgetsAsync(ann)).Single();
            Assert.Equal(("0.003", "0.001", "0.002"), (Text(budget, "limit_usd"), Text(budget, "spent_usd"), Text(budget, "left_usd")));
            Assert.Equal("completed", Text(await EndAsync(ann, await AskAsync(ann)), "status"));
            Assert.Equal("failed", Text(await EndAsync(ann, await AskAsync(ann)), "status")); // 0.001 is left, and the shortest answer may cost 0.0016
        }

        await app.DisposeAsync();
    }

    [DatabaseFact]
    public async Task Budgets_of_agents_and_of_all_stop_everybody_and_are_shown_to_those_who_may_see_usage()
    {
        await using var sim = await Simulator.StartAsync(Script);
        await using var app = await StartAsync(sim, o => (o.Settings["Budgets:All"], o.Settings["Budgets:Agents:communicator"]) = ("1", "0.002"));
        using var root = await app.AsAsync("root", "admin");
        using var ann = await app.AsAsync("ann");
        Assert.Equal("completed", Text(await EndAsync(ann, await AskAsync(ann)), "status"));
        var refused = await EndAsync(root, await AskAsync(root));
        Assert.Contains("of the agent communicator is used up", Text(refused, "reason"), StringComparison.Ordinal);
        Assert.Equal(["user"], (await BudgetsAsync(ann)).Select(static b => Text(b, "scope")));
        Assert.Equal([("user", null, null), ("all", null, "1.00"), ("agent", "communicator", "0.002")], (await BudgetsAsync(root)).Select(static b => (Text(b, "scope"), b.GetProperty("scope").GetString() == "user" ? null : Text(b, "key"), Text(b, "limit_usd"))));
        await Wait.UntilAsync(static async app => (await app.Client.GetStringAsync("/metrics")).Contains("rootmas_budget_spent 0.001", StringComparison.Ordinal), app, "What the day cost was no metric");
        Assert.Contains("rootmas_budget_daily 1", await app.Client.GetStringAsync("/metrics"), StringComparison.Ordinal);
    }

    /// <summary>A gateway to a paid provider is as near as an Ollama.</summary>
    [DatabaseFact]
    public async Task A_price_that_is_set_counts_for_a_provider_on_this_machine_too()
    {
        await using var sim = await Simulator.StartAsync(Script);
        await using var app = await StartAsync(sim, o =>
        {
            o.ConfigFiles.Remove("models.yaml");
            o.Environment["OPENAI_BASE_URL"] = sim.OpenAiUrl;
            (o.Settings["Models:InputPrice"], o.Settings["Models:OutputPrice"], o.Settings["Budgets:All"]) = ("0", "100", "0.002");
        });
        JsonElement model = default;
        await Wait.UntilAsync(
            async server => (model = (await server.GetJsonAsync("/api/v1/models")).GetProperty("items").EnumerateArray().FirstOrDefault(static m => Text(m, "name") == "sim-cheap")).ValueKind == JsonValueKind.Object,
            app,
            "The provider's models were not found");
        Assert.Equal((false, "0", "100"), (model.GetProperty("free").GetBoolean(), Text(model, "input_price"), Text(model, "output_price")));

        using var ann = await app.AsAsync("ann");
        Assert.Equal("completed", Text(await EndAsync(ann, await AskAsync(ann)), "status"));
        Assert.Equal("model_budget", Text(await EndAsync(ann, await AskAsync(ann)), "error_code"));
        using var openai = await ann.Client.PostAsJsonAsync("/v1/chat/completions", new { model = "solo", messages = new[] { new { role = "user", content = "hello" } } });
        Assert.Equal(HttpStatusCode.TooManyRequests, openai.StatusCode);
        Assert.Contains("model_budget", await openai.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        Assert.Equal(1, sim.Stats.Chat);
    }

    private static Task<TestApp> StartAsync(Simulator sim, Action<TestAppOptions> configure) => TestApp.StartAsync(o =>
    {
        o.ConfigFiles["models.yaml"] = $$"""
            providers: { sim: { base_url: "{{sim.OpenAiUrl}}" } }
            models: { priced: { provider: sim, price: { input: 0, output: 100 } } }
            tiers: { cheap: [priced], standard: [priced], premium: [priced] }
            """;
        o.Settings["Budgets:MostOutput"] = "256";
        o.Settings["Runs:MaxBackoff"] = "1s";
        o.Settings["Telemetry:SampleInterval"] = "1s";
        configure(o);
    });

    private static async Task<string> AskAsync(TestUser user)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, "/api/v1/chat") { Content = JsonContent.Create(new { message = "hello", team = "solo" }) };
        request.Headers.TryAddWithoutValidation("Prefer", "wait=0");
        using var answer = await user.Client.SendAsync(request);
        var body = JsonElement.Parse(await answer.Content.ReadAsStringAsync());
        Assert.True(answer.IsSuccessStatusCode, body.ToString());
        return body.GetProperty("run_id").GetString()!;
    }

    private static async Task<JsonElement> EndAsync(TestUser user, string id)
    {
        JsonElement run = default;
        await Wait.UntilAsync(
            async path => (run = await user.Client.GetFromJsonAsync<JsonElement>(path)).GetProperty("status").GetString() is "completed" or "failed", $"/api/v1/runs/{id}", $"The run {id} did not end");
        return run;
    }

    private static async Task<List<JsonElement>> BudgetsAsync(TestUser user) =>
        [.. (await user.Client.GetFromJsonAsync<JsonElement>("/api/v1/budgets")).GetProperty("items").EnumerateArray()];

    private static string? Text(JsonElement element, string name) => element.GetProperty(name).GetString();
}

public sealed class BudgetServerOnSqliteTests() : BudgetServerTests(DatabaseKind.Sqlite);

public sealed class BudgetServerOnPostgresTests() : BudgetServerTests(DatabaseKind.Postgres), IOnPostgres;
