using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using RootMas.LlmSimulator;
using RootMas.Tests.Chat;
using RootMas.Tests.Support;

namespace RootMas.Tests.Identity.Access;

/// <summary>What is open when rights end: it ends with them, at once.</summary>
public sealed class RightsEndTests
{
    /// <summary>Minutes of an answer: it is still being written whenever a slow machine comes to what ends it.</summary>
    private static readonly string Slow = $$"""default: { text: "{{string.Join(' ', Enumerable.Range(0, 1_000))}}", tokens_per_second: 2 }""";

    [Fact]
    public async Task Disabling_a_user_ends_socket_stream_wait_run_and_key_and_nothing_new_begins()
    {
        await using var world = await ChatWorld.StartAsync(Slow);
        using var ann = await world.App.AsAsync("ann");
        var key = (await ann.PostAsync("/api/v1/api-keys", new { name = "program" }, HttpStatusCode.Created)).GetProperty("secret").GetString();
        using var program = world.App.NewClient(key);
        Assert.Equal(HttpStatusCode.OK, (await program.GetAsync("/api/v1/runs")).StatusCode);
        using var chat = await TestSocket.ConnectAsync(world.App, ann);
        using var drawing = await TestSocket.ConnectAsync(world.App, ann, "/ws/visualization");
        var run = await StartAsync(ann);
        var queued = await StartAsync(ann, (await ann.GetAsync($"/api/v1/runs/{run}")).GetProperty("conversation_id").GetString());
        using var stream = await OpenAsync(ann, run);
        var waiting = ann.Client.PostAsJsonAsync("/api/v1/chat", new { message = "wait", team = "solo" });
        await chat.SendAsync(new { type = "message", message = "hello", team = "solo" });
        await chat.UntilAsync("message.delta");
        await Wait.UntilAsync(static async user => (await user.GetAsync("/api/v1/runs")).GetProperty("items").GetArrayLength() == 4, ann, "The run that is waited for did not begin");

        await world.App.ChangeUserAsync(ann.Id, """{"disabled":true}""");

        Assert.Equal(1008, await chat.ClosedAsync());
        Assert.Equal(1008, await drawing.ClosedAsync());
        var last = (await SseEvent.ReadAllAsync(stream))[^1];
        Assert.True(last.Type is "error" or "run.cancelled", last.Type);
        Assert.Contains((await waiting).StatusCode, new[] { HttpStatusCode.Unauthorized, HttpStatusCode.OK });
        Assert.Equal(HttpStatusCode.Unauthorized, (await program.GetAsync("/api/v1/runs")).StatusCode);
        Assert.Equal(HttpStatusCode.Unauthorized, (await ann.Client.GetAsync("/api/v1/runs")).StatusCode);
        Assert.Equal("run.cancelled", (await world.EventsAsync(run))[^1].Type);
        Assert.Equal("run.cancelled", (await world.EventsAsync(queued))[^1].Type);
        foreach (var other in (await world.App.GetJsonAsync($"/api/v1/runs?user={ann.Id}")).GetProperty("items").EnumerateArray())
        {
            Assert.Equal("run.cancelled", (await world.EventsAsync(other.GetProperty("id").GetString()!))[^1].Type);
        }

        Assert.Equal(SocketRefused.Unauthorized, await SocketRefused.OfAsync(() => TestSocket.ConnectAsync(world.App, ann)));
    }

