using RootMas.Runtime.Runs;

namespace RootMas.Runtime.Teams;

/// <summary>A way of working together: a pure function from state to the next step.</summary>
public abstract class TeamPattern
{
    /// <summary>How often a structured answer that makes no sense is asked for again.</summary>
    protected const int MaxSideFailures = 2;

    public static TeamPattern For(PatternKind kind) => kind switch
    {
        PatternKind.Sequential => SequentialPattern.Instance,
        PatternKind.Concurrent => ConcurrentPattern.Instance,
        PatternKind.GroupChat => GroupChatPattern.Instance,
        PatternKind.Plan => PlanPattern.Instance,
        _ => DirectPattern.Instance,
    };

    public abstract NextStep Next(RunView view);

    /// <summary>
    /// The turn that is under way: its open calls, then the model again. Null: there is no turn, or it ended with a text.
    /// </summary>
    protected static NextStep? ContinueTurn(RunState state)
    {
        if (state.OpenCalls.Count > 0)
        {
            var ready = state.OpenCalls.Where(n => state.Calls[n].Phase is CallPhase.Asked or CallPhase.Approved).ToList();
            return ready.Count > 0 ? new RunCalls(ready) : new Wait(state.WaitsFor() ?? RunStatus.NeedsReview);
        }

        if (state.CurrentTurn is not { } turn)
        {
            return null;
        }

        if (state.ActiveAgent is { } active && active != turn.Agent)
        {
            return new CallModel(active, turn.Number + 1);
        }

        return turn.LastAnswer is { Calls.Count: 0 } ? null : new CallModel(turn.Agent, turn.Number);
    }

    /// <summary>How many members have done their part, themselves or whoever took over from them.</summary>
    internal static int PartsOf(RunState state) => state.Turns.Count(static t => t.IsFinished);

    protected static NextStep FinishWith(Turn turn, string? text = null)
    {
        var answer = turn.LastAnswer!;
        return answer.Text.Length == 0
            ? new Fail("no_answer", $"{turn.Agent} gave an empty answer. Nothing was lost; try again or choose another model.")
            : new Finish(text ?? answer.Text, answer.MessageId, turn.Agent, answer.Model, answer.Tier);
    }
}

/// <summary>One agent with tools; handoffs along the allowed graph move the run to another agent.</summary>
public sealed class DirectPattern : TeamPattern
{
    public static readonly DirectPattern Instance = new();

    public override NextStep Next(RunView view) =>
        ContinueTurn(view.State)
        ?? (view.State.CurrentTurn is { } turn ? FinishWith(turn) : new CallModel(view.Entry, 1));
}

/// <summary>Each agent works on the previous one's result; the last one writes the answer.</summary>
public sealed class SequentialPattern : TeamPattern
{
    public static readonly SequentialPattern Instance = new();

    public override NextStep Next(RunView view)
    {
        if (ContinueTurn(view.State) is { } step)
        {
            return step;
        }

        var done = PartsOf(view.State);
        var members = view.Team.Members;
        return done < members.Count ? new CallModel(members[done], view.State.Turns.Count + 1) : FinishWith(view.State.CurrentTurn!);
    }
}

/// <summary>Several agents on the same input as child runs, then an aggregator.</summary>
public sealed class ConcurrentPattern : TeamPattern
{
    public static readonly ConcurrentPattern Instance = new();

    public override NextStep Next(RunView view)
    {
        var state = view.State;
        var members = view.Team.Members;
        var given = state.Children.Values.Where(static c => c.Call is null).ToList(); // what the writer delegates is a call of its turn
        var running = given.Count(static c => !c.Ended);
        var started = given.Select(static c => c.TaskId).ToHashSet(StringComparer.Ordinal);
        var room = view.Team.MaxParallel - running;
        var tasks = members.Where(m => !started.Contains(m)).Take(room).Select(m => new ChildTask(m, m, state.Input, state.Tainted)).ToList();
        if (tasks.Count > 0)
        {
            return new StartChildren(tasks);
        }

        if (running > 0)
        {
            return new Wait(RunStatus.WaitingChildren);
        }

        if (state.CurrentTurn is null && given.TrueForAll(static c => c.Status != "completed"))
        {
            return new Fail("no_answer", "None of the team's members could answer: " + string.Join("; ", given.Select(static c => $"{c.Agent}: {c.Result}")));
        }

        return ContinueTurn(state) ?? (state.CurrentTurn is { } turn ? FinishWith(turn) : new CallModel(view.Team.Writer ?? view.Entry, 1));
    }
}

