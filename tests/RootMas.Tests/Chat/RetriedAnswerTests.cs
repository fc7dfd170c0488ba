using System.Net;
using RootMas.Server.Platform.Data;
using RootMas.Tests.Support;

namespace RootMas.Tests.Chat;

/// <summary>A message that is answered again: the new answer stands beside the old one, and the conversation goes on from the one that the user looks at.</summary>
public abstract class RetriedAnswerTests(DatabaseKind kind) : OnDatabase(kind)
{
    private const string Echo = "default: { text: \"Answer to {{last_user}}\" }";

    private const string Asks = """
        rules:
          - match: { tool_called: ask_user }
            answer: { text: "Thanks: {{tool_result}}" }
          - match: { last_user: "Go" }
            answer: { tool_calls: [ { name: ask_user, arguments: { question: "Where to?" } } ] }
        default: { text: "Answer to {{last_user}}" }
        """;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    [DatabaseFact]
    public async Task A_message_that_is_sent_while_an_answer_is_made_anew_goes_on_from_the_new_one()
    {
        await using var world = await ChatWorld.StartAsync(Echo);
        var (conversation, first) = await BeginAsync(world);
        var hold = world.Sim.Hold(new() { Call = 1 });
        var again = await RetryAsync(world, first);
        await hold.Reached.WaitAsync(Patience);
        var second = await world.SendAsync(conversation, new { message = "two" });
        Assert.Equal("queued", second.GetProperty("status").GetString());
        hold.Release();
        await world.EventsAsync(second.GetProperty("run_id").GetString()!);
        var path = await PathAsync(world, conversation);
        Assert.Equal(["one", "Answer to one", "two", "Answer to two"], path.Select(static m => m.Text));
        Assert.Equal(again, path[1].Run);
        await world.EventsAsync((await world.SendAsync(conversation, new { message = "three" })).GetProperty("run_id").GetString()!);
        Assert.Equal(["one", "Answer to one", "two", "Answer to two", "three", "Answer to three"], (await PathAsync(world, conversation)).Select(static m => m.Text));
    }

    [DatabaseFact]
    public async Task What_waited_for_a_retry_that_brought_nothing_goes_on_from_the_answer_before()
    {
        await using var world = await ChatWorld.StartAsync(Echo);
        var (conversation, first) = await BeginAsync(world);
        var hold = world.Sim.Hold(new() { Call = 1 });
        var again = await RetryAsync(world, first);
        await hold.Reached.WaitAsync(Patience);
        var second = (await world.SendAsync(conversation, new { message = "two" })).GetProperty("run_id").GetString()!;
        await world.App.PostJsonAsync($"/api/v1/runs/{again}/cancel", new { }, HttpStatusCode.Accepted);
        await world.EventsAsync(second);
        Assert.Equal("cancelled", await world.StatusAsync(again));
        var path = await PathAsync(world, conversation);
        Assert.Equal(["one", "Answer to one", "two", "Answer to two"], path.Select(static m => m.Text));
        Assert.Equal(first, path[1].Run);
    }

    [DatabaseFact]
    public async Task Rollback_of_a_retry_takes_back_no_more_than_the_retry()
    {
        await using var world = await ChatWorld.StartAsync(Echo);
        var (conversation, _) = await BeginAsync(world);
        var second = (await world.SendAsync(conversation, new { message = "two" })).GetProperty("run_id").GetString()!;
        await world.EventsAsync(second);
        var hold = world.Sim.Hold(new() { Call = 1 });
        var again = await RetryAsync(world, second);
        await hold.Reached.WaitAsync(Patience);
        await world.EventsAsync((await world.SendAsync(conversation, new { message = "right", on_busy = "rollback" })).GetProperty("run_id").GetString()!);
        Assert.Equal("cancelled", await world.StatusAsync(again));
        Assert.Equal(["one", "Answer to one", "two", "Answer to two", "right", "Answer to right"], (await PathAsync(world, conversation)).Select(static m => m.Text));
        Assert.Equal(6, (await world.MessagesAsync(conversation)).Count);
    }

