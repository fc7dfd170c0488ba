using System.Net;
using System.Text.Json;
using RootMas.LlmSimulator;
using RootMas.Server.Platform.Data;
using RootMas.Server.Platform.Migrations;
using RootMas.Tests.Support;

namespace RootMas.Tests.Chat;

/// <summary>A message to a branch that still works on an earlier one (DESIGN §4.6).</summary>
public abstract class DoubleTextingTests(DatabaseKind kind) : OnDatabase(kind)
{
    private const string Echo = "default: { text: \"Answer to {{last_user}}\" }";

    private const string Posts = """
        rules:
          - match: { tool_called: http_request }
            answer: { text: "Posted" }
          - match: { last_user: "Post it", last_role: user }
            answer: { tool_calls: [ { name: http_request, arguments: { method: POST, url: "{{base_url}}/_tool/note", json: { a: 1 } } } ] }
        default: { text: "Answer to {{last_user}}" }
        """;

    [DatabaseFact]
    public async Task Enqueue_waits_and_takes_the_leaf_at_its_start_as_parent()
    {
        await using var world = await ChatWorld.StartAsync(Echo);
        var conversation = await world.NewConversationAsync();
        var hold = world.Sim.Hold(new() { Call = 1 });
        await world.SendAsync(conversation, new { message = "one" });
        await hold.Reached;
        var second = await world.SendAsync(conversation, new { message = "two" });
        var third = await world.SendAsync(conversation, new { message = "three", on_busy = "enqueue" });
        Assert.Equal("queued", second.GetProperty("status").GetString());
        Assert.Equal("queued", (await world.MessagesAsync(conversation))[1].GetProperty("status").GetString());
        Assert.Single(world.Sim.Calls);
        hold.Release();
        await world.EventsAsync(third.GetProperty("run_id").GetString()!);
        Assert.Equal(["one", "Answer to one", "two", "Answer to two", "three", "Answer to three"], await PathAsync(world, conversation));
        Assert.Contains("Answer to one", world.Sim.Calls[1].Body!, StringComparison.Ordinal);
    }

    [DatabaseFact]
    public async Task Reject_is_409_with_the_run_and_writes_nothing()
    {
        await using var world = await ChatWorld.StartAsync(Echo);
        var conversation = await world.NewConversationAsync();
        var hold = world.Sim.Hold(new() { Call = 1 });
        var first = await world.SendAsync(conversation, new { message = "one" });
        await hold.Reached;
        var problem = await world.SendAsync(conversation, new { message = "two", on_busy = "reject" }, HttpStatusCode.Conflict);
        Assert.Equal("conversation_busy", problem.GetProperty("code").GetString());
        Assert.Equal(first.GetProperty("run_id").GetString(), problem.GetProperty("run_id").GetString());
        Assert.Single(await world.MessagesAsync(conversation));
        hold.Release();
        await world.EventsAsync(first.GetProperty("run_id").GetString()!);
        await world.EventsAsync((await world.SendAsync(conversation, new { message = "two", on_busy = "reject" })).GetProperty("run_id").GetString()!);
        Assert.Equal(["one", "Answer to one", "two", "Answer to two"], await PathAsync(world, conversation));
    }

    [DatabaseFact]
    public async Task Interrupt_keeps_the_text_so_far_and_starts_after_the_old_run_is_final()
    {
        await using var world = await ChatWorld.StartAsync("""
            rules:
              - match: { last_user: "two" }
                answer: { text: "Second" }
            default: { text: "TEXT", tokens_per_second: 4 }
            """.Replace("TEXT", string.Join(' ', Enumerable.Range(0, 1_000).Select(static i => $"a{i}")), StringComparison.Ordinal));
        var conversation = await world.NewConversationAsync();
        var first = (await world.SendAsync(conversation, new { message = "one" })).GetProperty("run_id").GetString()!;
        await FirstPieceAsync(world, first);
        var second = (await world.SendAsync(conversation, new { message = "two", on_busy = "interrupt" })).GetProperty("run_id").GetString()!;
        await world.EventsAsync(second);
        Assert.Equal("cancelled", await world.StatusAsync(first));
        var leaf = (await world.App.GetJsonAsync($"/api/v1/conversations/{conversation}")).GetProperty("current_leaf").GetString();
        var messages = await world.MessagesAsync(conversation, $"?leaf={leaf}");
        Assert.Equal(["complete", "interrupted", "complete", "complete"], messages.Select(m => m.GetProperty("status").GetString()));
        Assert.StartsWith("a", messages[1].GetProperty("content").GetString(), StringComparison.Ordinal);
        Assert.Equal(messages[1].GetProperty("id").GetString(), messages[2].GetProperty("parent_id").GetString());
        Assert.Equal("Second", messages[3].GetProperty("content").GetString());
    }

