using System.Net.WebSockets;
using System.Text;
using System.Text.Json;

namespace RootMas.Tests.Chat;

public sealed class SocketTests
{
    [Fact]
    public async Task A_message_comes_back_as_the_runs_events()
    {
        await using var world = await ChatWorld.StartAsync();
        using var socket = await Socket.ConnectAsync(world);
        await socket.SendAsync("""{"type":"ping"}""");
        Assert.Equal("pong", (await socket.ReceiveAsync()).GetProperty("type").GetString());
        await socket.SendAsync("""{"type":"message","message":"Hi","team":"solo"}""");
        var events = await socket.UntilAsync("run.completed");
        Assert.Equal("run.queued", events[0].GetProperty("type").GetString());
        Assert.Equal(Enumerable.Range(1, events.Max(e => e.GetProperty("seq").GetInt32())), events.Where(e => !e.TryGetProperty("n", out _)).Select(e => e.GetProperty("seq").GetInt32()));
        Assert.Contains(events, e => e.GetProperty("type").GetString() == "message.completed" && e.GetProperty("text").GetString() == "Hello there, friend.");
    }

    [Fact]
    public async Task A_frame_without_type_gets_one_response_after_the_last_event()
    {
        await using var world = await ChatWorld.StartAsync();
        using var socket = await Socket.ConnectAsync(world);
        await socket.SendAsync("""{"message":"Hi","team":"solo"}""");
        var events = await socket.UntilAsync("response");
        Assert.Equal("run.completed", events[^2].GetProperty("type").GetString());
        var response = events[^1];
        Assert.Equal(("Hello there, friend.", "communicator"), (response.GetProperty("message").GetString(), response.GetProperty("agent").GetString()));
        Assert.Equal(events[0].GetProperty("run_id").GetString(), response.GetProperty("flow_id").GetString());
    }

    [Fact]
    public async Task Subscribe_resumes_after_an_event_and_cancel_stops_the_run()
    {
        await using var world = await ChatWorld.StartAsync($"default: {{ text: \"{string.Join(' ', Enumerable.Range(0, 1_000))}\", tokens_per_second: 3 }}");
        var conversation = await world.NewConversationAsync();
        var run = (await world.SendAsync(conversation, new { message = "Hi" })).GetProperty("run_id").GetString()!;
        using var socket = await Socket.ConnectAsync(world);
        await socket.SendAsync($$"""{"type":"subscribe","run_id":"{{run}}","after":1}""");
        Assert.Equal(2, (await socket.ReceiveAsync()).GetProperty("seq").GetInt32());
        await socket.SendAsync($$"""{"type":"cancel","run_id":"{{run}}"}""");
        await socket.UntilAsync("run.cancelled");
    }

    [Fact]
    public async Task Subscribe_behind_the_last_event_is_answered_at_once_and_beyond_the_log_it_is_refused()
    {
        await using var world = await ChatWorld.StartAsync();
        var run = (await world.AskAsync(new { message = "Hi", team = "solo" })).GetProperty("run_id").GetString()!;
        var last = long.Parse((await world.EventsAsync(run))[^1].Id!, System.Globalization.CultureInfo.InvariantCulture);
        using var socket = await Socket.ConnectAsync(world);
        foreach (var beyond in (string[])[$"{last + 1}", $"\"{last + 1}:3\"", "999999"])
        {
            await socket.SendAsync($$"""{"type":"subscribe","run_id":"{{run}}","after":{{beyond}}}""");
            var refused = (await socket.ReceiveAsync()).GetProperty("problem");
            Assert.Equal("validation_failed", refused.GetProperty("code").GetString());
            Assert.Contains($"newest event is {last}", refused.GetProperty("errors").GetProperty("after")[0].GetString(), StringComparison.Ordinal);
        }

        for (var i = 0; i < 2; i++)
        {
            await socket.SendAsync($$"""{"type":"subscribe","run_id":"{{run}}","after":{{last}}}""");
            var ended = await socket.ReceiveAsync();
            Assert.Equal(("ended", run, "completed", last), (ended.GetProperty("type").GetString(), ended.GetProperty("run_id").GetString(), ended.GetProperty("status").GetString(), ended.GetProperty("last_seq").GetInt64()));
        }

        await socket.SendAsync($$"""{"type":"subscribe","run_id":"{{run}}","after":{{last - 1}}}""");
        Assert.Equal(last, (await socket.ReceiveAsync()).GetProperty("seq").GetInt64());
    }

