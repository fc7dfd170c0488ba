using RootMas.Runtime.Context;
using RootMas.Runtime.Teams;

namespace RootMas.Runtime.Runs;

/// <summary>The ways a run ends. Whatever happened, every call gets its one result first.</summary>
internal static class Ending
{
    public static async Task<RunExit?> CompleteAsync(RunAttempt run, Finish finish)
    {
        var state = run.State;
        finish = IsJson(run, finish.Agent) ? finish with { Text = JsonText.WithoutFence(finish.Text) } : finish;
        var (kept, dropped) = await CitationCheck.OfAsync(run, finish.Text);
        foreach (var drop in dropped)
        {
            run.Emit(drop, finish.Agent);
        }

        run.Emit(
            new MessageCompleted(finish.MessageId ?? Guid.CreateVersion7().ToString(), finish.Text, "complete", kept, finish.Model, finish.Tier, state.Tainted)
            {
                SavedUsd = state.CacheHit is { } hit && hit.MessageId == finish.MessageId ? hit.SavedUsd : null,
                CutBy = state.CutOf(finish.MessageId),
                Documents = ModelStep.DocumentsOf(run),
                Facts = run.Run.ParentRunId is null ? null : ModelStep.FactsOf(run),
                Urls = run.Run.ParentRunId is null ? null : state.KnownUrls.In(finish.Text),
            },
            finish.Agent);
        run.Emit(new RunCompleted(state.Usage, state.Cost, new(run.Tree.CostMicroUsd), state.Steps));
        return await run.FinishAsync(RunStatus.Completed);
    }

    /// <summary>Whether a program reads the answer, the caller's or whoever wrote the agent: where it was checked, a fence did not count.</summary>
    private static bool IsJson(RunAttempt run, string agent) => ModelStep.OwesJson(run) || run.Execution.Snapshot.Agents.GetValueOrDefault(agent)?.OutputSchema is not null;

    public static Task<RunExit?> FailAsync(RunAttempt run, string code, string reason)
    {
        CloseCalls(run, "cancelled", "The run ended before this call had a result: " + reason);
        Keep(run, run.Partial);
        run.Emit(new RunFailed(code, reason, run.State.Usage, run.State.Cost, new(run.Tree.CostMicroUsd)));
        return run.FinishAsync(RunStatus.Failed);
    }

    public static async Task<RunExit?> CancelAsync(RunAttempt run, CancelRequested cancel)
    {
        if (cancel.KeepText && run.State is { Stopped: null, Timer: null } && TeamPattern.For(run.View.Kind).Next(run.View) is Finish finish)
        {
            return await CompleteAsync(run, finish); // the whole answer was there before the cancel was read
        }

        CloseCalls(run, "cancelled", "The run was cancelled before this call had a result.");
        if (cancel.KeepText)
        {
            Keep(run, run.Partial ?? LastSaid(run.State));
        }

        run.Emit(new RunCancelled(cancel.Reason, cancel.By, run.State.Usage, run.State.Cost, new(run.Tree.CostMicroUsd)));
        return await run.FinishAsync(RunStatus.Cancelled);
    }

    /// <summary>What was said last in the turn that is under way, before its calls or the next agent's turn.</summary>
    private static (string MessageId, string Text, string Agent)? LastSaid(RunState state) =>
        state.CurrentTurn is { } turn && turn.Entries.OfType<AssistantEntry>().LastOrDefault(static e => e.Text.Length > 0) is { } said ? (said.MessageId, said.Text, turn.Agent) : null;

    /// <summary>The conversation keeps a text that is not a whole answer.</summary>
    private static void Keep(RunAttempt run, (string MessageId, string Text, string Agent)? written)
    {
        if (written is { } text)
        {
            run.Emit(new MessageCompleted(text.MessageId, text.Text, "interrupted", [], null, null, run.State.Tainted) { Documents = ModelStep.DocumentsOf(run) }, text.Agent);
        }
    }

    private static void CloseCalls(RunAttempt run, string kind, string text)
    {
        foreach (var number in run.State.OpenCalls.ToList())
        {
            var call = run.State.Calls[number];
            var inDoubt = call.Phase is CallPhase.InReview || (call.Phase == CallPhase.Started && call.Effect == "unsafe");
            var mayHaveLeft = call.Effect == "idempotent"; // in this attempt or in one before it
            run.Emit(
                new ToolFailed(number, call.Call.Tool, inDoubt ? "in_doubt" : mayHaveLeft ? "interrupted" : kind,
                    inDoubt ? text + " Its request had left: it may have taken effect." : mayHaveLeft ? text + " Its request may have left and taken effect." : text, 0),
                call.Agent);
        }
    }
}
