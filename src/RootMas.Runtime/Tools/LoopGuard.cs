namespace RootMas.Runtime.Tools;

/// <summary>A tool call that has its result.</summary>
/// <param name="Tool">Empty: none that the agent has. What it was called then is the model's text, which no guard says in the system's name.</param>
/// <param name="ArgumentsHash"><see cref="CanonicalJson.Fingerprint"/> of the arguments.</param>
/// <param name="ResultHash">Any hash of the result's text.</param>
/// <param name="OverLimit">Refused because a limit of the run's tree was reached.</param>
/// <param name="Agent">Who asked for it.</param>
/// <param name="Part">Which part of the team's work it belongs to: members of a team do not see each other's calls, nor those of their own earlier parts. Whoever takes over by handoff goes on with the part.</param>
public readonly record struct FinishedCall(string Tool, string ArgumentsHash, string ResultHash, bool Failed, bool OverLimit = false, string Agent = "", int Part = 0)
{
    /// <summary>Both are of one agent, which sees the one when it asks for the other.</summary>
    public bool IsBeside(FinishedCall other) => Part == other.Part && string.Equals(Agent, other.Agent, StringComparison.Ordinal);
}

public enum LoopAction
{
    None,

    /// <summary>Tell the model; <see cref="LoopVerdict.Reason"/> is written for it.</summary>
    Hint,

    /// <summary>End the run; <see cref="LoopVerdict.Reason"/> is written for people.</summary>
    Stop,
}

/// <param name="Guard"><c>loop</c>, <c>ping_pong</c> or <c>failing_calls</c>; empty with <see cref="LoopAction.None"/>.</param>
public readonly record struct LoopVerdict(LoopAction Action, string Guard, string Reason)
{
    public static readonly LoopVerdict None = new(LoopAction.None, "", "");
}

/// <summary>Where a loop begins to be one. Each guard hints once before it may stop the run.</summary>
public sealed record LoopThresholds
{
    public static readonly LoopThresholds Default = new();

    /// <summary>Equal calls with equal results until the hint. Default 3; one more stops.</summary>
    public int Repetitions { get; init; } = 3;

    /// <summary>Only so many of the latest calls are compared, so that a long run may look twice at the same thing. Default 40.</summary>
    public int Window { get; init; } = 40;

    /// <summary>Handoffs back and forth between two agents until the hint. Default 4.</summary>
    public int PingPongHint { get; init; } = 4;

    /// <summary>… until the stop. Default 6.</summary>
    public int PingPongStop { get; init; } = 6;

    /// <summary>Failing calls in a row until the hint. Default 4.</summary>
    public int FailingHint { get; init; } = 4;

    /// <summary>… until the stop. Default 8.</summary>
    public int FailingStop { get; init; } = 8;
}

/// <summary>Sees loops, not steps (DESIGN §4.7). Pure: the same history gives the same verdict.</summary>
public static class LoopGuard
{
    public const string Loop = "loop";
    public const string PingPong = "ping_pong";
    public const string FailingCalls = "failing_calls";

    private static readonly HashSet<string> NoGuard = [];
    private static readonly HashSet<string> AllGuards = new(StringComparer.Ordinal) { Loop, PingPong, FailingCalls };

    /// <summary><see cref="Inspect(IReadOnlyList{FinishedCall}, IReadOnlyList{ValueTuple{string, string}}, IReadOnlySet{string}, int, LoopThresholds?)"/> for a caller that only counts hints: with one given, every guard may stop.</summary>
    public static LoopVerdict Inspect(IReadOnlyList<FinishedCall> calls, IReadOnlyList<(string From, string To)> handoffs, int hintsGiven) =>
        Inspect(calls, handoffs, hintsGiven > 0 ? AllGuards : NoGuard);

