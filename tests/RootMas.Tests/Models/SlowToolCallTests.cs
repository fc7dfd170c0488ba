using Microsoft.Extensions.AI;
using RootMas.LlmSimulator;
using RootMas.Tests.Chat;
using RootMas.Tests.Support;
using static RootMas.Tests.Support.FakeModelServer;

namespace RootMas.Tests.Models;

/// <summary>Of tool calls, and of thoughts that nobody can read, there is nothing to show while they come; a model that sends them is at work all the same.</summary>
public sealed class SlowToolCallTests
{
    private static readonly AITool Known = AIFunctionFactory.CreateDeclaration("known", "", System.Text.Json.JsonElement.Parse("""{"type":"object"}"""));

    /// <summary>Each piece comes in a fraction of the time-outs, all of them take longer.</summary>
    [Fact]
    public async Task Arguments_may_stream_for_longer_than_a_first_token_may_take()
    {
        await using var sim = await Simulator.StartAsync("""
            rules:
              - { match: { agent: communicator, last_role: user }, answer: { tool_calls: [ { name: calculator, arguments: { expression: "1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1" } } ], piece_chars: 4, tokens_per_second: 2 } }
            default: { text: "It is done." }
            """);
        await using var world = await ChatWorld.StartAsync(sim: sim, configure: o => o.ConfigFiles["models.yaml"] = $$"""
            providers: { sim: { base_url: "{{sim.OpenAiUrl}}", first_token_timeout_seconds: 4, idle_timeout_seconds: 4 } }
            models: { m: { provider: sim, free: true } }
            tiers: { cheap: [m], standard: [m], premium: [m] }
            """);
        var answer = await world.AskAsync(new { message = "go", team = "solo" });
        Assert.Equal("It is done.", answer.GetProperty("response").GetString());
        Assert.Equal(["user", "tool"], sim.Calls.Where(static c => c.Agent == "communicator").Select(static c => c.LastRole));
    }

    [Fact]
    public async Task A_call_after_text_and_a_hidden_thought_may_stream_for_longer_than_a_silence_may_last()
    {
        var (wait, delay) = (TimeSpan.FromSeconds(4), TimeSpan.FromMilliseconds(500));
        await using var models = await ModelHarness.StartAsync(p => p with { FirstTokenTimeout = wait, IdleTimeout = wait });
        models.Server
            .On("a", Stream([Delta("I write it. "), .. Call(10), Finish("tool_calls"), Usage(10, 5)], delay: delay))
            .On("c", Stream([.. Enumerable.Repeat("""{"choices":[{"index":0,"delta":{"reasoning_details":[{"type":"reasoning.encrypted","data":"x"}]}}]}""", 12), Delta("thought"), Finish("stop"), Usage(10, 5)], delay: delay));
        var seen = await Task.WhenAll(models.AskAsync(ModelHarness.Call(), new() { Tools = [Known] }), models.AskAsync(ModelHarness.Call("standard")));

        Assert.All(seen, static s => Assert.Null(s.Failure));
        Assert.Empty(seen[0].Superseded);
        Assert.Equal("word word word word word word word word word word ", Assert.Single(seen[0].Calls).Arguments?["text"]?.ToString());
        Assert.Equal("thought", seen[1].Text);
        Assert.Equal((1, 0, 1, 0), (models.Server.CountOf("a"), models.Server.CountOf("b"), models.Server.CountOf("c"), models.Server.CountOf("d")));
    }

    [Fact]
    public async Task A_model_that_falls_silent_in_the_midst_of_a_call_is_replaced_silently()
    {
        await using var models = await ModelHarness.StartAsync(ofA: static p => p with { IdleTimeout = TimeSpan.FromMilliseconds(300) });
        models.Server.On("a", models.Server.Hang(Call(1)[..2])).On("b", Answer("from b"));
        var call = ModelHarness.Call();
        var seen = await models.AskAsync(call, new() { Tools = [Known] });
        Assert.Equal("from b", seen.Text);
        Assert.Empty(seen.Superseded);
        Assert.Empty(seen.Calls);
        Assert.Equal(["a: timeout"], call.FailedAttempts);
    }

    private static string[] Call(int words) =>
    [
        """{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"call_1","type":"function","function":{"name":"known","arguments":""}}]}}]}""",
        Piece("{\\\"text\\\":\\\""), .. Enumerable.Repeat(Piece("word "), words), Piece("\\\"}"),
    ];

    /// <param name="text">Escaped as within JSON.</param>
    private static string Piece(string text) => """{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"TEXT"}}]}}]}""".Replace("TEXT", text, StringComparison.Ordinal);
}
