using Microsoft.Extensions.AI;
using RootMas.Runtime.Runs;
using RootMas.Runtime.Teams;
using RootMas.Runtime.Tools;
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
    public async Task A_team_with_more_members_than_its_limit_of_subtasks_says_so_to_people()
    {
        var team = TestTeams.Of(PatternKind.Concurrent, ["a", "b", "w"], change: static t => t with { Members = ["a", "b"], Writer = "w", Limits = new() { MaxChildren = 1 } });
        var all = await new InMemoryEngine(new ScriptedChatClient(static _ => [Say("done")])).AllAsync(team, "x");

        var failed = Assert.Single(all.Events<RunFailed>());
        Assert.Equal("guard_children", failed.Code);
        Assert.Equal("The run has 1 subtasks; the limit is 1. What was done so far is kept in the run's log; ask again with a smaller task, or raise the limit.", failed.Reason);
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

    [Theory]
    [InlineData("enough [DONE]")]
    [InlineData("enough [done].")]
    [InlineData("enough\n\n**[done]**\n")]
    [InlineData("enough `[Done].`")]
    public async Task A_round_ends_however_the_mark_is_written_and_nobody_is_shown_it(string last)
    {
        var model = new ScriptedChatClient(asked => [Say(asked.Number == 2 ? last : $"{asked.Agent} speaks")]);
        var all = await new InMemoryEngine(model).AllAsync(TestTeams.Of(PatternKind.GroupChat, ["a", "b", "c"]), "go");

        Assert.Equal(["a", "b"], all.Events<ModelCompleted>().Select(static m => m.Agent!));
        Assert.Equal("enough", Assert.Single(all.Events<MessageCompleted>()).Text);
    }

    /// <summary>None of them sees what the others called.</summary>
    [Theory]
    [InlineData(PatternKind.GroupChat, false)]
    [InlineData(PatternKind.GroupChat, true)]
    [InlineData(PatternKind.Sequential, false)]
    [InlineData(PatternKind.Sequential, true)]
    public async Task Members_that_look_the_same_thing_up_are_no_loop(PatternKind pattern, bool fails)
    {
        string[] members = ["a", "b", "c", "d"];
        var tool = new TestTool("look", (_, _, _) => fails ? throw new ToolException("It is closed.") : Task.FromResult(new ToolResult("3.9 million")));
        var model = new ScriptedChatClient(asked => asked.Messages.Count(static m => m.Role == ChatRole.Tool) < (fails ? 3 : 1)
            ? [Call("look", new { text = fails ? $"try {asked.Number}" : "Berlin" })]
            : [Say($"{asked.Agent} says so")]);
        var all = await new InMemoryEngine(model, [tool]).AllAsync(TestTeams.Of(pattern, members, [tool], static t => t with { MaxRounds = 4 }), "go");

        Assert.Equal("d says so", Assert.Single(all.Events<MessageCompleted>()).Text);
        Assert.Equal(fails ? 12 : 4, tool.Keys.Count);
        Assert.Empty(all.Events<GuardHinted>());
    }

    [Fact]
    public async Task A_member_that_repeats_itself_is_hinted_and_stopped_whatever_the_others_were_told()
    {
        var tool = new TestTool("look", static _ => "the same");
        var model = new ScriptedChatClient(static asked => asked.Agent == "a" && asked.Messages.Any(static m => m.Text.StartsWith("[Note from the system]", StringComparison.Ordinal))
            ? [Say("a has understood")]
            : [Call("look", new { text = "it" })]);
        var all = await new InMemoryEngine(model, [tool]).AllAsync(TestTeams.Of(PatternKind.Sequential, ["a", "b"], [tool]), "go");

        Assert.Equal(["a", "b"], all.Events<GuardHinted>().Select(static h => h.Agent!));
        Assert.Equal("loop", Assert.Single(all.Events<GuardStopped>()).Guard);
        Assert.Equal(["a", "a", "a", "b", "b", "b", "b"], all.Events<ToolCompleted>().Select(static c => c.Agent!));
    }

    [Theory]
    [InlineData(2, "ping_pong")]
    [InlineData(3, "loop")]
    public async Task Work_that_is_handed_round_and_round_is_stopped(int agents, string guard)
    {
        string[] all = [.. new[] { "a", "b", "c" }.Take(agents)];
        var tool = new TestTool("look", static _ => "the same");
        var model = new ScriptedChatClient(asked => asked.ToolResult == "the same" || asked.LastText.StartsWith("[Note from the system]", StringComparison.Ordinal)
            ? [Call("handoff", new { agent = all[(Array.IndexOf(all, asked.Agent) + 1) % agents], reason = "yours" })]
            : [Call("look", new { text = "it" })]);
        var team = TestTeams.Of(PatternKind.Handoff, all, [tool], t => t with { Edges = [.. all.Select((name, i) => new TeamEdge(name, all[(i + 1) % agents], IsHandoff: true))] });
        var events = await new InMemoryEngine(model, [tool]).AllAsync(team, "go");

        Assert.Equal(guard, Assert.Single(events.Events<GuardStopped>()).Guard);
        Assert.InRange(events.Events<Handoff>().Count, 4, 12);
    }
}
