using System.Security.Cryptography;
using System.Text;
using RootMas.Runtime.Agents;
using RootMas.Runtime.Context;
using RootMas.Runtime.Teams;
using RootMas.Runtime.Tools;

namespace RootMas.Runtime.Runs;

/// <summary>One small method per event type.</summary>
public sealed partial class RunState
{
    internal void On(RunQueued e)
    {
        RunId = e.RunId;
        Input = e.Input;
        Pattern = e.Pattern;
        QueuedAt = e.CreatedAt;
        Tainted = e.Tainted;
        KnownUrls = KnownUrls.FromText(e.ParentRunId is null ? e.Input : "");
        KnownUrls.AddRange(e.KnownUrls ?? []);
    }

    internal void On(RunStarted e)
    {
        Attempt = e.Attempt;
        Status = RunStatus.Running;
        Tainted |= e.Tainted == true;
        foreach (var number in OpenCalls)
        {
            // A new attempt: what was under way and may be repeated is asked again, with the same key. Unsafe calls stay in doubt.
            var call = Calls[number];
            if (call.Phase == CallPhase.Started && call.Effect is not "unsafe")
            {
                call.Phase = call.ApprovedHash is null ? CallPhase.Asked : CallPhase.Approved;
            }
        }
    }

    internal void On(RunCompleted e) => Status = RunStatus.Completed;

    internal void On(RunFailed e) => Status = RunStatus.Failed;

    internal void On(RunCancelled e) => Status = RunStatus.Cancelled;

    internal void On(RunNeedsReview e)
    {
        var call = Calls[e.Call];
        call.Phase = CallPhase.InReview;
        call.RepeatAfter = e.RepeatAfter;
        call.Reason = e.Reason;
    }

    internal void On(ReviewResolved e)
    {
        if (e.Outcome == "repeat")
        {
            var call = Calls[e.Call];
            call.Repeats++;

            // An approval is spent with its first use. Who says "repeat" is the run's owner, whose own to give it is; an administrator's is asked for again.
            if (call.Approver == "admin")
            {
                (call.ApprovalId, call.ApprovedHash, call.ApprovedBy) = (null, null, null);
            }

            call.Phase = call.ApprovedHash is null ? CallPhase.Asked : CallPhase.Approved;
        }
    }

    internal void On(ModelRequested e)
    {
        OpenModel = new(e.MessageId, e.Purpose, e.Agent ?? "", e.Turn, e.Tier);
        Steps++;
        if (e.Purpose != "answer")
        {
            return;
        }

        ActiveAgent = e.Agent;
        if (CurrentTurn is null || CurrentTurn.Number < e.Turn)
        {
            Turns.Add(new(e.Turn, e.Agent ?? ""));
        }
    }

    internal void On(ModelCompleted e)
    {
        var purpose = OpenModel?.Purpose ?? "answer";
        var turn = OpenModel?.Turn ?? 0;
        OpenModel = null;
        TimerTries = 0;
        CutBy = e.FinishReason is "length" or "content_filter" ? e.FinishReason : null;
        Usage += e.Usage;
        Cost += e.CostUsd;
        if (purpose is not "answer")
        {
            Side = new(purpose, e.Agent ?? "", e.Text);
            return;
        }

        CurrentTurn!.Entries.Add(new AssistantEntry(e.MessageId, e.Text, e.ToolCalls, e.Model, e.Tier, e.ToolCalls.Count > 0 ? e.Reasoning : null, CutBy));
        foreach (var call in e.ToolCalls)
        {
            Calls.Add(call.Call, new(call, e.Agent ?? "", turn));
            OpenCalls.Add(call.Call);
            LastCall = call.Call;
        }

        LastBatch = e.ToolCalls.Count;

        if (e.ToolCalls.Count > 0)
        {
            Steps++;
        }
        else
        {
            LastTurnEndSeq = e.Seq;
        }
    }

    internal void On(ModelFailed e)
    {
        if (e.ErrorClass == ModelException.InvalidAnswer && OpenModel is { Purpose: not ("answer" or "summary") } open)
        {
            Side = new(open.Purpose, open.Agent, ""); // an answer that makes no sense: the team knows what to do about it
        }

        OpenModel = null;
        Usage += e.Usage ?? TokenUsage.None;
        Cost += e.CostUsd;
    }

    internal void On(MessageSuperseded e) => OpenModel = null;

    internal void On(ToolStarted e)
    {
        var call = Calls[e.Call];
        call.Phase = CallPhase.Started;
        call.Starts++;
        call.Effect = e.Effect;
        call.ToolVersion = e.ToolVersion;
    }

    internal void On(ToolCompleted e)
    {
        Finish(e.Call, e.Result, failed: false, e.Tainted);
        KnownUrls.AddRange(e.Urls ?? []);
        FactsTold.AddRange(e.Facts ?? []);
        Citations.AddRange(e.Citations ?? []);
    }

    internal void On(ToolFailed e) => Finish(e.Call, e.Result, failed: true, e.Tainted, overLimit: e.Kind == "limit", exists: e.Kind != "unknown_tool");

    internal void On(ApprovalRequested e)
    {
        var call = Calls[e.Call];
        call.Phase = CallPhase.WaitingApproval;
        call.ApprovalId = e.ApprovalId;
        call.ApprovedHash = e.ArgumentsHash;
        call.Approver = e.Approver;
        call.ToolVersion = e.ToolVersion;
        call.ExpiresAt = e.ExpiresAt;
        call.Reason = e.Reason;
    }

    internal void On(ApprovalGranted e) => (Calls[e.Call].Phase, Calls[e.Call].ApprovedBy) = (CallPhase.Approved, e.By);

    internal void On(ApprovalDenied e) => Calls[e.Call].Phase = CallPhase.Asked;