    [DatabaseFact]
    public async Task Rollback_makes_message_and_answer_a_dead_branch_and_keeps_the_log()
    {
        await using var world = await ChatWorld.StartAsync(Echo);
        var conversation = (await world.AskAsync(new { message = "zero", team = "solo" })).GetProperty("conversation_id").GetString()!;
        var hold = world.Sim.Hold(new() { Call = 1 });
        var first = (await world.SendAsync(conversation, new { message = "wrong" })).GetProperty("run_id").GetString()!;
        await hold.Reached;
        var second = (await world.SendAsync(conversation, new { message = "right", on_busy = "rollback" })).GetProperty("run_id").GetString()!;
        await world.EventsAsync(second);
        Assert.Equal(["zero", "Answer to zero", "right", "Answer to right"], await PathAsync(world, conversation));
        Assert.Equal("cancelled", await world.StatusAsync(first));
        Assert.DoesNotContain("wrong", world.Sim.Calls[^1].Body!, StringComparison.Ordinal);
        Assert.Equal("run.cancelled", (await world.EventsAsync(first))[^1].Type);
    }

    [DatabaseFact]
    public async Task Rollback_of_a_first_message_leaves_the_new_one_at_the_root()
    {
        await using var world = await ChatWorld.StartAsync(Echo);
        var conversation = await world.NewConversationAsync();
        var hold = world.Sim.Hold(new() { Call = 1 });
        await world.SendAsync(conversation, new { message = "wrong" });
        await hold.Reached;
        await world.EventsAsync((await world.SendAsync(conversation, new { message = "right", on_busy = "rollback" })).GetProperty("run_id").GetString()!);
        Assert.Equal(["right", "Answer to right"], await PathAsync(world, conversation));
    }

    [DatabaseTheory]
    [InlineData("interrupt")]
    [InlineData("rollback")]
    public async Task A_message_that_is_refused_stops_and_buries_nothing(string policy)
    {
        await using var world = await ChatWorld.StartAsync(Echo);
        using var ann = await world.App.AsAsync("ann");
        var hold = world.Sim.Hold(new() { At = HoldPoint.Before });
        var (conversation, first) = await BeginAsync(ann, "one");
        await BeginAsync(ann, "elsewhere");
        await world.App.ChangeUserAsync(ann.Id, """{"limits":{"runs":1}}"""); // without the run whose place is to be taken it is one too many still
        await ann.PostAsync($"/api/v1/conversations/{conversation}/runs", new { message = "two", on_busy = policy }, HttpStatusCode.TooManyRequests);
        hold.Release();
        Assert.Equal("run.completed", (await world.EventsAsync(first))[^1].Type);
        Assert.Equal(["one", "Answer to one"], (await ann.GetAsync($"/api/v1/conversations/{conversation}/messages")).GetProperty("items").EnumerateArray().Select(static m => m.GetProperty("content").GetString()));
    }

    [DatabaseFact]
    public async Task A_question_is_answered_by_the_next_message_whatever_the_policy()
    {
        await using var world = await ChatWorld.StartAsync("""
            rules:
              - match: { tool_called: ask_user }
                answer: { text: "Thanks: {{tool_result}}" }
            default: { tool_calls: [ { name: ask_user, arguments: { question: "Where to?" } } ] }
            """);
        foreach (var policy in new[] { "enqueue", "reject", "interrupt", "rollback" })
        {
            var (status, parked) = await world.TryAskAsync(new { message = "Go", team = "solo" });
            Assert.Equal(HttpStatusCode.Accepted, status);
            var answer = await world.AskAsync(new { message = $"To {policy}", conversation_id = parked.GetProperty("conversation_id").GetString(), on_busy = policy });
            Assert.Equal(parked.GetProperty("run_id").GetString(), answer.GetProperty("run_id").GetString());
            Assert.Contains($"To {policy}", answer.GetProperty("response").GetString(), StringComparison.Ordinal);
        }
    }

