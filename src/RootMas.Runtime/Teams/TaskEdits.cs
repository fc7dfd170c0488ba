using RootMas.Runtime.Runs;

namespace RootMas.Runtime.Teams;

/// <summary>What a change that somebody asked for (<see cref="TaskEdited"/>) makes of a task of a plan. Pure.</summary>
public static class TaskEdits
{
    /// <summary>Why the task cannot be changed like this; null: it can.</summary>
    /// <param name="workers">Who may get a task, see <see cref="PlanLedger.WorkersOf"/>.</param>
    public static string? Refusal(PlanTask task, TaskEdited edit, IReadOnlyList<string> workers) => edit switch
    {
        _ when task.Status == "done" => $"Task {task.Id} is done; its result stands.",
        { Status: not (null or "pending" or "done" or "failed" or "dropped") } => $"'{edit.Status}' is no state that a task can be given.",
        { Agent: { } agent } when !workers.Contains(agent, StringComparer.Ordinal) => $"'{agent}' cannot get a task. Possible: {string.Join(", ", workers)}.",
        { Agent: not null, Status: not (null or "pending") } => "A task that is given to another agent is begun again: leave status out, or say pending.",
        { Agent: not null, Status: null } when task.Status == "dropped" => $"Task {task.Id} was dropped. To have it done after all, say pending.",
        { Status: "done" } when string.IsNullOrWhiteSpace(edit.Note ?? task.Result) => "What is the result? Say it in note: the tasks that depend on this one work with it.",
        _ when BeginsAgain(task, edit) && task.Tries >= PlanLedger.MaxTries => $"Task {task.Id} was tried {task.Tries} times; it cannot be begun again. Drop it, or say that it is done and what the result is.",
        _ => null,
    };

    /// <summary>The task after a change that is not refused. A run that works on it has no task any more if it is begun again, given away or settled.</summary>
    public static PlanTask Apply(PlanTask task, TaskEdited edit, DateTimeOffset now)
    {
        var changed = task with { Note = edit.Note ?? task.Note, Agent = edit.Agent ?? task.Agent, Deadline = edit.Deadline ?? task.Deadline, Tainted = task.Tainted || edit.Tainted == true };
        var left = task.Status is "running" or "late" ? null : task.ChildRunId;
        return (BeginsAgain(task, edit) ? "pending" : edit.Status) switch
        {
            "pending" => changed with { Status = "pending", ChildRunId = null, Settled = false, Deadline = edit.Deadline ?? (task.Status == "pending" ? task.Deadline : null) },
            "done" => changed with { Status = "done", ChildRunId = left, Settled = true, Result = edit.Note ?? task.Result },
            "failed" => changed with { Status = "failed", ChildRunId = left, Settled = false, Result = edit.Note ?? task.Result },
            "dropped" => changed with { Status = "dropped", ChildRunId = left, Settled = true },
            _ when task.Status == "late" && edit.Deadline > now => changed with { Status = "running", Settled = false },
            _ => changed,
        };
    }

    private static bool BeginsAgain(PlanTask task, TaskEdited edit) =>
        task.Status != "pending" && (edit.Status == "pending" || (edit.Status is null && edit.Agent is { } agent && agent != task.Agent));
}
