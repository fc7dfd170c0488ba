using System.Net;
using System.Text.Json;
using RootMas.Server.Platform.Data;
using RootMas.Tests.Chat;

namespace RootMas.Tests.Faults;

/// <summary>
/// F14 for routes that make something other than a message's run: the process dies after the effect was committed and before the answer was stored. What such a death leaves
/// in the table is made by hand, since no test can hit those microseconds.
/// </summary>
public sealed class IdempotencyCrashTests
{
    private const string Script = """
        rules:
          - { match: { last_role: tool }, answer: { text: "{{tool_result}}" } }
          - { match: { last_user: ask }, answer: { tool_calls: [ { name: ask_user, arguments: { question: "Which?" } } ] } }
          - { match: { last_user: pay }, answer: { tool_calls: [ { name: http_request, arguments: { method: POST, url: "https://example.com/pay", body: "five" } } ] } }
        default: { text: "Hello." }
        """;

    [Theory]
    [InlineData("/api/v1/agents", """{"name":"painter","role":"paints","description":"Paints things.","instructions":"Paint.","tier":"cheap","tools":[]}""", "name", "/api/v1/agents")]
    [InlineData("/api/v1/teams", """{"name":"duo","description":"Two.","pattern":"direct","entry":"communicator"}""", "name", "/api/v1/teams")]
    [InlineData("/api/v1/conversations", """{"title":"mine"}""", "id", "/api/v1/conversations")]
    [InlineData("/api/v1/users", """{"username":"carol","password":"a long one of carol","role":"user"}""", "id", "/api/v1/users")]
    [InlineData("/api/v1/api-keys", """{"name":"nightly"}""", "id", "/api/v1/api-keys")]
    public async Task What_was_made_before_the_crash_is_answered_and_not_made_again(string path, string body, string id, string list)
    {
        await using var world = await ChatWorld.StartAsync(Script);
        var before = await CountAsync(world, list);
        var (first, again) = await TwiceOverACrashAsync(world, path, body);

        Assert.Equal(HttpStatusCode.Created, first.Status);
        Assert.Equal(first.Status, again.Status);
        Assert.Equal(first.Location, again.Location);
        Assert.Equal(first.Body.GetProperty(id).GetString(), again.Body.GetProperty(id).GetString());
        Assert.Equal(before + 1, await CountAsync(world, list));
    }

    [Fact]
    public async Task A_retry_is_made_once()
    {
        await using var world = await ChatWorld.StartAsync(Script);
        var run = (await world.AskAsync(new { message = "hello" })).GetProperty("run_id").GetString();
        var (first, again) = await TwiceOverACrashAsync(world, $"/api/v1/runs/{run}/retry", "{}");

        Assert.Equal(HttpStatusCode.Accepted, first.Status);
        Assert.Equal(first.Body.GetProperty("id").GetString(), again.Body.GetProperty("id").GetString());
        Assert.Equal(2, await CountAsync(world, "/api/v1/runs"));
    }

    [Fact]
    public async Task An_answer_and_a_decision_count_once_and_their_repeats_hear_what_the_first_would_have_heard()
    {
        await using var world = await ChatWorld.StartAsync(Script);
        var (_, asked) = await world.TryAskAsync(new { message = "ask", team = "solo" });
        var run = asked.GetProperty("run_id").GetString()!;
        var (first, again) = await TwiceOverACrashAsync(world, $"/api/v1/runs/{run}/input", """{"text":"this"}""");
        Assert.Equal((HttpStatusCode.Accepted, HttpStatusCode.Accepted, run), (first.Status, again.Status, again.Body.GetProperty("id").GetString()));
        Assert.Single(await world.EventsAsync(run), static e => e.Type == "input.received");

        var (_, pays) = await world.TryAskAsync(new { message = "pay", agent = "multi_tool" });
        var approval = (await world.App.GetJsonAsync("/api/v1/approvals")).GetProperty("items")[0];
        (first, again) = await TwiceOverACrashAsync(
            world, $"/api/v1/approvals/{approval.GetProperty("id").GetString()}", JsonSerializer.Serialize(new { decision = "deny", arguments_hash = approval.GetProperty("arguments_hash").GetString() }));
        Assert.Equal((HttpStatusCode.OK, HttpStatusCode.OK, "denied"), (first.Status, again.Status, again.Body.GetProperty("status").GetString()));
        Assert.Single(await world.EventsAsync(pays.GetProperty("run_id").GetString()!), static e => e.Type == "approval.denied");
    }

    private static async Task<(Answer First, Answer Again)> TwiceOverACrashAsync(ChatWorld world, string path, string body)
    {
        var first = await PostAsync(world, path, body);
        var changed = await world.App.Get<IDatabase>().WriteAsync(
            static session => session.Prepared("UPDATE idempotency_keys SET status = NULL, answer = NULL, instance = 'dead' WHERE key = 'once'").RunAsync(), CancellationToken.None);
        Assert.True(changed > 0, $"{first.Status} {first.Body}");
        return (first, await PostAsync(world, path, body));
    }

    private static async Task<Answer> PostAsync(ChatWorld world, string path, string body)
    {
        using var response = await world.App.SendAsync(HttpMethod.Post, path, body, ("Idempotency-Key", "once"));
        return new(response.StatusCode, response.Headers.Location?.ToString(), JsonElement.Parse(await response.Content.ReadAsStringAsync()));
    }

    private static async Task<int> CountAsync(ChatWorld world, string list) => (await world.App.GetJsonAsync(list + "?limit=200")).GetProperty("items").GetArrayLength();

    private sealed record Answer(HttpStatusCode Status, string? Location, JsonElement Body);
}
