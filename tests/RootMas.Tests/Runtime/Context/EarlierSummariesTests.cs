using RootMas.Runtime.Agents;
using RootMas.Runtime.Runs;
using RootMas.Runtime.Teams;
using RootMas.Tests.Support;
using static RootMas.Tests.Support.ScriptedChatClient;

namespace RootMas.Tests.Runtime.Context;

/// <summary>A conversation that is longer than its model's context is read once, however many turns and requests that takes.</summary>
public sealed class EarlierSummariesTests
{
    private const int Context = 4000;
    private const int Reserve = 500;
    private const string Contract = "contract KZ-4711";

    [Theory]
    [InlineData(28, false)]
    [InlineData(40, true)]
    public async Task What_an_earlier_run_has_retold_is_not_read_again(int messages, bool reads)
    {
        var model = Retelling();
        var all = await Engine(model, Earlier(8), Earlier(12)).AllAsync(TestTeams.Of(PatternKind.Direct, ["solo"]), new RunInput("and now?") { History = History(messages) });

        var reduced = all.Events<ContextReduced>();
        Assert.Equal((12, "earlier-12"), (reduced[0].HistoryDropped, reduced[0].TakenFrom));
        Assert.Equal(reads, reduced.Count > 1);
        Assert.All(reduced, static r => Assert.True(r.Whole));
        Assert.All(reduced.Skip(1), static r => Assert.Null(r.TakenFrom));
        Assert.Equal(["doc-1"], reduced[^1].Documents!);
        Assert.Equal(["fact-1"], reduced[^1].Facts!);
        Assert.InRange(reduced[0].TokensAfter, 1, reduced[0].TokensBefore - 1);
        var requests = Summaries(model);
        Assert.Equal(reads, requests.Count > 0);
        Assert.All(requests, static text => Assert.StartsWith("Earlier summary:\n", text, StringComparison.Ordinal));
        Assert.All(Enumerable.Range(0, 12), i => Assert.DoesNotContain(requests, text => text.Contains($"message {i} ", StringComparison.Ordinal)));
        Assert.Contains(model.Log[^1].Messages, static m => m.Text.Contains(Contract, StringComparison.Ordinal));
        Assert.DoesNotContain(model.Log[^1].Messages, static m => m.Text.StartsWith("message 11 ", StringComparison.Ordinal));
        Assert.Contains(model.Log[^1].Messages, m => m.Text.StartsWith($"message {messages - 1} ", StringComparison.Ordinal));
        Assert.Equal(["doc-1"], Assert.Single(all.Events<MessageCompleted>()).Documents!);

        // Every attempt sees the same, without asking again.
        var log = all.Select(static u => u.Event).OfType<RunEvent>().TakeWhile(static e => e is not ContextReduced { TakenFrom: null } and not MessageCompleted).ToList();
        Assert.Equal(Earlier(12).Summary, RunState.Fold(log).Reduction!.Summary);
    }

    [Theory]
    [InlineData(12, 0, false)]
    [InlineData(12, 3, true)]
    [InlineData(41, 0, true)]
    public async Task A_summary_that_was_cut_or_tells_steps_of_its_run_or_more_than_was_said_here_is_not_taken_over(int history, int blocks, bool whole)
    {
        var model = Retelling();
        var earlier = Earlier(history) with { BlocksDropped = blocks, Whole = whole ? true : null };
        var all = await Engine(model, earlier).AllAsync(TestTeams.Of(PatternKind.Direct, ["solo"]), new RunInput("and now?") { History = History(40) });

        Assert.All(all.Events<ContextReduced>(), static r => Assert.Null(r.TakenFrom));
        Assert.Contains(Summaries(model), static text => text.Contains("message 0 ", StringComparison.Ordinal));
    }

