using System.Net;
using System.Text.Json;
using Microsoft.AspNetCore.Http;
using RootMas.Server.Platform.Data;
using RootMas.Tests.Chat;
using RootMas.Tests.Support;

namespace RootMas.Tests.Knowledge.Poison;

public sealed class TaintedTurnsOnSqliteTests() : TaintedTurnsTests(DatabaseKind.Sqlite);

public sealed class TaintedTurnsOnPostgresTests() : TaintedTurnsTests(DatabaseKind.Postgres), IOnPostgres;

/// <summary>DESIGN §4.10 over the turns of a conversation: what an earlier answer carries from outside is as dangerous in the next run as it was in its own.</summary>
public abstract class TaintedTurnsTests(DatabaseKind kind) : OnDatabase(kind)
{
    [DatabaseFact]
    public async Task A_turn_after_one_that_read_a_page_is_tainted_and_still_knows_what_the_user_typed()
    {
        await using var author = await LoopbackServer.StartAsync(static context => context.Response.WriteAsync("A page."));
        await using var world = await WorldAsync($$$"""
            rules:
              - { match: { last_role: tool }, answer: { text: "It says: {{tool_result}}" } }
              - { match: { last_message: other }, answer: { tool_calls: [ { name: fetch_page, arguments: { url: "{{{author.Url}}}other" } } ] } }
              - { match: { last_message_regex: "page" }, answer: { tool_calls: [ { name: fetch_page, arguments: { url: "{{{author.Url}}}page" } } ] } }
            default: { text: "Hello." }
            """);
        var conversation = await world.NewConversationAsync("root-mas");
        var clean = await AskAsync(world, conversation, "hello");
        await AskAsync(world, conversation, $"the page is {author.Url}page");
        Assert.False((await StartedAsync(world, clean)).TryGetProperty("tainted", out _));

        var again = await AskAsync(world, conversation, "read that page once more");
        Assert.True((await StartedAsync(world, again)).GetProperty("tainted").GetBoolean());
        Assert.Equal(2, author.Requests.Count(static r => r.Path == "/page"));
        Assert.Contains(
            JsonElement.Parse(world.Sim.Calls[^1].Body!).GetProperty("messages").EnumerateArray(),
            static m => m.GetProperty("content").ToString().StartsWith("[Your earlier answer. It carries text from outside]\n<untrusted source=", StringComparison.Ordinal));

        var (status, parked) = await world.TryAskAsync(new { message = "and the other", conversation_id = conversation, agent = "researcher" });
        Assert.True(status == HttpStatusCode.Accepted, parked.ToString());
        Assert.Equal("waiting_approval", await world.StatusAsync(parked.GetProperty("run_id").GetString()!));
        Assert.DoesNotContain(author.Requests, static r => r.Path == "/other");
    }

    [DatabaseFact]
    public async Task An_answer_that_a_client_sends_back_as_history_taints_like_a_turn_of_a_conversation()
    {
        await using var author = await LoopbackServer.StartAsync(static context => context.Response.WriteAsync("A page with \ud83c\udf0d " + new string('x', 80)));
        await using var world = await WorldAsync($$$"""
            rules:
              - { match: { last_role: tool }, answer: { text: "It says: {{tool_result}}" } }
              - { match: { last_message: read }, answer: { tool_calls: [ { name: fetch_page, arguments: { url: "{{{author.Url}}}page" } } ] } }
            default: { text: "Hello." }
            """);
        var hello = await CompleteAsync(world, "hello");
        Assert.False(await IsTaintedAsync(world, "go on", hello));
        var read = await CompleteAsync(world, "read");
        Assert.Contains("A page", read, StringComparison.Ordinal);
        Assert.True(await IsTaintedAsync(world, "go on", read));
        Assert.True(await IsTaintedAsync(world, "go on", $"Superseded text.\n\n{read}\n"));

        foreach (var length in (int[])[1, 10, 31, 32, 40, 62, 63, 64, 65, 200])
        {
            var answer = new string('\u0431', length - 1) + "!"; // no page says so
            await world.App.Get<IDatabase>().WriteAsync(async session => await session.Prepared("update messages set content = @content where tainted = 1 and role = 'assistant'").Set("content", answer).RunAsync(), default);
            Assert.True(await IsTaintedAsync(world, "go on", answer), $"{length}");
            Assert.True(await IsTaintedAsync(world, "go on", $"[The text above no longer counts; a fresh answer follows.]\n\n{answer}\n"), $"{length} behind a note");
            Assert.True(await IsTaintedAsync(world, "go on", $"{answer}\n\n[The run 0197-1 waits for a person. Decide at POST /api/v1/runs/0197-1/input; it goes on by itself then.]"), $"{length} as a question");
            Assert.False(await IsTaintedAsync(world, "go on", $"{answer} Really."), $"{length} and more");
        }
    }

