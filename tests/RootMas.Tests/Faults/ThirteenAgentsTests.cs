using RootMas.Runtime.Runs;
using RootMas.Tests.Support;

namespace RootMas.Tests.Faults;

/// <summary>F1 of CHECKS.md: the process is killed at named moments of a run of all thirteen agents, which comes to the same end.</summary>
public sealed class ThirteenAgentsTests
{
    public static TheoryData<int> Seeds() => TestLength.Seeds(11, usually: 2, inTheLongForm: 60);

    [Theory]
    [MemberData(nameof(Seeds))]
    public async Task A_run_of_thirteen_agents_that_is_killed_at_every_kind_of_moment_comes_to_the_same_end(int seed)
    {
        await using var world = await ThirteenAgents.StartAsync();
        await CheckAsync(world, TestLength.IsLong ? KillMoment.SomeOf(seed) : KillMoment.HalfOf(seed), seed);
    }

    internal static async Task CheckAsync(FaultWorld world, IReadOnlyList<KillMoment> moments, int seed)
    {
        var killer = new MomentKiller(world, moments);
        var tree = await killer.RunAsync();

        Assert.Equal(moments.Select(static m => m.Name).Order(), killer.Killed.Order());
        Assert.Equal(ThirteenAgents.FinalText, tree[0].GetProperty("answer").GetProperty("text").GetString());
        Assert.All(tree, static r => Assert.Equal("completed", r.GetProperty("status").GetString()));
        Assert.Equal(15, tree.Count); // the communicator, twelve others, two tasks of the plan
        Assert.Equal(13, tree.Select(static r => r.GetProperty("agent").GetString()).Distinct().Count());
        var root = await world.Checker.EventsAsync(tree[0].GetProperty("id").GetString()!);
        Assert.Equal("researcher", Assert.Single(root.OfType<Handoff>()).To);
        Assert.Equal("for seven", Assert.Single(root.OfType<InputReceived>()).Text);

        Assert.Equal(1, world.Sim.ToolCounts["order"].Effects);
        Assert.Equal(1, world.Sim.ToolCounts["idempotent"].Effects);
        Assert.Equal(2, killer.Approved);
        Assert.Equal(moments.Count(static m => m.Hold is { Tool: "order" }), killer.Resolved);
        await world.Checker.CheckAsync(seed);
    }
}
