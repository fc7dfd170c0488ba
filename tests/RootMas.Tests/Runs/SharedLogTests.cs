using System.Text;
using RootMas.Runtime.Runs;
using RootMas.Server.Runs;

namespace RootMas.Tests.Runs;

/// <summary>What others see of the log of a shared run.</summary>
public sealed class SharedLogTests
{
    /// <summary>Also of a tool that somebody adds later, and of those that name no fact.</summary>
    [Theory]
    [InlineData("some_later_tool", true)]
    [InlineData("recall", false)]
    [InlineData("remember", false)]
    [InlineData("forget", false)]
    [InlineData("graph_query", false)]
    public async Task What_a_tool_tells_of_remembered_facts_is_hidden_whichever_it_is(string tool, bool namesFacts)
    {
        var shown = await ShownAsync(new ToolCompleted(1, tool, "the canary sings", false, 5) { Facts = namesFacts ? ["fact-1"] : null });
        Assert.DoesNotContain("canary", shown, StringComparison.Ordinal);
        Assert.DoesNotContain("fact-1", shown, StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_other_tools_give_is_shown() =>
        Assert.Contains("the canary sings", await ShownAsync(new ToolCompleted(1, "calculator", "the canary sings", false, 5)), StringComparison.Ordinal);

    private static async Task<string> ShownAsync(ToolCompleted told)
    {
        var stored = RunJson.Serialize(told with { RunId = "run-1", Seq = 7, Agent = "writer" });
        return Encoding.UTF8.GetString((await new SharedLog().ShowAsync(null!, "tool.completed", stored)).Span);
    }
}
