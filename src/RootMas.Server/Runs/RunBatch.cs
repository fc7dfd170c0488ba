using RootMas.Runtime.Runs;

namespace RootMas.Server.Runs;

/// <summary>What a batch of events changes in its run's row; computed before the transaction, so that the writer's thread only writes.</summary>
internal sealed class RunBatch
{
    private readonly List<string> _agents = [];
    private string? _said;
    private bool _asks;

    private RunBatch(RunAppend append) => Append = append;

    public RunAppend Append { get; }

    public Money Cost { get; private set; }

    public TokenUsage Usage { get; private set; } = TokenUsage.None;

    public MessageCompleted? Answer { get; private set; }

    /// <summary>Why the run will wait or ended, for people. What it waits for may have been said in an earlier batch.</summary>
    public string? Reason => Append.Reason ?? _said;

    public string? ErrorCode { get; private set; }

    /// <summary>The run's cost with its descendants, from its final event.</summary>
    public Money TreeCost { get; private set; }

    /// <summary>2: something is known now that was not known before the attempt. 1: the attempt got as far as asking again. 0: nothing but that it began.</summary>
    public int Progress { get; private set; }

    public bool TouchesApprovals { get; private set; }

    public IReadOnlyList<string> Agents => _agents;

    /// <summary>Nothing but events: inserting a run can carry it along, without a second statement on its row.</summary>
    public bool IsPlain => Append is { Status: RunStatus.Running, Children.Count: 0, Abandoned.Count: 0, Ledger.Count: 0, InboxDone: null } && Answer is null && !TouchesApprovals && Denied is null;

    /// <summary>It advances its run, with events and at most one row of the ledger: nothing hangs on what the run's row says.</summary>
    public bool IsStep => Append is { Create: null, Status: RunStatus.Running, Children.Count: 0, Abandoned.Count: 0, Ledger.Count: <= 1, Hold: null } && Answer is null && !TouchesApprovals && Denied is null && !_asks && Doubt is null;

    /// <summary>Stands for a request of a lost worker, which may have written what became of it meanwhile; null: none.</summary>
    public LedgerEntry? Doubt => Append.Ledger.FirstOrDefault(static e => e.IsInDoubt);

    public bool IsFinal => Append.Status.IsFinal();

    /// <summary>Calls that the people behind the run may not make; null: none.</summary>
    public List<ToolFailed>? Denied { get; private set; }

    public long NewSeq => Append.ExpectedSeq + Append.Events.Count;

    public static RunBatch Of(RunAppend append)
    {
        var batch = new RunBatch(append);
        foreach (var record in append.Events)
        {
            batch.Take(record.Event);
        }

        return batch;
    }

    /// <summary>Events that are only written down: what they changed elsewhere was changed by the run they were copied from.</summary>
    public static RunBatch OfCopy(RunAppend append)
    {
        var batch = Of(append);
        (batch.TouchesApprovals, batch.Answer, batch.Denied) = (false, null, null);
        return batch;
    }

    private void Take(RunEvent e)
    {
        Progress = Math.Max(Progress, e switch
        {
            RunQueued or RunStarted => 0,
            ModelRequested or ModelFailed or MessageSuperseded or ToolStarted => 1,
            _ => 2,
        });
        TouchesApprovals |= e is ApprovalRequested or ApprovalGranted or ApprovalDenied or ApprovalExpired;
        if (e is ToolFailed { Kind: "rights_denied" } refusal)
        {
            (Denied ??= []).Add(refusal);
        }

        _asks |= e is InputRequested or InputReceived;
        Meet(e.Agent);
        switch (e)
        {
            case ModelCompleted done:
                Cost += done.CostUsd;
                Usage += done.Usage;
                break;
            case ModelFailed failed:
                Cost += failed.CostUsd;
                Usage += failed.Usage ?? TokenUsage.None;
                break;
            case MessageCompleted answer:
                Answer = answer;
                break;
            case ChildStarted child:
                Meet(child.ChildAgent);
                break;
            default:
                TakeReason(e);
                break;
        }
    }

    private void TakeReason(RunEvent e)
    {
        switch (e)
        {
            case ApprovalRequested asked:
                _said = asked.Reason;
                break;
            case InputRequested asked:
                _said = asked.Question;
                break;
            case RunNeedsReview review:
                _said = review.Reason;
                break;
            case TimerStarted timer:
                _said = timer.Reason;
                break;
            case RunCompleted completed:
                TreeCost = completed.TreeCostUsd;
                break;
            case RunFailed failed:
                (_said, ErrorCode, TreeCost) = (failed.Reason, failed.Code, failed.TreeCostUsd);
                break;
            case RunCancelled cancelled:
                (_said, ErrorCode, TreeCost) = (cancelled.Reason, "cancelled", cancelled.TreeCostUsd);
                break;
        }
    }

    private void Meet(string? agent)
    {
        if (!string.IsNullOrEmpty(agent) && !_agents.Contains(agent, StringComparer.Ordinal))
        {
            _agents.Add(agent);
        }
    }
}
