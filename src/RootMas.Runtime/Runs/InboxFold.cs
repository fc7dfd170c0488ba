using RootMas.Runtime.Teams;

namespace RootMas.Runtime.Runs;

/// <summary>Turns inbox rows into events. What no longer fits (decided twice, already ended) is passed over.</summary>
internal static class InboxFold
{
    public static void Apply(RunAttempt run, IReadOnlyList<InboxItem> items)
    {
        // The clock last: what was said while it woke the run was accepted, and counts.
        foreach (var item in items.OrderBy(static i => i.Payload is TimerDue))
        {
            switch (item.Payload)
            {
                case ChildEnded e:
                    Child(run, e);
                    break;
                case ApprovalDecided e:
                    Approval(run, e);
                    break;
                case InputGiven e:
                    Input(run, e);
                    break;
                case ReviewDecided e:
                    Review(run, e);
                    break;
                case TimerDue e:
                    Expire(run, e.DueAt > run.Now ? e.DueAt : run.Now);
                    break;
                case TaskEdited e:
                    Edit(run, e);
                    break;
                case CancelRequested e:
                    run.Cancel ??= e;
                    break;
            }
        }
    }

    private static void Child(RunAttempt run, ChildEnded e)
    {
        if (!run.State.Children.TryGetValue(e.ChildRunId, out var child) || child.Ended)
        {
            return;
        }

        var result = e.Result + HowItEnds(child.Agent, e);
        run.Emit(new ChildCompleted(child.Call, e.ChildRunId, e.Status, result, e.Tainted, e.CostUsd, child.TaskId, e.Citations) { Documents = e.Documents, Facts = e.Facts, Urls = e.Urls });
        if (child.Call is not { } number || run.State.Calls[number].Phase == CallPhase.Done)
        {
            return;
        }

        var call = run.State.Calls[number];
        run.Emit(
            e.Status == "completed"
                ? new ToolCompleted(number, call.Call.Tool, result, e.Tainted, 0)
                : new ToolFailed(number, call.Call.Tool, "error", $"{child.Agent} could not do it ({e.Status}): {result}", 0, e.Tainted),
            call.Agent);
    }

    /// <summary>Half a result does not look like one: whoever gave the task is told.</summary>
    private static string HowItEnds(string agent, ChildEnded e) => (e.Status, e.CutBy) switch
    {
        ("completed", "content_filter") => $"\n\n[The result of {agent} ends here because the provider's content filter cut it off. The rest is missing.]",
        ("completed", not null) => $"\n\n[The result of {agent} ends here because it reached the most that a model may write at once. The rest is missing: if it matters, give smaller tasks.]",
        _ => "",
    };

    private static void Approval(RunAttempt run, ApprovalDecided e)
    {
        if (Open(run, c => c.Phase == CallPhase.WaitingApproval && c.ApprovalId == e.ApprovalId) is not { } call)
        {
            return;
        }

        if (e.Approve)
        {
            run.Emit(new ApprovalGranted(e.ApprovalId, call.Call.Call, e.By), call.Agent);
            return;
        }

        run.Emit(new ApprovalDenied(e.ApprovalId, call.Call.Call, e.By, e.Reason), call.Agent);
        var why = string.IsNullOrWhiteSpace(e.Reason) ? "no reason was given" : e.Reason;
        run.Emit(new ToolFailed(call.Call.Call, call.Call.Tool, "denied", $"The user refused this call: {why}. It was not made; do not ask for it again.", 0), call.Agent);
    }

