namespace RootMas.Runtime.Runs;

/// <summary>What a new attempt decides about what the last one left open (DESIGN §4.4). Repeatable calls were reset by the fold of run.started.</summary>
internal static class Recovery
{
    public static void Apply(RunAttempt run)
    {
        if (run.State.OpenModel is { } open)
        {
            run.AddLedger([LedgerEntry.InDoubt(run.Run.RunId, run.Run.RootRunId, run.Run.OwnerId, open, run.Now)]);
            run.Emit(run.Execution.Unbooked.Fail(open.MessageId, "The worker was lost while the model was answering; the model is asked again."), open.Agent);
            run.Count(run.Execution.Unbooked.Totals);
            if (open.Purpose == "answer")
            {
                run.Emit(new MessageSuperseded(open.MessageId, "worker_lost"), open.Agent);
            }
        }

        foreach (var number in run.State.OpenCalls.ToList())
        {
            var call = run.State.Calls[number];
            if (call.Phase == CallPhase.Started)
            {
                Review(run, call, "The worker was lost after this call may have left; nobody knows whether it took effect.");
            }
        }
    }

    /// <summary>A person must decide about this call. Repeating is offered only after the call's time-out has passed.</summary>
    public static void Review(RunAttempt run, CallState call, string reason) =>
        run.Emit(new RunNeedsReview(call.Call.Call, call.Call.Tool, reason, run.Now + run.Parts.Tools.TimeoutOf(call.Call.Tool)), call.Agent);
}
