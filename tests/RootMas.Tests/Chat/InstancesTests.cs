using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using RootMas.LlmSimulator;
using RootMas.Server.Platform.Data;
using RootMas.Tests.Support;

namespace RootMas.Tests.Chat;

/// <summary>Everything that a client can do at a server that works on no run itself: all of it happens in another instance.</summary>
public sealed class InstancesTests() : OnDatabase(DatabaseKind.Postgres)
{
    private const string Script = """
        rules:
          - match: { last_user: "for ever" }
            answer: { text: "and so on", fault: { kind: endless } }
        default: { text: "It says these few words.", first_token_ms: 200, tokens_per_second: 20 }
        """;

    [PostgresTheory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_server_shows_runs_of_another_instance_as_if_they_were_its_own(bool withRedis)
    {
        if (withRedis && RedisServer.Missing is not null)
        {
            return; // the other form of this test is the one without
        }

        await using var sim = await Simulator.StartAsync(Script);
        var (redis, prefix) = (withRedis ? await RedisServer.SharedAsync() : null, RedisServer.NewPrefix());
        await using var cluster = await TestCluster.StartAsync(1, o =>
        {
            o.Environment["OPENAI_BASE_URL"] = sim.OpenAiUrl;
            o.Environment["OPENAI_API_KEY"] = "sk-simulator";
            redis?.Use(o, prefix);
        });
        var works = cluster[0];
        var front = await cluster.AddAsync(static o => o.Settings["Runs:Parallelism"] = "0");
        await AnswersAsync(front);
        await StreamsAsync(front, sim, withRedis);
        await SpeaksOpenAiAsync(front);
        await SpeaksOnSocketsAsync(front);
        await DrawsAsync(front, works);
        await CancelsAsync(front, sim);
    }

    private static async Task AnswersAsync(TestApp front)
    {
        var answer = await front.PostJsonAsync("/api/v1/chat", new { message = "Hi", team = "solo" });
        Assert.Equal("It says these few words.", answer.GetProperty("response").GetString());
    }

    /// <summary>The model goes on when what it said was seen, or could have been: a slow machine has the time it needs.</summary>
    private static async Task StreamsAsync(TestApp front, Simulator sim, bool withPieces)
    {
        var hold = sim.Hold(new() { At = HoldPoint.Middle });
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(90));
        await using var end = patience.Token.Register(hold.Release);
        using var request = new HttpRequestMessage(HttpMethod.Post, "/api/v1/chat/stream") { Content = JsonContent.Create(new { message = "Hi", team = "solo" }) };
        using var response = await front.Client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
        var client = new Faults.StreamClient();
        var hasPieces = false;
        await foreach (var e in SseEvent.ReadAsync(await response.Content.ReadAsStreamAsync()))
        {
            client.See(e);
            hasPieces |= e.Type is "message.delta" or "message.snapshot";
            if (withPieces ? hasPieces : e.Type == "model.requested")
            {
                hold.Release();
            }
        }

        Assert.Equal("It says these few words.", client.FinalText());
        Assert.Equal(withPieces, hasPieces);
    }

    private static async Task SpeaksOpenAiAsync(TestApp front)
    {
        using var response = await front.Client.PostAsJsonAsync("/v1/chat/completions", new { model = "solo", stream = true, messages = new[] { new { role = "user", content = "Hi" } } });
        var text = await response.Content.ReadAsStringAsync();
        Assert.EndsWith("data: [DONE]\n\n", text, StringComparison.Ordinal);
        var chunks = text.Split("\n\n", StringSplitOptions.RemoveEmptyEntries).Where(static c => c.StartsWith("data: {", StringComparison.Ordinal)).Select(static c => JsonElement.Parse(c[6..]));
        var said = string.Concat(chunks.SelectMany(static c => c.GetProperty("choices").EnumerateArray())
            .Select(static c => c.GetProperty("delta").TryGetProperty("content", out var content) ? content.GetString() : ""));
        Assert.Equal("It says these few words.", said);
    }

    private static async Task SpeaksOnSocketsAsync(TestApp front)
    {
        using var socket = await TestSocket.ConnectAsync(front, "/ws", ("Authorization", $"Bearer {front.LocalToken}"));
        await socket.SendAsync(new { message = "Hi", team = "solo" });
        Assert.Equal("It says these few words.", (await socket.UntilAsync("response")).GetProperty("message").GetString());
    }

    /// <summary>Flows of runs that either of them accepted.</summary>
    private static async Task DrawsAsync(TestApp front, TestApp works)
    {
        using var socket = await TestSocket.ConnectAsync(front, "/ws/visualization", ("Authorization", $"Bearer {front.LocalToken}"));
        await socket.SendAsync(new { type = "get_agent_profiles" });
        await socket.UntilAsync("agent_profiles"); // it listens
        foreach (var app in (TestApp[])[front, works])
        {
            var run = (await app.PostJsonAsync("/api/v1/chat", new { message = "Hi", team = "solo" })).GetProperty("run_id").GetString();
            JsonElement frame;
            do
            {
                frame = await socket.ReceiveAsync();
                Assert.Equal(run, frame.GetProperty("flow_id").GetString());
            }
            while (frame.GetProperty("event_type").GetString() != "message_flow_complete");
            Assert.Equal("It says these few words.", frame.GetProperty("data").GetProperty("final_response").GetString());
        }
    }

    private static async Task CancelsAsync(TestApp front, Simulator sim)
    {
        var before = sim.Stats.Calls;
        using var request = new HttpRequestMessage(HttpMethod.Post, "/api/v1/chat") { Content = JsonContent.Create(new { message = "for ever", team = "solo" }), Headers = { { "Prefer", "wait=0" } } };
        using var response = await front.Client.SendAsync(request);
        var run = JsonElement.Parse(await response.Content.ReadAsStringAsync()).GetProperty("run_id").GetString();
        await sim.WaitForCallsAsync(before + 1);
        await front.PostJsonAsync($"/api/v1/runs/{run}/cancel", new { }, HttpStatusCode.Accepted);
        await Wait.UntilAsync(() => sim.Stats.Aborted > 0); // down to the model's connection
        await TestCluster.UntilAsync(async () => (await front.GetJsonAsync($"/api/v1/runs/{run}")).GetProperty("status").GetString() == "cancelled", "cancelled");
    }
}