    [Fact]
    public async Task A_position_beyond_the_log_of_a_run_that_works_is_refused_and_its_readers_do_not_notice()
    {
        await using var world = await ChatWorld.StartAsync("default: { text: \"a b c d e f g h i j\" }");
        world.Sim.Hold(new() { At = LlmSimulator.HoldPoint.Middle });
        var conversation = await world.NewConversationAsync();
        var run = (await world.SendAsync(conversation, new { message = "Hi" })).GetProperty("run_id").GetString()!;
        using var reader = await Socket.ConnectAsync(world);
        await reader.SendAsync($$"""{"type":"subscribe","run_id":"{{run}}"}""");
        await reader.UntilAsync("model.requested");
        using var other = await Socket.ConnectAsync(world);
        await other.SendAsync($$"""{"type":"subscribe","run_id":"{{run}}","after":999}""");
        Assert.Equal("validation_failed", (await other.ReceiveAsync()).GetProperty("problem").GetProperty("code").GetString());
        world.Sim.ReleaseAll();
        await reader.UntilAsync("run.completed");
    }

    [Fact]
    public async Task Who_comes_back_while_a_model_only_thinks_is_told_what_it_thought_and_the_next_piece_fits()
    {
        await using var world = await ChatWorld.StartAsync($"default: {{ text: \"Done.\", reasoning: \"{string.Join(' ', Enumerable.Range(0, 3_000).Select(static i => $"t{i}"))}\", tokens_per_second: 10 }}");
        var conversation = await world.NewConversationAsync();
        var run = (await world.SendAsync(conversation, new { message = "Hi" })).GetProperty("run_id").GetString()!;
        using var first = await Socket.ConnectAsync(world);
        await first.SendAsync($$"""{"type":"subscribe","run_id":"{{run}}"}""");
        JsonElement thought;
        do
        {
            thought = (await first.UntilAsync("reasoning.delta"))[^1];
        }
        while (thought.GetProperty("n").GetInt32() < 3);

        using var socket = await Socket.ConnectAsync(world);
        await socket.SendAsync($$"""{"type":"subscribe","run_id":"{{run}}","after":{{thought.GetProperty("seq").GetInt64()}}}""");
        var snapshot = await socket.ReceiveAsync();
        Assert.Equal(("message.snapshot", ""), (snapshot.GetProperty("type").GetString(), snapshot.GetProperty("text").GetString()));
        Assert.StartsWith("t0 t1 t2", snapshot.GetProperty("reasoning").GetString(), StringComparison.Ordinal);
        var next = await socket.ReceiveAsync();
        Assert.Equal(("reasoning.delta", snapshot.GetProperty("n").GetInt32() + 1), (next.GetProperty("type").GetString(), next.GetProperty("n").GetInt32()));
        await socket.SendAsync($$"""{"type":"cancel","run_id":"{{run}}"}""");
        await socket.UntilAsync("run.cancelled");
    }