    [DatabaseFact]
    public async Task A_run_that_waits_for_an_approval_refuses_to_queue_and_can_be_interrupted()
    {
        await using var world = await ChatWorld.StartAsync(Posts, configure: o => o.Settings["Outbound:Allow"] = "127.0.0.1");
        var (status, parked) = await world.TryAskAsync(new { message = "Post it", agent = "multi_tool" });
        Assert.Equal(HttpStatusCode.Accepted, status);
        Assert.Equal("waiting_approval", parked.GetProperty("metadata").GetProperty("status").GetString());
        var conversation = parked.GetProperty("conversation_id").GetString()!;
        var run = parked.GetProperty("run_id").GetString()!;
        foreach (var (policy, code) in new[] { ("enqueue", "waiting_for_human"), ("reject", "conversation_busy") })
        {
            var problem = await world.SendAsync(conversation, new { message = "And?", on_busy = policy }, HttpStatusCode.Conflict);
            Assert.Equal((code, run), (problem.GetProperty("code").GetString(), problem.GetProperty("run_id").GetString()));
        }

        Assert.Equal("waiting_approval", await world.StatusAsync(run));
        var answer = await world.AskAsync(new { message = "Never mind", conversation_id = conversation, agent = "multi_tool", on_busy = "interrupt" });
        Assert.Equal("Answer to Never mind", answer.GetProperty("response").GetString());
        Assert.Equal("cancelled", await world.StatusAsync(run));
        Assert.Empty(world.Sim.ToolCounts);
    }

    [DatabaseFact]
    public async Task Rollback_is_refused_once_a_tool_that_changes_something_has_run()
    {
        await using var world = await ChatWorld.StartAsync(Posts, configure: o => o.Settings["Outbound:Allow"] = "127.0.0.1");
        var (_, parked) = await world.TryAskAsync(new { message = "Post it", agent = "multi_tool" });
        var conversation = parked.GetProperty("conversation_id").GetString()!;
        var run = parked.GetProperty("run_id").GetString()!;
        var hold = world.Sim.Hold(new() { Call = 1 });
        var approval = (await world.App.GetJsonAsync("/api/v1/approvals")).GetProperty("items")[0];
        await world.App.PostJsonAsync($"/api/v1/approvals/{approval.GetProperty("id").GetString()}", new { decision = "approve", arguments_hash = approval.GetProperty("arguments_hash").GetString() });
        await hold.Reached;
        var problem = await world.SendAsync(conversation, new { message = "Undo", on_busy = "rollback" }, HttpStatusCode.Conflict);
        Assert.Equal(("rollback_impossible", run), (problem.GetProperty("code").GetString(), problem.GetProperty("run_id").GetString()));
        hold.Release();
        Assert.Equal("run.completed", (await world.EventsAsync(run))[^1].Type);
        Assert.Equal(1, world.Sim.ToolCounts["note"].Requests);
    }

    [DatabaseTheory]
    [InlineData("current_time, arguments: { }", true)]
    [InlineData("http_request, arguments: { method: POST, url: \"{{base_url}}/_tool/note\", json: { a: 1 } }", false)]
    public async Task Rollback_of_delegated_work_depends_on_what_was_done_there(string call, bool possible)
    {
        await using var world = await ChatWorld.StartAsync($$$"""
            rules:
              - { match: { last_user: right, last_role: user }, answer: { text: "Right." } }
              - { match: { agent: communicator, last_role: user }, answer: { tool_calls: [ { name: delegate, arguments: { agent: helper, task: "do" } } ] } }
              - { match: { agent: helper, last_role: user }, answer: { tool_calls: [ { name: {{{call}}} } ] } }
            default: { text: "Done." }
            """, configure: static o => o.Settings["Outbound:Allow"] = "127.0.0.1");
        await world.App.PostJsonAsync("/api/v1/agents", new { name = "helper", role = "helps", description = "Helps.", instructions = "Help.", tier = "cheap", tools = new[] { "current_time", "http_request" } }, HttpStatusCode.Created);
        var conversation = await world.NewConversationAsync("root-mas");
        var hold = world.Sim.Hold(new() { Agent = "helper", Call = 2 }); // its tool has run
        var first = (await world.SendAsync(conversation, new { message = "wrong" })).GetProperty("run_id").GetString()!;
        if (!possible)
        {
            JsonElement approval = default;
            await TestCluster.UntilAsync(async () => (await world.App.GetJsonAsync("/api/v1/approvals")).GetProperty("items").EnumerateArray().FirstOrDefault() is { ValueKind: JsonValueKind.Object } found && (approval = found).ValueKind == JsonValueKind.Object, "the call waits for an approval");
            await world.App.PostJsonAsync($"/api/v1/approvals/{approval.GetProperty("id").GetString()}", new { decision = "approve", arguments_hash = approval.GetProperty("arguments_hash").GetString() });
        }

        await hold.Reached.WaitAsync(TimeSpan.FromSeconds(60));
        var second = await world.SendAsync(conversation, new { message = "right", on_busy = "rollback" }, possible ? HttpStatusCode.Accepted : HttpStatusCode.Conflict);
        hold.Release();
        if (!possible)
        {
            Assert.Equal("rollback_impossible", second.GetProperty("code").GetString());
            return;
        }

        await world.EventsAsync(second.GetProperty("run_id").GetString()!);
        Assert.Equal("cancelled", await world.StatusAsync(first));
        Assert.Equal(["right", "Right."], await PathAsync(world, conversation));
    }

