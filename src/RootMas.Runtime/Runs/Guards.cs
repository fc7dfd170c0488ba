using RootMas.Runtime.Teams;
using RootMas.Runtime.Tools;

namespace RootMas.Runtime.Runs;

/// <summary>Nothing runs for ever (DESIGN §4.7): limits counted over the root's whole tree, and loops seen as loops.</summary>
internal static class Guards
{
    /// <summary>A hint, a stop, or null: go on. Looked at only between steps, when no call is open.</summary>
    public static NextStep? Check(RunAttempt run)
    {
        var state = run.State;
        if (state.Stopped is { } stopped)
        {
            return new Fail("guard_" + stopped.Guard, stopped.Reason);
        }

        if (state.OpenCalls.Count > 0)
        {
            return null;
        }

        if (OverLimit(run) is { } over)
        {
            return new Record([over]);
        }

        return Loop(state) ?? NearLimit(run);
    }

    private static GuardStopped? OverLimit(RunAttempt run)
    {
        var (limits, tree) = (run.Limits, run.Tree);
        if (tree.Steps >= limits.MaxSteps)
        {
            return Stop(SpentLimits.Steps, $"The run and its subtasks took {tree.Steps} steps; the limit is {limits.MaxSteps}.");
        }

        if (limits.MaxTokens > 0 && tree.Tokens >= limits.MaxTokens)
        {
            return Stop(SpentLimits.Tokens, $"The run and its subtasks used {tree.Tokens} tokens; the limit is {limits.MaxTokens}.");
        }

        if (limits.MaxCostMicroUsd > 0 && tree.CostMicroUsd >= limits.MaxCostMicroUsd)
        {
            return Stop(SpentLimits.Cost, $"The run and its subtasks cost {new Money(tree.CostMicroUsd)} USD; the limit is {new Money(limits.MaxCostMicroUsd)} USD.");
        }

        var active = run.Active;
        return active.TotalSeconds >= limits.MaxWallSeconds
            ? Stop(SpentLimits.WallTime, $"The run and its subtasks have been worked on for {active.TotalSeconds:0} seconds, waiting for people or for their turn not counted; the limit is {limits.MaxWallSeconds}.")
            : null;
    }

    /// <summary>Who is about to be stopped by a limit is told so once, in time for an answer: one with what there is comes to more than none. Only in the middle of a turn is there somebody who could be told.</summary>
    private static Record? NearLimit(RunAttempt run)
    {
        var state = run.State;
        if (state is not { Side: null, CurrentTurn: { IsFinished: false, Entries.Count: > 0 } turn } || (state.ActiveAgent ?? turn.Agent) != turn.Agent)
        {
            return null;
        }

        var part = TeamPattern.PartsOf(state);
        return Near(run).FirstOrDefault(h => !state.Hints.Contains((h.Guard, turn.Agent, part))) is { } hint ? new([hint with { Agent = turn.Agent }]) : null;
    }

    /// <summary>One that was told hides no other.</summary>
    private static IEnumerable<GuardHinted> Near(RunAttempt run)
    {
        var (limits, tree, active) = (run.Limits, run.Tree, run.Active.TotalSeconds);
        if (tree.Steps >= limits.MaxSteps - Math.Max(2, limits.MaxSteps / 10)) // a round of calls and the answer to it are two
        {
            yield return Hint(SpentLimits.Steps, $"The run and its subtasks have taken {tree.Steps} of their {limits.MaxSteps} steps; each answer and each round of tool calls is one.");
        }

        if (IsNear(tree.Tokens, limits.MaxTokens))
        {
            yield return Hint(SpentLimits.Tokens, $"The run and its subtasks have used {tree.Tokens} of their {limits.MaxTokens} tokens.");
        }

        if (IsNear(tree.CostMicroUsd, limits.MaxCostMicroUsd))
        {
            yield return Hint(SpentLimits.Cost, $"The run and its subtasks have cost {new Money(tree.CostMicroUsd)} of their {new Money(limits.MaxCostMicroUsd)} USD.");
        }

        if (IsNear((long)active, limits.MaxWallSeconds))
        {
            yield return Hint(SpentLimits.WallTime, $"The run and its subtasks have been worked on for {active:0} of their {limits.MaxWallSeconds} seconds.");
        }
    }

    /// <summary>A tenth of a limit is left, or less. Zero or less is no limit.</summary>
    private static bool IsNear(long used, long limit) => limit > 0 && used >= limit - (limit / 10);

    private static Record? Loop(RunState state)
    {
        if (state.FinishedCalls.Count + state.Handoffs.Count == state.HintedAt)
        {
            return null;
        }

        var verdict = LoopGuard.Inspect(state.FinishedCalls, state.Handoffs, Hinted(state), state.LastBatch);
        return verdict.Action switch
        {
            LoopAction.Hint => new([new GuardHinted(verdict.Guard, verdict.Reason) { Agent = verdict.Guard == LoopGuard.PingPong ? null : state.FinishedCalls[^1].Agent }]),
            LoopAction.Stop when state is { Limit: { } limit, FinishedCalls: [.., { OverLimit: true }] } => new([AtLimit(limit)]),
            LoopAction.Stop => new([Stop(verdict.Guard, verdict.Reason)]),
            _ => null,
        };
    }

    /// <summary>A hint about calls is for the agent that made them; that about handoffs is for all between whom they go.</summary>
    private static HashSet<string> Hinted(RunState state)
    {
        var hinted = new HashSet<string>(StringComparer.Ordinal);
        if (state.FinishedCalls is [.., var last])
        {
            hinted.UnionWith(state.Hints.Where(h => h.Agent == last.Agent && h.Part == last.Part).Select(static h => h.Guard));
        }

        if (state.HintedGuards.Contains(LoopGuard.PingPong))
        {
            hinted.Add(LoopGuard.PingPong);
        }

        return hinted;
    }

    /// <summary>A limit that stops the run itself, by what a model is told of it.</summary>
    public static GuardStopped AtLimit(string guard, string hint) => Stop(guard, FirstOf(hint));

    /// <summary>The model ran in circles because it did not accept a limit: that limit is what stopped it.</summary>
    private static GuardStopped AtLimit(GuardHinted limit) =>
        Stop(limit.Guard, FirstOf(limit.Hint) + " The agent kept asking for more, also after a hint.");

    /// <summary>What is the matter, without what the model is to do about it.</summary>
    private static string FirstOf(string hint) => hint[..(hint.IndexOf(". ", StringComparison.Ordinal) + 1)];

    private static GuardHinted Hint(string guard, string reason) =>
        new(guard, reason + " Finish now: answer with what there is, and say what is missing.");

    private static GuardStopped Stop(string guard, string reason) =>
        new(guard, reason + " What was done so far is kept in the run's log; ask again with a smaller task, or raise the limit.");
}
