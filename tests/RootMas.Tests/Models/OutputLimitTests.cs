using System.Text.Json;
using Microsoft.Extensions.AI;
using RootMas.LlmSimulator;
using RootMas.Runtime.Runs;
using RootMas.Tests.Chat;
using RootMas.Tests.Support;
using static RootMas.Tests.Support.FakeModelServer;

namespace RootMas.Tests.Models;

/// <summary>What a budget leaves for an answer, and models that cannot write as much: providers refuse such a limit.</summary>
public sealed class OutputLimitTests
{
    private const string TooLarge = """{"error":{"message":"max_tokens is too large: 49997. This model supports at most 16384 completion tokens, whereas you provided 49997.","type":"invalid_request_error","param":"max_tokens","code":"invalid_value"}}""";

    private const string NoRoom =
        """{"object":"error","message":"This model's maximum context length is 8000 tokens. However, you requested 50045 tokens (48 in the messages, 49997 in the completion). Please reduce the length of the messages or completion.","type":"BadRequestError","code":400}""";

    private const string NotKnown = """{"error":{"message":"Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.","param":"max_tokens","code":"unsupported_parameter"}}""";

    private const string NeverHeardOf = """{"error":{"message":"Unrecognized request argument supplied: max_tokens","type":"invalid_request_error","param":"max_tokens","code":null}}""";

    /// <summary>Pays for 49,997 tokens of an answer.</summary>
    private static readonly Money Budget = new(100_000);

    [Theory]
    [InlineData("context: 8000")]
    [InlineData("max_output: 4096")]
    public async Task A_limit_above_what_the_model_can_write_is_not_sent(string room)
    {
        await using var sim = await Simulator.StartAsync("default: { text: \"Hello.\" }");
        await using var world = await ChatWorld.StartAsync(sim: sim, configure: o => o.ConfigFiles["models.yaml"] = $$"""
            providers: { sim: { base_url: "{{sim.OpenAiUrl}}" } }
            models: { m: { provider: sim, {{room}}, price: { input: 1, output: 10 } } }
            tiers: { cheap: [m], standard: [m], premium: [m] }
            """);
        var answer = await world.AskAsync(new { message = "hi", team = "solo" });
        Assert.Equal("Hello.", answer.GetProperty("response").GetString());
        Assert.Null(LimitIn(Assert.Single(sim.Calls, static c => c.Agent == "communicator").Body!));
    }

    /// <summary>How long its answers may be is the model's own, and remembered; how much room a prompt leaves is not.</summary>
    [Theory]
    [InlineData(TooLarge, "bad_request", 12_499)]
    [InlineData(NoRoom, "context_length", 49_997)]
    public async Task A_limit_that_a_provider_refuses_is_made_smaller_and_the_answer_comes(string refusal, string errorClass, int next)
    {
        await using var models = await ModelHarness.StartAsync();
        models.Server.On("a", Status(400, refusal), Answer("fine"));
        var call = ModelHarness.Call(budget: Budget);
        Assert.Equal("fine", (await models.AskAsync(call)).Text);
        Assert.Equal([$"a: {errorClass}"], call.FailedAttempts);
        Assert.Equal(("a", errorClass, 0L, false), Assert.Single(await models.RowsAsync()));

        Assert.Equal("fine", (await models.AskAsync(ModelHarness.Call(budget: Budget))).Text);
        int?[] limits = [49_997, 12_499, next];
        Assert.Equal(limits, models.Server.Requests.Select(static r => LimitIn(r.Body)));
    }

    [Fact]
    public async Task An_answer_that_ends_at_a_limit_that_was_made_smaller_goes_to_the_next_tier()
    {
        await using var models = await ModelHarness.StartAsync();
        models.Server.On("a", Status(400, TooLarge), Answer("half of it", output: 12_499, finish: "length")).On("c", Answer("all of it"));
        var seen = await models.AskAsync(ModelHarness.Call(budget: Budget));
        Assert.Null(seen.Failure);
        Assert.Equal("all of it", seen.Text);
    }

    [Theory]
    [InlineData(TooLarge, 50)]
    [InlineData(NotKnown, null)]
    [InlineData(NeverHeardOf, null)]
    public async Task A_limit_of_the_callers_own_or_that_is_not_known_at_all_fails_at_once(string refusal, int? wished)
    {
        await using var models = await ModelHarness.StartAsync();
        models.Server.On("a", Status(400, refusal));
        var failure = (await models.AskAsync(ModelHarness.Call(budget: Budget), new ChatOptions { MaxOutputTokens = wished })).Failure;
        Assert.Equal("bad_request", failure?.ErrorClass);
        Assert.Contains("parameter max_tokens", failure?.Message, StringComparison.Ordinal);
        Assert.Single(models.Server.Requests);
    }

    private static int? LimitIn(string body) => JsonElement.Parse(body).TryGetProperty("max_tokens", out var limit) ? limit.GetInt32() : null;
}
