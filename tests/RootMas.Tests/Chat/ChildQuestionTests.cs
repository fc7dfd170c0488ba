using System.Net;
using System.Text.Json;

namespace RootMas.Tests.Chat;

/// <summary>DESIGN §4.2 and §4.6 where not the branch's own run but one below it waits for a person.</summary>
public sealed class ChildQuestionTests
{
    private const string Asking = """
        rules:
          - { match: { agent: communicator, last_role: tool }, answer: { text: "So: {{tool_result}}" } }
          - { match: { agent: communicator, last_user: paint }, answer: { tool_calls: [ { name: delegate, arguments: { agent: painter, task: "choose" } } ] } }
          - { match: { agent: painter, last_role: tool }, answer: { text: "{{tool_result}} it is." } }
          - { match: { agent: painter }, answer: { tool_calls: [ { name: ask_user, arguments: { question: "Which colour?" } } ] } }
        default: { text: "Another answer." }
        """;

    [Theory]
    [InlineData("enqueue")]
    [InlineData("reject")]
    [InlineData("interrupt")]
    [InlineData("rollback")]
    public async Task The_next_message_on_the_branch_answers_what_a_child_asked(string onBusy)
    {
        await using var world = await ChatWorld.StartAsync(Asking);
        await world.App.PostJsonAsync("/api/v1/agents", new { name = "painter", role = "paints", description = "Paints things.", instructions = "Paint.", tier = "cheap", tools = new[] { "ask_user" } }, HttpStatusCode.Created);
        var conversation = await world.NewConversationAsync("root-mas");
        var (status, parked) = await world.TryAskAsync(new { message = "paint it", conversation_id = conversation });
        Assert.Equal(HttpStatusCode.Accepted, status);
        var root = parked.GetProperty("run_id").GetString()!;

        var answered = await world.SendAsync(conversation, new { message = "Green", on_busy = onBusy });
        Assert.Equal(root, answered.GetProperty("run_id").GetString());
        Assert.Equal("run.completed", (await world.EventsAsync(root))[^1].Type);
        Assert.Equal(
            [("user", "paint it"), ("assistant", "Which colour?"), ("user", "Green"), ("assistant", "So: Green it is.")],
            (await world.MessagesAsync(conversation)).Select(static m => (m.GetProperty("role").GetString(), m.GetProperty("content").GetString())));
        Assert.Single((await world.App.GetJsonAsync($"/api/v1/runs?conversation={conversation}")).GetProperty("items").EnumerateArray());
    }

    [Fact]
    public async Task A_key_that_was_used_to_answer_is_used_once()
    {
        await using var world = await ChatWorld.StartAsync(Asking);
        await world.App.PostJsonAsync("/api/v1/agents", new { name = "painter", role = "paints", description = "Paints things.", instructions = "Paint.", tier = "cheap", tools = new[] { "ask_user" } }, HttpStatusCode.Created);
        var conversation = await world.NewConversationAsync("root-mas");
        var (_, parked) = await world.TryAskAsync(new { message = "paint it", conversation_id = conversation });
        var root = parked.GetProperty("run_id").GetString();
        for (var i = 0; i < 3; i++)
        {
            var (status, answer) = await world.TryAskAsync(new { message = "Green", conversation_id = conversation }, "/api/v1/chat", ("Idempotency-Key", "green-1"));
            Assert.True(status == HttpStatusCode.OK, answer.ToString());
            Assert.Equal((root, "So: Green it is."), (answer.GetProperty("run_id").GetString(), answer.GetProperty("response").GetString()));
        }

        Assert.Equal(4, (await world.MessagesAsync(conversation)).Count);
    }

    [Fact]
    public async Task While_a_child_waits_for_an_approval_a_message_is_told_where_to_decide()
    {
        await using var world = await ChatWorld.StartAsync("""
            rules:
              - { match: { agent: communicator, last_role: tool }, answer: { text: "Paid." } }
              - { match: { agent: communicator }, answer: { tool_calls: [ { name: delegate, arguments: { agent: multi_tool, task: "pay" } } ] } }
              - { match: { agent: multi_tool, last_role: tool }, answer: { text: "{{tool_result}}" } }
            default: { tool_calls: [ { name: http_request, arguments: { method: POST, url: "https://example.com/pay", body: "five" } } ] }
            """);
        var conversation = await world.NewConversationAsync("root-mas");
        var (_, parked) = await world.TryAskAsync(new { message = "pay", conversation_id = conversation });
        var root = parked.GetProperty("run_id").GetString();
        var child = (await world.App.GetJsonAsync($"/api/v1/runs/{root}?tree=1")).GetProperty("children")[0].GetProperty("id").GetString();

        var refused = await world.SendAsync(conversation, new { message = "and hurry" }, HttpStatusCode.Conflict);
        Assert.Equal(("waiting_for_human", child), (refused.GetProperty("code").GetString(), refused.GetProperty("run_id").GetString()));
        Assert.Single(await world.MessagesAsync(conversation), static m => m.GetProperty("role").GetString() == "user");
    }
}
