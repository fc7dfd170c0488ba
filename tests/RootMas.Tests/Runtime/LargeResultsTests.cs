using Microsoft.Extensions.AI;
using RootMas.Runtime.Agents;
using RootMas.Runtime.Context;
using RootMas.Runtime.Runs;
using RootMas.Runtime.Teams;
using RootMas.Tests.Support;
using static RootMas.Tests.Support.ScriptedChatClient;

namespace RootMas.Tests.Runtime;

/// <summary>What subtasks found, where it is more than the model that goes on with it can read.</summary>
public sealed class LargeResultsTests
{
    private const int Context = 8_000;
    private const int Long = 30_000;

    private static readonly RunEngineOptions Small = new() { ContextTokens = static (_, _) => Context };

    [Fact]
    public async Task A_plan_with_large_results_comes_to_its_end()
    {
        const int Tasks = 12;
        var tasks = Enumerable.Range(1, Tasks).Select(static i => $$"""{"id":"t{{i}}","agent":"a","task":"find {{i}}","depends_on":[],"done_when":"x"}""")
            .Append($$"""{"id":"last","agent":"b","task":"compare","depends_on":[{{string.Join(',', Enumerable.Range(1, Tasks).Select(static i => $"\"t{i}\""))}}],"done_when":"y"}""");
        var model = new ScriptedChatClient(asked => Within(asked).Call.Purpose switch
        {
            "plan" => [Say($$"""{"goal":"g","tasks":[{{string.Join(',', tasks)}}]}""")],
            "review" => [Say("""{"verdict":"done","summary":"all found"}""")],
            _ when asked.Agent == "w" => [Say("written")],
            _ => [Say(asked.Agent == "a" ? new string('x', Long) : "compared")],
        });
        var team = TestTeams.Of(PatternKind.Plan, ["meta", "a", "b", "w"], change: static t => t with { Writer = "w" });
        var all = await new InMemoryEngine(model, options: Small).AllAsync(team, "do it");

        Assert.Equal("written", Assert.Single(all.Events<MessageCompleted>()).Text);
        Assert.Equal(Tasks, all.Events<ChildCompleted>().Count(static c => c.Result.Length == Long)); // what is stored is whole
        foreach (var reader in (string[])["b", "meta", "w"])
        {
            var prompt = string.Concat(model.Log.Last(a => a.Agent == reader).Messages.Select(static m => m.Text));
            Assert.Equal(Tasks + 1, prompt.Split($" of {Long} characters are shown]").Length);
        }
    }

    [Fact]
    public async Task Delegations_with_large_results_are_shown_as_far_as_they_fit()
    {
        var model = new ScriptedChatClient(static asked => Within(asked) is { Agent: "a" } ? [Say(new string('x', Long))]
            : asked.ToolResult is null ? Enumerable.Range(0, 6).Select(static i => (AIContent)Call("delegate", new { agent = "a", task = $"find {i}" }))
            : [Say("done")]);
        var team = TestTeams.Of(PatternKind.Direct, ["lead", "a"], change: static t => t with { Edges = [new("lead", "a")] });
        var all = await new InMemoryEngine(model, options: Small).AllAsync(team, "do it");

        Assert.Equal("done", Assert.Single(all.Events<MessageCompleted>()).Text);
        Assert.Equal(6, all.Events<ToolCompleted>().Count(static c => c.Result.Length == Long));
    }

    [Fact]
    public async Task Members_with_large_results_are_shown_as_far_as_they_fit()
    {
        string[] members = ["a", "b", "c", "d"];
        var model = new ScriptedChatClient(static asked => [Say(Within(asked).Agent == "w" ? "done" : new string('x', Long))]);
        var team = TestTeams.Of(PatternKind.Concurrent, [.. members, "w"], change: t => t with { Members = members, Writer = "w" });
        var all = await new InMemoryEngine(model, options: Small).AllAsync(team, "do it");

        Assert.Equal("done", Assert.Single(all.Events<MessageCompleted>()).Text);
    }

    [Fact]
    public async Task A_selector_is_shown_what_was_said_as_far_as_it_fits()
    {
        var said = 0;
        var model = new ScriptedChatClient(asked => [Say(asked.Call.Purpose != "select" ? new string('x', Long / 4)
            : Within(asked) is not null && said++ < 6 ? """{"speaker":"a","done":false}""" : """{"speaker":"","done":true}""")]);
        var team = TestTeams.Of(PatternKind.GroupChat, ["a", "b", "meta"], change: static t => t with { Members = ["a", "b"], Selector = "meta" });
        var all = await new InMemoryEngine(model, options: Small).AllAsync(team, "talk");

        Assert.Equal(6, all.Events<SpeakerSelected>().Count(static s => !s.Done));
        Assert.Single(all.Events<RunCompleted>());
    }

    /// <summary>The last answers with calls, and the last messages of a conversation, are never dropped.</summary>
    [Theory]
    [InlineData(8_192, 1, 0)]
    [InlineData(32_768, 4, 0)]
    [InlineData(128_000, 16, 0)]
    [InlineData(8_192, 0, 40_000)]
    public async Task What_tools_give_and_what_was_said_last_is_shown_as_far_as_it_fits(int context, int pages, int said)
    {
        const int Page = 20_000;
        var page = new TestTool("page", static _ => new string('ж', Page));
        var model = new ScriptedChatClient(asked => Within(asked, context).Call.Purpose == "summary" ? [Say("read so far")]
            : asked.Number <= 2 && pages > 0 ? Enumerable.Range(0, pages).Select(i => (AIContent)Call("page", new { text = $"{asked.Number}.{i}" }))
            : [Say("done")]);
        var engine = new InMemoryEngine(model, [page], new() { ContextTokens = (_, _) => context });
        var all = await engine.AllAsync(TestTeams.Of(PatternKind.Direct, ["solo"], [page]), new RunInput("and now?")
        {
            History = said > 0 ? [new("user", new string('ж', said)), new("assistant", "I see.")] : [],
        });

        Assert.Equal("done", Assert.Single(all.Events<MessageCompleted>()).Text);
        Assert.Equal(2 * pages, all.Events<ToolCompleted>().Count(static c => c.Result.Length == Page)); // what is stored is whole
        var shown = string.Concat(model.Log[^1].Messages.SelectMany(static m => m.Contents).Select(static c => c is FunctionResultContent r ? r.Result : (c as TextContent)?.Text));
        Assert.Equal(said > 0 ? 1 : 2 * pages, shown.Split($" of {Math.Max(said, Page)} characters are shown]").Length - 1);
    }

    /// <summary>A model refuses what is longer than its context.</summary>
    private static Asked Within(Asked asked, int context = Context) =>
        TokenEstimate.Of(asked.Messages) <= context ? asked : throw new ModelException("context_length", $"{TokenEstimate.Of(asked.Messages)} tokens are too many.");
}
