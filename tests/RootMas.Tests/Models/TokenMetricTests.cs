using System.Globalization;
using RootMas.LlmSimulator;
using RootMas.Tests.Chat;
using RootMas.Tests.Support;

namespace RootMas.Tests.Models;

/// <summary>What /metrics says of tokens is what the runs say.</summary>
public sealed class TokenMetricTests
{
    [Fact]
    public async Task The_tokens_of_a_model_are_counted_by_type()
    {
        await using var sim = await Simulator.StartAsync("default: { text: \"Fine.\", usage: { input: 120, cached: 100, output: 30, reasoning: 9 } }");
        await using var world = await ChatWorld.StartAsync(sim: sim, configure: o => o.ConfigFiles["models.yaml"] = $$"""
            providers: { sim: { base_url: "{{sim.OpenAiUrl}}" } }
            models: { counted-tokens: { provider: sim, price: { input: 1, output: 2 } } }
            tiers: { cheap: [counted-tokens], standard: [counted-tokens], premium: [counted-tokens] }
            """);
        Assert.Equal((0L, 0L), (await TokensAsync(world.App, "counted-tokens", "input"), await TokensAsync(world.App, "counted-tokens", "output")));

        var answer = await world.AskAsync(new { message = "hello", team = "solo" });
        var usage = (await world.App.GetJsonAsync($"/api/v1/runs/{answer.GetProperty("run_id").GetString()}")).GetProperty("usage");
        foreach (var (type, tokens) in ((string, long)[])[("input", 120), ("cached", 100), ("output", 30)])
        {
            Assert.Equal((tokens, tokens), (usage.GetProperty(type + "_tokens").GetInt64(), await TokensAsync(world.App, "counted-tokens", type)));
        }

        Assert.Equal(9, await TokensAsync(world.App, "counted-tokens", "reasoning"));
    }

    [Fact]
    public async Task The_offline_model_is_counted_too()
    {
        await using var app = await TestApp.StartAsync(static o => o.Settings["Models:ProbeOllama"] = "false");
        var answer = await app.PostJsonAsync("/api/v1/chat", new { message = "What is 6 times 7?", team = "solo" });
        var usage = (await app.GetJsonAsync($"/api/v1/runs/{answer.GetProperty("run_id").GetString()}")).GetProperty("usage");
        foreach (var type in (string[])["input", "output"])
        {
            // Tests beside this one ask it too: it is one program.
            Assert.InRange(usage.GetProperty(type + "_tokens").GetInt64(), 1, await TokensAsync(app, "offline", type));
        }
    }

    private static async Task<long> TokensAsync(TestApp app, string model, string type)
    {
        var line = (await app.Client.GetStringAsync("/metrics")).Split('\n').SingleOrDefault(l => l.StartsWith("rootmas_model_tokens_total{", StringComparison.Ordinal)
            && l.Contains($"gen_ai_request_model=\"{model}\"", StringComparison.Ordinal) && l.Contains($"gen_ai_token_type=\"{type}\"", StringComparison.Ordinal));
        return line is null ? -1 : long.Parse(line[(line.LastIndexOf(' ') + 1)..], CultureInfo.InvariantCulture);
    }
}
