using RootMas.Runtime.Runs;
using RootMas.Server.Platform.Data;

namespace RootMas.Server.Chat;

/// <summary>
/// What whoever answers the next message is told of a run that ended without an answer: why a limit or a guard stopped it, and which calls that change something had left by then, its own and those of runs below it.
/// It says names of tools and origins, and no word that a model wrote.
/// </summary>
/// <param name="Tainted">One of these runs had read text from outside, and so what comes after it is tainted as what came after its answer would be.</param>
internal sealed record StopNote(string Text, bool Tainted)
{
    /// <summary>The latest ones are named.</summary>
    private const int MostCalls = 20;

    private static readonly string Begun = Log("'tool.started'");

    /// <summary>What <see cref="Taints"/> and <see cref="Made"/> look at.</summary>
    private static readonly string Told = Log(
        "'run.queued', 'run.started', 'child.completed', 'memory.recalled', 'input.received', 'plan.updated', 'tool.started', 'tool.completed', 'tool.failed', 'approval.requested', 'run.needs_review'");

    /// <summary>Null: there is nothing to tell.</summary>
    /// <param name="rootRunId">The run, whose end is in its log.</param>
    /// <param name="end">A failure or a cancellation.</param>
    public static async ValueTask<StopNote?> OfAsync(DbSession session, string rootRunId, RunEvent end)
    {
        var isGuard = end is RunFailed { Code: var code } && code.StartsWith("guard_", StringComparison.Ordinal);
        if (!isGuard && !(await ReadAsync(session, Begun, rootRunId)).Exists(Changes))
        {
            return null;
        }

        var log = await ReadAsync(session, Told, rootRunId);
        var calls = Made(log);
        if (!isGuard && calls.Count == 0)
        {
            return null;
        }

        var why = end switch
        {
            RunFailed failed when isGuard => failed.Reason,
            RunFailed failed => $"it failed ({failed.Code}).",
            _ => "it was cancelled.",
        };
        return new(calls.Count == 0 ? why : $"{why} By then these calls had been made: {Listed(calls)}. Whether one of them is made again is for the user to say.", log.Exists(Taints));
    }

    private static string Log(string types) => $"""
        select run_id, seq, json from run_events where run_id = @root and type in ({types})
        union all select e.run_id, e.seq, e.json from runs r join run_events e on e.run_id = r.id where r.root_run_id = @root and r.parent_run_id is not null and e.type in ({types})
        order by run_id, seq
        """;

    private static ValueTask<List<RunEvent>> ReadAsync(DbSession session, string sql, string rootRunId) =>
        session.Prepared(sql).Set("root", rootRunId).ListAsync(static row => RunJson.DeserializeEvent(row.Bytes(2)));

    private static bool Changes(RunEvent e) => e is ToolStarted { Effect: not ("read" or "delegate") };

    private static bool Taints(RunEvent e) => e switch
    {
        RunQueued queued => queued.Tainted,
        RunStarted started => started.Tainted == true,
        ChildCompleted child => child.Tainted,
        MemoryRecalled memory => memory.Tainted,
        InputReceived input => input.Tainted == true,
        PlanUpdated plan => plan.Tasks.Any(static t => t.Tainted),
        ToolCompleted done => done.Tainted,
        ToolFailed failed => failed.Tainted,
        _ => false,
    };

    /// <summary>The calls that left, in the order in which they first did, with what is known of each.</summary>
    private static List<string> Made(List<RunEvent> log)
    {
        var started = new OrderedDictionary<(string Run, int Call), ToolStarted>();
        var origins = new Dictionary<(string Run, int Call), string>();
        var ends = new Dictionary<(string Run, int Call), RunEvent>();
        var reviewed = new HashSet<(string Run, int Call)>();
        foreach (var e in log)
        {
            switch (e)
            {
                case ApprovalRequested { TargetOrigin: { } origin } asked:
                    origins[(e.RunId, asked.Call)] = origin;
                    break;
                case ToolStarted call when Changes(call):
                    started[(e.RunId, call.Call)] = call;
                    break;
                case RunNeedsReview review:
                    reviewed.Add((e.RunId, review.Call));
                    break;
                case ToolCompleted done:
                    ends[(e.RunId, done.Call)] = done;
                    break;
                case ToolFailed failed:
                    ends[(e.RunId, failed.Call)] = failed;
                    break;
            }
        }

        var made = new List<string>(started.Count);
        foreach (var (id, call) in started)
        {
            if (Outcome(call, ends.GetValueOrDefault(id), reviewed.Contains(id)) is { } outcome)
            {
                made.Add($"{call.Tool}{(origins.TryGetValue(id, out var origin) ? " at " + origin : "")} ({outcome})");
            }
        }

        return made;
    }

    /// <summary>Null: it was to leave and did not, as the run was cancelled before. Whatever was in doubt once, and is not known to be done, still is.</summary>
    private static string? Outcome(ToolStarted call, RunEvent? end, bool wasInDoubt) => end switch
    {
        ToolCompleted => "done",
        ToolFailed { Kind: "cancelled" } when !wasInDoubt && call.Effect == "unsafe" => null,
        ToolFailed { Kind: not ("in_doubt" or "timeout" or "cancelled" or "interrupted") } when !wasInDoubt => "failed",
        _ => "in doubt: it may have taken effect",
    };

    private static string Listed(List<string> calls) =>
        (calls.Count > MostCalls ? $"{calls.Count - MostCalls} others; " : "") + string.Join("; ", calls.TakeLast(MostCalls));
}