    [Theory]
    [InlineData("", "invalid_json")]
    [InlineData(" ", "invalid_json")]
    [InlineData("not json", "invalid_json")]
    [InlineData("[1]", "invalid_json")]
    [InlineData("{}", "unknown_frame")]
    [InlineData("""{"type":"dance"}""", "unknown_frame")]
    [InlineData("""{"type":7}""", "validation_failed")]
    [InlineData("""{"type":"message"}""", "validation_failed")]
    [InlineData("""{"type":"message","message":""}""", "validation_failed")]
    [InlineData("""{"message":7}""", "validation_failed")]
    [InlineData("""{"type":"message","message":"x","team":"nobody"}""", "team_not_found")]
    [InlineData("""{"type":"message","message":"x","conversation_id":"nope"}""", "conversation_not_found")]
    [InlineData("""{"type":"cancel","run_id":"nope"}""", "run_not_found")]
    [InlineData("""{"type":"cancel"}""", "validation_failed")]
    [InlineData("""{"type":"subscribe","run_id":"nope"}""", "run_not_found")]
    [InlineData("""{"type":"subscribe","run_id":"x","after":"-1"}""", "validation_failed")]
    [InlineData("""{"type":"subscribe","run_id":"x","after":1.5}""", "validation_failed")]
    public async Task A_wrong_frame_is_an_error_with_a_problem_and_the_socket_goes_on(string frame, string code)
    {
        await using var world = await ChatWorld.StartAsync();
        using var socket = await Socket.ConnectAsync(world);
        await socket.SendAsync(frame);
        var error = await socket.ReceiveAsync();
        Assert.Equal("error", error.GetProperty("type").GetString());
        Assert.Equal(code, error.GetProperty("problem").GetProperty("code").GetString());
        Assert.NotEqual("", error.GetProperty("message").GetString());
        await socket.SendAsync("""{"type":"ping"}""");
        Assert.Equal("pong", (await socket.ReceiveAsync()).GetProperty("type").GetString());
    }

    [Fact]
    public async Task A_frame_of_64_KiB_is_read_and_a_larger_one_closes_with_1009()
    {
        await using var world = await ChatWorld.StartAsync();
        using var socket = await Socket.ConnectAsync(world);
        var frame = $$"""{"type":"ping","padding":"{{new string('x', 65_000)}}"}""";
        await socket.SendAsync(frame.PadRight(64 * 1024));
        Assert.Equal("pong", (await socket.ReceiveAsync()).GetProperty("type").GetString());
        await socket.SendAsync(frame.PadRight((64 * 1024) + 1));
        Assert.Equal(WebSocketCloseStatus.MessageTooBig, await socket.ClosedAsync());
    }

    [Fact]
    public async Task A_message_in_several_fragments_is_one_message_wherever_it_is_cut()
    {
        await using var world = await ChatWorld.StartAsync();
        using var socket = await Socket.ConnectAsync(world);
        await socket.SendInAsync("{\"type\":", "", "\"ping\"", "}");
        Assert.Equal("pong", (await socket.ReceiveAsync()).GetProperty("type").GetString());
        await socket.SendInAsync("", "", "{\"type\":\"ping\"}", "");
        Assert.Equal("pong", (await socket.ReceiveAsync()).GetProperty("type").GetString());

        // Also within a character of several bytes.
        var bytes = Encoding.UTF8.GetBytes("""{"type":"message","message":"Привет, 世界 🌍","team":"solo"}""");
        await socket.SendInAsync([.. bytes.Select(static b => new[] { b })]);
        var run = (await socket.UntilAsync("run.completed"))[0].GetProperty("run_id").GetString();
        var asked = (await world.MessagesAsync((await world.App.GetJsonAsync($"/api/v1/runs/{run}")).GetProperty("conversation_id").GetString()!))[0];
        Assert.Equal("Привет, 世界 🌍", asked.GetProperty("content").GetString());

        // Nothing but empty fragments is an empty frame.
        await socket.SendInAsync("", "", "");
        Assert.Equal("invalid_json", (await socket.ReceiveAsync()).GetProperty("problem").GetProperty("code").GetString());
    }

    [Fact]
    public async Task The_limit_of_a_frame_holds_over_all_of_its_fragments()
    {
        await using var world = await ChatWorld.StartAsync();
        using var socket = await Socket.ConnectAsync(world);
        var (first, rest) = ($$"""{"type":"ping","padding":"{{new string('x', 40_000)}}""", $$"""{{new string('y', 20_000)}}"}""");
        var blanks = new string(' ', (64 * 1024) - first.Length - rest.Length);
        await socket.SendInAsync(first, rest, blanks, ""); // 64 KiB, and an empty end
        Assert.Equal("pong", (await socket.ReceiveAsync()).GetProperty("type").GetString());
        await socket.SendInAsync(first, rest, blanks, " ");
        Assert.Equal(WebSocketCloseStatus.MessageTooBig, await socket.ClosedAsync());
    }