    [Fact]
    public async Task A_logout_ends_what_this_session_has_open_and_its_run_goes_on()
    {
        await using var world = await ChatWorld.StartAsync("""default: { text: "one two three four five six" }""");
        var hold = world.Sim.Hold(new() { At = HoldPoint.Middle });
        using var ann = await world.App.AsAsync("ann");
        using var other = await world.App.LogInAsync("ann", TestUsers.Password);
        using var mine = await TestSocket.ConnectAsync(world.App, ann);
        using var theirs = await TestSocket.ConnectAsync(world.App, other);
        var run = await StartAsync(ann);
        using var stream = await OpenAsync(ann, run);

        await ann.PostAsync("/api/v1/auth/logout", new { });

        Assert.Equal(1008, await mine.ClosedAsync());
        var last = (await SseEvent.ReadAllAsync(stream))[^1];
        Assert.Equal(("error", "session_ended"), (last.Type, last.Data.GetProperty("code").GetString()));
        await theirs.SendAsync(new { type = "ping" });
        Assert.Equal("pong", (await theirs.ReceiveAsync()).GetProperty("type").GetString());
        using var again = await OpenAsync(other, run);
        hold.Release();
        Assert.Equal("run.completed", (await SseEvent.ReadAllAsync(again))[^1].Type);
    }

    [Fact]
    public async Task A_changed_role_counts_for_what_is_open_too()
    {
        await using var world = await ChatWorld.StartAsync(Slow);
        using var ann = await world.App.AsAsync("ann");
        using var socket = await TestSocket.ConnectAsync(world.App, ann);
        var run = await StartAsync(ann);
        using var stream = await OpenAsync(ann, run);
        await world.App.ChangeUserAsync(ann.Id, """{"role":"readonly"}""");
        Assert.Equal(1008, await socket.ClosedAsync());
        Assert.Equal("error", (await SseEvent.ReadAllAsync(stream))[^1].Type);
        Assert.Equal(HttpStatusCode.OK, (await ann.Client.GetAsync("/api/v1/runs")).StatusCode);
        Assert.Equal(HttpStatusCode.Forbidden, (await ann.Client.PostAsJsonAsync("/api/v1/chat", new { message = "Hi" })).StatusCode);
    }

    [Fact]
    public async Task A_call_of_the_compatible_api_ends_with_an_error_object_and_its_run_is_cancelled()
    {
        await using var world = await ChatWorld.StartAsync(Slow);
        using var ann = await world.App.AsAsync("ann");
        using var request = new HttpRequestMessage(HttpMethod.Post, "/v1/chat/completions")
        {
            Content = JsonContent.Create(new { model = "solo", stream = true, messages = new[] { new { role = "user", content = "Hi" } } }),
        };
        using var answer = await ann.Client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
        using var reader = new StreamReader(await answer.Content.ReadAsStreamAsync());
        Assert.StartsWith("data: ", await reader.ReadLineAsync(), StringComparison.Ordinal);
        await ann.PostAsync("/api/v1/auth/logout", new { });
        var rest = await reader.ReadToEndAsync();
        Assert.Contains("session_ended", rest, StringComparison.Ordinal);
        Assert.Contains("\"finish_reason\":\"error\"", rest, StringComparison.Ordinal); // a client that knows no error frames takes nothing for the end of an answer
        Assert.EndsWith("data: [DONE]\n\n", rest, StringComparison.Ordinal);
        var run = (await world.App.GetJsonAsync($"/api/v1/runs?user={ann.Id}")).GetProperty("items")[0].GetProperty("id").GetString()!;
        Assert.Equal("run.cancelled", (await world.EventsAsync(run))[^1].Type);
    }

    private static async Task<string> StartAsync(TestUser user, string? conversation = null)
    {
        conversation ??= (await user.PostAsync("/api/v1/conversations", new { team = "solo" }, HttpStatusCode.Created)).GetProperty("id").GetString();
        return (await user.PostAsync($"/api/v1/conversations/{conversation}/runs", new { message = "go" }, HttpStatusCode.Accepted)).GetProperty("run_id").GetString()!;
    }

    private static async Task<HttpResponseMessage> OpenAsync(TestUser user, string run)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, $"/api/v1/runs/{run}/events");
        request.Headers.Accept.ParseAdd("text/event-stream");
        var answer = await user.Client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        return answer;
    }
}

internal static class SocketRefused
{
    public const int Unauthorized = 401;

    public static async Task<int> OfAsync(Func<Task<TestSocket>> connect) => (await Assert.ThrowsAsync<SocketRefusedException>(connect)).Status;
}
