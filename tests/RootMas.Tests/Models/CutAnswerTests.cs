using Microsoft.Extensions.AI;
using RootMas.LlmSimulator;
using RootMas.Runtime.Agents;
using RootMas.Runtime.Runs;
using RootMas.Server.Models.Budgets;
using RootMas.Tests.Chat;
using RootMas.Tests.Support;
using static RootMas.Tests.Support.FakeModelServer;

namespace RootMas.Tests.Models;

/// <summary>Answers that end at a limit which the server itself sent along: whoever asks pays for them once.</summary>
public sealed class CutAnswerTests
{
    [Fact]
    public async Task An_answer_cut_at_what_was_set_aside_for_it_is_paid_for_once_and_says_that_it_is_cut()
    {
        await using var models = await ModelHarness.StartAsync(budgets: new BudgetOptions { MostOutput = 256 });
        models.Server.On("a", Answer("half of it", output: 256, finish: "length"));
        var (call, seen) = await AskAsync(models, TreeRoom.Limited);

        Assert.Equal("half of it\n[cut off: beside other work on the same limit an answer has at most 256 tokens]", seen.Text);
        Assert.Equal(ChatFinishReason.Length, seen.Finish);
        Assert.Empty(call.FailedAttempts);
        Assert.Contains("\"max_tokens\":256", Assert.Single(models.Server.Requests).Body, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_model_whose_own_room_ends_before_that_is_given_up_as_ever()
    {
        await using var models = await ModelHarness.StartAsync(budgets: new BudgetOptions { MostOutput = 256 });
        models.Server.On("a", Answer("half of it", output: 100, finish: "length")).On("c", Answer("all of it"));
        var (call, seen) = await AskAsync(models, TreeRoom.Limited);
        Assert.Equal("all of it", seen.Text);
        Assert.Equal(["a: cut_off"], call.FailedAttempts);
    }

    [Fact]
    public async Task Where_the_tree_has_room_for_the_longest_answer_none_is_limited()
    {
        await using var models = await ModelHarness.StartAsync(budgets: new BudgetOptions { MostOutput = 256 });
        models.Server.On("a", Answer("a long answer", output: 5_000));
        var (_, seen) = await AskAsync(models, TreeRoom.Ample);
        Assert.Equal("a long answer", seen.Text);
        Assert.DoesNotContain("max_tokens", Assert.Single(models.Server.Requests).Body, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_answer_cut_where_a_daily_limit_applies_is_paid_for_once_too()
    {
        await using var models = await ModelHarness.StartAsync(budgets: new BudgetOptions { MostOutput = 256, All = 1 });
        models.Server.On("a", Answer("half of it", output: 256, finish: "length"));
        var call = ModelHarness.Call();
        var seen = await models.AskAsync(call);
        Assert.Equal(("half of it", ChatFinishReason.Length), (seen.Text, seen.Finish));
        Assert.Empty(call.FailedAttempts);
        Assert.Contains("\"max_tokens\":256", Assert.Single(models.Server.Requests).Body, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_answer_cut_where_no_better_model_can_be_reached_is_given_and_paid_for_once()
    {
        await using var sim = await Simulator.StartAsync("default: { text: \"Half of it\", finish_reason: length }");
        await using var world = await ChatWorld.StartAsync(sim: sim, configure: o => o.ConfigFiles["models.yaml"] = $$"""
            providers: { sim: { base_url: "{{sim.OpenAiUrl}}" }, gone: { base_url: "http://127.0.0.1:1/v1" } }
            models: { m: { provider: sim, price: { input: 1, output: 1 } }, better: { provider: gone, price: { input: 2, output: 2 } } }
            tiers: { cheap: [m], standard: [m], premium: [better] }
            """);
        var answer = await world.AskAsync(new { message = "go", team = "solo" });
        Assert.Equal("Half of it", answer.GetProperty("response").GetString());
        Assert.Single(sim.Calls, static c => c.Agent == "communicator");
        await new InvariantChecker(world.App.Data, world.App.Client, sim).CheckAsync();
    }

    /// <summary>There was budget for far more: it is none of its matters.</summary>
    [Fact]
    public async Task An_answer_that_ends_at_the_models_own_limit_within_a_budget_goes_to_the_next_tier()
    {
        await using var models = await ModelHarness.StartAsync();
        models.Server.On("a", Answer("half of it", output: 100, finish: "length")).On("c", Answer("all of it"));
        var call = ModelHarness.Call(budget: new Money(10_000));
        var seen = await models.AskAsync(call);
        Assert.Null(seen.Failure);
        Assert.Equal("all of it", seen.Text);
        Assert.Equal(["a: cut_off"], call.FailedAttempts);
        Assert.Contains("\"max_tokens\":4997", models.Server.Requests[0].Body, StringComparison.Ordinal);
    }

    private static async Task<(ModelCall Call, Seen Seen)> AskAsync(ModelHarness models, TreeRoom room)
    {
        var call = ModelHarness.Call();
        call.SetAside = (_, _) => ValueTask.FromResult(room);
        return (call, await models.AskAsync(call));
    }
}
