using System.Globalization;
using System.Text.Json;
using RootMas.Runtime.Runs;

namespace RootMas.Server.Chat.Sockets;

/// <summary>
/// One run and its descendants, shaped for drawing. A fold of the run's real events: nothing is shown that did not happen. One instance per flow and socket, used by one flow of control.
/// </summary>
internal sealed class FlowView(string flowId, string ownerId)
{
    private readonly Dictionary<string, string> _taskOf = new(StringComparer.Ordinal);
    private string _entry = "";
    private string _pattern = "";
    private string _answer = "";
    private DateTimeOffset _started;
    private int _thoughts;
    private bool _greeted;

    /// <summary>The frames that this event means, in order; mostly none or one.</summary>
    public IEnumerable<ReadOnlyMemory<byte>> Show(RunEvent e)
    {
        ArgumentNullException.ThrowIfNull(e);
        return e.RunId == flowId || e.RunId.Length == 0 ? ShowRoot(e) : ShowChild(e);
    }

    private IEnumerable<ReadOnlyMemory<byte>> ShowRoot(RunEvent e) => e switch
    {
        RunQueued queued => Begin(queued),
        RunStarted => Greet(e),
        RunCompleted => [Complete(_answer, e)],
        RunFailed failed => [Complete(failed.Reason, e)],
        RunCancelled cancelled => [Complete(_answer.Length > 0 ? _answer : cancelled.Reason, e)],
        MessageCompleted message => Answer(message),
        _ => ShowWork(e),
    };

    /// <summary>A descendant's beginning and end are its parent's <c>child.started</c> and <c>child.completed</c>.</summary>
    private IEnumerable<ReadOnlyMemory<byte>> ShowChild(RunEvent e) => e switch
    {
        RunStarted => [Thought(e, AgentOf(e), _taskOf.GetValueOrDefault(e.RunId, ""), "receiving")],
        _ => ShowWork(e),
    };

    private IEnumerable<ReadOnlyMemory<byte>> ShowWork(RunEvent e) => e switch
    {
        ModelRequested asked => Think(asked),
        ModelCompleted said => Say(said),
        ToolStarted tool => [Thought(e, AgentOf(e), $"uses {tool.Tool}", "thinking")],
        ToolCompleted tool => [Thought(e, AgentOf(e), $"has the result of {tool.Tool}", "receiving", tool.DurationMs)],
        ToolFailed tool => [Thought(e, AgentOf(e), $"{tool.Tool} failed ({tool.Kind})", "receiving", tool.DurationMs)],
        ChildStarted child => Delegate(child),
        ChildCompleted child => [Thought(e, AgentOf(e), child.Result, "receiving")],
        Handoff handoff => [Thought(e, handoff.From, handoff.Reason, "forwarding", target: handoff.To), Stage(StageOf(handoff.To), handoff.To)],
        SpeakerSelected { Speaker: { } speaker } => [Stage("group_chat", speaker)],
        ApprovalRequested approval => [Thought(e, AgentOf(e), $"waits for an approval of {approval.Tool}", "thinking")],
        InputRequested question => [Thought(e, AgentOf(e), question.Question, "responding")],
        PlanCreated plan => [Thought(e, AgentOf(e), plan.Goal, "thinking")],
        GuardStopped guard => [Thought(e, AgentOf(e), guard.Reason, "thinking")],
        _ => [],
    };

    private IEnumerable<ReadOnlyMemory<byte>> Begin(RunQueued queued)
    {
        (_started, _pattern, _entry) = (queued.CreatedAt, queued.Pattern, queued.Agent ?? "");
        yield return Frame("message_flow_start", data =>
        {
            data.WriteString("user_message"u8, queued.Input);
            data.WriteString("user_id"u8, ownerId);
            data.WriteString("timestamp"u8, Time(queued.CreatedAt));
        });
    }

    private IEnumerable<ReadOnlyMemory<byte>> Greet(RunEvent e)
    {
        if (_greeted)
        {
            yield break;
        }

        _greeted = true;
        _entry = _entry.Length > 0 ? _entry : e.Agent ?? "";
        yield return Stage("user_to_communicator", AgentOf(e));
        yield return Thought(e, AgentOf(e), "has received the message", "receiving");
    }

    private IEnumerable<ReadOnlyMemory<byte>> Think(ModelRequested asked)
    {
        yield return Stage(asked.RunId == flowId ? StageOf(AgentOf(asked)) : "agent_processing", AgentOf(asked));
        yield return Thought(asked, AgentOf(asked), asked.Purpose == "answer" ? "thinks" : $"thinks ({asked.Purpose})", "thinking");
    }

    private IEnumerable<ReadOnlyMemory<byte>> Say(ModelCompleted said)
    {
        if (said.Text.Length > 0)
        {
            yield return Thought(said, AgentOf(said), said.Text, "responding", said.LatencyMs);
        }
    }

    private IEnumerable<ReadOnlyMemory<byte>> Delegate(ChildStarted child)
    {
        _taskOf[child.ChildRunId] = child.Task;
        yield return Thought(child, AgentOf(child), child.Task, "forwarding", target: child.ChildAgent);
        yield return Stage("agent_processing", child.ChildAgent);
    }

    private IEnumerable<ReadOnlyMemory<byte>> Answer(MessageCompleted message)
    {
        _answer = message.Text;
        yield return Stage("response_generation", AgentOf(message));
    }

    private string StageOf(string agent) => _pattern is "group_chat" or "GroupChat" ? "group_chat" : agent == _entry ? "communicator_thinking" : "agent_processing";

    private string AgentOf(RunEvent e) => e.Agent ?? _entry;

    private ReadOnlyMemory<byte> Complete(string finalResponse, RunEvent e) => Frame("message_flow_complete", data =>
    {
        data.WriteString("final_response"u8, finalResponse);
        data.WriteNumber("total_thoughts"u8, _thoughts);
        data.WriteNumber("duration_ms"u8, Math.Max(0, Math.Round((e.CreatedAt - _started).TotalMilliseconds, 3)));
    });

    private ReadOnlyMemory<byte> Stage(string stage, string agent) => Frame("flow_stage_update", data =>
    {
        data.WriteString("new_stage"u8, stage);
        data.WriteString("current_agent"u8, agent);
    });

    private ReadOnlyMemory<byte> Thought(RunEvent e, string agent, string message, string type, double? durationMs = null, string? target = null)
    {
        _thoughts++;
        return Frame("agent_thought", data =>
        {
            data.WriteString("agent_id"u8, agent);
            data.WriteString("agent_name"u8, agent);
            data.WriteString("message"u8, message);
            data.WriteString("thought_type"u8, type);
            data.WriteString("timestamp"u8, Time(e.CreatedAt));
            if (durationMs is { } duration)
            {
                data.WriteNumber("duration_ms"u8, Math.Round(duration, 3));
            }

            if (target is not null)
            {
                data.WriteString("target_agent"u8, target);
            }
        });
    }

    private ReadOnlyMemory<byte> Frame(string type, Action<Utf8JsonWriter> members) => SocketFrames.Write(json =>
    {
        json.WriteString("event_type"u8, type);
        json.WriteString("flow_id"u8, flowId);
        json.WriteStartObject("data"u8);
        members(json);
        json.WriteEndObject();
    });

    private static string Time(DateTimeOffset time) => time.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.FFFFFF'Z'", CultureInfo.InvariantCulture);
}
