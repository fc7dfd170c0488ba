using System.Net;
using RootMas.LlmSimulator;
using RootMas.Runtime.Runs;
using RootMas.Tests.Chat;
using RootMas.Tests.Support;

namespace RootMas.Tests.Faults;

/// <summary>F17 of CHECKS.md: a model that does not come to an end is stopped by a limit with a name, which the model and the user are told.</summary>
public sealed class GuardTests
{
    private const string Teams = """
        default: one
        teams:
          one: { description: A test, pattern: direct, entry: communicator, limits: { max_steps: 12, max_children: 0, max_depth: 0, max_tokens: 5000, max_cost_usd: 1, max_wall_seconds: 300 } }
          dear: { description: A test, pattern: direct, entry: communicator, limits: { max_steps: 12, max_children: 0, max_depth: 0, max_tokens: 0, max_cost_usd: 0.01, max_wall_seconds: 300 } }
          pair: { description: A test, pattern: handoff, entry: communicator, handoffs: { communicator: [researcher], researcher: [communicator] } }
          wide: { description: A test, pattern: direct, entry: communicator, edges: { communicator: [researcher] }, limits: { max_steps: 200, max_children: 64, max_depth: 2 } }
          broad: { description: A test, pattern: direct, entry: communicator, edges: { communicator: [researcher], researcher: [budget_manager] }, limits: { max_steps: 200, max_children: 20, max_depth: 2 } }
          deep: { description: A test, pattern: direct, entry: communicator, edges: { communicator: [researcher], researcher: [coordination], coordination: [budget_manager] }, limits: { max_steps: 200, max_children: 30, max_depth: 2 } }
        """;

    private const string Same = "tool_calls: [ { name: calculator, arguments: { expression: \"1+1\" } } ]";
    private const string Other = "tool_calls: [ { name: calculator, arguments: { expression: \"{{n}}+1\" } } ]";
    private static readonly string Thousand = "tool_calls: [" + string.Join(',', Enumerable.Range(0, 1000).Select(static i => $"{{ name: delegate, arguments: {{ agent: researcher, task: \"part {i}\" }} }}")) + "]";

    public static TheoryData<string, string, string, string> Loops => new()
    {
        { "one", "default: { " + Same + ", usage: { input: 1, output: 1 } }", "guard_loop", "calculator was called 4 times with the same arguments" },
        { "one", "default: { " + Other + ", usage: { input: 1, output: 1 } }", "guard_steps", "the limit is 12" },
        { "one", "default: { " + Other + ", usage: { input: 1500, output: 10 } }", "guard_tokens", "the limit is 5000" },
        {
            "pair", """
            rules:
              - match: { agent: communicator }
                answer: { tool_calls: [ { name: handoff, arguments: { agent: researcher, reason: "yours {{n}}" } } ] }
              - match: { agent: researcher }
                answer: { tool_calls: [ { name: handoff, arguments: { agent: communicator, reason: "yours {{n}}" } } ] }
            """, "guard_ping_pong", "handed the work to each other 6 times"
        },
        {
            "wide", "rules: [ { match: { agent: communicator }, answer: { " + Thousand + " } } ]\ndefault: { text: \"part done\" }", "guard_children", "The run has 64 subtasks; the limit is 64."
        },
        { "deep", Deeper("deeper {{n}}"), "guard_steps", "the limit is 200" },
    };

    [Theory]
    [MemberData(nameof(Loops))]
    public async Task A_model_that_goes_round_is_told_and_then_stopped_by_a_named_limit(string team, string script, string code, string reason)
    {
        await using var world = await StartAsync(script);
        var (checker, answer) = (Checker(world), await world.AskAsync(new { message = "go", team }));
        var run = await world.App.GetJsonAsync($"/api/v1/runs/{answer.GetProperty("run_id").GetString()}");
        Assert.Equal("failed", run.GetProperty("status").GetString());
        Assert.StartsWith(code, run.GetProperty("error_code").GetString(), StringComparison.Ordinal);
        Assert.Contains(reason, run.GetProperty("reason").GetString(), StringComparison.Ordinal);
        Assert.Contains("ask again", run.GetProperty("reason").GetString(), StringComparison.Ordinal);
        Assert.Equal(run.GetProperty("reason").GetString(), answer.GetProperty("response").GetString());
        Assert.Contains(world.Sim.Calls, static c => c.Body!.Contains("[Note from the system]", StringComparison.Ordinal));
        await checker.CheckAsync();
    }

