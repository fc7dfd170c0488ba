using RootMas.Runtime.Runs;
using RootMas.Runtime.Teams;
using RootMas.Runtime.Tools;
using RootMas.Tests.Support;
using static RootMas.Tests.Support.ScriptedChatClient;

namespace RootMas.Tests.Runtime;

/// <summary>Each unsafe call of a batch leaves only while the run is certainly ours for as long as it may take, however long it waited for others of the batch.</summary>
public sealed class HeldBackCallTests
{
    private static readonly TimeSpan Short = TimeSpan.FromSeconds(5);

    [Fact]
    public async Task A_call_that_waited_until_the_lease_was_too_short_does_not_leave_and_a_person_decides()
    {
        var lease = TimeSpan.MaxValue;
        var act = new TestTool("act", text =>
        {
            lease = text == "first" ? Short : lease; // the worker stood still meanwhile
            return text + " done";
        }).With(ToolEffect.Unsafe);
        using var host = Host(act);
        host.LeaseLeft = () => lease;
        Assert.Equal(RunExit.Stopped, await host.AttemptAsync());
        Assert.Equal([host.RunId + ":1"], act.Keys);
        Assert.Equal("first done", Assert.Single(host.Log.OfType<ToolCompleted>()).Result);

        lease = TimeSpan.MaxValue;
        Assert.Equal(RunExit.Parked, await host.AttemptAsync());
        var review = Assert.Single(host.Log.OfType<RunNeedsReview>());
        Assert.Equal(2, review.Call);
        host.Tell("review", new ReviewDecided(2, "repeat", null, "ann"));
        Assert.Equal(RunExit.Final, await host.AttemptAsync());
        Assert.Equal([host.RunId + ":1", host.RunId + ":2:r1"], act.Keys);
        HistoryRules.Check(host.Log);
    }

    [Fact]
    public async Task A_call_that_waited_leaves_with_a_longer_lease_if_it_gets_one()
    {
        var (lease, wanted) = (TimeSpan.MaxValue, new List<TimeSpan>());
        var act = new TestTool("act", text =>
        {
            lease = text == "first" ? Short : lease;
            return text + " done";
        }).With(ToolEffect.Unsafe);
        using var host = Host(act);
        host.LeaseLeft = () => lease;
        host.ExtendLease = atLeast =>
        {
            wanted.Add(atLeast);
            lease = TimeSpan.MaxValue;
            return Task.CompletedTask;
        };
        Assert.Equal(RunExit.Final, await host.AttemptAsync());

        Assert.Equal([act.Timeout], wanted);
        Assert.Equal([host.RunId + ":1", host.RunId + ":2"], act.Keys);
    }

    /// <summary>Two calls in one batch, of which one leaves at a time.</summary>
    private static EngineHost Host(TestTool act)
    {
        var model = new ScriptedChatClient(asked => asked.ToolResult is null ? [Call("act", new { text = "first" }), Call("act", new { text = "second" })] : [Say("end")]);
        return new(model, TestTeams.Of(PatternKind.Direct, ["solo"], [act]), [act], new RunEngineOptions { MaxParallelTools = 1 });
    }
}
