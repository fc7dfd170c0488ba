using RootMas.Runtime.Runs;

namespace RootMas.Server.Runs;

/// <summary>What a retried run takes over from the log of the earlier one.</summary>
internal static class RunRetry
{
    /// <summary>
    /// The longest beginning of the log, below <paramref name="fromSeq"/>, in which every step has its end: these steps are not executed again. What they cost was paid by the earlier run,
    /// so they cost nothing here. What ended that run (its answer, a limit that it met, its last event) is not taken over.
    /// </summary>
    public static IReadOnlyList<RunEvent> Copy(IReadOnlyList<RunEvent> log, long fromSeq)
    {
        List<RunEvent> taken = [];
        var open = new OpenSteps();
        var complete = 0;
        foreach (var e in log)
        {
            if (e.Seq >= fromSeq || e is MessageCompleted or GuardStopped || RunEventNames.IsFinal(e))
            {
                break;
            }

            if (e is RunQueued or RunStarted)
            {
                continue;
            }

            open.Take(e);
            taken.Add(FreeOfCharge(e));
            complete = open.None ? taken.Count : complete;
        }

        return taken.GetRange(0, complete);
    }

    private static RunEvent FreeOfCharge(RunEvent e) => e switch
    {
        ModelCompleted m => m with { CostUsd = Money.Zero, Usage = TokenUsage.None },
        ModelFailed m => m with { CostUsd = Money.Zero },
        ChildCompleted c => c with { CostUsd = Money.Zero },
        _ => e with { },
    };

    /// <summary>What has begun and not ended, up to some event.</summary>
    private sealed class OpenSteps
    {
        private readonly HashSet<int> _calls = [];
        private readonly HashSet<string> _children = new(StringComparer.Ordinal);
        private readonly HashSet<string> _approvals = new(StringComparer.Ordinal);
        private int _model;
        private int _waits;

        public bool None => _calls.Count == 0 && _children.Count == 0 && _approvals.Count == 0 && _model == 0 && _waits == 0;

        public void Take(RunEvent e)
        {
            switch (e)
            {
                case ModelRequested:
                    _model = 1;
                    break;
                case ModelFailed:
                    _model = 0;
                    break;
                case ModelCompleted answer:
                    _model = 0;
                    _calls.UnionWith(answer.ToolCalls.Select(static c => c.Call));
                    break;
                case ToolCompleted done:
                    _calls.Remove(done.Call);
                    break;
                case ToolFailed failed:
                    _calls.Remove(failed.Call);
                    break;
                case ChildStarted child:
                    _children.Add(child.ChildRunId);
                    break;
                case ChildCompleted child:
                    _children.Remove(child.ChildRunId);
                    break;
                default:
                    TakeWait(e);
                    break;
            }
        }

        private void TakeWait(RunEvent e)
        {
            switch (e)
            {
                case ApprovalRequested asked:
                    _approvals.Add(asked.ApprovalId);
                    break;
                case ApprovalGranted a:
                    _approvals.Remove(a.ApprovalId);
                    break;
                case ApprovalDenied a:
                    _approvals.Remove(a.ApprovalId);
                    break;
                case ApprovalExpired a:
                    _approvals.Remove(a.ApprovalId);
                    break;
                case InputRequested or RunNeedsReview or TimerStarted:
                    _waits++;
                    break;
                case InputReceived or ReviewResolved or TimerFired:
                    _waits--;
                    break;
            }
        }
    }
}
