namespace RootMas.Runtime.Runs;

/// <summary>The states of a run. Only <see cref="Completed"/>, <see cref="Failed"/> and <see cref="Cancelled"/> are final; nothing is appended after them.</summary>
public enum RunStatus
{
    Queued,
    Running,
    WaitingApproval,
    WaitingInput,
    WaitingChildren,
    WaitingTimer,
    NeedsReview,
    Completed,
    Failed,
    Cancelled,
}

public static class RunStatusNames
{
    private static readonly string[] Names =
        ["queued", "running", "waiting_approval", "waiting_input", "waiting_children", "waiting_timer", "needs_review", "completed", "failed", "cancelled"];

    public static string ToName(this RunStatus status) => Names[(int)status];

    /// <exception cref="FormatException">No status has this name.</exception>
    public static RunStatus Parse(string name)
    {
        var index = Array.IndexOf(Names, name);
        return index >= 0 ? (RunStatus)index : throw new FormatException($"Unknown run status '{name}'. Legal: {string.Join(", ", Names)}.");
    }

    public static bool IsFinal(this RunStatus status) => status >= RunStatus.Completed;

    /// <summary>Waiting for something outside; no worker holds the run.</summary>
    public static bool IsParked(this RunStatus status) => status is >= RunStatus.WaitingApproval and <= RunStatus.NeedsReview;

    /// <summary>Waiting for a person; this time does not count against the wall-time guard.</summary>
    public static bool IsWaitingForHuman(this RunStatus status) =>
        status is RunStatus.WaitingApproval or RunStatus.WaitingInput or RunStatus.NeedsReview;
}