    /// <param name="calls">The run's finished calls, oldest first.</param>
    /// <param name="handoffs">The run's handoffs, oldest first.</param>
    /// <param name="hinted">Guards that already gave their hint to whoever made the last call.</param>
    /// <param name="freshCalls">How many calls at the end are new since the last inspection (the size of the batch): only these can close a loop.</param>
    public static LoopVerdict Inspect(IReadOnlyList<FinishedCall> calls, IReadOnlyList<(string From, string To)> handoffs, IReadOnlySet<string> hinted,
        int freshCalls = 1, LoopThresholds? thresholds = null)
    {
        var limits = thresholds ?? LoopThresholds.Default;
        var verdicts = (LoopVerdict[])
        [
            Repeating(calls, freshCalls, limits, hinted.Contains(Loop)),
            GoingBackAndForth(handoffs, limits, hinted.Contains(PingPong)),
            Failing(calls, limits, hinted.Contains(FailingCalls)),
        ];
        return verdicts.MaxBy(static v => v.Action);
    }

    private static LoopVerdict Repeating(IReadOnlyList<FinishedCall> calls, int freshCalls, LoopThresholds limits, bool hinted)
    {
        var (most, tool) = (0, "");
        var from = Math.Max(0, calls.Count - limits.Window);
        for (var i = Math.Max(from, calls.Count - freshCalls); i < calls.Count; i++)
        {
            var count = 0;
            for (var j = from; j <= i; j++)
            {
                count += calls[j] == calls[i] ? 1 : 0;
            }

            (most, tool) = count > most ? (count, calls[i].Tool) : (most, tool);
        }

        return Decide(Loop, most, limits.Repetitions, limits.Repetitions + 1, hinted,
            tool.Length > 0
                ? $"You called {tool} {most} times with the same arguments and got the same result. Do not call it so again: use the result you have, change the arguments, or answer with what you know."
                : $"You called a tool that does not exist {most} times. Do not call it again: use the tools that you have, or answer with what you know.",
            tool.Length > 0
                ? $"Stopped because the tool {tool} was called {most} times with the same arguments and the same result, also after a hint. What was found before is kept; ask again with more detail, or in smaller steps."
                : $"Stopped because a tool that does not exist was called {most} times, also after a hint. What was found before is kept; ask again with more detail, or in smaller steps.");
    }

    private static LoopVerdict GoingBackAndForth(IReadOnlyList<(string From, string To)> handoffs, LoopThresholds limits, bool hinted)
    {
        if (handoffs.Count == 0)
        {
            return LoopVerdict.None;
        }

        var last = handoffs[^1];
        var length = 1;
        for (var i = handoffs.Count - 2; i >= 0 && handoffs[i] == (handoffs[i + 1].To, handoffs[i + 1].From); i--)
        {
            length++;
        }

        return Decide(PingPong, length, limits.PingPongHint, limits.PingPongStop, hinted,
            $"{last.From} and {last.To} have handed this work to each other {length} times. Do not hand it back again: do your part now, or answer with what is there and say what is missing.",
            $"Stopped because {last.From} and {last.To} handed the work to each other {length} times without finishing it, also after a hint. What was written before is kept; ask one of them directly.");
    }

    private static LoopVerdict Failing(IReadOnlyList<FinishedCall> calls, LoopThresholds limits, bool hinted)
    {
        var length = calls.Reverse().Where(c => c.IsBeside(calls[^1])).TakeWhile(static c => c.Failed).Count();
        return Decide(FailingCalls, length, limits.FailingHint, limits.FailingStop, hinted,
            $"The last {length} tool calls failed. Read their errors and change the approach, or answer without these tools and say what could not be done.",
            $"Stopped because {length} tool calls in a row failed, also after a hint. The errors are in the run's log; check that the services these tools need are reachable, then try again.");
    }

    private static LoopVerdict Decide(string guard, int count, int hintAt, int stopAt, bool hinted, string hint, string reason) =>
        (count, hinted) switch
        {
            _ when count >= stopAt && hinted => new LoopVerdict(LoopAction.Stop, guard, reason),
            _ when count >= hintAt && !hinted => new LoopVerdict(LoopAction.Hint, guard, hint),
            _ => LoopVerdict.None,
        };
}
