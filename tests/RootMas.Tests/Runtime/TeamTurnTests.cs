using Microsoft.Extensions.AI;
using RootMas.Runtime.Runs;
using RootMas.Runtime.Teams;
using RootMas.Tests.Support;
using static RootMas.Tests.Support.ScriptedChatClient;

namespace RootMas.Tests.Runtime;

/// <summary>Turns of teams in which an agent does more than answer: it delegates beside a question, or hands over.</summary>
public sealed class TeamTurnTests
{
    [Fact]
    public async Task A_writer_that_delegates_and_asks_waits_for_the_person()
    {
        var go = new TaskCompletionSource();
        var model = new ScriptedChatClient(static asked => asked.Agent switch
        {
            "w" when asked.ToolResult is null => [Call("delegate", new { agent = "x", task = "look" }), Call("ask_user", new { question = "Which?" })],
            "w" => [Say(string.Join(' ', asked.Messages.SelectMany(static m => m.Contents).OfType<FunctionResultContent>().Select(static r => r.Result)))],
            var other => [Say($"{other} answers")],
        })
        {
            Before = (asked, ct) => asked.Agent == "x" ? go.Task.WaitAsync(ct) : Task.CompletedTask,
        };
        var engine = new InMemoryEngine(model);
        var team = TestTeams.Of(PatternKind.Concurrent, ["a", "w", "x"], change: static t => t with { Members = ["a"], Writer = "w", Edges = [new("w", "x")] });
        await using var updates = engine.RunAsync(team, "go").GetAsyncEnumerator();
        var question = await updates.FirstAsync<InputRequested>();
        await Support.Wait.UntilAsync(() => engine.Journal.StatusOf(question.RunId).Status.IsParked());

        Assert.Equal(RunStatus.WaitingInput, engine.Journal.StatusOf(question.RunId).Status);
        Assert.True(engine.Journal.Tell(question.RunId, "input", new InputGiven(question.Call, "blue", "me")));
        go.SetResult();
        Assert.Equal("x answers blue", (await updates.FirstAsync<MessageCompleted>()).Text);
        Assert.Equal(["a"], model.Log[^1].Messages.Select(static m => m.Text).Where(static t => t.StartsWith("Result of ", StringComparison.Ordinal)).Select(static t => t.Split(' ')[2]));
    }
}