    [DatabaseFact]
    public async Task Rollback_of_a_retry_that_had_asked_goes_back_to_the_answer_before()
    {
        await using var world = await ChatWorld.StartAsync(Asks);
        var (_, parked) = await world.TryAskAsync(new { message = "Go", team = "solo" });
        var conversation = parked.GetProperty("conversation_id").GetString()!;
        await world.AskAsync(new { message = "Rome", conversation_id = conversation });
        var before = (await PathAsync(world, conversation)).Select(static m => m.Text).ToList();
        var again = await RetryAsync(world, parked.GetProperty("run_id").GetString()!);
        await TestCluster.UntilAsync(async () => await world.StatusAsync(again) == "waiting_input", "the retry asks");
        var hold = world.Sim.Hold(new() { Call = 1 });
        await world.TryAskAsync(new { message = "Paris", conversation_id = conversation }, headers: ("Prefer", "wait=0"));
        await hold.Reached.WaitAsync(Patience);
        await world.EventsAsync((await world.SendAsync(conversation, new { message = "Stay", on_busy = "rollback" })).GetProperty("run_id").GetString()!);
        Assert.Equal(4, before.Count);
        Assert.Equal([.. before, "Stay", "Answer to Stay"], (await PathAsync(world, conversation)).Select(static m => m.Text));
    }

    [DatabaseFact]
    public async Task Retries_of_a_message_by_any_of_its_runs_are_one_at_a_time()
    {
        await using var world = await ChatWorld.StartAsync(Echo);
        var (_, first) = await BeginAsync(world);
        var second = await RetryAsync(world, first);
        await world.EventsAsync(second);
        var hold = world.Sim.Hold(new() { Call = 1 });
        var both = await Task.WhenAll(((string[])[first, second]).Select(run => world.TryAskAsync(new { }, $"/api/v1/runs/{run}/retry")));
        await hold.Reached.WaitAsync(Patience);
        Assert.Equal([HttpStatusCode.Accepted, HttpStatusCode.Conflict], both.Select(static b => b.Status).Order());
    }

    [DatabaseFact]
    public async Task A_retry_that_asks_is_answered_by_the_next_message_and_the_thread_knows_it()
    {
        await using var world = await ChatWorld.StartAsync(Asks);
        var (_, parked) = await world.TryAskAsync(new { message = "Go", team = "solo" });
        var conversation = parked.GetProperty("conversation_id").GetString()!;
        var first = parked.GetProperty("run_id").GetString()!;
        await world.AskAsync(new { message = "Rome", conversation_id = conversation });
        var again = await RetryAsync(world, first);
        await TestCluster.UntilAsync(async () => await world.StatusAsync(again) == "waiting_input", "the retry asks");
        var answer = await world.AskAsync(new { message = "Paris", conversation_id = conversation });
        Assert.Equal(again, answer.GetProperty("run_id").GetString());
        string[] thread = ["Go", "Where to?", "Paris", answer.GetProperty("response").GetString()!];
        Assert.Contains("Paris", thread[3], StringComparison.Ordinal);
        Assert.Equal(thread, (await PathAsync(world, conversation)).Select(static m => m.Text));
        await world.AskAsync(new { message = "And then?", conversation_id = conversation });
        Assert.Equal([.. thread, "And then?", "Answer to And then?"], (await PathAsync(world, conversation)).Select(static m => m.Text));
        Assert.DoesNotContain("Rome", world.Sim.Calls[^1].Body!, StringComparison.Ordinal);
    }

    [DatabaseFact]
    public async Task A_retry_from_behind_a_question_has_question_and_answer_in_its_branch()
    {
        await using var world = await ChatWorld.StartAsync(Asks);
        var (_, parked) = await world.TryAskAsync(new { message = "Go", team = "solo" });
        var conversation = parked.GetProperty("conversation_id").GetString()!;
        var first = parked.GetProperty("run_id").GetString()!;
        await world.AskAsync(new { message = "Rome", conversation_id = conversation });
        var before = await PathAsync(world, conversation);
        var again = await RetryAsync(world, first, new { from_seq = await LastAsync(world, first) });
        Assert.Equal("run.completed", (await world.EventsAsync(again))[^1].Type);
        var path = await PathAsync(world, conversation);
        Assert.Equal(["Go", "Where to?", "Rome"], path.Take(3).Select(static m => m.Text));
        Assert.Equal(before.Select(static m => m.Text), path.Select(static m => m.Text));
        Assert.Equal([first, again, again, again], path.Select(static m => m.Run));
        Assert.Equal(7, (await world.MessagesAsync(conversation)).Count);
        await world.AskAsync(new { message = "And then?", conversation_id = conversation });
        Assert.Equal([.. before.Select(static m => m.Text), "And then?", "Answer to And then?"], (await PathAsync(world, conversation)).Select(static m => m.Text));
        Assert.Contains("Where to?", world.Sim.Calls[^1].Body!, StringComparison.Ordinal);
    }

