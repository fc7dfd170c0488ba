using RootMas.Runtime.Runs;
using RootMas.Runtime.Teams;
using RootMas.Server.Runs;
using RootMas.Tests.Support;
using static RootMas.Tests.Support.ScriptedChatClient;

namespace RootMas.Tests.Runtime;

/// <summary>An answer that was accepted while the time of its question ran out.</summary>
public sealed class LateAnswerTests
{
    private static readonly TeamSnapshot Solo = TestTeams.Of(PatternKind.Direct, ["solo"]);

    [Fact]
    public async Task An_answer_that_meets_the_end_of_its_question_counts()
    {
        using var host = new EngineHost(new ScriptedChatClient(static asked => asked.ToolResult is { } answer ? [Say("You said " + answer)] : [Call("ask_user", new { question = "Which?" })]), Solo, []);
        Assert.Equal(RunExit.Parked, await host.AttemptAsync());
        host.Tell("timer", new TimerDue(DateTimeOffset.MaxValue));
        host.Tell("input", new InputGiven(1, "blue", "me"));
        Assert.Equal(RunExit.Final, await host.AttemptAsync());

        Assert.Equal(("blue", false), host.Log.OfType<InputReceived>().Select(static r => (r.Text, r.Expired)).Single());
        Assert.Equal("You said blue", host.Log.OfType<MessageCompleted>().Single().Text);
    }

    [Fact]
    public async Task An_answer_that_comes_before_the_end_of_its_question_is_written_reaches_the_agent()
    {
        var (thinking, go) = (new TaskCompletionSource(), new TaskCompletionSource());
        var model = new ScriptedChatClient(static asked => asked.LastText.Contains("blue", StringComparison.Ordinal) ? [Say("Blue it is.")]
            : asked.ToolResult is null ? [Call("ask_user", new { question = "Which?" })]
            : [Say("Then red.")])
        {
            Before = async (asked, ct) =>
            {
                if (asked.Number == 2)
                {
                    thinking.SetResult();
                    await go.Task.WaitAsync(ct);
                }
            },
        };
        using var host = new EngineHost(model, Solo, []);
        Assert.Equal(RunExit.Parked, await host.AttemptAsync());
        host.Tell("timer", new TimerDue(DateTimeOffset.MaxValue));
        var attempt = host.AttemptAsync();
        await thinking.Task.WaitAsync(TimeSpan.FromMinutes(1));
        host.Tell("input", new InputGiven(1, "blue", "me"));
        go.SetResult();
        Assert.Equal(RunExit.Final, await attempt);

        Assert.Equal([("", true), ("blue", false)], host.Log.OfType<InputReceived>().Select(static r => (r.Text, r.Expired)));
        Assert.Single(host.Log, static e => e is ToolCompleted or ToolFailed);
        Assert.Equal("Blue it is.", host.Log.OfType<MessageCompleted>().Single().Text);
        Assert.Equal(3, model.Calls);
        Assert.Contains(RunRetry.Copy(host.Log, long.MaxValue), static e => e is InputReceived { Text: "blue" });
    }
}
