using Microsoft.Extensions.AI;
using RootMas.Runtime.Runs;
using RootMas.Runtime.Teams;
using RootMas.Tests.Support;
using static RootMas.Tests.Support.ScriptedChatClient;

namespace RootMas.Tests.Runtime.Context;

/// <summary>What a prompt takes beside its messages counts when it is decided whether it fits.</summary>
public sealed class ReductionTests
{
    private const int Context = 4000;
    private const int Reserve = 500;

    /// <summary>About 3,000 tokens: with what else there is, and the reserve, it just fits.</summary>
    private static readonly List<HistoryMessage> History = [.. Enumerable.Range(0, 18).Select(static i => new HistoryMessage(i % 2 == 0 ? "user" : "assistant", $"message {i} " + new string('x', 600)))];

    [Theory]
    [InlineData(0, 0, false)]
    [InlineData(5000, 0, true)]
    [InlineData(0, 5000, true)]
    [InlineData(40_000, 0, true)]
    public async Task Definitions_of_tools_and_the_format_of_the_answer_count(int tool, int format, bool reduced)
    {
        var big = new TestTool("big", static _ => "");
        var team = TestTeams.Of(PatternKind.Direct, ["solo"], [big]);
        team = team with { Tools = new Dictionary<string, RootMas.Runtime.Tools.ToolDefinition> { ["big"] = big.Definition with { Description = new string('d', tool) } } };
        var model = new ScriptedChatClient(static asked => [Say(asked.Call.Purpose == "summary" ? "they talked" : "{}")]);
        var engine = new InMemoryEngine(model, [big], new RunEngineOptions { ContextTokens = static (_, _) => Context, AnswerReserve = Reserve });
        var all = await engine.AllAsync(team, new RunInput("and now?")
        {
            History = History,
            Options = new() { ResponseSchema = format > 0 ? $$"""{"type":"object","description":"{{new string('f', format)}}"}""" : null },
        });

        Assert.Equal(reduced ? 1 : 0, all.Events<ContextReduced>().Count);
        Assert.Equal("{}", Assert.Single(all.Events<MessageCompleted>()).Text);
        var prompt = model.Log[^1];
        Assert.Contains(prompt.Messages, static m => m.Text.StartsWith("message 17 ", StringComparison.Ordinal)); // whatever the tools take, the newest stays
        Assert.True(tool > Context || TokenEstimateOf(prompt) + ((tool + format) / 4) + Reserve <= Context, "the answer has no room");
    }

    [Theory]
    [InlineData(null, "premium")]
    public async Task A_summary_is_made_by_cheap_models_in_pieces_that_they_can_read(string? agents, string? users)
    {
        const int Small = 20_000;
        var team = TestTeams.Of(PatternKind.Direct, ["solo"]);
        team = team with { Agents = new Dictionary<string, RootMas.Runtime.Agents.Agent> { ["solo"] = team.Agents["solo"] with { Model = agents } } };
        var model = new ScriptedChatClient(static asked => [Say(asked.Call.Purpose == "summary" ? "they talked" : "fine")]);
        var engine = new InMemoryEngine(model, options: new() { ContextTokens = static (tier, model) => (model ?? tier) == "cheap" ? Small : 2 * Small });
        var all = await engine.AllAsync(team, new RunInput("and now?")
        {
            History = [.. Enumerable.Range(0, 55).Select(static i => new HistoryMessage(i % 2 == 0 ? "user" : "assistant", $"message {i} " + new string('x', 4000)))],
            Options = new() { Model = users },
        });

        Assert.Equal("fine", Assert.Single(all.Events<MessageCompleted>()).Text);
        var summaries = model.Log.Where(static a => a.Call.Purpose == "summary").ToList();
        Assert.InRange(summaries.Count, 2, 4);
        Assert.All(summaries, static a => Assert.Equal(("cheap", (string?)null), (a.Call.Tier, a.Call.Model)));
        Assert.All(summaries, static a => Assert.InRange(TokenEstimateOf(a), 1, Small));
        var retold = string.Concat(summaries.Select(static a => a.LastText));
        Assert.All(Enumerable.Range(0, all.Events<ContextReduced>()[^1].HistoryDropped), i => Assert.Contains($"message {i} ", retold, StringComparison.Ordinal));
        Assert.Equal((agents, users ?? "cheap"), (model.Log[^1].Call.Model, users is null ? "cheap" : model.Log[^1].Call.Tier)); // the answer is as it was asked for
    }

