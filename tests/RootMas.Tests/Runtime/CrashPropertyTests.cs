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
