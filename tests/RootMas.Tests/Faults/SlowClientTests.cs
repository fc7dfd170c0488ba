using System.Diagnostics;
using System.Net.Http.Json;
using RootMas.LlmSimulator;
using RootMas.Tests.Chat;
using RootMas.Tests.Support;

namespace RootMas.Tests.Faults;

/// <summary>F16: idle streams, slow readers, slow headers, slow bodies. The slow one is dropped, the others do not notice, and nothing is kept for it without bound.</summary>
public sealed class SlowClientTests
{
    private static readonly TimeSpan Pace = TimeSpan.FromMilliseconds(200);

    [Fact]
    public async Task Slow_headers_and_slow_bodies_are_hung_up_on()
    {
        await using var app = await TestApp.StartAsync(Impatient);
        var slow = new List<Task<bool>>();
        var clients = new List<SlowClient>();
        for (var i = 0; i < 20; i++)
        {
            var header = await SlowClient.ConnectAsync(app.Url);
            await header.SendAsync(SlowClient.Head(app.Url, "GET", "/health/live"));
            slow.Add(header.DripAsync("X-Slow: " + new string('x', 1_000), Pace));
            var body = await SlowClient.ConnectAsync(app.Url);
            await body.SendAsync(SlowClient.Head(app.Url, "POST", "/api/v1/chat", ["Content-Type: application/json", "Content-Length: 1000", .. Credentials(app)]) + "\r\n{\"message\":");
            slow.Add(body.DripAsync($"\"{new string('x', 980)}\"}}", Pace));
            clients.AddRange([header, body]);
        }

        await OthersDoNotNoticeAsync(app, Task.WhenAll(slow));
        Assert.All(await Task.WhenAll(slow), Assert.True);
        Assert.StartsWith("HTTP/1.1 408", await clients[0].ReadAsync(), StringComparison.Ordinal);
        Assert.Contains(" 408 ", await clients[1].ReadAsync(), StringComparison.Ordinal);
        clients.ForEach(static c => c.Dispose());
    }

    [Fact]
    public async Task Who_sends_nothing_at_all_is_hung_up_on()
    {
        await using var app = await TestApp.StartAsync(o =>
        {
            Impatient(o);
            o.Settings["Server:KeepAliveTimeout"] = "15s"; // the quiet one has to come to its request before
        });
        using var silent = await SlowClient.ConnectAsync(app.Url);
        using var quiet = await SlowClient.ConnectAsync(app.Url);
        await quiet.SendAsync(SlowClient.Head(app.Url, "GET", "/health/live") + "\r\n");
        await quiet.ReadUntilAsync("\r\n\r\n");
        Assert.Equal("", await silent.ReadAsync());
        while ((await quiet.ReadAsync()).Length > 0)
        {
        }
    }

    [Fact]
    public async Task Connections_headers_and_request_lines_over_their_limit_are_refused()
    {
        await using var app = await TestApp.StartAsync(o => o.Settings["Server:MaxConnections"] = "6");
        async Task<string> AnswerAsync(string head)
        {
            using var client = await SlowClient.ConnectAsync(app.Url);
            await client.SendAsync(head + "\r\n");
            return (await client.ReadUntilAsync("\r\n"))[..12];
        }

        Assert.Equal("HTTP/1.1 200", await AnswerAsync(SlowClient.Head(app.Url, "GET", "/health/live", [.. Enumerable.Range(0, 90).Select(static i => $"X-{i}: 1")])));
        Assert.Equal("HTTP/1.1 431", await AnswerAsync(SlowClient.Head(app.Url, "GET", "/health/live", [.. Enumerable.Range(0, 101).Select(static i => $"X-{i}: 1")])));
        Assert.Equal("HTTP/1.1 431", await AnswerAsync(SlowClient.Head(app.Url, "GET", "/health/live", $"X-Long: {new string('x', 33_000)}")));
        Assert.Equal("HTTP/1.1 414", await AnswerAsync(SlowClient.Head(app.Url, "GET", $"/health/live?{new string('x', 9_000)}")));

        var open = new List<SlowClient>();
        for (var i = 0; i < 8; i++)
        {
            open.Add(await SlowClient.ConnectAsync(app.Url));
        }

        Assert.Equal("", await open[^1].ReadAsync());
        open.ForEach(static c => c.Dispose());
    }

    [Fact]
    public async Task A_thousand_idle_streams_stay_open_and_all_see_the_end()
    {
        await using var sim = await Simulator.StartAsync("default: { text: \"Hello there, friend.\" }");
        await using var world = await ChatWorld.StartAsync(sim: sim, configure: Impatient);
        sim.Hold(new HoldSpec { At = HoldPoint.Middle });
        var run = (await world.SendAsync(await world.NewConversationAsync(), new { message = "Hi" })).GetProperty("run_id").GetString()!;
        var head = SlowClient.Head(world.App.Url, "GET", $"/api/v1/runs/{run}/events", ["Accept: text/event-stream", .. Credentials(world.App)]) + "\r\n";
        var streams = new List<SlowClient>();
        for (var i = 0; i < 1_000; i++)
        {
            streams.Add(await SlowClient.ConnectAsync(world.App.Url));
            await streams[^1].SendAsync(head);
        }

        await Task.WhenAll(streams.Select(static s => s.ReadUntilAsync("event: model.requested")));

        // Longer than any limit on slowness: an idle stream is not slow.
        var began = Stopwatch.GetTimestamp();
        while (Stopwatch.GetElapsedTime(began) < TimeSpan.FromSeconds(4))
        {
            using var live = await world.App.Client.GetAsync("/health/live");
            Assert.True(live.IsSuccessStatusCode);
        }

        sim.ReleaseAll();
        await Task.WhenAll(streams.Select(static s => s.ReadUntilAsync("event: run.completed")));
        streams.ForEach(static s => s.Dispose());
        await world.AskAsync(new { message = "Hi", team = "solo" });
    }

    internal static void Impatient(TestAppOptions options)
    {
        options.Settings["Server:HeaderTimeout"] = "2s";
        options.Settings["Server:MinRequestRate"] = "1000";
        options.Settings["Server:MinResponseRate"] = "100000";
        options.Settings["Server:RateGrace"] = "2s";
        options.Settings["Server:ResponseBufferBytes"] = "16384";
    }

    /// <summary>While the slow ones are there, everybody else gets answers, and in good time.</summary>
    internal static async Task OthersDoNotNoticeAsync(TestApp app, Task slow)
    {
        var slowest = TimeSpan.Zero;
        do
        {
            var began = Stopwatch.GetTimestamp();
            using var live = await app.Client.GetAsync("/health/live");
            using var chat = await app.Client.PostAsJsonAsync("/api/v1/chat", new { message = "Hi", team = "solo" });
            Assert.True(live.IsSuccessStatusCode && chat.IsSuccessStatusCode);
            slowest = TimeSpan.FromTicks(Math.Max(slowest.Ticks, Stopwatch.GetElapsedTime(began).Ticks));
        }
        while (!slow.IsCompleted);
        Assert.InRange(slowest, TimeSpan.Zero, TimeSpan.FromSeconds(30));
    }

    internal static string[] Credentials(TestApp app) =>
        app.Client.DefaultRequestHeaders.Authorization is { } authorization ? [$"Authorization: {authorization}"] : [];
}
