using RootMas.LlmSimulator;
using RootMas.Runtime.Runs;
using RootMas.Tests.Chat;
using RootMas.Tests.Support;

namespace RootMas.Tests.Faults;

/// <summary>F10 of CHECKS.md through the server: whatever a provider does, another model answers or the run fails clearly, and every request is settled.</summary>
public sealed class ModelFaultTests
{
    private const string Healthy = "text: \"I am {{model}}, and this is the whole answer.\", usage: { input: 100, cached: 40, output: 10 }";

    /// <summary>What a request to a healthy model costs: 60 × 1 + 40 × 0.5 + 10 × 2 micro-dollars.</summary>
    private const long HealthyCost = 100;

    private const string Long = "text: \"These words come from the shaky model and must never be glued to those of another one, however many of them were shown before it broke down.\"";

    /// <summary>What happens; the first model's answer; how its requests end in the ledger; who answers; whether text was shown that does not count.</summary>
    public static TheoryData<string, string, string[], string, bool> Faults => new()
    {
        { "429", "{ fault: { kind: status, status: 429 } }", ["rate_limited", "rate_limited"], "second", false },
        { "429, Retry-After that is worth it", "{ fault: { kind: status, status: 429, retry_after: 1 } }, times: 1", ["rate_limited", "ok"], "patient", false },
        { "429, Retry-After that is not", "{ fault: { kind: status, status: 429, retry_after: 60 } }", ["rate_limited"], "second", false },
        { "500", "{ fault: { kind: status, status: 500 } }", ["server_error", "server_error"], "second", false },
        { "closed before the status line", "{ fault: { kind: close } }", ["unreachable", "unreachable"], "second", false },
        { "refused", "{ text: never }", ["unreachable", "unreachable"], "second", false },
        { "no first token", "{ fault: { kind: hang } }", ["timeout"], "second", false },
        { "silent after some tokens", "{ " + Long + ", fault: { kind: stall, after_bytes: 1500 } }", ["timeout"], "second", true },
        { "one byte a second", "{ " + Long + ", fault: { kind: drip } }", ["timeout"], "second", false },
        { "never ends", "{ fault: { kind: endless } }", ["timeout"], "second", true },
        { "cut in the middle of JSON", "{ " + Long + ", fault: { kind: cut, after_bytes: 1500 } }", ["unreachable"], "second", true },
        { "error in the stream", "{ " + Long + ", fault: { kind: error_in_stream } }", ["server_error"], "second", true },
        { "malformed JSON", "{ " + Long + ", fault: { kind: malformed_json } }", ["invalid_answer"], "standard", true },
        { "malformed events", "{ " + Long + ", fault: { kind: malformed_sse } }", ["unreachable"], "second", true },
        { "empty choices", "{ fault: { kind: empty_choices } }", ["invalid_answer"], "standard", false },
        { "wrong tool", "{ fault: { kind: wrong_tool } }", ["invalid_answer"], "standard", false },
        { "invalid arguments", "{ fault: { kind: invalid_arguments } }, times: 1", ["ok", "ok"], "patient", false },
        { "10 MB", "{ fault: { kind: huge } }", ["invalid_answer"], "standard", true },
    };

    [Theory]
    [MemberData(nameof(Faults))]
    public async Task Another_model_answers_nothing_is_glued_and_usage_is_settled(string what, string answer, string[] outcomes, string answering, bool shown)
    {
        var free = what is "10 MB"; // it costs more than the team may spend, and that would be another story
        var first = what is "refused" ? "nobody" : outcomes.Contains("timeout", StringComparer.Ordinal) ? shown ? "steady" : "hasty" : "patient";
        await using var world = await StartAsync(Script(first, answer), first, free);
        var checker = new InvariantChecker(world.App.Data, world.App.Client, world.Sim);

        var chat = await world.AskAsync(new { message = "Hi", team = "solo" });
        Assert.Equal($"I am {answering}, and this is the whole answer.", chat.GetProperty("response").GetString());
        Assert.Equal(answering, chat.GetProperty("metadata").GetProperty("model").GetString());
        await SettledAsync(checker, chat.GetProperty("run_id").GetString()!, first, outcomes, answering, free ? 0 : HealthyCost);

        world.Sim.Use(Script(first, answer));
        using var response = await world.App.PostAsync("/api/v1/chat/stream", """{"message":"Hi again","team":"solo"}""");
        var events = await SseEvent.ReadAllAsync(response);
        var client = new StreamClient();
        events.ForEach(client.See);
        Assert.Equal($"I am {answering}, and this is the whole answer.", client.FinalText());
        Assert.Equal(shown, client.Superseded.Count > 0);
        await SettledAsync(checker, events[0].Data.GetProperty("run_id").GetString()!, first, outcomes, answering, free ? 0 : HealthyCost);

        await EverythingCountedAsync(world, checker);
        await checker.CheckAsync();
    }

