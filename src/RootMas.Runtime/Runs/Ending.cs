using RootMas.Runtime.Teams;

namespace RootMas.Runtime.Runs;

/// <summary>The ways a run ends. Whatever happened, every call gets its one result first.</summary>
internal static class Ending
{
    public static async Task<RunExit?> CompleteAsync(RunAttempt run, Finish finish)
    {
        var state = run.State;
        var (kept, dropped) = await CitationCheck.OfAsync(run, finish.Text);
        foreach (var drop in dropped)
        {
            run.Emit(drop, finish.Agent);
        }

        run.Emit(
            new MessageCompleted(finish.MessageId ?? Guid.CreateVersion7().ToString(), finish.Text, "complete", kept, finish.Model, finish.Tier, state.Tainted)
            {
                SavedUsd = state.CacheHit is { } hit && hit.MessageId == finish.MessageId ? hit.SavedUsd : null,
                Documents = ModelStep.DocumentsOf(run),
                Facts = run.Run.ParentRunId is null ? null : ModelStep.FactsOf(run),
                Urls = run.Run.ParentRunId is null ? null : state.KnownUrls.In(finish.Text),
            },
            finish.Agent);
        run.Emit(new RunCompleted(state.Usage, state.Cost, new(run.Tree.CostMicroUsd), state.Steps));
        return await run.FinishAsync(RunStatus.Completed);
    }

    public static Task<RunExit?> FailAsync(RunAttempt run, string code, string reason)
    {
        CloseCalls(run, "cancelled", "The run ended before this call had a result: " + reason);
        run.Emit(new RunFailed(code, reason, run.State.Usage, run.State.Cost, new(run.Tree.CostMicroUsd)));
        return run.FinishAsync(RunStatus.Failed);
    }

    public static Task<RunExit?> CancelAsync(RunAttempt run, CancelRequested cancel)
    {
        CloseCalls(run, "cancelled", "The run was cancelled before this call had a result.");
        if (cancel.KeepText && run.Partial is { Text.Length: > 0 } partial)
        {
            run.Emit(new MessageCompleted(partial.MessageId, partial.Text, "interrupted", [], null, null, run.State.Tainted) { Documents = ModelStep.DocumentsOf(run) }, partial.Agent);
        }

        run.Emit(new RunCancelled(cancel.Reason, cancel.By, run.State.Usage, run.State.Cost, new(run.Tree.CostMicroUsd)));
        return run.FinishAsync(RunStatus.Cancelled);
    }

    private static void CloseCalls(RunAttempt run, string kind, string text)
    {
        foreach (var number in run.State.OpenCalls.ToList())
        {
            var call = run.State.Calls[number];
            var inDoubt = call.Phase is CallPhase.InReview || (call.Phase == CallPhase.Started && call.Effect == "unsafe");
            run.Emit(
                new ToolFailed(number, call.Call.Tool, inDoubt ? "in_doubt" : kind, inDoubt ? text + " Its request had left: it may have taken effect." : text, 0),
                call.Agent);
        }
    }
}
