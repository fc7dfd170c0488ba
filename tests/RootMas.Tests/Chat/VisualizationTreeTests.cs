using System.Text.Json;
using RootMas.LlmSimulator;
using RootMas.Tests.Support;

namespace RootMas.Tests.Chat;

/// <summary>A flow is drawn with the work of all runs below it, whenever somebody begins to look.</summary>
public sealed class VisualizationTreeTests
{
    private const string Script = """
        rules:
          - { match: { agent: communicator, last_role: tool }, answer: { text: "So: {{tool_result}}" } }
          - { match: { agent: communicator, last_user: delegate }, answer: { tool_calls: [ { name: delegate, arguments: { agent: multi_tool, task: "look" } } ] } }
          - name: task
            match: { agent: multi_tool }
            answer: { text: "Found by {{agent}}." }
        default: { text: "Seen by {{agent}}." }
        """;

    [Theory]
    [InlineData("root-mas", "delegate it", "Found by multi_tool.")]
    [InlineData("review", "check it", "Seen by prompt_builder.")]
    public async Task Who_comes_after_the_end_is_shown_what_others_saw_happen(string team, string message, string below)
    {
        await using var world = await ChatWorld.StartAsync(Script);
        using var live = await ConnectAsync(world);
        await live.SendAsync(new { type = "ping" });
        await live.UntilAsync("pong"); // it listens
        var flow = (await world.AskAsync(new { message, team })).GetProperty("run_id").GetString();
        var seen = await DrawnAsync(live);
        Assert.True(seen.Exists(f => Said(f) == below && Type(f) == "agent_thought"), string.Join('\n', seen));

        using var later = await ConnectAsync(world);
        await later.SendAsync(new { type = "subscribe", flow_id = flow });
        await later.UntilAsync("subscribed");
        var shown = await DrawnAsync(later);

        // Those who work at the same time come one after the other then.
        Assert.Equal(InOrder(seen, sorted: team == "review"), InOrder(shown, sorted: team == "review"));
        Assert.Equal(shown.Count(static f => Type(f) == "agent_thought"), shown[^1].GetProperty("data").GetProperty("total_thoughts").GetInt32());
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Who_comes_while_a_task_is_worked_on_is_shown_its_beginning_and_then_the_rest(bool subscribes)
    {
        await using var world = await ChatWorld.StartAsync(Script);
        var hold = world.Sim.Hold(new HoldSpec { Rule = "task" });
        using var live = await ConnectAsync(world);
        await live.SendAsync(new { type = "ping" });
        await live.UntilAsync("pong");
        var flow = (await world.SendAsync(await world.NewConversationAsync("root-mas"), new { message = "delegate it" })).GetProperty("run_id").GetString();
        await hold.Reached.WaitAsync(TimeSpan.FromMinutes(1));

        using var later = await ConnectAsync(world, subscribes ? "" : "?working=true");
        if (subscribes)
        {
            await later.SendAsync(new { type = "subscribe", flow_id = flow });
            await later.UntilAsync("subscribed");
        }

        List<JsonElement> shown = [];
        do
        {
            shown.Add(await later.ReceiveAsync()); // the task's first events are shown while it is held
        }
        while (Agent(shown[^1]) != "multi_tool" || Said(shown[^1])?.StartsWith("thinks", StringComparison.Ordinal) != true);

        hold.Release();
        shown.AddRange(await DrawnAsync(later));
        Assert.Equal(InOrder(await DrawnAsync(live), sorted: false), InOrder(shown, sorted: false));
    }

    private static async Task<List<JsonElement>> DrawnAsync(TestSocket socket)
    {
        List<JsonElement> frames = [];
        do
        {
            frames.Add(await socket.ReceiveAsync());
        }
        while (Type(frames[^1]) != "message_flow_complete");
        return frames;
    }

    private static IEnumerable<string> InOrder(List<JsonElement> frames, bool sorted)
    {
        var texts = frames.Select(static f => f.GetRawText());
        return sorted ? texts.Order(StringComparer.Ordinal) : texts;
    }

    private static string? Type(JsonElement frame) => frame.GetProperty("event_type").GetString();

    private static string? Said(JsonElement frame) => frame.GetProperty("data").TryGetProperty("message", out var message) ? message.GetString() : null;

    private static string? Agent(JsonElement frame) => frame.GetProperty("data").TryGetProperty("agent_id", out var agent) ? agent.GetString() : null;

    private static Task<TestSocket> ConnectAsync(ChatWorld world, string query = "") => TestSocket.ConnectAsync(world.App, $"/ws/visualization{query}", ("Authorization", $"Bearer {world.App.LocalToken}"));
}