    private static void Input(RunAttempt run, InputGiven e)
    {
        var open = Open(run, c => c.Phase == CallPhase.WaitingInput && (e.Call is null || c.Call.Call == e.Call));
        if ((open ?? run.State.Calls.Values.LastOrDefault(c => c.Unanswered && (e.Call is null || c.Call.Call == e.Call))) is not { } call)
        {
            return;
        }

        bool? isOffered = run.State.Tainted && run.State.KnownUrls.IsOffered(e.Text, call.Shown) ? true : null;
        run.Emit(new InputReceived(call.Call.Call, e.Text, e.By) { Attachments = e.Attachments, Metadata = e.Metadata, Tainted = e.Tainted, Offered = isOffered }, call.Agent);
        if (open is null)
        {
            return; // the call has its result, that nobody answered in time: the agent is told as soon as it goes on
        }

        run.Emit(new ToolCompleted(call.Call.Call, call.Call.Tool, AttachedDocument.Told(e.Text, e.Attachments?.Select(static d => d.Id) ?? []), false, 0), call.Agent);
    }

    private static void Review(RunAttempt run, ReviewDecided e)
    {
        if (Open(run, c => c.Phase == CallPhase.InReview && c.Call.Call == e.Call) is not { } call)
        {
            return;
        }

        run.Emit(new ReviewResolved(e.Call, e.Outcome, e.Result, e.By), call.Agent);
        if (e.Outcome == "done")
        {
            run.Emit(new ToolCompleted(e.Call, call.Call.Tool, e.Result is { Length: > 0 } r ? r : "The user confirmed that this call took effect.", false, 0), call.Agent);
        }
        else if (e.Outcome == "cancel")
        {
            run.Emit(new ToolFailed(e.Call, call.Call.Tool, "cancelled", "It is not known whether this call took effect, and the user decided not to repeat it.", 0), call.Agent);
        }
    }

    private static void Expire(RunAttempt run, DateTimeOffset now)
    {
        if (run.State.Timer is { } timer && WakeTime.IsDue(timer.Until, now))
        {
            run.Emit(new TimerFired(timer.Purpose));
        }

        foreach (var number in run.State.OpenCalls.ToList())
        {
            ExpireCall(run, run.State.Calls[number], now);
        }

        if (run.State.Plan is { } plan && plan.Tasks.Any(t => t.Status == "running" && WakeTime.IsDue(t.Deadline, now)))
        {
            var tasks = plan.Tasks.Select(t => t.Status == "running" && WakeTime.IsDue(t.Deadline, now) ? t with { Status = "late", Note = "the deadline has passed" } : t).ToList();
            run.Emit(new PlanUpdated("a task is late", tasks, plan.Replans));
        }
    }

    private static void ExpireCall(RunAttempt run, CallState call, DateTimeOffset now)
    {
        if (!WakeTime.IsDue(call.ExpiresAt, now))
        {
            return;
        }

        if (call.Phase == CallPhase.WaitingApproval)
        {
            run.Emit(new ApprovalExpired(call.ApprovalId!, call.Call.Call), call.Agent);
            run.Emit(new ToolFailed(call.Call.Call, call.Call.Tool, "expired", "Nobody approved this call in time; it was not made.", 0), call.Agent);
        }
        else if (call.Phase == CallPhase.WaitingInput)
        {
            run.Emit(new InputReceived(call.Call.Call, "", null, Expired: true), call.Agent);
            run.Emit(new ToolFailed(call.Call.Call, call.Call.Tool, "expired", "The user did not answer in time. Go on without the answer, or say what is missing.", 0), call.Agent);
        }
    }

    private static void Edit(RunAttempt run, TaskEdited e)
    {
        if (run.State.Plan is not { Verdict: null } plan || plan.Tasks.FirstOrDefault(t => t.Id == e.TaskId) is not { } task || TaskEdits.Refusal(task, e, PlanLedger.Workers(run.View)) is not null)
        {
            return;
        }

        var edited = TaskEdits.Apply(task, e, run.Now);
        if (edited != task)
        {
            run.ChangePlan(new PlanUpdated($"task {e.TaskId} was changed by {e.By ?? "an agent"}", [.. plan.Tasks.Select(t => ReferenceEquals(t, task) ? edited : t)], plan.Replans));
        }
    }

    private static CallState? Open(RunAttempt run, Func<CallState, bool> predicate) =>
        run.State.OpenCalls.Select(n => run.State.Calls[n]).FirstOrDefault(predicate);
}
