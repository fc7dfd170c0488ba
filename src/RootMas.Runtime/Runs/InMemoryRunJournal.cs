namespace RootMas.Runtime.Runs;

/// <summary>
/// A journal in memory: for use as a library and for tests. The same rules as a durable one; nothing survives the process, and of what has ended only the last
/// <see cref="KeepEnded"/> runs stay.
/// </summary>
public sealed partial class InMemoryRunJournal : IRunJournal
{
    private readonly Lock _gate = new();
    private readonly Dictionary<string, Entry> _runs = new(StringComparer.Ordinal);
    private long _lastInboxId;

    /// <summary>A run may go on: a new child, or a parked run with a new inbox row.</summary>
    internal Action<string> Ready { get; set; } = static _ => { };

    /// <summary>A running run has a new inbox row.</summary>
    internal Action<string> Poked { get; set; } = static _ => { };

    /// <summary>Nobody waits any more for a run that is just being made.</summary>
    internal Func<string, bool> HasLeft { get; set; } = static _ => false;

    internal TimeProvider Clock { get; set; } = TimeProvider.System;

    /// <summary>Events were appended to this run; called in order, before anybody is woken.</summary>
    internal Action<string, IReadOnlyList<EventRecord>> Appended { get; set; } = static (_, _) => { };

    /// <summary>Of the runs that are kept.</summary>
    public IReadOnlyList<LedgerEntry> Ledger
    {
        get
        {
            lock (_gate)
            {
                return [.. _runs.Values.SelectMany(r => r.Ledger)];
            }
        }
    }

    public ValueTask<AppendResult> AppendAsync(RunAppend append, CancellationToken cancellationToken)
    {
        var (ready, told) = (new List<string>(), new List<string>());
        AppendResult result;
        lock (_gate)
        {
            if (append.Create is { } create)
            {
                Create(create, append.Attempt, told);
            }

            var run = _runs.GetValueOrDefault(append.RunId);
            if (run is null || run.Attempt != append.Attempt || run.Events.Count != append.ExpectedSeq || run.Status != RunStatus.Running)
            {
                Keep(append.Ledger);
                return new(new AppendResult(AppendOutcome.Fenced, true, run?.InboxSeq ?? 0, default));
            }

            run.Events.AddRange(append.Events);
            run.Ledger.AddRange(append.Ledger);
            run.InboxDone = append.InboxDone ?? run.InboxDone;
            run.WakeAt = append.WakeAt;
            var root = run.Root;
            root.Tree += append.TreeDelta;
            var grant = append.Hold?.Grant(root.Tree, HeldByOthers(run)) ?? default;
            run.Held = grant.Held;
            foreach (var child in append.Children)
            {
                var entry = new Entry(child, root);
                entry.Events.Add(child.Queued!.Value);
                _runs.Add(child.RunId, entry);
                run.Children.Add(entry);
                ready.Add(child.RunId);
            }

            foreach (var child in append.Abandoned)
            {
                Insert(child, "cancel", CancelRequested.Abandoned);
                told.Add(child);
            }

            var isParked = Settle(run, append.Status, told);
            Appended(append.RunId, append.Events);
            result = new(AppendOutcome.Appended, isParked, run.InboxSeq, root.Tree) { Grant = grant };
            EndTreeWith(run);
        }

        Notify(ready, told);
        return new(result);
    }

    public ValueTask<IReadOnlyList<InboxItem>> ReadInboxAsync(string runId, long after, CancellationToken cancellationToken)
    {
        lock (_gate)
        {
            IReadOnlyList<InboxItem> items = _runs.TryGetValue(runId, out var run) ? [.. run.Inbox.Where(i => i.Id > after)] : [];
            return new(items);
        }
    }

    /// <summary>Once, however often a row comes; those of a run that was never made are nobody's.</summary>
    public ValueTask KeepAsync(IReadOnlyList<LedgerEntry> rows)
    {
        lock (_gate)
        {
            Keep(rows);
        }

        return ValueTask.CompletedTask;
    }