    /// <summary>Eight contexts, and a model that keeps the one fact if it is shown it. With few steps left each message is shown shorter, and none is left out.</summary>
    [Theory]
    [InlineData(200)]
    [InlineData(14)]
    public async Task However_long_it_is_nothing_is_cut_out_of_the_middle_and_several_turns_have_room_then(int steps)
    {
        var history = History(200);
        history[100] = history[100] with { Text = $"message 100 {Contract} " + new string('x', 600) };
        var model = Retelling();
        var all = await Engine(model).AllAsync(TestTeams.Of(PatternKind.Direct, ["solo"]), new RunInput("and now?") { History = history, Options = new() { Limits = new() { MaxSteps = steps } } });

        Assert.Equal("fine", Assert.Single(all.Events<MessageCompleted>()).Text);
        var reduced = all.Events<ContextReduced>();
        var retold = Summaries(model);
        Assert.All(retold, static text => Assert.DoesNotContain("[…]", text, StringComparison.Ordinal));
        Assert.All(retold, static text => Assert.InRange(RootMas.Runtime.Context.TokenEstimate.Of(text), 1, Context - Reserve));
        Assert.All(Enumerable.Range(0, reduced[^1].HistoryDropped), i => Assert.Single(retold, text => text.Contains($"message {i} ", StringComparison.Ordinal)));
        Assert.Contains(Contract, reduced[^1].Summary, StringComparison.Ordinal);
        Assert.True(reduced[^1].Whole);
        Assert.InRange(RootMas.Runtime.Context.TokenEstimate.Of(model.Log[^1].Messages), 1, (Context - Reserve) * 7 / 10);
    }

    [Fact]
    public async Task Where_no_model_summarises_what_came_since_the_earlier_summary_stays()
    {
        var model = Retelling();
        model.Before = static (asked, _) => asked.Call.Purpose == "summary" ? throw new ModelException("bad_request", "no") : Task.CompletedTask;
        var all = await Engine(model, Earlier(12)).AllAsync(TestTeams.Of(PatternKind.Direct, ["solo"]), new RunInput("and now?") { History = History(40) });

        var last = all.Events<ContextReduced>()[^1];
        Assert.StartsWith(Earlier(12).Summary, last.Summary, StringComparison.Ordinal);
        Assert.Null(last.TakenFrom);
        Assert.Null(last.Whole);
        Assert.Equal("fine", Assert.Single(all.Events<MessageCompleted>()).Text);
    }

    /// <summary>Else no later run could go on from it, and each would read the conversation from its beginning.</summary>
    [Fact]
    public async Task What_was_said_is_summarised_apart_from_what_was_done_then()
    {
        var calls = 0;
        var order = new TestTool("order", static _ => new string('x', 9_000));
        var model = new ScriptedChatClient(asked => asked.Call.Purpose == "summary" ? [Say("they talked")] : ++calls <= 4 ? [Call("order", new { text = $"item {calls}" })] : [Say("done")]);
        var engine = new InMemoryEngine(model, [order], new RunEngineOptions { ContextTokens = static (_, _) => 12_000 });
        var history = Enumerable.Range(0, 10).Select(static i => new HistoryMessage(i % 2 == 0 ? "user" : "assistant", $"message {i} " + new string('x', 1_000))).ToList();
        var all = await engine.AllAsync(TestTeams.Of(PatternKind.Direct, ["solo"], [order]), new RunInput("order things") { History = history });

        Assert.Equal("done", Assert.Single(all.Events<MessageCompleted>()).Text);
        var reduced = all.Events<ContextReduced>();
        Assert.Equal((10, 0), (reduced[0].HistoryDropped, reduced[0].BlocksDropped));
        Assert.InRange(reduced[^1].BlocksDropped, 1, 3);
    }

    private static InMemoryEngine Engine(ScriptedChatClient model, params ContextReduced[] earlier) =>
        new(model, options: new RunEngineOptions { ContextTokens = static (_, _) => Context, AnswerReserve = Reserve, Summaries = new Kept(earlier) });

    private static ScriptedChatClient Retelling() =>
        new(static asked => [Say(asked.Call.Purpose != "summary" ? "fine" : asked.LastText.Contains(Contract, StringComparison.Ordinal) ? $"They spoke of {Contract}." : "They talked.")]);

    private static ContextReduced Earlier(int messages) =>
        new(messages, 0, 4_000, 2_000, $"They spoke of {Contract}, in {messages} messages.") { RunId = $"earlier-{messages}", Whole = true, Documents = ["doc-1"], Facts = ["fact-1"] };

    private static List<HistoryMessage> History(int messages) =>
        [.. Enumerable.Range(0, messages).Select(static i => new HistoryMessage(i % 2 == 0 ? "user" : "assistant", $"message {i} " + new string('x', 600)))];

    private static List<string> Summaries(ScriptedChatClient model) => [.. model.Log.Where(static a => a.Call.Purpose == "summary").Select(static a => a.LastText)];

    private sealed class Kept(IReadOnlyList<ContextReduced> earlier) : IEarlierSummaries
    {
        public ValueTask<IReadOnlyList<ContextReduced>> FindAsync(NewRun run, CancellationToken cancellationToken) => new(earlier);
    }
}
