using RootMas.Runtime.Teams;
using RootMas.Runtime.Tools;

namespace RootMas.Runtime.Runs;

/// <summary>Where a tool call stands. It leaves <see cref="Done"/> never: every call gets exactly one result (invariant I9).</summary>
public enum CallPhase
{
    /// <summary>The model asked for it; nothing was sent.</summary>
    Asked,

    /// <summary>Its request may have left.</summary>
    Started,
    WaitingApproval,
    Approved,
    WaitingInput,
    WaitingChild,

    /// <summary>In doubt: a person decides.</summary>
    InReview,
    Done,
}

/// <summary>A tool call and what became of it.</summary>
public sealed class CallState(ToolCall call, string agent, int turn)
{
    public ToolCall Call { get; } = call;

    public string Agent { get; } = agent;

    public int Turn { get; } = turn;

    public CallPhase Phase { get; internal set; }

    public string? Effect { get; internal set; }

    public string? ToolVersion { get; internal set; }

    public string? ApprovalId { get; internal set; }

    public string? ApprovedHash { get; internal set; }

    /// <summary>Who may approve it: owner or admin.</summary>
    public string? Approver { get; internal set; }

    /// <summary>Who approved it.</summary>
    public string? ApprovedBy { get; internal set; }

    public DateTimeOffset? ExpiresAt { get; internal set; }

    /// <summary>Why a person is asked about it, for people.</summary>
    public string? Reason { get; internal set; }

    public string? ChildRunId { get; internal set; }

    /// <summary>What the user was shown: a question and its options. Empty: it asked nothing yet.</summary>
    public IReadOnlyList<string> Shown { get; internal set; } = [];

    /// <summary>A question whose time was up.</summary>
    public bool Unanswered { get; internal set; }

    public string? Result { get; internal set; }

    public bool Failed { get; internal set; }

    public bool Tainted { get; internal set; }

    /// <summary>How often a person chose "repeat"; each repetition has a new idempotency key.</summary>
    public int Repeats { get; internal set; }

    public DateTimeOffset? RepeatAfter { get; internal set; }

    /// <summary>How often it was to leave, in all attempts.</summary>
    internal int Starts { get; set; }
}

/// <summary>Something that stands in a turn's transcript.</summary>
public abstract record Entry;

public sealed record AssistantEntry(string MessageId, string Text, IReadOnlyList<ToolCall> Calls, string? Model, string? Tier, string? Reasoning = null, string? CutBy = null) : Entry;

public sealed record HintEntry(string Text) : Entry;

/// <summary>One agent's activity up to its final text.</summary>
public sealed class Turn(int number, string agent)
{
    public int Number { get; } = number;

    public string Agent { get; } = agent;

    public List<Entry> Entries { get; } = [];

    public AssistantEntry? LastAnswer => Entries.Count > 0 && Entries[^1] is AssistantEntry a ? a : null;

    /// <summary>It ended with a text. One that ended by a handoff did not: the next turn goes on with it.</summary>
    public bool IsFinished => LastAnswer is { Calls.Count: 0 };

    /// <summary>What others see of it: its result, or what was said with a handoff; null: nothing yet.</summary>
    public AssistantEntry? Said => LastAnswer is { } last && (IsFinished || last.Text.Length > 0) ? last : null;
}

public sealed record OpenModelCall(string MessageId, string Purpose, string Agent, int Turn, string Tier);

/// <summary>The completed text of a call that is not part of the conversation (plan, review, selection); the pattern interprets it next.</summary>
public sealed record SideResult(string Purpose, string Agent, string Text);

public sealed class PlanState(string goal, IReadOnlyList<PlanTask> tasks)
{
    public string Goal { get; } = goal;

    public IReadOnlyList<PlanTask> Tasks { get; internal set; } = tasks;

    public int Replans { get; internal set; }

    public string? Verdict { get; internal set; }

    public string? Summary { get; internal set; }