    [DatabaseFact]
    public async Task Of_two_retries_of_one_message_the_second_is_refused_while_the_first_works()
    {
        await using var world = await ChatWorld.StartAsync(Echo);
        var (_, first) = await BeginAsync(world);
        var hold = world.Sim.Hold(new() { Call = 1 });
        var both = await Task.WhenAll(Enumerable.Range(0, 2).Select(_ => world.TryAskAsync(new { }, $"/api/v1/runs/{first}/retry")));
        await hold.Reached.WaitAsync(Patience);
        Assert.Equal([HttpStatusCode.Accepted, HttpStatusCode.Conflict], both.Select(static b => b.Status).Order());
        Assert.Equal("branch_busy", both.Single(static b => b.Status == HttpStatusCode.Conflict).Body.GetProperty("code").GetString());
    }

    [DatabaseTheory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task The_answer_itself_is_made_anew_whatever_from_seq_says(bool atTheEnd)
    {
        await using var world = await ChatWorld.StartAsync(Echo);
        var (conversation, first) = await BeginAsync(world);
        var again = await RetryAsync(world, first, new { from_seq = atTheEnd ? await LastAsync(world, first) : 5 });
        Assert.Equal("run.completed", (await world.EventsAsync(again))[^1].Type);
        Assert.Equal(2, world.Sim.Calls.Count);
        Assert.Equal(again, (await PathAsync(world, conversation))[1].Run);
    }

    [DatabaseFact]
    public async Task A_message_that_never_had_its_turn_is_answered_with_what_was_said_before()
    {
        await using var world = await ChatWorld.StartAsync(Echo);
        var (conversation, _) = await BeginAsync(world);
        var hold = world.Sim.Hold(new() { Call = 1 });
        var second = (await world.SendAsync(conversation, new { message = "two" })).GetProperty("run_id").GetString()!;
        await hold.Reached.WaitAsync(Patience);
        var third = (await world.SendAsync(conversation, new { message = "three" })).GetProperty("run_id").GetString()!;
        await world.App.PostJsonAsync($"/api/v1/runs/{third}/cancel", new { }, HttpStatusCode.Accepted);
        await world.EventsAsync(third);
        hold.Release();
        await world.EventsAsync(second);
        await world.EventsAsync(await RetryAsync(world, third));
        Assert.Equal(["one", "Answer to one", "two", "Answer to two", "three", "Answer to three"], (await PathAsync(world, conversation)).Select(static m => m.Text));
        Assert.Contains("Answer to two", world.Sim.Calls[^1].Body!, StringComparison.Ordinal);
    }

    [DatabaseFact]
    public async Task A_message_that_was_rolled_back_is_not_answered_again()
    {
        await using var world = await ChatWorld.StartAsync(Echo);
        var conversation = await world.NewConversationAsync();
        var hold = world.Sim.Hold(new() { Call = 1 });
        var wrong = (await world.SendAsync(conversation, new { message = "wrong" })).GetProperty("run_id").GetString()!;
        await hold.Reached.WaitAsync(Patience);
        await world.EventsAsync((await world.SendAsync(conversation, new { message = "right", on_busy = "rollback" })).GetProperty("run_id").GetString()!);
        var (status, problem) = await world.TryAskAsync(new { }, $"/api/v1/runs/{wrong}/retry");
        Assert.Equal((HttpStatusCode.Conflict, "message_rolled_back"), (status, problem.GetProperty("code").GetString()));
        Assert.Equal(2, (await world.MessagesAsync(conversation)).Count);
    }

    [DatabaseFact]
    public async Task A_first_message_that_asked_leaves_nothing_behind_when_it_is_rolled_back()
    {
        await using var world = await ChatWorld.StartAsync(Asks);
        var (_, parked) = await world.TryAskAsync(new { message = "Go", team = "solo" });
        var conversation = parked.GetProperty("conversation_id").GetString()!;
        var hold = world.Sim.Hold(new() { Call = 1 });
        await world.TryAskAsync(new { message = "Rome", conversation_id = conversation }, headers: ("Prefer", "wait=0"));
        await hold.Reached.WaitAsync(Patience);
        await world.EventsAsync((await world.SendAsync(conversation, new { message = "Stay", on_busy = "rollback" })).GetProperty("run_id").GetString()!);
        Assert.Equal(["Stay", "Answer to Stay"], (await PathAsync(world, conversation)).Select(static m => m.Text));
        Assert.DoesNotContain("Rome", world.Sim.Calls[^1].Body!, StringComparison.Ordinal);
    }

    [DatabaseFact]
    public async Task Rollback_in_an_edited_branch_goes_on_there()
    {
        await using var world = await ChatWorld.StartAsync(Echo);
        var (conversation, _) = await BeginAsync(world);
        await world.EventsAsync((await world.SendAsync(conversation, new { message = "two" })).GetProperty("run_id").GetString()!);
        var answer = (await world.MessagesAsync(conversation))[1].GetProperty("id").GetString();
        var hold = world.Sim.Hold(new() { Call = 1 });
        await world.SendAsync(conversation, new { message = "edited", parent_id = answer });
        await hold.Reached.WaitAsync(Patience);
        await world.EventsAsync((await world.SendAsync(conversation, new { message = "right", on_busy = "rollback" })).GetProperty("run_id").GetString()!);
        await world.EventsAsync((await world.SendAsync(conversation, new { message = "more" })).GetProperty("run_id").GetString()!);
        Assert.Equal(["one", "Answer to one", "right", "Answer to right", "more", "Answer to more"], (await PathAsync(world, conversation)).Select(static m => m.Text));
    }

    [DatabaseFact]
    public async Task What_interrupts_comes_before_what_waited()
    {
        await using var world = await ChatWorld.StartAsync(Echo);
        var conversation = await world.NewConversationAsync();
        var hold = world.Sim.Hold(new() { Call = 1 });
        await world.SendAsync(conversation, new { message = "one" });
        await hold.Reached.WaitAsync(Patience);
        var waits = (await world.SendAsync(conversation, new { message = "waits" })).GetProperty("run_id").GetString()!;
        await world.SendAsync(conversation, new { message = "now", on_busy = "interrupt" });
        await world.EventsAsync(waits);
        Assert.Equal(["one", "now", "Answer to now", "waits", "Answer to waits"], (await PathAsync(world, conversation)).Select(static m => m.Text));
    }

    private static async Task<(string Conversation, string Run)> BeginAsync(ChatWorld world)
    {
        var answer = await world.AskAsync(new { message = "one", team = "solo" });
        return (answer.GetProperty("conversation_id").GetString()!, answer.GetProperty("run_id").GetString()!);
    }

    private static async Task<string> RetryAsync(ChatWorld world, string run, object? body = null) =>
        (await world.App.PostJsonAsync($"/api/v1/runs/{run}/retry", body ?? new { }, HttpStatusCode.Accepted)).GetProperty("id").GetString()!;

    private static async Task<long> LastAsync(ChatWorld world, string run) => (await world.App.GetJsonAsync($"/api/v1/runs/{run}")).GetProperty("last_seq").GetInt64();

    /// <summary>From the root to the conversation's current leaf.</summary>
    private static async Task<List<(string Text, string? Run)>> PathAsync(ChatWorld world, string conversation) =>
        [.. (await world.PathAsync(conversation)).Select(static m => (m.GetProperty("content").GetString()!, m.GetProperty("run_id").GetString()))];
}

public sealed class RetriedAnswersOnSqliteTests() : RetriedAnswerTests(DatabaseKind.Sqlite);

public sealed class RetriedAnswersOnPostgresTests() : RetriedAnswerTests(DatabaseKind.Postgres), IOnPostgres;
