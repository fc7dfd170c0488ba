using RootMas.Runtime.Runs;

namespace RootMas.Server.Runs;

/// <summary>What a retried run takes over from the log of the earlier one.</summary>
internal static class RunRetry
{
    /// <summary>
    /// The longest beginning of the log, below <paramref name="fromSeq"/>, in which every step has its end: these steps are not executed again. What they cost was paid by the earlier run,
    /// so they cost nothing here. What ended that run (its answer, a limit that it met, its last event) is not taken over, nor that it was near a limit: this one has spent nothing yet. Messages get ids of their own: those of the earlier run may be in the conversation.
    /// </summary>
    public static IReadOnlyList<RunEvent> Copy(IReadOnlyList<RunEvent> log, long fromSeq)
    {
        List<RunEvent> taken = [];
        var open = new OpenSteps();
        var ids = new Dictionary<string, string>(StringComparer.Ordinal);
        var (complete, isShorter) = (0, false);
        foreach (var e in log.Take(BeforeAnswer(log)))
        {
            if (e.Seq >= fromSeq || Ends(e, isShorter))
            {
                break;
            }

            if (e is RunQueued or RunStarted)
            {
                continue;
            }

            if (e is GuardHinted hint && SpentLimits.IsNear(hint))
            {
                isShorter = true;
                continue;
            }

            open.Take(e);
            taken.Add(FreeOfCharge(e, ids));
            complete = open.None ? taken.Count : complete;
        }

        return taken.GetRange(0, complete);
    }

    /// <summary>A summary says how much of what came before it stands for, which no longer fits once a hint was left out of that.</summary>
    private static bool Ends(RunEvent e, bool isShorter) =>
        e is MessageCompleted or GuardStopped || RunEventNames.IsFinal(e) || (isShorter && e is ContextReduced { BlocksDropped: > 0 });

    /// <summary>How many events there are before the step whose text became the answer.</summary>
    private static int BeforeAnswer(IReadOnlyList<RunEvent> log)
    {
        if (log.OfType<MessageCompleted>().LastOrDefault(static m => m.Status == "complete") is not { } answer)
        {
            return log.Count;
        }

        for (var i = 0; i < log.Count; i++)
        {
            if (log[i] is CacheHit hit && hit.MessageId == answer.MessageId)
            {
                return i;
            }

            if (log[i] is ModelCompleted said && said.MessageId == answer.MessageId)
            {
                while (i > 0 && log[i] is not ModelRequested)
                {
                    i--; // the id may have changed since it was asked: what a weaker model began was taken back
                }

                return i;
            }
        }

        return log.Count;
    }

    private static RunEvent FreeOfCharge(RunEvent e, Dictionary<string, string> ids) => e switch
    {
        ModelRequested m => m with { MessageId = Fresh(ids, m.MessageId) },
        ModelCompleted m => m with { MessageId = Fresh(ids, m.MessageId), CostUsd = Money.Zero, Usage = TokenUsage.None },
        ModelFailed m => m with { MessageId = Fresh(ids, m.MessageId), CostUsd = Money.Zero, Usage = null },
        MessageSuperseded m => m with { MessageId = Fresh(ids, m.MessageId) },
        CacheHit m => m with { MessageId = Fresh(ids, m.MessageId) },
        ChildCompleted c => c with { CostUsd = Money.Zero },
        _ => e with { },
    };

    private static string Fresh(Dictionary<string, string> ids, string id) => ids.TryGetValue(id, out var known) ? known : ids[id] = Guid.CreateVersion7().ToString();

    /// <summary>What has begun and not ended, up to some event.</summary>
    private sealed class OpenSteps
    {
        private readonly HashSet<int> _calls = [];
        private readonly HashSet<string> _children = new(StringComparer.Ordinal);
        private readonly HashSet<string> _approvals = new(StringComparer.Ordinal);
        private int _model;
        private bool _summarises;
        private int _waits;

        public bool None => _calls.Count == 0 && _children.Count == 0 && _approvals.Count == 0 && _model == 0 && _waits == 0;

        public void Take(RunEvent e)
        {
            switch (e)
            {
                case ModelRequested asked:
                    _model = 1;
                    _summarises = asked.Purpose == "summary";
                    break;
                case ModelFailed:
                    _model = 0;
                    break;
                case ModelCompleted answer:
                    _model = _summarises ? 1 : 0; // no more than half of it: what it replaces is said after it
                    _calls.UnionWith(answer.ToolCalls.Select(static c => c.Call));
                    break;
                case ContextReduced:
                    _model = 0;
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
                case InputReceived late when !_calls.Contains(late.Call):
                    break; // its question was over
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
