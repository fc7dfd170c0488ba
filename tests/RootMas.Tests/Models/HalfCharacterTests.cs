using Microsoft.Extensions.AI;
using RootMas.LlmSimulator;
using RootMas.Server.Models.OpenAi;
using RootMas.Tests.Chat;
using RootMas.Tests.Support;
using static RootMas.Tests.Support.FakeModelServer;

namespace RootMas.Tests.Models;

/// <summary>Halves of surrogate pairs, which JSON can escape and no text can hold: as pieces of a stream they belong together, in the arguments of a call they are a mistake of the model.</summary>
public sealed class HalfCharacterTests
{
    private static readonly AITool Known = AIFunctionFactory.CreateDeclaration("known", "", System.Text.Json.JsonElement.Parse("""{"type":"object"}"""));

    [Theory]
    [InlineData("""{"content":"hi \ud83d"}""", """{"content":"\ude00 there"}""", "hi \U0001F600 there", "")]
    [InlineData("""{"content":"\uD83D"}""", """{"content":"\uDE00"}""", "\U0001F600", "")]
    [InlineData("""{"content":"a \\\ud83d","reasoning_content":"so \ud83d"}""", """{"content":"\ude00","reasoning_content":"\ude01"}""", "a \\\U0001F600", "so \U0001F601")]
    [InlineData("""{"content":"hi","reasoning":"\ud83d","reasoning_details":[{"text":"\ud83d"}]}""", """{"content":"\\ud83d","reasoning":"\ude00\n"}""", "hi\\ud83d", "\U0001F600\n")]
    [InlineData("""{"content":[{"type":"thinking","thinking":[{"text":"\ud83d"}]},{"text":"x\ud83d"}]}""", """{"content":[{"type":"thinking","thinking":"\ude00"},{"text":"\ude00y"}]}""", "x\U0001F600y", "\U0001F600")]
    public async Task A_character_that_two_pieces_share_arrives_whole(string first, string second, string text, string reasoning)
    {
        await using var models = await ModelHarness.StartAsync();
        models.Server.On("a", Stream([Choice(first), Choice("{}"), Choice(second), Finish("stop"), Usage(10, 5)]));
        var call = ModelHarness.Call();
        var seen = await models.AskAsync(call);
        Assert.Null(seen.Failure);
        Assert.Equal((text, reasoning), (seen.Text, seen.Reasoning));
        Assert.Empty(call.FailedAttempts);
    }

    [Fact]
    public async Task A_character_that_two_pieces_of_a_call_share_arrives_whole()
    {
        await using var models = await ModelHarness.StartAsync();
        models.Server.On("a", Stream([Piece("""{\"n\":\"1 \ud83d"""), Piece("""\ude00\"}"""), Finish("tool_calls"), Usage(10, 5)]));
        var seen = await models.AskAsync(ModelHarness.Call(), new() { Tools = [Known] });
        Assert.Null(seen.Failure);
        Assert.Equal("1 \U0001F600", Assert.Single(seen.Calls).Arguments?["n"]?.ToString());
    }

    [Theory]
    [InlineData("""{"content":"hi \ud83d"}""", """{"content":" there"}""")]
    [InlineData("""{"content":"hi"}""", """{"content":"\ude00"}""")]
    [InlineData("""{"content":"hi"}""", """{"content":"a \ud83d b"}""")]
    [InlineData("""{"content":"hi"}""", """{"content":" \ud83d"}""")]
    [InlineData("""{"tool_calls":[{"index":0,"function":{"name":"known","arguments":"{}\ud83d"}}]}""", "{}")]
    public async Task A_half_that_stays_alone_is_no_answer_and_is_paid_for(string first, string second)
    {
        await using var models = await ModelHarness.StartAsync();
        models.Server.On("a", Stream([Choice(first), Choice(second), Finish("stop"), Usage(10, 5)])).On("c", Answer("c"));
        var call = ModelHarness.Call();
        Assert.Equal("c", (await models.AskAsync(call, new() { Tools = [Known] })).Text);
        Assert.Equal(["a: invalid_answer"], call.FailedAttempts);
        Assert.True(Assert.Single(await models.RowsAsync()).Cost > 0);
    }

    [Theory]
    [InlineData("""{"n":"1+1 \ud83d"}""", false)]
    [InlineData("""{"n\ud83d":1}""", false)]
    [InlineData("""{"n":[{"a":"\ude00"}]}""", false)]
    [InlineData("""{"n":"\ud83d\ude00"}""", true)]
    public void Arguments_that_nobody_could_write_down_again_stay_the_text_that_the_model_wrote(string text, bool taken)
    {
        var call = ToolArguments.ToCall("c", "known", text);
        Assert.Equal(taken, call.Arguments is not null);
        Assert.True(taken || ToolArguments.ToText(call) == text, ToolArguments.ToText(call));
    }

    [Theory]
    [InlineData("""{"expression":"1+1 \ud83d"}""")]
    [InlineData("""{"expression\ud83d":"1+1"}""")]
    public async Task A_call_with_half_a_character_is_told_to_the_model_and_paid_for(string arguments)
    {
        await using var sim = await Simulator.StartAsync($$"""
            rules: [ { match: { agent: communicator, last_role: user }, answer: { tool_calls: [ { name: calculator, arguments: '{{arguments}}' } ] } } ]
            default: { text: "It is done." }
            """);
        await using var world = await ChatWorld.StartAsync(sim: sim, configure: o => o.ConfigFiles["models.yaml"] = $$"""
            providers: { sim: { base_url: "{{sim.OpenAiUrl}}" } }
            models: { m: { provider: sim, price: { input: 1, output: 1 } } }
            tiers: { cheap: [m], standard: [m], premium: [m] }
            """);
        var answer = await world.AskAsync(new { message = "go", team = "solo" });
        Assert.Equal("It is done.", answer.GetProperty("response").GetString());
        var run = answer.GetProperty("run_id").GetString()!;
        Assert.Equal("invalid_arguments", Assert.Single(await world.EventsAsync(run), static e => e.Type == "tool.failed").Data.GetProperty("kind").GetString());
        var checker = new InvariantChecker(world.App.Data, world.App.Client, sim);
        Assert.Equal(["ok", "ok"], (await checker.LedgerAsync(run)).Select(static r => r.Outcome));
        Assert.All(await checker.LedgerAsync(run), static r => Assert.True(r.Cost > 0, "a paid call was booked as 0"));
        await checker.CheckAsync();
    }

    private static string Choice(string delta) => $$"""{"choices":[{"index":0,"delta":{{delta}}}]}""";

    /// <param name="arguments">Escaped as within JSON.</param>
    private static string Piece(string arguments) => Choice("""{"tool_calls":[{"index":0,"id":"call_1","function":{"name":"known","arguments":"TEXT"}}]}""".Replace("TEXT", arguments, StringComparison.Ordinal));
}
