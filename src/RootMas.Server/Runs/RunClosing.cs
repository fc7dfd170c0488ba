using RootMas.Runtime.Runs;

namespace RootMas.Server.Runs;

/// <summary>
/// Ends a run that no engine can go on with (its worker was lost too often, or a bug stopped the engine): what is open in its log gets a synthetic result, so that the history
/// stays valid, and the last event says why.
/// </summary>
internal static class RunClosing
{
    /// <summary>Code of a run that is not tried again because its workers died with it and it never got any further.</summary>
    public const string WorkerLost = "worker_lost";

    /// <summary>An unsafe call without a result: whether it acted is unknown, so a person decides and not we.</summary>
    public static ToolStarted? UnsafeCallInDoubt(IEnumerable<RunEvent> log) => UnsafeCallsInDoubt(log).Values.FirstOrDefault();

    private static Dictionary<int, ToolStarted> UnsafeCallsInDoubt(IEnumerable<RunEvent> log)
    {
        Dictionary<int, ToolStarted> open = [];
        foreach (var e in log)
        {
            switch (e)
            {
                case ToolStarted started when started.Effect == "unsafe":
                    open[started.Call] = started;
                    break;
                case ToolCompleted done:
                    open.Remove(done.Call);
                    break;
                case ToolFailed failed:
                    open.Remove(failed.Call);
                    break;
                case ReviewResolved { Outcome: not "repeat" } resolved:
                    open.Remove(resolved.Call);
                    break;
            }
        }

        return open;
    }

    /// <param name="traceId">Of the mistake that ended the engine; null: the worker was lost.</param>
    /// <param name="timeout">Of the call: a worker that only stood still may have it under way that long.</param>
    public static RunAppend Review(RunRow row, ToolStarted call, string? traceId, TimeSpan timeout, DateTimeOffset now) => Append(
        row,
        [new RunNeedsReview(
            call.Call,
            call.Tool,
            traceId is null
                ? $"The worker was lost while {call.Tool} was running, so nobody knows whether it acted. Look, then say: done, repeat or cancel."
                : $"The server made a mistake (trace {traceId}) while {call.Tool} was running, so nobody knows whether it acted. Look, then say: done, repeat or cancel.",
            now + timeout)],
        RunStatus.NeedsReview,
        now);

    /// <param name="unbooked">See <see cref="RunExecution.Unbooked"/>.</param>
    public static RunAppend Failed(RunRow row, IReadOnlyList<RunEvent> log, Unbooked unbooked, string code, string reason, DateTimeOffset now)
    {
        var failed = new RunFailed(code, reason, row.Usage + unbooked.Usage, row.Cost + unbooked.Cost, TreeCost(row, log) + unbooked.Cost);
        return Append(row, [.. Open(log, unbooked), failed], RunStatus.Failed, now) with
        {
            Ledger = OpenRequest(log) is { } open ? [InDoubt(row, open, now)] : [],
            TreeDelta = unbooked.Totals,
        };
    }

    public static RunAppend Cancelled(RunRow row, IReadOnlyList<RunEvent> log, CancelRequested request, DateTimeOffset now) =>
        Append(row, [.. Open(log, Unbooked.None), new RunCancelled(request.Reason, request.By, row.Usage, row.Cost, TreeCost(row, log))], RunStatus.Cancelled, now);

    /// <summary>Numbers, stamps and serialises events as an engine does.</summary>
    public static IReadOnlyList<EventRecord> Record(string runId, string agent, long after, IEnumerable<RunEvent> events, DateTimeOffset now)
    {
        List<EventRecord> records = [];
        foreach (var e in events)
        {
            (e.RunId, e.Seq, e.CreatedAt) = (runId, after + records.Count + 1, now);
            e.Agent ??= agent;
            records.Add(new EventRecord(e, RunJson.Serialize(e)));
        }

        return records;
    }

    /// <summary>The cost of the run with its children that ended.</summary>
    private static Money TreeCost(RunRow row, IEnumerable<RunEvent> log) =>
        row.IsRoot ? new Money(row.Tree.CostMicroUsd) : row.Cost + new Money(log.OfType<ChildCompleted>().Sum(static c => c.CostUsd.MicroUsd));

    private static RunAppend Append(RunRow row, IReadOnlyList<RunEvent> events, RunStatus status, DateTimeOffset now) => new()
    {
        RunId = row.Id,
        Attempt = row.Attempt,
        ExpectedSeq = row.LastSeq,
        Events = Record(row.Id, row.Identity.EntryAgent, row.LastSeq, events, now),
        BatchId = Guid.CreateVersion7(),
        Status = status,
        InboxDone = status.IsParked() ? null : row.InboxSeq,
    };

    /// <summary>The model request at the end of the log that has no answer; null: there is none.</summary>
    public static ModelRequested? OpenRequest(IReadOnlyList<RunEvent> log) =>
        log.LastOrDefault(static e => e is ModelRequested or ModelCompleted or ModelFailed) as ModelRequested;

    /// <summary>Ids of the messages of the model call that has no end yet: each model that is asked after another begins one of its own.</summary>
    public static HashSet<string> OpenMessages(IReadOnlyList<RunEvent> log) =>
        log.Reverse().TakeWhile(static e => e is not (ModelCompleted or ModelFailed)).OfType<ModelRequested>().Select(static m => m.MessageId).ToHashSet(StringComparer.Ordinal);

    private static LedgerEntry InDoubt(RunRow row, ModelRequested open, DateTimeOffset now) => LedgerEntry.InDoubt(
        row.Id, row.Identity.RootRunId, row.Identity.OwnerId, new OpenModelCall(open.MessageId, open.Purpose, open.Agent ?? row.Identity.EntryAgent, open.Turn, open.Tier), now);

    /// <summary>Synthetic ends of whatever has begun and has no end.</summary>
    private static IEnumerable<RunEvent> Open(IReadOnlyList<RunEvent> log, Unbooked unbooked)
    {
        Dictionary<int, string> calls = [];
        foreach (var e in log)
        {
            switch (e)
            {
                case ModelCompleted answer:
                    foreach (var call in answer.ToolCalls)
                    {
                        calls[call.Call] = call.Tool;
                    }

                    break;
                case ToolCompleted done:
                    calls.Remove(done.Call);
                    break;
                case ToolFailed failed:
                    calls.Remove(failed.Call);
                    break;
            }
        }

        if (OpenRequest(log) is { } request)
        {
            yield return unbooked.Fail(request.MessageId, "The answer was not received before the run ended.");
        }

        var inDoubt = UnsafeCallsInDoubt(log);
        foreach (var (call, tool) in calls.OrderBy(static c => c.Key))
        {
            const string text = "The run ended before this call had a result.";
            yield return inDoubt.ContainsKey(call)
                ? new ToolFailed(call, tool, "in_doubt", text + " Its request had left: it may have taken effect.", 0)
                : new ToolFailed(call, tool, "interrupted", text, 0);
        }
    }
}
