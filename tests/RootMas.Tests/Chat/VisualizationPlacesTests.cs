using System.Net;
using System.Text.Json;
using RootMas.LlmSimulator;
using RootMas.Tests.Support;

namespace RootMas.Tests.Chat;

/// <summary>One visualisation socket follows 64 runs; those that wait for a person may wait for days, and are in nobody's way.</summary>
public sealed class VisualizationPlacesTests
{
    private const int Places = 64;

    private const string Script = """
        rules:
          - match: { last_role: tool }
            answer: { text: "Thanks." }
          - match: { last_user: "Book" }
            answer: { tool_calls: [ { name: ask_user, arguments: { question: "For how many?" } } ] }
          - name: long
            match: { last_user: "Long" }
            answer: { text: "Done at last." }
        default: { text: "Hello there, friend." }
        """;

    [Fact]
    public async Task A_new_run_is_drawn_in_the_place_of_one_that_waits_and_the_others_stay()
    {
        await using var world = await ChatWorld.StartAsync(Script);
        using var socket = await ConnectAsync(world, "");
        await socket.SendAsync(new { type = "ping" });
        await socket.UntilAsync("pong"); // it listens
        await WaitingAsync(world);
        var asking = new List<string>();
        while (asking.Count < Places)
        {
            var frame = await socket.ReceiveAsync();
            if (Type(frame) == "agent_thought" && frame.GetProperty("data").GetProperty("message").GetString() == "For how many?")
            {
                asking.Add(Flow(frame));
            }
        }

        var begun = (await world.AskAsync(new { message = "Hi", team = "solo" })).GetProperty("run_id").GetString();
        Assert.Equal((begun, "Hello there, friend."), await CompletedAsync(socket));
        using var answered = await world.App.PostAsync($"/api/v1/runs/{asking[^1]}/input", """{"text":"seven"}""");
        Assert.Equal(HttpStatusCode.Accepted, answered.StatusCode);
        Assert.Equal((asking[^1], "Thanks."), await CompletedAsync(socket));
    }

    [Fact]
    public async Task Of_what_is_at_work_already_the_runs_that_wait_are_left_out_first()
    {
        await using var world = await ChatWorld.StartAsync(Script);
        var hold = world.Sim.Hold(new HoldSpec { Rule = "long" });
        var oldest = (await world.SendAsync(await world.NewConversationAsync(), new { message = "Long" })).GetProperty("run_id").GetString();
        await hold.Reached.WaitAsync(TimeSpan.FromMinutes(1));
        await WaitingAsync(world);
        using var socket = await ConnectAsync(world, "?working=true");
        while (Flow(await socket.ReceiveAsync()) != oldest)
        {
        }

        hold.Release();
        Assert.Equal((oldest, "Done at last."), await CompletedAsync(socket));
    }

    /// <summary>As many runs as have a place wait for a person then.</summary>
    private static async Task WaitingAsync(ChatWorld world)
    {
        var asked = await Task.WhenAll(Enumerable.Range(0, Places).Select(i => world.TryAskAsync(new { message = $"Book for {i}", team = "solo" })));
        Assert.All(asked, static a => Assert.Equal((HttpStatusCode.Accepted, "waiting_input"), (a.Status, a.Body.GetProperty("metadata").GetProperty("status").GetString())));
    }

    /// <summary>The next flow that is drawn to its end, and with what.</summary>
    private static async Task<(string? Flow, string? Response)> CompletedAsync(TestSocket socket)
    {
        JsonElement frame;
        do
        {
            frame = await socket.ReceiveAsync();
        }
        while (Type(frame) != "message_flow_complete");
        return (Flow(frame), frame.GetProperty("data").GetProperty("final_response").GetString());
    }

    private static string? Type(JsonElement frame) => frame.TryGetProperty("event_type", out var type) ? type.GetString() : null;

    private static string Flow(JsonElement frame) => frame.GetProperty("flow_id").GetString()!;

    private static Task<TestSocket> ConnectAsync(ChatWorld world, string query) => TestSocket.ConnectAsync(world.App, $"/ws/visualization{query}", ("Authorization", $"Bearer {world.App.LocalToken}"));
}