    internal void Change(Predicate<PlanTask> which, Func<PlanTask, PlanTask> change) =>
        Tasks = [.. Tasks.Select(t => which(t) ? change(t) : t)];
}

public sealed record ChildState(string ChildRunId, int? Call, string Agent, string? TaskId)
{
    public bool Ended { get; internal set; }

    public string Status { get; internal set; } = "queued";

    public string Result { get; internal set; } = "";

    public bool Tainted { get; internal set; }
}

/// <summary>
/// The fold of a run's events: no clock, no I/O, no chance, so the same log always gives the same state.
/// It is changed only by <see cref="Apply"/>, which only the run's owner calls.
/// </summary>
public sealed partial class RunState
{
    private readonly Dictionary<string, int> _sideFailures = new(StringComparer.Ordinal);

    /// <summary>Version of the log that this program writes and folds.</summary>
    public const int LogVersion = 2;

    public string RunId { get; private set; } = "";

    public long Seq { get; private set; }

    public RunStatus Status { get; private set; } = RunStatus.Queued;

    public string Input { get; private set; } = "";

    public string Pattern { get; private set; } = "";

    public DateTimeOffset QueuedAt { get; private set; }

    public DateTimeOffset LastAt { get; private set; }

    public int Attempt { get; private set; }

    /// <summary>Text from outside is part of what the model saw; it never goes away again within a run.</summary>
    public bool Tainted { get; private set; }

    /// <summary>Why the model ended its last text before it was whole: <c>length</c> or <c>content_filter</c>; null: it was whole.</summary>
    public string? CutBy { get; private set; }

    /// <summary>What cut a message short; of one that nobody said as such (a plan's summary), what cut the last call.</summary>
    public string? CutOf(string? messageId) =>
        Turns.SelectMany(static t => t.Entries).OfType<AssistantEntry>().FirstOrDefault(a => a.MessageId == messageId) is { } said ? said.CutBy : CutBy;

    /// <summary>The newest answer that came from the cache.</summary>
    public CacheHit? CacheHit { get; private set; }

    public string? ActiveAgent { get; private set; }

    public List<Turn> Turns { get; } = [];

    public Dictionary<int, CallState> Calls { get; } = [];

    /// <summary>Numbers of calls without a result, in order.</summary>
    public SortedSet<int> OpenCalls { get; } = [];

    public int LastCall { get; private set; }

    public OpenModelCall? OpenModel { get; private set; }

    public SideResult? Side { get; private set; }

    /// <summary>How often in a row the structured answer to this purpose made no sense.</summary>
    public int SideFailuresOf(string purpose) => _sideFailures.GetValueOrDefault(purpose);

    public PlanState? Plan { get; private set; }

    public SpeakerSelected? Selection { get; private set; }

    /// <summary>Sequence number of the event that ended the last turn (an answer without calls); 0: none.</summary>
    public long LastTurnEndSeq { get; private set; }

    public Dictionary<string, ChildState> Children { get; } = new(StringComparer.Ordinal);

    public List<FinishedCall> FinishedCalls { get; } = [];

    public List<(string From, string To)> Handoffs { get; } = [];

    /// <summary>Guards that have given their hint in this run.</summary>
    public HashSet<string> HintedGuards { get; } = new(StringComparer.Ordinal);

    /// <summary>The same by whom they gave it to, in which part of the work: see <see cref="FinishedCall.Part"/>.</summary>
    public HashSet<(string Guard, string Agent, int Part)> Hints { get; } = [];

    /// <summary>Finished calls and handoffs when the last hint was given: the model gets a chance before the guard looks again.</summary>
    public int HintedAt { get; private set; }

    /// <summary>What the model was told when it met the limit of subtasks or of their depth.</summary>
    public GuardHinted? Limit { get; private set; }

    /// <summary>How many calls the last answer asked for.</summary>
    public int LastBatch { get; private set; }

    public string? LastHint { get; private set; }