    [Theory]
    [InlineData("{ input: 1, output: 1 }", "steps", "10 of their 12 steps", 6)]
    [InlineData("{ input: 1500, output: 10 }", "tokens", "4530 of their 5000 tokens", 4)]
    public async Task Who_is_told_that_a_limit_is_near_has_the_time_to_answer(string usage, string guard, string told, int calls)
    {
        await using var world = await StartAsync("rules: [ { match: { last_user: \"Finish now\" }, answer: { text: \"What there is.\", usage: { input: 1, output: 1 } } } ]\ndefault: { " + Other + ", usage: " + usage + " }");
        var answer = await world.AskAsync(new { message = "go", team = "one" });
        Assert.Equal("What there is.", answer.GetProperty("response").GetString());
        var checker = Checker(world);
        var hint = Assert.Single((await checker.EventsAsync(answer.GetProperty("run_id").GetString()!)).OfType<GuardHinted>());
        Assert.Equal((guard, "communicator"), (hint.Guard, hint.Agent));
        Assert.Contains(told, hint.Hint, StringComparison.Ordinal);
        Assert.Equal(calls, world.Sim.Calls.Count);
        await checker.CheckAsync();
    }

    [Fact]
    public async Task Who_is_near_two_limits_is_told_both()
    {
        await using var world = await StartAsync("rules: [ { match: { last_user: \"Finish now\" }, answer: { text: \"What there is.\", usage: { input: 1, output: 1 } } } ]\ndefault: { " + Other + ", usage: { input: 900, output: 10 } }");
        var answer = await world.AskAsync(new { message = "go", team = "one" });
        Assert.Equal("What there is.", answer.GetProperty("response").GetString());
        var checker = Checker(world);
        Assert.Equal(["steps", "tokens"], (await checker.EventsAsync(answer.GetProperty("run_id").GetString()!)).OfType<GuardHinted>().Select(static h => h.Guard));
        Assert.Contains("10 of their 12 steps", world.Sim.Calls[^1].Body, StringComparison.Ordinal);
        Assert.Contains("4550 of their 5000 tokens", world.Sim.Calls[^1].Body, StringComparison.Ordinal);
        await checker.CheckAsync();
    }

    [Fact]
    public async Task A_retry_is_told_of_its_own_limits_and_not_of_those_of_the_run_that_it_goes_on_from()
    {
        await using var world = await StartAsync("default: { " + Other + ", usage: { input: 1, output: 1 } }");
        var checker = Checker(world);
        var stopped = (await world.AskAsync(new { message = "go", team = "one" })).GetProperty("run_id").GetString()!;
        var before = await checker.EventsAsync(stopped);
        Assert.Single(before.OfType<GuardHinted>());
        var again = (await world.App.PostJsonAsync($"/api/v1/runs/{stopped}/retry", new { from_seq = before[^1].Seq }, HttpStatusCode.Accepted)).GetProperty("id").GetString()!;
        await world.EventsAsync(again);
        var after = await checker.EventsAsync(again);
        var hint = Assert.Single(after.OfType<GuardHinted>());
        Assert.Contains("10 of their 12 steps", hint.Hint, StringComparison.Ordinal);
        Assert.Equal(before.OfType<ToolCompleted>().Count() + 5, after.OfType<ToolCompleted>().Count(t => t.Seq < hint.Seq));
    }

    [Fact]
    public async Task A_run_that_has_cost_its_limit_is_stopped_before_it_asks_again()
    {
        await using var sim = await Simulator.StartAsync("default: { " + Other + ", usage: { input: 1000000, output: 10 } }");
        await using var world = await ChatWorld.StartAsync(sim: sim, configure: o =>
        {
            o.ConfigFiles["teams.yaml"] = Teams;
            o.ConfigFiles["models.yaml"] = $$"""
                providers: { sim: { base_url: "{{sim.OpenAiUrl}}" } }
                models: { priced: { provider: sim, price: { input: 0.05, output: 0.1 } } }
                tiers: { cheap: [priced], standard: [priced], premium: [priced] }
                """;
        });
        var answer = await world.AskAsync(new { message = "go", team = "dear" });
        var run = await world.App.GetJsonAsync($"/api/v1/runs/{answer.GetProperty("run_id").GetString()}");
        Assert.Equal(("failed", "guard_cost"), (run.GetProperty("status").GetString(), run.GetProperty("error_code").GetString()));
        Assert.Contains("the limit is 0.01", run.GetProperty("reason").GetString(), StringComparison.Ordinal);
        Assert.Single(sim.Calls);
        await Checker(world).CheckAsync();
    }

    [Fact]
    public async Task A_run_whose_model_gave_no_answer_says_the_tokens_that_its_ledger_says()
    {
        await using var world = await StartAsync("default: { text: \"\", usage: { input: 1500, output: 10 } }");
        var answer = await world.AskAsync(new { message = "go", team = "one" });
        var run = await world.App.GetJsonAsync($"/api/v1/runs/{answer.GetProperty("run_id").GetString()}");
        Assert.Equal(("failed", "model_invalid_answer"), (run.GetProperty("status").GetString(), run.GetProperty("error_code").GetString()));
        var checker = Checker(world);
        var (input, output) = await checker.TokensAsync(run.GetProperty("id").GetString()!);
        Assert.InRange(input, 1500, long.MaxValue);
        foreach (var usage in (string[])["usage", "tree_usage"])
        {
            Assert.Equal((input, output), (run.GetProperty(usage).GetProperty("input_tokens").GetInt64(), run.GetProperty(usage).GetProperty("output_tokens").GetInt64()));
        }

        await checker.CheckAsync();
    }