/// <summary>One shared conversation; the next speaker is picked by a selector model or in turn, until done.</summary>
public sealed class GroupChatPattern : TeamPattern
{
    /// <summary>A speaker ends a round-robin chat with this mark at the end of the message.</summary>
    public const string DoneMark = "[done]";

    public static readonly GroupChatPattern Instance = new();

    public override NextStep Next(RunView view)
    {
        var state = view.State;
        if (state.Side is { Purpose: "select" } side)
        {
            return new Record([Interpret(view, side)]);
        }

        if (ContinueTurn(state) is { } step)
        {
            return step;
        }

        var said = PartsOf(state);
        if (view.Team.Selector is null && said > 0 && Ended(state.CurrentTurn!))
        {
            return FinishMarked(state);
        }

        if (said >= view.Team.MaxRounds)
        {
            return FinishWith(state.CurrentTurn!);
        }

        return view.Team.Selector is null ? new CallModel(view.Team.Members[said % view.Team.Members.Count], state.Turns.Count + 1) : Select(view, said);
    }

    private static NextStep Select(RunView view, int said)
    {
        var state = view.State;
        var turns = state.Turns.Count;
        // A selection counts only if it was made after the last turn ended.
        if (state.Selection is not { } selection || selection.Seq < state.LastTurnEndSeq)
        {
            return state.SideFailuresOf("select") > MaxSideFailures
                ? new CallModel(view.Team.Members[said % view.Team.Members.Count], turns + 1)
                : new CallModel(view.Team.Selector!, turns, "select");
        }

        return selection.Done && turns > 0 ? FinishWith(state.CurrentTurn!) : new CallModel(selection.Speaker ?? view.Team.Members[0], turns + 1);
    }

    /// <summary>The mark at the end is no part of the answer. Who says nothing else means what was said before.</summary>
    private static NextStep FinishMarked(RunState state)
    {
        foreach (var turn in state.Turns.AsEnumerable().Reverse().Where(static t => t.IsFinished))
        {
            if (WithoutMark(turn.LastAnswer!.Text) is var text && !string.IsNullOrWhiteSpace(text))
            {
                return FinishWith(turn, text);
            }
        }

        return new Fail("no_answer", "Nobody in the team said anything but that the work is done. Nothing was lost; try again or choose another model.");
    }

    private static string WithoutMark(string text) => BeforeMark(text) ?? text;

    private static bool Ended(Turn turn) => turn.LastAnswer is { } answer && BeforeMark(answer.Text) is not null;

    /// <summary>Null: it does not end with the mark. Models write it with capitals, a full stop or in bold; what goes round it goes with it.</summary>
    private static string? BeforeMark(string text)
    {
        var end = text.Length;
        while (end > 0 && (char.IsWhiteSpace(text[end - 1]) || IsEmphasis(text[end - 1]) || text[end - 1] is '.' or '!'))
        {
            end--;
        }

        if (!text.AsSpan(0, end).EndsWith(DoneMark, StringComparison.OrdinalIgnoreCase))
        {
            return null;
        }

        var start = end - DoneMark.Length;
        foreach (var closing in text[end..].Where(IsEmphasis))
        {
            start -= start > 0 && text[start - 1] == closing ? 1 : 0;
        }

        return text[..start].TrimEnd();
    }

    private static bool IsEmphasis(char c) => c is '*' or '`';

    private static RunEvent Interpret(RunView view, SideResult side)
    {
        if (TeamSchemas.TryParse(side.Text, TeamSchemas.SelectSchema(view.Team.Members), out var json, out var error))
        {
            var speaker = json.GetProperty("speaker").GetString();
            var done = json.GetProperty("done").GetBoolean();
            var reason = json.TryGetProperty("reason", out var r) ? r.GetString() ?? "" : "";
            if (done || view.Team.Members.Contains(speaker, StringComparer.Ordinal))
            {
                return new SpeakerSelected(done ? null : speaker, done, reason) { Agent = side.Agent };
            }

            error = $"'{speaker}' is not a member; members: {string.Join(", ", view.Team.Members)}";
        }

        return new GuardHinted("selection", $"The choice of the next speaker could not be used: {error}.") { Agent = side.Agent };
    }
}
