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

    [Fact]
    public async Task Whoever_takes_over_in_a_sequence_goes_on_for_its_member_and_nobody_is_skipped()
    {
        var tool = new TestTool("look", static t => "seen " + t);
        var model = new ScriptedChatClient(static asked => (asked.Agent, asked.ToolResult) switch
        {
            ("a", null) => [Call("look", new { text = "it" })],
            ("a", _) => [Call("handoff", new { agent = "x", reason = "knows more" })],
            (var other, _) => [Say($"{other}<{asked.LastText.Split('\n')[^1]}>")],
        });
        var team = TestTeams.Of(PatternKind.Sequential, ["a", "b", "c", "x"], [tool], static t => t with { Members = ["a", "b", "c"], Edges = [new("a", "x", IsHandoff: true)] });
        var all = await new InMemoryEngine(model, [tool]).AllAsync(team, "go");

        Assert.Equal(["a", "a", "x", "b", "c"], all.Events<ModelCompleted>().Select(static m => m.Agent!));
        Assert.StartsWith("c<b<x<", Assert.Single(all.Events<MessageCompleted>()).Text, StringComparison.Ordinal);
        foreach (var asked in model.Log)
        {
            HistoryRules.CheckPairs(asked.Messages);
        }

        // What a had found is there for x, and b has the result alone.
        Assert.Contains(model.Log[2].Messages.SelectMany(static m => m.Contents).OfType<FunctionResultContent>(), static r => r.Result is "seen it");
        Assert.Equal(["Result of x"], model.Log[3].Messages.Select(static m => m.Text.Split(':')[0]).Where(static t => t.StartsWith("Result of ", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task Whoever_takes_over_in_a_round_speaks_for_its_member()
    {
        var model = new ScriptedChatClient(static asked => asked.Agent == "a" && asked.Number == 1
            ? [Call("handoff", new { agent = "x", reason = "knows more" })]
            : [Say(asked.Number == 5 ? "enough [done]" : $"{asked.Agent} speaks")]);
        var team = TestTeams.Of(PatternKind.GroupChat, ["a", "b", "c", "x"], change: static t => t with { Members = ["a", "b", "c"], Edges = [new("a", "x", IsHandoff: true)] });
        var all = await new InMemoryEngine(model).AllAsync(team, "go");

        Assert.Equal(["a", "x", "b", "c", "a"], all.Events<ModelCompleted>().Select(static m => m.Agent!));
        Assert.Equal("enough", Assert.Single(all.Events<MessageCompleted>()).Text);
        Assert.All(model.Log, static asked => Assert.Contains(asked.Messages, static m => m.Role == Microsoft.Extensions.AI.ChatRole.System && m.Text.Contains(GroupChatPattern.DoneMark, StringComparison.Ordinal)));
    }
}
