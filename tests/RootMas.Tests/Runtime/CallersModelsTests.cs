using System.Net;
using System.Runtime.CompilerServices;
using Microsoft.Extensions.AI;
using RootMas.Runtime.Agents;
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

    [Theory]
    [InlineData("""{"n":"many"}""", """{"n":42}""", null)]
    [InlineData("Forty-two.", "```json\n{\"n\":42}\n```", null)]
    [InlineData("Forty-two.", "It is 42.", "model_invalid_answer")]
    public async Task An_answer_that_does_not_follow_its_schema_is_asked_for_once_more(string first, string second, string? failure)
    {
        var model = new ScriptedChatClient(asked => [Say(asked.Number == 1 ? first : second)]);
        var all = await new InMemoryEngine(model).AllAsync(Pair, new RunInput("How many?")
        {
            Options = new() { ResponseSchema = """{"type":"object","properties":{"n":{"type":"integer"}},"required":["n"]}""" },
        });

        Assert.Equal(2, model.Calls);
        Assert.Equal("repair", all.Events<MessageSuperseded>()[0].Reason);
        Assert.Contains("does not follow the required JSON schema", model.Log[1].LastText, StringComparison.Ordinal);
        Assert.Equal(failure, all.Events<RunFailed>().SingleOrDefault()?.Code);
        var usage = failure is null ? Assert.Single(all.Events<RunCompleted>()).Usage : Assert.Single(all.Events<RunFailed>()).Usage!;
        Assert.Equal((20, 10), (usage.InputTokens, usage.OutputTokens));
        Assert.Equal(failure is null ? """{"n":42}""" : null, all.Events<MessageCompleted>().SingleOrDefault()?.Text);
    }

    [Theory]
    [InlineData("lead")]
    [InlineData("a")]
    public async Task What_an_agents_own_schema_asks_for_is_given_without_the_fence_around_it(string bound)
    {
        var model = new ScriptedChatClient(asked => asked.Agent == bound ? [Say("```json\n{\"n\":42}\n```")]
            : asked.ToolResult is { } result ? [Say("So: " + result)]
            : [Call("delegate", new { agent = "a", task = "work" })]);
        var team = Pair with
        {
            Agents = Pair.Agents.ToDictionary(static a => a.Key, a => a.Key == bound ? a.Value with { OutputSchema = """{"type":"object","properties":{"n":{"type":"integer"}},"required":["n"]}""" } : a.Value),
        };
        var all = await new InMemoryEngine(model).AllAsync(team, "How many?");

        Assert.Equal(bound == "lead" ? """{"n":42}""" : """So: {"n":42}""", Assert.Single(all.Events<MessageCompleted>()).Text);
    }

    [Fact]
    public async Task Of_a_result_that_a_model_broke_off_whoever_gave_the_task_is_told()
    {
        var model = new ScriptedChatClient(static asked => asked.Agent == "a" ? [Say("Half of the")]
            : asked.ToolResult is { } result ? [Say("So: " + result)]
            : [Call("delegate", new { agent = "a", task = "work" })]);
        var all = await new InMemoryEngine(new CutModel(model, "a")).AllAsync(Pair, "go");

        Assert.StartsWith("So: Half of the\n\n[The result of a ends here because it reached the most", Assert.Single(all.Events<MessageCompleted>()).Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_team_that_names_an_agent_that_is_not_there_is_told_so()
    {
        var team = Pair with { Team = Pair.Team with { Entry = "greter" } };
        var told = await Assert.ThrowsAsync<InvalidOperationException>(() => new InMemoryEngine(new ScriptedChatClient(static _ => [Say("hi")])).AllAsync(team, "go"));

        Assert.Contains("no agent 'greter'", told.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Whoever_leaves_before_the_run_is_in_the_journal_cancels_it_too()
    {
        var memory = new SlowMemory();
        var engine = new InMemoryEngine(new ScriptedChatClient(static _ => [Say("hi")]), options: new() { Memory = memory });
        using var leave = new CancellationTokenSource();
        await using (var updates = engine.RunAsync(Pair, "go", leave.Token).GetAsyncEnumerator())
        {
            var next = updates.MoveNextAsync().AsTask();
            await leave.CancelAsync();
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => next);
        }

        Assert.Empty(engine.Journal.Runs());
        memory.Answer.SetResult([]);
        await Support.Wait.UntilAsync(() => engine.Journal.Runs() is [var id] && engine.Journal.EventsOf(id)[^1] is RunCancelled);
    }

    /// <summary>What one agent says ends at the model's limit.</summary>
    private sealed class CutModel(IChatClient inner, string agent) : DelegatingChatClient(inner)
    {
        public override async IAsyncEnumerable<ChatResponseUpdate> GetStreamingResponseAsync(IEnumerable<ChatMessage> messages, ChatOptions? options = null, [EnumeratorCancellation] CancellationToken cancellationToken = default)
        {
            await foreach (var update in base.GetStreamingResponseAsync(messages, options, cancellationToken))
            {
                update.FinishReason = ModelCall.From(options)?.Agent == agent ? ChatFinishReason.Length : null;
                yield return update;
            }
        }
    }

    private sealed class SlowMemory : IRunMemory
    {
        public TaskCompletionSource<IReadOnlyList<RecalledFact>> Answer { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public ValueTask<IReadOnlyList<RecalledFact>> RecallAsync(NewRun run, CancellationToken cancellationToken) => new(Answer.Task);
    }
}