    public GuardStopped? Stopped { get; private set; }

    public TimerStarted? Timer { get; private set; }

    public int TimerTries { get; private set; }

    public ContextReduced? Reduction { get; private set; }

    /// <summary>What was remembered from earlier; null: nothing, or nobody asked yet.</summary>
    public MemoryRecalled? Memory { get; private set; }

    public List<Citation> Citations { get; } = [];

    /// <summary>Ids of documents that runs below know, cited or not.</summary>
    public List<string> DocumentsBelow { get; } = [];

    /// <summary>Ids of documents that answers to this run's questions brought along.</summary>
    public List<string> DocumentsBrought { get; } = [];

    /// <summary>Ids of remembered facts that tools of this run, or of runs below it, told of.</summary>
    public List<string> FactsTold { get; } = [];

    public KnownUrls KnownUrls { get; private set; } = KnownUrls.FromText("");

    public int Steps { get; private set; }

    public TokenUsage Usage { get; private set; } = TokenUsage.None;

    public Money Cost { get; private set; }

    public MessageCompleted? Answer { get; private set; }

    public Turn? CurrentTurn => Turns.Count > 0 ? Turns[^1] : null;

    /// <summary>The state after a log. Throws on a hole: such a log is damaged.</summary>
    /// <exception cref="InvalidDataException">The sequence numbers are not 1..n.</exception>
    public static RunState Fold(IEnumerable<RunEvent> events)
    {
        var state = new RunState();
        foreach (var e in events)
        {
            state.Apply(e);
        }

        return state;
    }

    public void Apply(RunEvent e)
    {
        if (e.Seq != Seq + 1)
        {
            throw new InvalidDataException($"Run {e.RunId}: event {e.Seq} follows event {Seq}; the log has a hole or a repetition.");
        }

        if (Status.IsFinal())
        {
            throw new InvalidDataException($"Run {e.RunId}: event {e.Seq} follows the final event.");
        }

        Seq = e.Seq;
        LastAt = e.CreatedAt;
        e.Fold(this);
    }

    /// <summary>What the user typed in earlier turns is known like what they typed in this one. No event says so: what was said before a run is the same for each of its attempts.</summary>
    internal void Know(IEnumerable<HistoryMessage> history)
    {
        foreach (var message in history.Where(static m => m is { Role: "user", Tainted: false } && m.Text.Contains("://", StringComparison.Ordinal)))
        {
            KnownUrls.AddFrom(message.Text);
        }
    }

    /// <summary>What the run would wait for now, the most urgent first; null: nothing is open.</summary>
    public RunStatus? WaitsFor()
    {
        RunStatus? found = null;
        foreach (var number in OpenCalls)
        {
            if (WaitsFor(Calls[number].Phase) is { } s && (found is null || Urgency(s) < Urgency(found.Value)))
            {
                found = s;
            }
        }

        return found;
    }

    /// <summary>Why the run waits so, for people: of several calls that wait for the same the newest says it. Null: nobody need be told.</summary>
    public string? WaitReason(RunStatus status) => status switch
    {
        RunStatus.WaitingTimer => Timer?.Reason,
        RunStatus.WaitingChildren => null,
        _ => OpenCalls.Reverse().Select(number => Calls[number]).FirstOrDefault(call => WaitsFor(call.Phase) == status)?.Reason,
    };

    private static RunStatus? WaitsFor(CallPhase phase) => phase switch
    {
        CallPhase.InReview => RunStatus.NeedsReview,
        CallPhase.WaitingApproval => RunStatus.WaitingApproval,
        CallPhase.WaitingInput => RunStatus.WaitingInput,
        CallPhase.WaitingChild => RunStatus.WaitingChildren,
        _ => null,
    };

    private static int Urgency(RunStatus status) => status switch
    {
        RunStatus.NeedsReview => 0,
        RunStatus.WaitingApproval => 1,
        RunStatus.WaitingInput => 2,
        _ => 3,
    };
}