    [DatabaseFact]
    public async Task Interrupts_in_a_row_are_answered_in_their_order_before_what_waited()
    {
        await using var world = await OfOneWorkerAsync();
        var (conversation, hold) = await WhileTheWorkerIsBusyAsync(world);
        await world.SendAsync(conversation, new { message = "one" });
        var waits = (await world.SendAsync(conversation, new { message = "waits" })).GetProperty("run_id").GetString()!;
        foreach (var message in (string[])["two", "three", "four"])
        {
            await world.SendAsync(conversation, new { message, on_busy = "interrupt" });
        }

        hold.Release();
        await world.EventsAsync(waits);
        Assert.Equal(["one", "two", "Answer to two", "three", "Answer to three", "four", "Answer to four", "waits", "Answer to waits"], await PathAsync(world, conversation));
    }

    [DatabaseFact]
    public async Task Rollback_takes_back_what_was_to_take_the_place_before_it_and_leaves_what_only_waits()
    {
        await using var world = await OfOneWorkerAsync();
        var (conversation, hold) = await WhileTheWorkerIsBusyAsync(world);
        var first = (await world.SendAsync(conversation, new { message = "wrong" })).GetProperty("run_id").GetString()!;
        var waits = (await world.SendAsync(conversation, new { message = "waits" })).GetProperty("run_id").GetString()!;
        var second = (await world.SendAsync(conversation, new { message = "also wrong", on_busy = "rollback" })).GetProperty("run_id").GetString()!;
        await world.SendAsync(conversation, new { message = "right", on_busy = "rollback" });
        Assert.Equal(["waits", "right"], (await world.MessagesAsync(conversation)).Select(static m => m.GetProperty("content").GetString()));
        hold.Release();
        await world.EventsAsync(waits);
        Assert.Equal(["right", "Answer to right", "waits", "Answer to waits"], await PathAsync(world, conversation));
        foreach (var run in (string[])[first, second])
        {
            Assert.Equal("run.cancelled", (await world.EventsAsync(run))[^1].Type);
            var (status, problem) = await world.TryAskAsync(new { }, $"/api/v1/runs/{run}/retry");
            Assert.Equal((HttpStatusCode.Conflict, "message_rolled_back"), (status, problem.GetProperty("code").GetString()));
        }

        Assert.Equal(4, (await world.MessagesAsync(conversation)).Count);
        Assert.DoesNotContain(world.Sim.Calls, static c => c.Body!.Contains("wrong", StringComparison.Ordinal));
    }

