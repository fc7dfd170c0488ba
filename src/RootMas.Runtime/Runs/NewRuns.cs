using RootMas.Runtime.Teams;
using RootMas.Runtime.Tools;

namespace RootMas.Runtime.Runs;

/// <summary>Makes runs and the first event of their logs.</summary>
public static class NewRuns
{
    /// <summary>The run's pattern: chosen for it, else the team's for a root and direct for a child.</summary>
    public static PatternKind PatternOf(NewRun run, TeamSnapshot snapshot)
    {
        if (run.Options.Simple)
        {
            return PatternKind.Direct;
        }

        return run.Options.Pattern is { } name ? Enum.Parse<PatternKind>(name) : run.ParentRunId is null ? snapshot.Team.Pattern : PatternKind.Direct;
    }

    /// <summary>The run.queued event, without sequence number.</summary>
    public static RunQueued Queued(NewRun run, TeamSnapshot snapshot) =>
        new(run.Input, run.Team, run.SnapshotHash, PatternOf(run, snapshot).ToString(), run.ConversationId, run.ParentRunId,
            run.ParentRunId is null ? null : run.RootRunId, Tainted: run.Tainted, RetryOf: run.RetryOf)
        {
            RunId = run.RunId,
            Agent = run.EntryAgent,
            V = run.ParentRunId is null ? 1 : 2,
            KnownUrls = run.KnownUrls,
        };

    /// <summary>The first event of a run that waits for a worker: number 1, ready to be stored.</summary>
    public static EventRecord QueuedRecord(NewRun run, TeamSnapshot snapshot, DateTimeOffset now)
    {
        var e = Queued(run, snapshot);
        e.Seq = 1;
        e.CreatedAt = now;
        return new(e, RunJson.Serialize(e));
    }

    /// <param name="known">The parent's: those that the task names are known to the child.</param>
    internal static NewRun Child(NewRun parent, TeamSnapshot snapshot, ChildTask task, KnownUrls known, RunRequestOptions options, DateTimeOffset now)
    {
        var id = Guid.CreateVersion7(now).ToString();
        var child = new NewRun
        {
            RunId = id,
            OwnerId = parent.OwnerId,
            RootRunId = parent.RootRunId,
            ParentRunId = parent.RunId,
            ParentKey = "child:" + id,
            Depth = parent.Depth + 1,
            ConversationId = parent.ConversationId,
            Team = parent.Team,
            EntryAgent = task.Agent,
            SnapshotHash = parent.SnapshotHash,
            Input = task.Task,
            Tainted = task.Tainted,
            KnownUrls = known.In(task.Task),
            Options = options,
            CreatedAt = now,
        };
        return child with { Queued = QueuedRecord(child, snapshot, now) };
    }
}
