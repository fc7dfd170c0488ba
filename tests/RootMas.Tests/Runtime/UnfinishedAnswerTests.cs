using Microsoft.Extensions.AI;
using RootMas.Runtime.Agents;
using RootMas.Runtime.Runs;
using RootMas.Runtime.Teams;
using RootMas.Tests.Support;
using static RootMas.Tests.Support.ScriptedChatClient;

namespace RootMas.Tests.Runtime;

/// <summary>What the conversation keeps of a run that ends before, or just when, its answer is whole.</summary>
public sealed class UnfinishedAnswerTests
{
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_cancel_that_is_read_right_after_the_whole_answer_leaves_it_whole_unless_the_text_is_to_go(bool keepText)
    {
        EngineHost host = null!;
        var model = new ScriptedChatClient(_ => ThenCancelled());
        using var made = host = new EngineHost(model, TestTeams.Of(PatternKind.Direct, ["solo"]), []);
        Assert.Equal(RunExit.Final, await host.AttemptAsync());

        Assert.Equal(keepText ? ["The whole answer. complete"] : [], Kept(host));
        Assert.Equal(keepText, host.Log[^1] is RunCompleted);
        Assert.Equal(!keepText, host.Log[^1] is RunCancelled);

        IEnumerable<AIContent> ThenCancelled()
        {
            yield return Say("The whole answer.");
            host.Tell("cancel", new CancelRequested("enough", "ann", keepText));
        }
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task What_was_said_before_the_tools_is_kept_when_the_run_is_cancelled_at_one(bool keepText)
    {
        var entered = new TaskCompletionSource();
        var quick = new TestTool("quick", _ => "found");
        var slow = new TestTool("slow", async (_, _, ct) =>
        {
            entered.SetResult();
            await Task.Delay(Timeout.Infinite, ct);
            return new("never");
        });
        var model = new ScriptedChatClient(asked => asked.ToolResult is null ? [Say("Let me look into it."), Call("quick", new { })] : [Call("slow", new { })]);
        using var host = new EngineHost(model, TestTeams.Of(PatternKind.Direct, ["solo"], [quick, slow]), [quick, slow]);
        var attempt = host.AttemptAsync();
        await entered.Task.WaitAsync(TimeSpan.FromMinutes(1));
        host.Tell("cancel", new CancelRequested("enough", "ann", keepText));
        Assert.Equal(RunExit.Final, await attempt);

        Assert.Equal(keepText ? ["Let me look into it. interrupted"] : [], Kept(host));
        Assert.IsType<RunCancelled>(host.Log[^1]);
        HistoryRules.Check(host.Log);
    }

    [Theory]
    [InlineData("budget", true)]
    [InlineData("content_filter", false)]
    public async Task Text_that_was_cut_off_by_the_budget_is_kept_before_the_run_fails(string errorClass, bool kept)
    {
        var model = new ScriptedChatClient(_ => Cut());
        using var host = new EngineHost(model, TestTeams.Of(PatternKind.Direct, ["solo"]), []);
        Assert.Equal(RunExit.Final, await host.AttemptAsync());

        Assert.Equal(kept ? ["As far as it goes interrupted"] : [], Kept(host));
        Assert.Equal(kept ? 0 : 1, host.Log.OfType<MessageSuperseded>().Count());
        Assert.Equal("model_" + errorClass, Assert.IsType<RunFailed>(host.Log[^1]).Code);
        HistoryRules.Check(host.Log);

        IEnumerable<AIContent> Cut()
        {
            yield return Say("As far as it goes");
            throw new ModelException(errorClass, "It ended here.");
        }
    }

    private static IEnumerable<string> Kept(EngineHost host) => host.Log.OfType<MessageCompleted>().Select(static m => $"{m.Text} {m.Status}");
}
