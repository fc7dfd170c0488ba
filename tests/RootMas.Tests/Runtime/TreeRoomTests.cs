using RootMas.Runtime.Agents;
using RootMas.Runtime.Runs;
using RootMas.Runtime.Teams;
using RootMas.Tests.Support;
using static RootMas.Tests.Support.ScriptedChatClient;

namespace RootMas.Tests.Runtime;

/// <summary>How long the answer of a subtask may be (decision 36).</summary>
public sealed class TreeRoomTests
{
    [Theory]
    [InlineData(0, null)]
    [InlineData(4_000, TreeRoom.Ample)]
    [InlineData(3_999, TreeRoom.Limited)]
    [InlineData(50, TreeRoom.Limited)]
    public async Task An_answer_is_limited_only_where_the_tree_has_a_limit_and_no_room_for_the_longest(long limit, TreeRoom? expected)
    {
        var (most, longest) = (new TreeAmount(100, 10), new TreeAmount(1_000, 100));
        var (isAsked, room) = (false, (TreeRoom?)null);
        var model = new ScriptedChatClient(static asked => asked.Agent == "lead" && asked.ToolResult is null ? [Call("delegate", new { agent = "a", task = "t" })] : [Say("done")])
        {
            Before = async (asked, _) =>
            {
                if (asked.Agent == "a")
                {
                    (isAsked, room) = (true, asked.Call.SetAside is { } set ? await set(most, longest) : null);
                }
            },
        };
        var team = TestTeams.Of(PatternKind.Direct, ["lead", "a"], change: t => t with { Edges = [new("lead", "a")], Limits = new RunLimits { MaxCostMicroUsd = limit, MaxTokens = 0 } });
        var all = await new InMemoryEngine(model, options: new RunEngineOptions { MostOf = (_, _) => (most, longest) }).AllAsync(team, "go");
        Assert.Single(all.Events<RunCompleted>());
        Assert.Equal((true, expected), (isAsked, room));
    }
}