    internal void On(ApprovalExpired e) => Calls[e.Call].Phase = CallPhase.Asked;

    internal void On(InputRequested e)
    {
        var call = Calls[e.Call];
        call.Phase = CallPhase.WaitingInput;
        call.ExpiresAt = e.ExpiresAt;
        call.Reason = e.Question;
        call.Shown = [e.Question, .. e.Options ?? []];
    }

    internal void On(InputReceived e)
    {
        // The call's result follows as tool.completed. What the user typed is known; what a model offered is not, also when it was chosen.
        var call = Calls[e.Call];
        if (!e.Expired)
        {
            KnownUrls.AddFrom(e.Text, call.Shown);
        }

        call.Unanswered = e.Expired;
        if (call.Phase == CallPhase.Done)
        {
            // It was accepted before the end of the question was written down, and there is no second result.
            var told = AttachedDocument.Told(e.Text, e.Attachments?.Select(static d => d.Id) ?? []);
            CurrentTurn?.Entries.Add(new HintEntry($"The user has answered {call.Call.CallId} after all. This answer counts, not that there was none:\n{(e.Tainted == true ? PromptBuilder.Untrusted("answer", call.Call.CallId, told) : told)}"));
        }

        Tainted |= e.Tainted == true;
        DocumentsBrought.AddRange(e.Attachments?.Select(static d => d.Id) ?? []);
    }

    internal void On(ChildStarted e)
    {
        Children[e.ChildRunId] = new(e.ChildRunId, e.Call, e.ChildAgent, e.TaskId);
        if (e.Call is { } number)
        {
            Calls[number].Phase = CallPhase.WaitingChild;
            Calls[number].ChildRunId = e.ChildRunId;
        }

        Plan?.Change(t => t.Id == e.TaskId, t => t with
        {
            Status = "running",
            ChildRunId = e.ChildRunId,
            Tries = t.Tries + 1,
            Deadline = t.Deadline ?? (t.DeadlineSeconds is { } seconds ? e.CreatedAt.AddSeconds(seconds) : null), // somebody has set it while the task waited
        });
    }

    internal void On(ChildCompleted e)
    {
        var child = Children[e.ChildRunId];
        child.Ended = true;
        child.Status = e.Status;
        child.Result = e.Result;
        child.Tainted = e.Tainted;
        Tainted |= e.Tainted;
        KnownUrls.AddRange(e.Urls ?? []);
        Citations.AddRange(e.Citations ?? []);
        DocumentsBelow.AddRange(e.Documents ?? []);
        FactsTold.AddRange(e.Facts ?? []);
        Plan?.Change(
            t => t.ChildRunId == e.ChildRunId,
            t => t with { Status = e.Status == "completed" ? "done" : "failed", Result = e.Result, Tainted = e.Tainted });
    }

    internal void On(Handoff e)
    {
        ActiveAgent = e.To;
        Handoffs.Add((e.From, e.To));
    }

    internal void On(SpeakerSelected e)
    {
        Selection = e;
        Side = null;
        _sideFailures.Clear();
    }

    internal void On(PlanCreated e)
    {
        Plan = new(e.Goal, e.Tasks);
        Side = null;
        _sideFailures.Clear();
    }

    internal void On(PlanUpdated e)
    {
        Plan!.Tasks = e.Tasks;
        Tainted |= e.Tasks.Any(static t => t.Tainted);
        Plan.Replans = e.Replans;
        Plan.Verdict = e.Verdict ?? Plan.Verdict;
        Plan.Summary = e.Summary ?? Plan.Summary;
        Side = null;
        _sideFailures.Clear();
    }

    internal void On(ContextReduced e)
    {
        Reduction = e;
        Side = null;
    }

    internal void On(MemoryRecalled e)
    {
        Memory = e;
        Tainted |= e.Tainted;
    }

    internal void On(CacheHit e) => CacheHit = e;

    internal void On(CitationDropped e) => Citations.RemoveAll(c => c.Id == e.CitationId);

    internal void On(GuardHinted e)
    {
        LastHint = e.Hint;
        HintedGuards.Add(e.Guard);
        Hints.Add((e.Guard, e.Agent ?? "", TeamPattern.PartsOf(this)));
        Limit = e.Guard is "depth" or "children" ? e : Limit;
        HintedAt = FinishedCalls.Count + Handoffs.Count;

        if (Side is { } side)
        {
            Side = null;
            _sideFailures[side.Purpose] = SideFailuresOf(side.Purpose) + 1;
            return;
        }

        CurrentTurn?.Entries.Add(new HintEntry(e.Hint));
    }

    internal void On(GuardStopped e) => Stopped = e;

    internal void On(TimerStarted e)
    {
        Timer = e;
        TimerTries = e.Try;
    }

    internal void On(TimerFired e) => Timer = null;

    internal void On(MessageCompleted e) => Answer = e;

    private void Finish(int number, string result, bool failed, bool tainted, bool overLimit = false, bool exists = true)
    {
        var call = Calls[number];
        if (call.Phase == CallPhase.Done)
        {
            throw new InvalidDataException($"Run {RunId}: call {number} got a second result.");
        }

        call.Phase = CallPhase.Done;
        call.Result = result;
        call.Failed = failed;
        call.Tainted = tainted;
        Tainted |= tainted;
        OpenCalls.Remove(number);
        FinishedCalls.Add(new(exists ? call.Call.Tool : "", CanonicalJson.Fingerprint(call.Call.Arguments), Hash(Encoding.UTF8.GetBytes(result)), failed, overLimit, call.Agent, TeamPattern.PartsOf(this)));
    }

    private static string Hash(ReadOnlySpan<byte> data) => Convert.ToHexStringLower(SHA256.HashData(data).AsSpan(0, 8));
}