    [DatabaseFact]
    public async Task A_question_that_was_asked_after_reading_taints_the_next_turn_also_without_an_answer()
    {
        await using var author = await LoopbackServer.StartAsync(static context => context.Response.WriteAsync("A page."));
        await using var world = await WorldAsync($$$"""
            rules:
              - { match: { agent: painter, tool_called: ask_user }, answer: { fault: { kind: status, status: 400 } } }
              - { match: { agent: painter, last_role: tool }, answer: { tool_calls: [ { name: ask_user, arguments: { question: "Go on?" } } ] } }
              - { match: { agent: painter, last_message: read }, answer: { tool_calls: [ { name: fetch_page, arguments: { url: "{{{author.Url}}}page" } } ] } }
            default: { text: "Hello." }
            """);
        await world.App.PostJsonAsync("/api/v1/agents", new { name = "painter", role = "paints", description = "Paints things.", instructions = "Paint.", tier = "cheap", tools = new[] { "ask_user", "fetch_page" } }, HttpStatusCode.Created);
        var (_, asking) = await world.TryAskAsync(new { message = "read", agent = "painter" });
        var conversation = asking.GetProperty("conversation_id").GetString()!;
        await world.TryAskAsync(new { message = "yes", conversation_id = conversation, agent = "painter" });
        var first = asking.GetProperty("run_id").GetString()!;
        Assert.Equal("run.failed", (await world.EventsAsync(first))[^1].Type);

        var next = await world.AskAsync(new { message = "hello", conversation_id = conversation, agent = "painter" });
        Assert.True((await StartedAsync(world, next)).GetProperty("tainted").GetBoolean());
    }

    private static Task<JsonElement> AskAsync(ChatWorld world, string conversation, string message) => world.AskAsync(new { message, conversation_id = conversation, agent = "researcher" });

    private static async Task<string> CompleteAsync(ChatWorld world, string message) =>
        (await CompleteAsync(world, [new { role = "user", content = message }])).GetProperty("choices")[0].GetProperty("message").GetProperty("content").GetString()!;

    private static Task<JsonElement> CompleteAsync(ChatWorld world, object[] messages) => world.AskAsync(new { model = "agent:researcher", messages }, "/v1/chat/completions");

    private static async Task<bool> IsTaintedAsync(ChatWorld world, string message, string earlier)
    {
        await CompleteAsync(world, [new { role = "user", content = "before" }, new { role = "assistant", content = earlier }, new { role = "user", content = message }]);
        var run = (await world.App.GetJsonAsync("/api/v1/runs?limit=1")).GetProperty("items")[0].GetProperty("id").GetString()!;
        return (await world.EventsAsync(run)).First(static e => e.Type == "run.queued").Data.TryGetProperty("tainted", out var tainted) && tainted.GetBoolean();
    }

    private static async Task<JsonElement> StartedAsync(ChatWorld world, JsonElement answer) =>
        (await world.EventsAsync(answer.GetProperty("run_id").GetString()!)).First(static e => e.Type == "run.started").Data;

    private static Task<ChatWorld> WorldAsync(string script) => ChatWorld.StartAsync(script, configure: static o => o.Settings["Outbound:Allow"] = "127.0.0.1");
}