    [Theory]
    [InlineData(true, true)]
    [InlineData(false, false)]
    public async Task What_a_model_thought_before_its_calls_counts_where_it_goes_back_to_it(bool goesBack, bool reduced)
    {
        var calls = 0;
        var look = new TestTool("look", static _ => "seen");
        var model = new ScriptedChatClient(asked => asked.Call.Purpose == "summary" ? [Say("they looked")]
            : ++calls <= 8 ? [new TextReasoningContent(new string('t', 4_000)), new FunctionCallContent($"c{calls}", "look", new Dictionary<string, object?> { ["text"] = $"place {calls}" })]
            : [Say("done")]);
        var engine = new InMemoryEngine(model, [look], new RunEngineOptions { ContextTokens = static (_, _) => Context, AnswerReserve = Reserve, TakesReasoning = (_, _) => goesBack });
        var all = await engine.AllAsync(TestTeams.Of(PatternKind.Direct, ["solo"], [look]), new RunInput("look around"));
        Assert.Equal("done", Assert.Single(all.Events<MessageCompleted>()).Text);
        Assert.Equal(reduced, all.Events<ContextReduced>().Count > 0);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_summary_that_is_too_long_or_missing_leaves_room_for_what_is_asked(bool missing)
    {
        var model = new ScriptedChatClient(static asked => [Say(asked.Call.Purpose == "summary" ? new string('s', 100_000) : "fine")])
        {
            Before = (asked, _) => missing && asked.Call.Purpose == "summary" ? throw new RootMas.Runtime.Agents.ModelException("bad_request", "no") : Task.CompletedTask,
        };
        var engine = new InMemoryEngine(model, options: new RunEngineOptions { ContextTokens = static (_, _) => Context, AnswerReserve = Reserve });
        var all = await engine.AllAsync(TestTeams.Of(PatternKind.Direct, ["solo"]), new RunInput("and now?")
        {
            History = [.. History, .. History, .. Enumerable.Range(0, 4).Select(static i => new HistoryMessage("user", new string('я', 1500)))],
        });

        Assert.Equal("fine", Assert.Single(all.Events<MessageCompleted>()).Text);
        Assert.NotEmpty(all.Events<ContextReduced>());
        Assert.All(all.Events<ContextReduced>(), static r => Assert.InRange(RootMas.Runtime.Context.TokenEstimate.Of(r.Summary), 1, Context / 4));
        Assert.InRange(TokenEstimateOf(model.Log[^1]) + Reserve, 1, Context);
    }

    /// <summary>Else the model, which sees its request last, begins with it again.</summary>
    [Fact]
    public async Task What_was_done_for_this_request_is_retold_with_its_arguments_and_stands_behind_it()
    {
        var order = new TestTool("order", static _ => new string('x', 9_000));
        var model = new ScriptedChatClient(static asked => asked.Call.Purpose == "summary" ? [Say("four things were ordered")]
            : asked.Messages.Any(static m => m.Text.StartsWith("[Summary of", StringComparison.Ordinal)) ? [Say("done")]
            : [Call("order", new { text = $"item {asked.Number} " + new string('y', 1_000) })]);
        var engine = new InMemoryEngine(model, [order], new RunEngineOptions { ContextTokens = static (_, _) => 12_000 });
        var all = await engine.AllAsync(TestTeams.Of(PatternKind.Direct, ["solo"], [order]), new RunInput("order things") { History = [new("user", "hello"), new("assistant", "hi")] });

        Assert.Equal("done", Assert.Single(all.Events<MessageCompleted>()).Text);
        Assert.InRange(Assert.Single(all.Events<ContextReduced>()).BlocksDropped, 1, 3);
        Assert.Contains("assistant: calls order(text: item 1 yyy", model.Log.Single(static a => a.Call.Purpose == "summary").LastText, StringComparison.Ordinal);
        var prompt = model.Log[^1].Messages.Select(static m => m.Text).ToList();
        Assert.Equal(prompt.IndexOf("order things") + 1, prompt.FindIndex(static t => t.StartsWith("[Summary of", StringComparison.Ordinal)));
        Assert.Contains("four things were ordered", prompt[prompt.IndexOf("order things") + 1], StringComparison.Ordinal);
    }

    private static int TokenEstimateOf(Asked prompt) => RootMas.Runtime.Context.TokenEstimate.Of(prompt.Messages);
}
