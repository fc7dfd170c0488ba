using RootMas.Runtime.Runs;
using RootMas.Runtime.Teams;
using RootMas.Tests.Support;
using static RootMas.Tests.Support.FakeModelServer;

namespace RootMas.Tests.Runtime;

/// <summary>What a team does whose selector, coordinator or planner never writes what it is asked for, with the pipeline that a server has: it repairs once, and there is no better model.</summary>
public sealed class BadAnswersTests
{
    private const string Plan = """
        {"goal":"g","tasks":[{"id":"t1","agent":"good","task":"first","depends_on":[],"done_when":"x"},{"id":"t2","agent":"bad","task":"second","depends_on":["t1"],"done_when":"y"}]}
        """;

    [Fact]
    public async Task A_group_chat_whose_selector_cannot_choose_goes_round()
    {
        await using var models = await StartAsync(static body => body.Contains("Who speaks next?", StringComparison.Ordinal) ? "the second one" : Speaker(body));
        var all = await new InMemoryEngine(models.Client).AllAsync(
            TestTeams.Of(PatternKind.GroupChat, ["first", "second", "chooser"], change: static t => t with { Members = ["first", "second"], Selector = "chooser", MaxRounds = 2 }), "x");

        Assert.Equal("second says so", Assert.Single(all.Events<MessageCompleted>()).Text);
        Assert.Equal(3, all.Events<GuardHinted>().Count(static h => h.Guard == "selection"));
        Assert.Single(all.Events<RunCompleted>());
    }

    [Fact]
    public async Task A_plan_whose_coordinator_cannot_decide_goes_on_without_a_decision_and_is_reviewed()
    {
        await using var models = await StartAsync(static body =>
            body.Contains("Some tasks failed", StringComparison.Ordinal) ? "let us drop it"
            : body.Contains("All tasks are settled", StringComparison.Ordinal) ? """{"verdict":"done","summary":"the first is done"}"""
            : body.Contains("Write a plan for", StringComparison.Ordinal) ? Plan
            : Speaker(body));
        var all = await new InMemoryEngine(models.Client).AllAsync(TestTeams.Of(PatternKind.Plan, ["planner", "good", "bad", "coordinator"], change: static t => t with { Coordinator = "coordinator" }), "x");

        Assert.Equal("the first is done", Assert.Single(all.Events<MessageCompleted>()).Text);
        Assert.Equal(3, all.Events<GuardHinted>().Count(static h => h.Guard == "plan"));
        Assert.Equal(["done", "failed"], all.Events<PlanUpdated>()[^1].Tasks.Select(static t => t.Status));
        Assert.Equal(1, all.Events<ModelRequested>().Count(static m => m.Purpose == "review"));
        Assert.Single(all.Events<RunCompleted>());
    }

    [Fact]
    public async Task A_planner_that_cannot_plan_is_asked_three_times_and_the_run_says_so()
    {
        await using var models = await StartAsync(static _ => "first this, then that");
        var all = await new InMemoryEngine(models.Client).AllAsync(TestTeams.Of(PatternKind.Plan, ["planner", "good"]), "x");

        Assert.Equal("plan_invalid", Assert.Single(all.Events<RunFailed>()).Code);
        Assert.Equal((3, 6), (all.Events<ModelFailed>().Count, models.Server.Requests.Count));
    }

    private static string Speaker(string body) =>
        body.Contains("You are bad.", StringComparison.Ordinal) ? "" : body.Contains("You are second.", StringComparison.Ordinal) ? "second says so" : "somebody says so";

    /// <summary>One model for everything, whose answer depends on what it is asked.</summary>
    private static async Task<ModelHarness> StartAsync(Func<string, string> answer)
    {
        var models = await ModelHarness.StartAsync(tiers: new Dictionary<string, string[]> { ["cheap"] = ["a"], ["standard"] = ["a"], ["premium"] = ["a"] });
        models.Server.On("a", http => Answer(answer(models.Server.Requests[^1].Body))(http));
        return models;
    }
}
