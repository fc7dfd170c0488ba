using Microsoft.Extensions.AI;
using RootMas.Runtime.Runs;
using RootMas.Runtime.Teams;
using RootMas.Runtime.Tools;
using RootMas.Tests.Support;
using static RootMas.Tests.Support.ScriptedChatClient;

namespace RootMas.Tests.Runtime;

/// <summary>Death at random appends: whatever happens, the log is whole, every call has one result, and unsafe calls act once.</summary>
public sealed class CrashPropertyTests
{
    public static TheoryData<int> Seeds() => TestLength.Seeds(1, usually: 150, inTheLongForm: 3000);

    public static TheoryData<int> SeedsOfEachKind() => TestLength.Seeds(1, usually: 90, inTheLongForm: 3000);

    /// <summary>People approve, answer and review, and the team itself gives tasks.</summary>
    [Theory]
    [MemberData(nameof(SeedsOfEachKind))]
    public async Task Teams_that_wait_for_people_and_tasks_end_with_a_valid_history_too(int seed)
    {
        var random = new Random(seed);
        var kind = ((PatternKind[])[PatternKind.Direct, PatternKind.Concurrent, PatternKind.Plan])[seed % 3];
        var effects = new Dictionary<string, int>();
        Tool[] tools = [new TestTool("look", static t => "seen " + t), Counting("act", ToolEffect.Unsafe, effects).With(ToolEffect.Unsafe, ApprovalRule.Always)];
        var model = new ScriptedChatClient(ScriptOfEachKind);
        string[] agents = kind == PatternKind.Plan ? ["meta", "lead", "a", "b", "x"] : ["lead", "a", "b", "x"];
        var team = TestTeams.Of(kind, agents, tools, static t => t with { Members = ["a", "b"], Writer = "lead", Edges = [new("lead", "x")] });
        var host = new CrashingHost(model, team, tools, _ => random.NextDouble() < 0.25 ? random.Next(2) == 0 ? CrashingHost.CrashPoint.Before : CrashingHost.CrashPoint.After : CrashingHost.CrashPoint.None)
        {
            OnApproval = _ => random.Next(4) > 0,
        };

        var root = await host.RunAsync("go");

        Assert.Equal("all done", Assert.IsType<MessageCompleted>(host.Journal.EventsOf(root)[^2]).Text);
        Assert.All(effects, static e => Assert.Equal(1, e.Value));
        foreach (var id in host.Journal.Runs())
        {
            HistoryRules.Check(host.Journal.EventsOf(id));
        }

        foreach (var asked in model.Log)
        {
            HistoryRules.CheckPairs(asked.Messages);
        }
    }

    [Theory]
    [MemberData(nameof(Seeds))]
    public async Task A_team_that_dies_again_and_again_ends_with_a_valid_history(int seed)
    {
        var random = new Random(seed);
        var effects = new Dictionary<string, int>();
        var read = new TestTool("look", t => "seen " + t);
        var idempotent = Counting("put", ToolEffect.Idempotent, effects);
        var act = Counting("act", ToolEffect.Unsafe, effects);
        Tool[] tools = [read, idempotent, act];
        var model = new ScriptedChatClient(Script);
        var team = TestTeams.Of(PatternKind.Direct, ["lead", "a", "b"], tools, t => t with { Edges = [new("lead", "a"), new("lead", "b"), new("a", "lead", IsHandoff: true)] });
        var host = new CrashingHost(model, team, tools, _ => random.NextDouble() < 0.25 ? random.Next(2) == 0 ? CrashingHost.CrashPoint.Before : CrashingHost.CrashPoint.After : CrashingHost.CrashPoint.None);

        var root = await host.RunAsync("go");

        Assert.Equal("all done", Assert.IsType<MessageCompleted>(host.Journal.EventsOf(root)[^2]).Text);
        Assert.All(effects.Where(e => e.Key.StartsWith("act", StringComparison.Ordinal)), e => Assert.Equal(1, e.Value));
        foreach (var id in host.Journal.Runs())
        {
            HistoryRules.Check(host.Journal.EventsOf(id));
        }

        foreach (var asked in model.Log)
        {
            HistoryRules.CheckPairs(asked.Messages);
        }
    }

    private static IEnumerable<AIContent> Script(Asked asked)
    {
        var results = asked.Messages.Count(m => m.Role == ChatRole.Tool);
        return (asked.Agent, results) switch
        {
            ("lead", 0) => [Say("let me see "), Call("look", new { text = "x" }), Call("put", new { text = "1" })],
            ("lead", 2) => [Call("delegate", new { agent = "a", task = "A" }), Call("delegate", new { agent = "b", task = "B" }), Call("act", new { text = "one" })],
            ("lead", 5) => [Call("act", new { text = "two" }), Call("look", new { text = "y" })],
            ("lead", _) => [Say("all done")],
            ("a", 0) => [Call("put", new { text = "2" })],
            ("b", 0) => [Call("act", new { text = "three" })],
            _ => [Say(asked.Agent + " is done")],
        };
    }

    private static IEnumerable<AIContent> ScriptOfEachKind(Asked asked)
    {
        var results = asked.Messages.Count(m => m.Role == ChatRole.Tool);
        return (asked.Call.Purpose, asked.Agent, results) switch
        {
            ("plan", _, _) => [Say("""{"goal":"g","tasks":[{"id":"t1","agent":"a","task":"A","depends_on":[],"done_when":"x"},{"id":"t2","agent":"b","task":"B","depends_on":[],"done_when":"x"},{"id":"t3","agent":"x","task":"X","depends_on":["t1","t2"],"done_when":"x"}]}""")],
            ("review", _, _) => [Say("""{"verdict":"done","summary":"ok"}""")],
            (_, "lead", 0) => [Call("delegate", new { agent = "x", task = "X" }), Call("ask_user", new { question = "Which?" }), Call("act", new { text = "one" })],
            (_, "lead", 3) => [Call("act", new { text = "two" }), Call("look", new { text = "y" })],
            (_, "lead", _) => [Say("all done")],
            (_, "a", 0) => [Call("act", new { text = "three" }), Call("ask_user", new { question = "When?" })],
            (_, "b", 0) => [Call("look", new { text = "z" }), Call("act", new { text = "four" })],
            _ => [Say(asked.Agent + " is done")],
        };
    }

    private static TestTool Counting(string name, ToolEffect effect, Dictionary<string, int> effects) => new TestTool(name, (context, _, _) =>
    {
        lock (effects)
        {
            var key = name + "|" + context.IdempotencyKey;
            effects[key] = effects.GetValueOrDefault(key) + 1;
        }

        return Task.FromResult(new ToolResult(name + " ok"));
    }).With(effect);
}