    /// <summary>Puts something into a run's inbox; false: the run is final or not there, or the key is there already.</summary>
    public bool Tell(string runId, string key, InboxPayload payload)
    {
        lock (_gate)
        {
            if (!Insert(runId, key, payload))
            {
                return false;
            }
        }

        Notify([], [runId]);
        return true;
    }

    /// <summary>Takes a run that is ready; null: it is not.</summary>
    internal Claim? TryClaim(string runId)
    {
        lock (_gate)
        {
            if (!_runs.TryGetValue(runId, out var run) || run.Status != RunStatus.Queued)
            {
                return null;
            }

            run.Status = RunStatus.Running;
            run.Attempt++;
            var root = run.Root;
            var rested = root.RestSince is { } since && Clock.GetUtcNow() is var now && now > since ? now - since : TimeSpan.Zero;
            (root.Rested, root.RestSince) = (root.Rested + rested, null);
            return new(run.New, run.Attempt, [.. run.Events.Select(e => e.Event)], run.InboxDone, root.Tree, root.New.CreatedAt, (long)root.Rested.TotalMilliseconds);
        }
    }

    /// <summary>What is forgotten has ended, however that was.</summary>
    internal (RunStatus Status, DateTimeOffset? WakeAt) StatusOf(string runId)
    {
        lock (_gate)
        {
            return _runs.TryGetValue(runId, out var run) ? (run.Status, run.WakeAt) : (RunStatus.Completed, null);
        }
    }

    /// <exception cref="KeyNotFoundException">No such run, or it is not kept any more.</exception>
    public IReadOnlyList<RunEvent> EventsOf(string runId)
    {
        lock (_gate)
        {
            return [.. _runs[runId].Events.Select(e => e.Event)];
        }
    }

    /// <summary>The worker let go of the run without an end: it may be taken again.</summary>
    internal void ReleaseIfThere(string runId)
    {
        lock (_gate)
        {
            if (_runs.TryGetValue(runId, out var run) && run.Status == RunStatus.Running)
            {
                run.Status = RunStatus.Queued;
                Rest(run.Root);
            }
        }
    }

    internal bool Exists(string runId)
    {
        lock (_gate)
        {
            return _runs.ContainsKey(runId);
        }
    }

    internal IReadOnlyList<string> Runs()
    {
        lock (_gate)
        {
            return [.. _runs.Keys];
        }
    }

    internal string? FindReady()
    {
        lock (_gate)
        {
            return _runs.FirstOrDefault(r => r.Value.Status == RunStatus.Queued).Key;
        }
    }

    private static TreeAmount HeldByOthers(Entry run)
    {
        var others = run.Root.Members.Where(r => r != run && r.Status is RunStatus.Running or RunStatus.Queued).Select(static r => r.Held).ToList();
        return new(others.Sum(static h => h.CostMicroUsd), others.Sum(static h => h.Tokens), others.Sum(static h => h.Children));
    }

    /// <summary>False: it goes on, because its inbox has something that it has not read.</summary>
    private bool Settle(Entry run, RunStatus status, List<string> told)
    {
        var isParked = status.IsFinal() || (status.IsParked() && run.InboxDone == run.InboxSeq);
        run.Status = isParked ? status : RunStatus.Running;
        if (status.IsFinal())
        {
            TellFamily(run, told);
        }

        if (isParked)
        {
            Rest(run.Root);
        }

        return isParked;
    }

    // Nobody works on any run of the tree from now on, or from the end of its last back-off: that is no working time.
    private void Rest(Entry root)
    {
        var members = root.Members;
        if (members.TrueForAll(static r => r.Status != RunStatus.Running))
        {
            var backOff = members.Where(static r => r.Status == RunStatus.WaitingTimer).Max(static r => r.WakeAt);
            var now = Clock.GetUtcNow();
            root.RestSince ??= backOff > now ? backOff : now;
        }
    }