    [Fact]
    public async Task A_thousand_delegations_at_once_become_the_limits_number_and_a_model_that_accepts_it_goes_on()
    {
        await using var world = await StartAsync(
            "rules: [ { match: { agent: communicator, last_role: user, last_user: go }, times: 1, answer: { " + Thousand + " } }, { match: { agent: communicator }, answer: { text: \"Enough.\" } } ]\ndefault: { text: \"part done\" }");
        var answer = await world.AskAsync(new { message = "go", team = "wide" });
        Assert.Equal("Enough.", answer.GetProperty("response").GetString());
        var checker = Checker(world);
        var log = await checker.EventsAsync(answer.GetProperty("run_id").GetString()!);
        Assert.Equal(64, log.OfType<ChildStarted>().Count());
        Assert.Equal(["calls", "children"], log.OfType<GuardHinted>().Select(static g => g.Guard).Order(StringComparer.Ordinal));
        Assert.All(log.OfType<ToolFailed>(), static f => Assert.Contains("the limit is 64", f.Result, StringComparison.Ordinal));
        Assert.Contains("the limit is 64", world.Sim.Calls[^1].Body, StringComparison.Ordinal);
        await checker.CheckAsync();
    }

    [Fact]
    public async Task Subtasks_that_delegate_side_by_side_share_one_limit()
    {
        await using var world = await StartAsync($$"""
            rules:
              - { match: { agent: communicator, last_role: user }, answer: { tool_calls: [ {{Delegations(8, "researcher")}} ] } }
              - { name: split, match: { agent: researcher, last_role: user, last_user: "part " }, answer: { first_token_ms: 100, tool_calls: [ {{Delegations(5, "budget_manager")}} ] } }
            default: { text: "As far as it went." }
            """);
        await world.AskAsync(new { message = "go", team = "broad" });
        Assert.Equal(8, world.Sim.Calls.Count(static c => c.Rule == "split"));
        Assert.Equal(12, world.Sim.Calls.Count(static c => c.Agent == "budget_manager"));
        await Checker(world).CheckAsync();
    }

    [Fact]
    public async Task A_delegation_from_the_last_level_is_refused_by_the_name_of_the_limit()
    {
        await using var world = await StartAsync(Deeper("deeper").Replace("rules:", "rules:\n  - { match: { tool_called: delegate }, answer: { text: Done as far as it went. } }", StringComparison.Ordinal));
        var answer = await world.AskAsync(new { message = "go", team = "deep" });
        Assert.Equal("Done as far as it went.", answer.GetProperty("response").GetString());
        var checker = Checker(world);
        var deepest = await world.App.GetJsonAsync($"/api/v1/runs/{answer.GetProperty("run_id").GetString()}?tree=1");
        var depth = 0;
        for (; deepest.GetProperty("children").GetArrayLength() > 0; depth++)
        {
            deepest = deepest.GetProperty("children")[0];
        }

        Assert.Equal(2, depth);
        var log = await checker.EventsAsync(deepest.GetProperty("id").GetString()!);
        Assert.Equal("depth", Assert.Single(log.OfType<GuardHinted>()).Guard);
        Assert.Contains("Tasks may be delegated 2 levels deep", Assert.Single(log.OfType<ToolFailed>()).Result, StringComparison.Ordinal);
        await checker.CheckAsync();
    }

    private static string Delegations(int count, string agent) =>
        string.Join(", ", Enumerable.Range(1, count).Select(n => $"{{ name: delegate, arguments: {{ agent: {agent}, task: \"part {n}\" }} }}"));

    /// <summary>Everybody gives the work to the next one.</summary>
    private static string Deeper(string task) => $$$"""
        rules:
          - { match: { agent: communicator }, answer: { tool_calls: [ { name: delegate, arguments: { agent: researcher, task: "{{{task}}}" } } ] } }
          - { match: { agent: researcher }, answer: { tool_calls: [ { name: delegate, arguments: { agent: coordination, task: "{{{task}}}" } } ] } }
          - { match: { agent: coordination }, answer: { tool_calls: [ { name: delegate, arguments: { agent: budget_manager, task: "{{{task}}}" } } ] } }
        """;

    private static Task<ChatWorld> StartAsync(string script) => ChatWorld.StartAsync(script, configure: static o => o.ConfigFiles["teams.yaml"] = Teams);

    private static InvariantChecker Checker(ChatWorld world) => new(world.App.Data, world.App.Client, world.Sim);
}