    [Fact]
    public async Task A_binary_message_closes_with_1003_in_whatever_fragments_it_comes()
    {
        await using var world = await ChatWorld.StartAsync();
        foreach (var isEmpty in (bool[])[true, false])
        {
            using var socket = await Socket.ConnectAsync(world);
            await socket.SendInAsync(WebSocketMessageType.Binary, isEmpty ? [] : "{}"u8.ToArray(), [0]);
            Assert.Equal(WebSocketCloseStatus.InvalidMessageType, await socket.ClosedAsync());
        }
    }

    [Fact]
    public async Task A_foreign_page_and_a_plain_request_are_refused()
    {
        await using var world = await ChatWorld.StartAsync();
        using var socket = new ClientWebSocket();
        socket.Options.SetRequestHeader("Origin", "https://evil.example");
        socket.Options.CollectHttpResponseDetails = true;
        await Assert.ThrowsAsync<WebSocketException>(() => socket.ConnectAsync(new Uri($"ws://{world.App.Url.Authority}/ws"), default));
        Assert.Equal(403, (int)socket.HttpStatusCode);
        Assert.Equal(426, (int)(await world.App.Client.GetAsync("/ws")).StatusCode);
    }

    [Fact]
    public async Task A_stopping_server_closes_with_1012()
    {
        await using var world = await ChatWorld.StartAsync();
        using var socket = await Socket.ConnectAsync(world);
        using var other = await Socket.ConnectAsync(world, "/ws/visualization");
        await socket.SendAsync("""{"type":"ping"}""");
        await socket.ReceiveAsync();
        await other.SendAsync("""{"type":"ping"}""");
        await other.ReceiveAsync();
        var stopping = world.App.StopAsync();
        Assert.Equal(1012, (int)await socket.ClosedAsync());
        Assert.Equal(1012, (int)await other.ClosedAsync());
        await stopping;
    }

    [Fact]
    public async Task The_visualisation_draws_new_runs_and_after_subscribe_only_one()
    {
        await using var world = await ChatWorld.StartAsync();
        using var socket = await Socket.ConnectAsync(world, "/ws/visualization");
        await socket.SendAsync("""{"type":"ping"}""");
        Assert.Equal("pong", (await socket.ReceiveAsync()).GetProperty("type").GetString());
        await socket.SendAsync("""{"type":"get_agent_profiles"}""");
        var profiles = await socket.ReceiveAsync();
        Assert.Equal("agent_profiles", profiles.GetProperty("type").GetString());
        Assert.Equal(13, profiles.GetProperty("data").GetArrayLength());

        var flow = (await world.AskAsync(new { message = "Hi", team = "solo" }, "/api/v1/chat/message")).GetProperty("flow_id").GetString();
        var frames = await socket.UntilAsync("message_flow_complete", "event_type");
        Assert.All(frames, f => Assert.Equal(flow, f.GetProperty("flow_id").GetString()));
        Assert.Equal("Hi", frames[0].GetProperty("data").GetProperty("user_message").GetString());
        Assert.Equal("Hello there, friend.", frames[^1].GetProperty("data").GetProperty("final_response").GetString());
        var flows = await world.App.GetJsonAsync("/api/v1/visualization/flows");
        Assert.Equal(flow, flows.GetProperty("flows")[0].GetProperty("flow_id").GetString());
        Assert.Equal(1, flows.GetProperty("total").GetInt32());

        await socket.SendAsync($$"""{"type":"subscribe","flow_id":"{{flow}}"}""");
        Assert.Equal("subscribed", (await socket.ReceiveAsync()).GetProperty("type").GetString());
        Assert.Equal(frames.Select(f => f.ToString()), (await socket.UntilAsync("message_flow_complete", "event_type")).Select(f => f.ToString()));
        await world.AskAsync(new { message = "Other", team = "solo" });
        await socket.SendAsync("""{"type":"subscribe","flow_id":"nope"}""");
        Assert.Equal("run_not_found", (await socket.ReceiveAsync()).GetProperty("problem").GetProperty("code").GetString());
    }

