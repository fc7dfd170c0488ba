using System.Text.Json;
using Microsoft.Extensions.AI;
using RootMas.Runtime.Runs;
using RootMas.Runtime.Teams;
using RootMas.Runtime.Tools;
using RootMas.Tests.Support;
using static RootMas.Tests.Support.ScriptedChatClient;

namespace RootMas.Tests.Runtime;

/// <summary>A model that nests the arguments of a call absurdly deep is told so like any other mistake of it; no log, page or approval has to hold them.</summary>
public sealed class DeepArgumentsTests
{
    [Theory]
    [InlineData(24, true)]
    [InlineData(25, false)]
    [InlineData(62, false)]
    public async Task Arguments_that_are_nested_too_deep_are_refused_and_the_run_goes_on(int levels, bool isCalled)
    {
        var tool = new OpenTool();
        var model = new ScriptedChatClient(asked => asked.ToolResult is null
            ? [Call("open", JsonElement.Parse($"{{\"a\":{new string('[', levels - 1)}{new string(']', levels - 1)}}}"))]
            : [Say("done")]);
        var all = await new InMemoryEngine(model, [tool]).AllAsync(TestTeams.Of(PatternKind.Direct, ["solo"], [tool]), "go");

        Assert.Single(all.Events<RunCompleted>());
        Assert.Equal(isCalled ? 1 : 0, tool.Calls);
        string[] refused = isCalled ? [] : ["invalid_arguments"];
        Assert.Equal(refused, all.Events<ToolFailed>().Select(static f => f.Kind));
    }

    /// <summary>An escape of a surrogate that stands alone parses, and throws when it is written again.</summary>
    [Fact]
    public async Task Arguments_with_half_a_character_are_refused_and_the_run_goes_on()
    {
        var tool = new OpenTool();
        var model = new ScriptedChatClient(asked => asked.ToolResult is null
            ? [new FunctionCallContent("c", "open", new Dictionary<string, object?> { ["a"] = JsonElement.Parse("""["1+1 \ud83d"]"""), ["b"] = 1 })]
            : [Say("done")]);
        var engine = new InMemoryEngine(model, [tool]);
        var all = await engine.AllAsync(TestTeams.Of(PatternKind.Direct, ["solo"], [tool]), "go");

        Assert.Equal("done", Assert.Single(all.Events<MessageCompleted>()).Text);
        Assert.Equal((0, "invalid_arguments"), (tool.Calls, Assert.Single(all.Events<ToolFailed>()).Kind));
        Assert.Contains("1+1 \\ud83d", all.Events<ModelCompleted>()[0].ToolCalls[0].Arguments.GetString(), StringComparison.Ordinal);
        HistoryRules.Check([.. all.Events<RunEvent>()]);
    }

    private sealed class OpenTool : Tool
    {
        public int Calls { get; private set; }

        public override ToolDefinition Definition { get; } = new("open", "Takes anything.", """{"type":"object"}""", "1");

        public override ToolEffect Effect => ToolEffect.Read;

        public override ValueTask<ToolResult> InvokeAsync(ToolContext context, JsonElement arguments, CancellationToken cancellationToken)
        {
            Calls++;
            return ValueTask.FromResult(new ToolResult("taken"));
        }
    }
}
