using System.Net;
using System.Text.Json;
using RootMas.Server.Platform.Data;
using RootMas.Tests.Support;

namespace RootMas.Tests.Chat;

/// <summary>DESIGN §4.2 where more than one question, or something else beside it, waits for a person: the next message answers the question that was shown last.</summary>
public abstract class LastQuestionTests(DatabaseKind kind) : OnDatabase(kind)
{
    [DatabaseTheory]
    [InlineData("enqueue")]
    [InlineData("reject")]
    [InlineData("interrupt")]
    [InlineData("rollback")]
    public async Task A_question_is_answered_by_the_next_message_also_while_its_run_waits_for_an_approval(string policy)
    {
        await using var world = await ChatWorld.StartAsync("""
            rules:
              - { match: { last_role: tool }, answer: { text: "Done." } }
              - match: { last_user: "Go", last_role: user }
                answer: { tool_calls: [ { name: ask_user, arguments: { question: "Which colour?" } }, { name: http_request, arguments: { method: POST, url: "{{base_url}}/_tool/note", json: { a: 1 } } } ] }
            default: { text: "Another answer." }
            """, configure: static o => o.Settings["Outbound:Allow"] = "127.0.0.1");
        await AddAgentAsync(world, "asker", "ask_user", "http_request");
        var (status, parked) = await world.TryAskAsync(new { message = "Go", agent = "asker" });
        Assert.Equal(HttpStatusCode.Accepted, status);
        Assert.Equal("waiting_approval", parked.GetProperty("metadata").GetProperty("status").GetString());
        var (conversation, run) = (parked.GetProperty("conversation_id").GetString()!, parked.GetProperty("run_id").GetString()!);
        var answered = await world.SendAsync(conversation, new { message = "Blue", on_busy = policy });
        Assert.Equal(run, answered.GetProperty("run_id").GetString());

        var approval = (await world.App.GetJsonAsync("/api/v1/approvals")).GetProperty("items")[0];
        await world.App.PostJsonAsync($"/api/v1/approvals/{approval.GetProperty("id").GetString()}", new { decision = "approve", arguments_hash = approval.GetProperty("arguments_hash").GetString() });
        Assert.Equal("run.completed", (await world.EventsAsync(run))[^1].Type);
        Assert.Equal(["Go", "Which colour?", "Blue", "Done."], (await world.PathAsync(conversation)).Select(static m => m.GetProperty("content").GetString()));
    }

    [DatabaseFact]
    public async Task A_question_is_answered_by_the_next_message_while_its_run_works_on()
    {
        await using var world = await ChatWorld.StartAsync("""
            rules:
              - { match: { last_role: tool }, answer: { text: "Done." } }
            default: { tool_calls: [ { name: ask_user, arguments: { question: "Which colour?" } }, { name: http_request, arguments: { method: GET, url: "{{base_url}}/_tool/slow" } } ] }
            """, configure: static o => o.Settings["Outbound:Allow"] = "127.0.0.1");
        await AddAgentAsync(world, "asker", "ask_user", "http_request");
        var conversation = await world.NewConversationAsync("root-mas");
        var hold = world.Sim.Hold(new() { Tool = "slow" });
        var run = (await world.SendAsync(conversation, new { message = "Go", agent = "asker" })).GetProperty("run_id").GetString()!;
        await hold.Reached.WaitAsync(TimeSpan.FromSeconds(60));
        await TestCluster.UntilAsync(async () => (await world.MessagesAsync(conversation)).Count == 2, "the question is shown");
        Assert.Equal("running", await world.StatusAsync(run));
        var answered = await world.SendAsync(conversation, new { message = "Blue" });
        hold.Release();
        Assert.Equal(run, answered.GetProperty("run_id").GetString());
        Assert.Equal("run.completed", (await world.EventsAsync(run))[^1].Type);
        Assert.Equal(["Go", "Which colour?", "Blue", "Done."], (await world.PathAsync(conversation)).Select(static m => m.GetProperty("content").GetString()));
    }

    [DatabaseTheory]
    [InlineData("painter", "joiner")]
    [InlineData("joiner", "painter")]
    public async Task Of_the_questions_of_several_children_a_message_answers_the_one_that_was_shown_last(string first, string last)
    {
        await using var world = await ChatWorld.StartAsync("""
            rules:
              - { match: { agent: communicator, last_role: tool }, answer: { text: "All done." } }
              - { match: { agent: communicator }, answer: { tool_calls: [ { name: delegate, arguments: { agent: painter, task: "choose" } }, { name: delegate, arguments: { agent: joiner, task: "choose" } } ] } }
              - { match: { agent: painter, last_role: tool }, answer: { text: "Chosen." } }
              - { match: { agent: joiner, last_role: tool }, answer: { text: "Chosen." } }
              - { match: { agent: painter }, answer: { tool_calls: [ { name: ask_user, arguments: { question: "What does the painter need?" } } ] } }
            default: { tool_calls: [ { name: ask_user, arguments: { question: "What does the joiner need?" } } ] }
            """);
        await AddAgentAsync(world, "painter", "ask_user");
        await AddAgentAsync(world, "joiner", "ask_user");
        var conversation = await world.NewConversationAsync("root-mas");
        var hold = world.Sim.Hold(new() { Agent = last, Call = 1 });
        var root = (await world.SendAsync(conversation, new { message = "Begin" })).GetProperty("run_id").GetString()!;
        await hold.Reached.WaitAsync(TimeSpan.FromSeconds(60));
        await TestCluster.UntilAsync(async () => (await world.MessagesAsync(conversation)).Count == 2, "the first question is shown");
        hold.Release();
        await TestCluster.UntilAsync(async () => (await world.MessagesAsync(conversation)).Count == 3, "the last question is shown");

        var (status, waits) = await world.TryAskAsync(new { message = "For the last", conversation_id = conversation });
        Assert.True(status == HttpStatusCode.Accepted, $"{status}: {waits}");
        Assert.Contains($"What does the {first} need?", waits.GetProperty("metadata").GetProperty("reason").GetString(), StringComparison.Ordinal);
        Assert.Equal("All done.", (await world.AskAsync(new { message = "For the first", conversation_id = conversation })).GetProperty("response").GetString());
        foreach (var child in (await world.App.GetJsonAsync($"/api/v1/runs/{root}?tree=1")).GetProperty("children").EnumerateArray())
        {
            var heard = Assert.Single(await world.EventsAsync(child.GetProperty("id").GetString()!), static e => e.Type == "input.received");
            Assert.Equal(child.GetProperty("agent").GetString() == last ? "For the last" : "For the first", heard.Data.GetProperty("text").GetString());
        }
    }

    private static Task<JsonElement> AddAgentAsync(ChatWorld world, string name, params string[] tools) => world.App.PostJsonAsync(
        "/api/v1/agents", new { name, role = "helps", description = "Helps.", instructions = "Help.", tier = "cheap", tools }, HttpStatusCode.Created);
}

public sealed class LastQuestionOnSqliteTests() : LastQuestionTests(DatabaseKind.Sqlite);

public sealed class LastQuestionOnPostgresTests() : LastQuestionTests(DatabaseKind.Postgres), IOnPostgres;