    // The parent gets the result; children that nobody waits for any more are cancelled.
    private void TellFamily(Entry run, List<string> told)
    {
        foreach (var child in run.Children.Where(c => !c.Status.IsFinal()))
        {
            Insert(child.New.RunId, "cancel", new CancelRequested("The run that gave this task has ended.", null));
            told.Add(child.New.RunId);
        }

        if (run.New.ParentRunId is not { } parent)
        {
            return;
        }

        var state = RunState.Fold(run.Events.Select(e => e.Event));
        var result = run.Events[^1].Event switch
        {
            RunFailed f => f.Reason,
            RunCancelled c => c.Reason,
            _ => state.Answer?.Text ?? "",
        };
        Insert(parent, run.New.ParentKey!, new ChildEnded(run.New.RunId, run.Status.ToName(), result, state.Tainted, state.Cost, CitationCheck.OfDocuments(state.Answer?.Citations))
        {
            Documents = state.Answer?.Documents,
            Facts = state.Answer?.Facts,
            Urls = state.Answer?.Urls,
            CutBy = state.Answer?.CutBy,
        });
        told.Add(parent);
    }

    private void Keep(IReadOnlyList<LedgerEntry> rows)
    {
        foreach (var row in rows.Where(static r => !r.IsInDoubt))
        {
            if (row.RunId is { } id && _runs.TryGetValue(id, out var run) && !run.Ledger.Exists(r => r.Id == row.Id))
            {
                run.Ledger.Add(row);
            }
        }
    }

    private void Create(NewRun run, int attempt, List<string> told)
    {
        _runs.Add(run.RunId, new(run, _runs.GetValueOrDefault(run.RootRunId)) { Attempt = attempt, Status = RunStatus.Running });
        if (HasLeft(run.RunId) && Insert(run.RunId, "cancel", CancelRequested.CallerLeft))
        {
            told.Add(run.RunId);
        }
    }

    private bool Insert(string runId, string key, InboxPayload payload)
    {
        if (!_runs.TryGetValue(runId, out var run) || run.Status.IsFinal() || run.Inbox.Exists(i => i.Key == key))
        {
            return false;
        }

        run.InboxSeq = ++_lastInboxId;
        run.Inbox.Add(new(run.InboxSeq, key, payload));
        run.Status = run.Status.IsParked() ? RunStatus.Queued : run.Status;
        return true;
    }

    private void Notify(List<string> ready, List<string> told)
    {
        foreach (var id in told)
        {
            Poked(id);
        }

        foreach (var id in ready.Concat(told))
        {
            Ready(id);
        }
    }

    internal sealed record Claim(NewRun Run, int Attempt, IReadOnlyList<RunEvent> Log, long InboxDone, TreeTotals Tree, DateTimeOffset TreeBegan, long TreeRestedMs);

    private sealed class Entry
    {
        /// <param name="root">Null: it is one itself.</param>
        public Entry(NewRun run, Entry? root)
        {
            (New, Root) = (run, root ?? this);
            Root.Members.Add(this);
        }

        public NewRun New { get; }

        public Entry Root { get; }

        /// <summary>Of a root: itself and all below it.</summary>
        public List<Entry> Members { get; } = [];

        /// <summary>Of a root that has ended with all below it: its place among those.</summary>
        public LinkedListNode<Entry>? Ended { get; set; }

        public List<Entry> Children { get; } = [];

        public int Attempt { get; set; }

        public RunStatus Status { get; set; } = RunStatus.Queued;

        public List<EventRecord> Events { get; } = [];

        public List<InboxItem> Inbox { get; } = [];

        public List<LedgerEntry> Ledger { get; } = [];

        public long InboxSeq { get; set; }

        public long InboxDone { get; set; }

        public DateTimeOffset? WakeAt { get; set; }

        public TreeTotals Tree { get; set; }

        public TreeAmount Held { get; set; }

        public DateTimeOffset? RestSince { get; set; }

        public TimeSpan Rested { get; set; }
    }
}
