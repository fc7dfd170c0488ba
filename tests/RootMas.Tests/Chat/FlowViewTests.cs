using System.Text.Json;
using RootMas.Runtime.Runs;
using RootMas.Server.Chat.Sockets;

namespace RootMas.Tests.Chat;

public sealed class FlowViewTests
{
    private readonly FlowView _view = new("root", "alice");

    [Fact]
    public void A_run_with_a_delegation_is_drawn_from_its_events_alone()
    {
        JsonElement[] frames =
        [
            .. Show(new RunQueued("Hi", "root-mas", "h", "handoff"), "root", "communicator"),
            .. Show(new RunStarted(1, "w"), "root", "communicator"),
            .. Show(new ModelRequested("m1", "cheap", "v", "h", "answer", 1), "root", "communicator"),
            .. Show(new ChildStarted(1, "child", "researcher", "Find it"), "root", "communicator"),
            .. Show(new RunStarted(1, "w"), "child", "researcher"),
            .. Show(new ModelRequested("m2", "premium", "v", "h", "answer", 1), "child", "researcher"),
            .. Show(new ModelCompleted("m2", "Found", [], "m", "premium", TokenUsage.None, Money.Zero, 12.5, null, "stop"), "child", "researcher"),
            .. Show(new RunCompleted(TokenUsage.None, Money.Zero, Money.Zero, 1), "child", "researcher"),
            .. Show(new MessageCompleted("m3", "Here it is", "complete", [], null, null, false), "root", "communicator"),
            .. Show(new RunCompleted(TokenUsage.None, Money.Zero, Money.Zero, 3), "root", "communicator"),
        ];

        Assert.All(frames, f => Assert.Equal("root", f.GetProperty("flow_id").GetString()));
        Assert.Equal("message_flow_start", Type(frames[0]));
        Assert.Equal("Hi", frames[0].GetProperty("data").GetProperty("user_message").GetString());
        Assert.Equal(
            ["user_to_communicator", "communicator_thinking", "agent_processing", "agent_processing", "response_generation"],
            frames.Where(f => Type(f) == "flow_stage_update").Select(f => f.GetProperty("data").GetProperty("new_stage").GetString()));
        var thoughts = frames.Where(f => Type(f) == "agent_thought").Select(f => f.GetProperty("data")).ToArray();
        Assert.Equal(["receiving", "thinking", "forwarding", "receiving", "thinking", "responding"], thoughts.Select(t => t.GetProperty("thought_type").GetString()));
        Assert.Equal("researcher", thoughts[2].GetProperty("target_agent").GetString());
        Assert.Equal("Find it", thoughts[3].GetProperty("message").GetString());
        Assert.Equal(12.5, thoughts[5].GetProperty("duration_ms").GetDouble());
        var end = frames[^1];
        Assert.Equal("message_flow_complete", Type(end));
        Assert.Equal("Here it is", end.GetProperty("data").GetProperty("final_response").GetString());
        Assert.Equal(6, end.GetProperty("data").GetProperty("total_thoughts").GetInt32());
    }

    [Fact]
    public void A_failed_run_completes_the_flow_with_its_reason() =>
        Assert.Equal("No model.", Show(new RunFailed("no_answer", "No model."), "root", "a").Single().GetProperty("data").GetProperty("final_response").GetString());

    /// <summary>The web app knows by these words that a run waits (web/src/pages/team/activity.ts).</summary>
    [Fact]
    public void A_call_that_waits_for_a_person_says_so()
    {
        var asked = new ApprovalRequested("id", 1, "http_request", default, "hash", "user", "It sends.", "1", null, DateTimeOffset.UnixEpoch);
        Assert.Equal("waits for an approval of http_request", Show(asked, "root", "a").Single().GetProperty("data").GetProperty("message").GetString());
    }

    private static string? Type(JsonElement frame) => frame.GetProperty("event_type").GetString();

    private List<JsonElement> Show(RunEvent e, string run, string agent)
    {
        (e.RunId, e.Agent) = (run, agent);
        return [.. _view.Show(e).Select(f => JsonDocument.Parse(f).RootElement)];
    }
}
