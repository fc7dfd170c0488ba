using RootMas.Runtime.Runs;
using RootMas.Runtime.Teams;
using RootMas.Runtime.Tools;
using RootMas.Tests.Support;
using static RootMas.Tests.Support.ScriptedChatClient;

namespace RootMas.Tests.Runtime;

/// <summary>An idempotent call in doubt is made once more with its key; what the second try says of itself does not end the doubt about the first. An unsafe one is for a person to decide.</summary>
public sealed class SecondTryTests
{
    [Fact]
    public async Task A_second_try_that_never_left_leaves_the_first_one_in_doubt()
    {
        var tries = 0;
        var act = new TestTool("act", (_, _, _) => throw (++tries == 1
            ? new ToolException("The connection broke. The request may have had its effect.", inDoubt: true)
            : new ToolException("The host cannot be reached. Nothing was changed by this try."))).With(ToolEffect.Idempotent);
        using var host = Host(act);
        Assert.Equal(RunExit.Final, await host.AttemptAsync());

        Assert.Equal([host.RunId + ":1", host.RunId + ":1"], act.Keys);
        var failed = Assert.Single(host.Log.OfType<ToolFailed>());
        Assert.Equal("in_doubt", failed.Kind);
        Assert.EndsWith("Nothing was changed by this try. The first try of this call may have had its effect: look before you make it again as a new call.", failed.Result, StringComparison.Ordinal);
        HistoryRules.Check(host.Log);
    }

    [Fact]
    public async Task A_second_try_that_succeeds_is_the_result()
    {
        var tries = 0;
        var act = new TestTool("act", (_, _, _) => ++tries == 1 ? throw new ToolException("The connection broke.", inDoubt: true) : Task.FromResult(new ToolResult("done once"))).With(ToolEffect.Idempotent);
        using var host = Host(act);
        Assert.Equal(RunExit.Final, await host.AttemptAsync());

        Assert.Equal("done once", Assert.Single(host.Log.OfType<ToolCompleted>()).Result);
        Assert.Empty(host.Log.OfType<ToolFailed>());
    }

    /// <summary>The tool knows best what it may have done, and has said so.</summary>
    [Fact]
    public async Task Whoever_decides_about_an_unsafe_call_reads_the_doubt_once()
    {
        var act = new TestTool("act", static (_, _, _) => throw new ToolException("The connection broke. The request may have had its effect.", inDoubt: true)).With(ToolEffect.Unsafe);
        using var host = Host(act);
        Assert.Equal(RunExit.Parked, await host.AttemptAsync());

        Assert.Equal("The connection broke. The request may have had its effect.", Assert.Single(host.Log.OfType<RunNeedsReview>()).Reason);
    }

    private static EngineHost Host(TestTool act) =>
        new(new ScriptedChatClient(static asked => asked.ToolResult is null ? [Call("act", new { text = "it" })] : [Say("end")]), TestTeams.Of(PatternKind.Direct, ["solo"], [act]), [act]);
}