    [Fact]
    public async Task What_is_at_work_already_is_drawn_for_those_who_ask_for_it()
    {
        await using var world = await ChatWorld.StartAsync();
        var hold = world.Sim.Hold(new());
        var conversation = await world.NewConversationAsync();
        await world.App.PostJsonAsync($"/api/v1/conversations/{conversation}/runs", new { message = "Hi", team = "solo" }, System.Net.HttpStatusCode.Accepted);
        await hold.Reached.WaitAsync(TimeSpan.FromMinutes(1));
        using var plain = await Socket.ConnectAsync(world, "/ws/visualization");
        using var working = await Socket.ConnectAsync(world, "/ws/visualization?working=true");
        var begun = await working.ReceiveAsync();
        Assert.Equal(("message_flow_start", "Hi"), (begun.GetProperty("event_type").GetString(), begun.GetProperty("data").GetProperty("user_message").GetString()));
        hold.Release();
        var frames = await working.UntilAsync("message_flow_complete", "event_type");
        Assert.DoesNotContain(frames, static f => f.GetProperty("event_type").GetString() == "message_flow_start"); // once
        await plain.SendAsync("""{"type":"ping"}""");
        Assert.Equal("pong", (await plain.ReceiveAsync()).GetProperty("type").GetString());

        using var later = await Socket.ConnectAsync(world, "/ws/visualization?working=true");
        await later.SendAsync("""{"type":"ping"}""");
        Assert.Equal("pong", (await later.ReceiveAsync()).GetProperty("type").GetString()); // what has ended is not at work
    }

    private sealed class Socket(ClientWebSocket socket) : IDisposable
    {
        private static readonly TimeSpan Patience = TimeSpan.FromSeconds(90);

        public static async Task<Socket> ConnectAsync(ChatWorld world, string path = "/ws")
        {
            var socket = new ClientWebSocket();
            socket.Options.SetRequestHeader("Authorization", $"Bearer {world.App.LocalToken}");
            await socket.ConnectAsync(new Uri($"ws://{world.App.Url.Authority}{path}"), default);
            return new Socket(socket);
        }

        public Task SendAsync(string text) => socket.SendAsync(Encoding.UTF8.GetBytes(text), WebSocketMessageType.Text, true, default);

        /// <summary>One message in so many fragments.</summary>
        public Task SendInAsync(params string[] fragments) => SendInAsync([.. fragments.Select(Encoding.UTF8.GetBytes)]);

        public Task SendInAsync(byte[][] fragments) => SendInAsync(WebSocketMessageType.Text, fragments);

        public async Task SendInAsync(WebSocketMessageType type, params byte[][] fragments)
        {
            for (var i = 0; i < fragments.Length; i++)
            {
                await socket.SendAsync(fragments[i], type, i == fragments.Length - 1, default);
            }
        }

        public async Task<JsonElement> ReceiveAsync()
        {
            using var limit = new CancellationTokenSource(Patience);
            var text = new MemoryStream();
            var buffer = new byte[16 * 1024];
            ValueWebSocketReceiveResult got;
            do
            {
                got = await socket.ReceiveAsync(buffer.AsMemory(), limit.Token);
                Assert.NotEqual(WebSocketMessageType.Close, got.MessageType);
                text.Write(buffer, 0, got.Count);
            }
            while (!got.EndOfMessage);
            return JsonElement.Parse(text.ToArray());
        }

        public async Task<List<JsonElement>> UntilAsync(string type, string member = "type")
        {
            var frames = new List<JsonElement>();
            do
            {
                frames.Add(await ReceiveAsync());
            }
            while (frames[^1].GetProperty(member).GetString() != type);
            return frames;
        }

        public async Task<WebSocketCloseStatus> ClosedAsync()
        {
            using var limit = new CancellationTokenSource(Patience);
            var buffer = new byte[1024];
            while ((await socket.ReceiveAsync(buffer.AsMemory(), limit.Token)).MessageType != WebSocketMessageType.Close)
            {
            }

            return socket.CloseStatus!.Value;
        }

        public void Dispose() => socket.Dispose();
    }
}
