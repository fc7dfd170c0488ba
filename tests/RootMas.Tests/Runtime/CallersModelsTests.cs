using System.Net;
using RootMas.Runtime.Runs;
using RootMas.Runtime.Teams;
using RootMas.Tests.Support;
using static RootMas.Tests.Support.ScriptedChatClient;

namespace RootMas.Tests.Runtime;

/// <summary>The runtime as a library, with models that throw what they like.</summary>
public sealed class CallersModelsTests
{
    private static readonly TeamSnapshot Pair = TestTeams.Of(PatternKind.Direct, ["lead", "a"], change: static t => t with { Edges = [new("lead", "a")] });

    [Theory]
    [InlineData("unreachable")]
    [InlineData("rate_limited")]
    [InlineData("timeout")]
    [InlineData("server_error")]
    public async Task What_a_model_throws_in_a_subtask_is_told_to_whoever_gave_it(string errorClass)
    {
        Exception thrown = errorClass switch
        {
            "unreachable" => new HttpRequestException("no route"),
            "rate_limited" => new HttpRequestException("slow down", null, HttpStatusCode.TooManyRequests),
            "timeout" => new TaskCanceledException("100 seconds elapsed"),
            _ => new InvalidOperationException("odd"),
        };
        var model = new ScriptedChatClient(asked => asked.Agent == "a" ? throw thrown
            : asked.ToolResult is { } result ? [Say("So: " + result)]
            : [Call("delegate", new { agent = "a", task = "work" })]);
        var engine = new InMemoryEngine(model);
        var all = await engine.AllAsync(Pair, "go");

        Assert.Contains(thrown.Message, Assert.Single(all.Events<MessageCompleted>()).Text, StringComparison.Ordinal);
        var child = engine.Journal.EventsOf(Assert.Single(all.Events<ChildCompleted>()).ChildRunId);
        Assert.Equal(errorClass, Assert.Single(child.OfType<ModelFailed>()).ErrorClass);
        HistoryRules.Check(child);
    }

    [Fact]
    public async Task What_a_model_throws_at_the_top_ends_the_run_by_name()
    {
        var all = await new InMemoryEngine(new ScriptedChatClient(static _ => throw new HttpRequestException("no route"))).AllAsync(Pair, "go");

        Assert.Equal("model_unreachable", Assert.Single(all.Events<RunFailed>()).Code);
        HistoryRules.Check([.. all.Events<RunEvent>()]);
    }

    [Fact]
    public async Task A_bug_in_a_subtask_ends_that_subtask()
    {
        var asked = 0;
        var model = new ScriptedChatClient(static a => a.ToolResult is { } result ? [Say("So: " + result)] : [Call("delegate", new { agent = "a", task = "work" })]);
        var engine = new InMemoryEngine(model, options: new() { ContextTokens = (_, _) => Interlocked.Increment(ref asked) == 2 ? throw new InvalidOperationException("a bug") : 128_000 });
        var all = await engine.AllAsync(Pair, "go");

        Assert.Contains("a bug", Assert.Single(all.Events<MessageCompleted>()).Text, StringComparison.Ordinal);
        var child = engine.Journal.EventsOf(Assert.Single(all.Events<ChildCompleted>()).ChildRunId);
        Assert.Equal("internal", Assert.IsType<RunFailed>(child[^1]).Code);
        HistoryRules.Check(child);
    }
}