    [Theory]
    [InlineData("{ fault: { kind: status, status: 401 } }", "model_auth", "refuses the request")]
    [InlineData("{ fault: { kind: status, status: 402 } }", "model_credit", "no credit left")]
    [InlineData("""{ fault: { kind: status, status: 429, body: '{"error":{"message":"You exceeded your current quota, please check your plan and billing details.","type":"insufficient_quota","code":"insufficient_quota"}}' } }""", "model_credit", "no credit left")]
    [InlineData("{ fault: { kind: status, status: 400 } }", "model_bad_request", "does not accept the request")]
    [InlineData("{ fault: { kind: empty_choices } }", "model_invalid_answer", "No model gave a usable answer")]
    [InlineData("{ " + Long + ", fault: { kind: malformed_json } }", "model_invalid_answer", "No model gave a usable answer")]
    public async Task When_nobody_can_answer_the_run_fails_and_says_why(string answer, string code, string reason)
    {
        await using var world = await StartAsync($"default: {answer}", "patient");
        var checker = new InvariantChecker(world.App.Data, world.App.Client, world.Sim);
        using var response = await world.App.PostAsync("/api/v1/chat/stream", """{"message":"Hi","team":"solo"}""");
        var events = await SseEvent.ReadAllAsync(response);
        var client = new StreamClient();
        events.ForEach(client.See);
        Assert.Equal("run.failed", events[^1].Type);
        Assert.Empty(client.StandingTexts());

        var run = await world.App.GetJsonAsync($"/api/v1/runs/{events[0].Data.GetProperty("run_id").GetString()}");
        Assert.Equal(code, run.GetProperty("error_code").GetString());
        Assert.Contains(reason, run.GetProperty("reason").GetString(), StringComparison.Ordinal);
        await EverythingCountedAsync(world, checker);
        await checker.CheckAsync();
    }

    [Fact]
    public async Task The_usage_report_says_what_the_model_server_counted()
    {
        await using var world = await StartAsync($$$"""
            rules:
              - match: { model: patient }
                answer: { fault: { kind: status, status: 500 } }
              - match: { agent: budget_manager, last_role: user }
                answer: { tool_calls: [ { name: usage_report, arguments: {} } ], usage: { input: 10, output: 5 } }
              - match: { agent: budget_manager }
                answer: { text: "{{tool_result}}", usage: { input: 10, output: 5 } }
            default: { {{{Healthy}}} }
            """, "patient");
        await world.AskAsync(new { message = "Hi", team = "solo" });
        var report = (await world.AskAsync(new { message = "What did I spend?", agent = "budget_manager" })).GetProperty("response").GetString()!;

        // What had been asked when the tool ran; only the two good answers cost something.
        var before = world.Sim.Calls.TakeWhile(static c => c.LastRole != "tool").Count();
        Assert.StartsWith($"Last 7 days (UTC): {before} requests, 0.00012 USD.", report, StringComparison.Ordinal);
        await new InvariantChecker(world.App.Data, world.App.Client, world.Sim).CheckAsync();
    }

    private static string Script(string first, string answer) =>
        $$$"""
        rules:
          - { match: { model: {{{first}}} }, answer: {{{answer}}} }
        default: { {{{Healthy}}} }
        """;

    /// <summary>Two models in the tier that is asked first, two tiers above it.</summary>
    private static async Task<ChatWorld> StartAsync(string script, string first, bool free = false)
    {
        var sim = await Simulator.StartAsync(script);
        return await ChatWorld.StartAsync(sim: sim, configure: o => o.ConfigFiles["models.yaml"] = Models(sim.OpenAiUrl, first, free));
    }

    private static string Models(string url, string first, bool free) => ModelsFile(url, first, free ? "free: true" : "price: { input: 1, cached: 0.5, output: 2 }");

    private static string ModelsFile(string url, string first, string price) => $$"""
        providers:
          patient: { base_url: "{{url}}", attempts: 2, retry_delay_seconds: 0.01, max_retry_delay_seconds: 2 }
          hasty: { base_url: "{{url}}", attempts: 2, first_token_timeout_seconds: 5, idle_timeout_seconds: 1, total_timeout_seconds: 6 }
          steady: { base_url: "{{url}}", attempts: 2, first_token_timeout_seconds: 30, idle_timeout_seconds: 2, total_timeout_seconds: 8 }
          nobody: { base_url: "http://127.0.0.1:1/v1", attempts: 2, retry_delay_seconds: 0.01 }
        models:
          patient: { provider: patient, {{price}} }
          hasty: { provider: hasty, {{price}} }
          steady: { provider: steady, {{price}} }
          nobody: { provider: nobody, {{price}} }
          second: { provider: patient, {{price}} }
          standard: { provider: patient, {{price}} }
          premium: { provider: patient, {{price}} }
        tiers:
          cheap: [{{first}}, second]
          standard: [standard]
          premium: [premium]
        """;

    /// <summary>One row per request with the right outcome, and the run's cost is their sum.</summary>
    private static async Task SettledAsync(InvariantChecker checker, string run, string first, string[] outcomes, string answering, long cost)
    {
        var rows = await checker.LedgerAsync(run);
        var expected = outcomes.Select(o => (first, o)).ToList();
        if (answering != first)
        {
            expected.Add((answering, "ok"));
        }

        Assert.Equal(expected, rows.Select(static r => (r.Model, r.Outcome)));
        Assert.Equal(cost, rows[^1].Cost);
        var completed = (await checker.EventsAsync(run)).OfType<RunCompleted>().Single();
        Assert.Equal(rows.Sum(static r => r.Cost), completed.CostUsd.MicroUsd);
    }

    /// <summary>Model by model the ledger has as many rows as the simulator has seen requests.</summary>
    private static async Task EverythingCountedAsync(ChatWorld world, InvariantChecker checker)
    {
        var runs = (await world.App.GetJsonAsync("/api/v1/runs")).GetProperty("items").EnumerateArray().Select(static r => r.GetProperty("id").GetString()!);
        List<string> rows = [];
        foreach (var run in runs)
        {
            rows.AddRange((await checker.LedgerAsync(run)).Select(static r => r.Model));
        }

        var counted = rows.Where(static m => m != "nobody").CountBy(static m => m).ToDictionary(static m => m.Key, static m => (long)m.Value, StringComparer.Ordinal);
        Assert.Equal(world.Sim.Stats.ByModel, counted);
    }
}