    [DatabaseFact]
    public async Task A_message_whose_run_ends_before_its_turn_waits_no_more_and_can_be_answered_later()
    {
        await using var world = await ChatWorld.StartAsync(Echo);
        var conversation = await world.NewConversationAsync();
        var hold = world.Sim.Hold(new() { Call = 1 });
        await world.SendAsync(conversation, new { message = "one" });
        await hold.Reached.WaitAsync(TimeSpan.FromSeconds(60));
        var second = (await world.SendAsync(conversation, new { message = "two" })).GetProperty("run_id").GetString()!;
        var third = (await world.SendAsync(conversation, new { message = "three" })).GetProperty("run_id").GetString()!;
        await world.App.PostJsonAsync($"/api/v1/runs/{second}/cancel", new { }, HttpStatusCode.Accepted);
        await world.EventsAsync(second);
        Assert.Equal(["complete", "cancelled", "queued"], await StatesAsync(world, conversation));

        // What was left behind before servers wrote it.
        var repair = Migration.Embedded(TestDatabase.Kind == DatabaseKind.Sqlite ? "sqlite" : "postgres").Single(static m => m.Number == 79);
        await world.App.Get<IDatabase>().WriteAsync(
            async session =>
            {
                await session.Prepared("update messages set status = 'queued' where run_id = @run").Set("run", second).RunAsync();
                await session.Prepared(repair.Sql).RunAsync();
            },
            CancellationToken.None);
        Assert.Equal(["complete", "cancelled", "queued"], await StatesAsync(world, conversation));

        hold.Release();
        await world.EventsAsync(third);
        var again = await world.App.PostJsonAsync($"/api/v1/runs/{second}/retry", new { }, HttpStatusCode.Accepted);
        await world.EventsAsync(again.GetProperty("id").GetString()!);
        Assert.All(await StatesAsync(world, conversation), static state => Assert.Equal("complete", state));
        Assert.Equal(["one", "Answer to one", "three", "Answer to three", "two", "Answer to two"], await PathAsync(world, conversation));
    }

    [DatabaseFact]
    public async Task Ten_messages_at_once_are_worked_on_one_after_the_other()
    {
        await using var world = await ChatWorld.StartAsync(Echo);
        var conversation = await world.NewConversationAsync();
        var runs = await Task.WhenAll(Enumerable.Range(0, 10).Select(i => world.SendAsync(conversation, new { message = $"m{i}" })));
        foreach (var run in runs)
        {
            await world.EventsAsync(run.GetProperty("run_id").GetString()!);
        }

        var path = await PathAsync(world, conversation);
        Assert.Equal(20, path.Length);
        Assert.Equal(Enumerable.Range(0, 10).Select(i => $"m{i}").Order(), path.Where((_, i) => i % 2 == 0).Order());
        Assert.All(Enumerable.Range(0, 10), i => Assert.Equal($"Answer to {path[2 * i]}", path[(2 * i) + 1]));
    }

    private static async Task<(string Conversation, string Run)> BeginAsync(TestUser user, string message)
    {
        var conversation = (await user.PostAsync("/api/v1/conversations", new { team = "solo" }, HttpStatusCode.Created)).GetProperty("id").GetString()!;
        return (conversation, (await user.PostAsync($"/api/v1/conversations/{conversation}/runs", new { message }, HttpStatusCode.Accepted)).GetProperty("run_id").GetString()!);
    }

    /// <summary>The texts from the root to the conversation's current leaf.</summary>
    private static async Task<string[]> PathAsync(ChatWorld world, string conversation) =>
        [.. (await world.PathAsync(conversation)).Select(static m => m.GetProperty("content").GetString()!)];

    /// <summary>What the tree says of its messages, in the order of sending.</summary>
    private static async Task<string[]> StatesAsync(ChatWorld world, string conversation) =>
        [.. (await world.MessagesAsync(conversation)).Select(static m => m.GetProperty("status").GetString()!)];

    private static Task<ChatWorld> OfOneWorkerAsync() => ChatWorld.StartAsync(Echo, configure: static o => o.Settings["Runs:Parallelism"] = "1");

    /// <summary>An empty conversation whose runs, told to end or not, go on when the hold on another one's is released.</summary>
    private static async Task<(string Conversation, SimHold Hold)> WhileTheWorkerIsBusyAsync(ChatWorld world)
    {
        var hold = world.Sim.Hold(new() { Call = 1 });
        await world.SendAsync(await world.NewConversationAsync(), new { message = "elsewhere" });
        await hold.Reached.WaitAsync(TimeSpan.FromSeconds(60));
        return (await world.NewConversationAsync(), hold);
    }

    private static async Task FirstPieceAsync(ChatWorld world, string run)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, $"/api/v1/runs/{run}/events");
        request.Headers.Accept.ParseAdd("text/event-stream");
        using var response = await world.App.Client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
        await foreach (var e in SseEvent.ReadAsync(await response.Content.ReadAsStreamAsync()))
        {
            if (e.Type is "message.delta" or "message.snapshot")
            {
                return;
            }
        }
    }
}

public sealed class DoubleTextingOnSqliteTests() : DoubleTextingTests(DatabaseKind.Sqlite);

public sealed class DoubleTextingOnPostgresTests() : DoubleTextingTests(DatabaseKind.Postgres), IOnPostgres;
