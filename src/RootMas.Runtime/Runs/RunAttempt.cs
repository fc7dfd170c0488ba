using RootMas.Runtime.Teams;
using RootMas.Runtime.Tools;

namespace RootMas.Runtime.Runs;

/// <summary>
/// One attempt at one run. Events are folded when they happen and written in batches: what ends a step and what begins the next one is one commit.
/// </summary>
internal sealed class RunAttempt
{
    private readonly EngineParts _parts;
    private readonly CancellationToken _stopping;
    private readonly InboxReader _inbox;
    private RunSpans? _spans;
    private List<EventRecord> _pending = [];
    private List<NewRun> _children = [];
    private List<string> _abandoned = [];
    private List<LedgerEntry> _ledger = [];
    private TreeTotals _delta;
    private long _inboxWritten;
    private Writing? _writing;
    private bool _created;
    private readonly Lock _pieceGate = new();
    private long _durable;
    private int _pieces;
    private readonly (DateTimeOffset At, long Timestamp) _began;

    public RunAttempt(RunExecution execution, EngineParts parts, CancellationToken stopping)
    {
        Execution = execution;
        _parts = parts;
        _stopping = stopping;
        _began = (parts.Clock.GetUtcNow(), parts.Clock.GetTimestamp());
        State = RunState.Fold(execution.Log);
        Tree = execution.Tree;
        _durable = State.Seq;
        _created = !execution.IsNew;
        _inboxWritten = execution.InboxDone;
        _inbox = new(parts.Journal, execution, stopping);
        Limits = execution.Run.Options.Limits ?? execution.Snapshot.Team.Limits;
    }

    public RunExecution Execution { get; }

    public EngineParts Parts => _parts;

    public RunState State { get; }

    public RunView View { get; private set; } = null!;

    public RunLimits Limits { get; }

    /// <summary>Totals of the whole tree, this attempt's unwritten part included.</summary>
    public TreeTotals Tree { get; private set; }

    public NewRun Run => Execution.Run;

    public DateTimeOffset Now => _parts.Clock.GetUtcNow();

    /// <summary>How long the tree has been worked on: without the times in which none of its runs was. Within an attempt it does not go by the calendar: clocks are set.</summary>
    public TimeSpan Active => _began.At - (Execution.TreeBegan ?? State.QueuedAt) - TimeSpan.FromMilliseconds(Execution.TreeRestedMs) + _parts.Clock.GetElapsedTime(_began.Timestamp);

    /// <summary>Cancelled when the current step must end: cancel, fencing, shutdown.</summary>
    public CancellationToken StepToken => _inbox.StepToken;

    /// <summary>Like <see cref="StepToken"/> but not by a shutdown: an unsafe call that has left is waited for.</summary>
    public CancellationToken HardToken => _inbox.HardToken;

    /// <summary>Tasks that may be given now; null: nobody else gives any, so the tree's total says it.</summary>
    public int? ChildRoom { get; set; }

    public CancelRequested? Cancel { get; set; }

    /// <summary>Text of a message that was cut off by a cancel or by the budget.</summary>
    public (string MessageId, string Text, string Agent)? Partial { get; set; }

    public async Task<RunExit> RunAsync()
    {
        using var spans = _spans = new(Execution);
        Execution.OnPoke(_inbox.Poke);
        try
        {
            await BeginAsync();
            while (true)
            {
                if (await NextAsync() is { } exit)
                {
                    return exit;
                }
            }
        }
        catch (RunFencedException)
        {
            return RunExit.Fenced;
        }
        catch (OperationCanceledException) when (Execution.Fenced.IsCancellationRequested)
        {
            return RunExit.Fenced;
        }
        finally
        {
            // However it ended: whoever goes on with the run finds in the log all that was handed over, and the run itself.
            await ((Task?)_writing?.Answer ?? Task.CompletedTask).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            Execution.OnPoke(null);
            _inbox.Dispose();
            await _parts.Journal.KeepAsync(_ledger);
        }
    }

    /// <summary>Folds an event now and writes it with the next batch.</summary>
    public void Emit(RunEvent e, string? agent = null)
    {
        e.RunId = Run.RunId;
        e.Seq = State.Seq + 1;
        e.Agent ??= agent ?? State.ActiveAgent ?? Run.EntryAgent;
        e.CreatedAt = Now;
        State.Apply(e);
        _pending.Add(new(e, RunJson.Serialize(e)));
    }

    /// <summary>As <see cref="Emit"/>; runs whose task was taken from them are told to end, in the same batch.</summary>
    public void ChangePlan(RunEvent e)
    {
        var before = State.Plan?.Tasks ?? [];
        Emit(e);
        _abandoned.AddRange(before.Count > 0 ? PlanLedger.Abandoned(before, State) : []);
    }

    public void AddChild(NewRun child)
    {
        _children.Add(child);
        ChildRoom--;
        Count(new(0, 1, 0, 0));
    }

    public void AddLedger(IEnumerable<LedgerEntry> rows) => _ledger.AddRange(rows);

    public void Count(TreeTotals delta)
    {
        _delta += delta;
        Tree += delta;
    }

    public bool HasReaders => _parts.Sink.HasReaders(Execution);

    /// <summary>Shows a piece of text. Its id is the last durable event and a count, so it never repeats.</summary>
    public void Delta(string messageId, string agent, string text, bool isReasoning)
    {
        lock (_pieceGate)
        {
            var n = ++_pieces;
            _parts.Sink.Piece(Execution, isReasoning
                ? new ReasoningDelta(messageId, text) { RunId = Run.RunId, Seq = _durable, N = n, Agent = agent, CreatedAt = Now }
                : new MessageDelta(messageId, text) { RunId = Run.RunId, Seq = _durable, N = n, Agent = agent, CreatedAt = Now });
        }
    }

    /// <summary>Shows how a tool gets on; callable from any thread.</summary>
    public void Progress(int call, string agent, string text)
    {
        lock (_pieceGate)
        {
            _parts.Sink.Piece(Execution, new ToolProgress(call, text) { RunId = Run.RunId, Seq = _durable, N = ++_pieces, Agent = agent, CreatedAt = Now });
        }
    }

    /// <summary>Nothing is on its way to the disk that what happens now must not overtake.</summary>
    public bool IsDurable => _writing is null;

    /// <summary>Starts writing what is pending without waiting; <see cref="FlushAsync"/> or <see cref="FlushedAsync"/> waits. The task is the journal's answer. What is still being written comes before it.</summary>
    public Task<AppendResult> BeginFlush(TreeHold? hold = null)
    {
        _writing = HandOver(RunStatus.Running, null, hold) with { Before = _writing };
        return _writing.Answer;
    }

    /// <summary>What <see cref="BeginFlush"/> began is durable, or has failed: <see cref="FlushedAsync"/> does not wait.</summary>
    public bool IsAnswered => _writing is not { Answer.IsCompleted: false };

    /// <summary>Waits until what <see cref="BeginFlush"/> began is durable.</summary>
    public ValueTask FlushedAsync() => _writing is { } writing ? FinishAsync(writing) : ValueTask.CompletedTask;

    /// <summary>Writes what is pending and waits until it is durable.</summary>
    public async Task<bool> FlushAsync(RunStatus status = RunStatus.Running, DateTimeOffset? wakeAt = null)
    {
        if (_pending.Count == 0)
        {
            await FlushedAsync();
            if (status == RunStatus.Running && _inbox.Folded == _inboxWritten)
            {
                return false;
            }
        }

        return await WriteAsync(status, wakeAt);
    }

    /// <summary>Writes what is pending, with more or less set aside for the model call that is open.</summary>
    public async ValueTask<TreeGrant> SetAsideAsync(TreeHold hold)
    {
        await FlushedAsync();
        var writing = HandOver(RunStatus.Running, null, hold);
        var result = await writing.Answer;
        Settle(writing, result);
        return result.Grant;
    }

    /// <inheritdoc cref="InboxReader.CatchUpAsync"/>
    public ValueTask CatchUpAsync() => _inbox.CatchUpAsync();

    public Task<RunExit?> FinishAsync(RunStatus status) => EndAsync(status);

    private async Task BeginAsync()
    {
        if (Execution.IsNew)
        {
            Emit(NewRuns.Queued(Run, Execution.Snapshot));
        }

        View = new(State, Execution.Snapshot, Run.EntryAgent, Run.ParentRunId is not null) { ContextOf = name => ModelStep.ContextOf(this, name), OwesJson = ModelStep.IsJsonWanted(Run), TasksLeft = () => Delegation.TasksLeft(this) };
        Emit(new RunStarted(Execution.Attempt, Execution.Worker) { Tainted = !State.Tainted && Execution.History.Any(static m => m.Tainted) ? true : null });
        State.Know(Execution.History);
        Recovery.Apply(this);
        if (!Execution.IsNew)
        {
            await _inbox.ReadAsync();
        }

        await Recalling.RecallAsync(this);
    }

    private async Task<RunExit?> NextAsync()
    {
        if (_stopping.IsCancellationRequested)
        {
            if (Partial is { } shown)
            {
                Emit(new MessageSuperseded(shown.MessageId, "worker_stopped"), shown.Agent); // the model is asked again, elsewhere or later
            }

            await FlushAsync();
            return RunExit.Stopped;
        }

        if (_inbox.TakeAll() is { Count: > 0 } items)
        {
            InboxFold.Apply(this, items);
        }

        if (Cancel is { } cancel)
        {
            return await Ending.CancelAsync(this, cancel);
        }

        var step = Decide();
        if (AgentOf(step) is { } agent)
        {
            _spans?.Enter(agent);
        }

        return step switch
        {
            CallModel call => await ModelStep.RunAsync(this, call),
            RunCalls calls => await ToolStep.RunAsync(this, calls.Calls),
            StartChildren children => await Delegation.StartAsync(this, children.Tasks),
            Record record => WriteDown(record),
            Wait wait => await ParkAsync(wait.Status),
            Finish finish => await Ending.CompleteAsync(this, finish),
            Fail fail => await Ending.FailAsync(this, fail.Code, fail.Reason),
            _ => throw new InvalidOperationException($"Unknown step {step.GetType().Name}."),
        };
    }

    /// <summary>Who does it; null: the team as such.</summary>
    private string? AgentOf(NextStep step) => step switch
    {
        CallModel call => call.Agent,
        RunCalls { Calls: [var first, ..] } => State.Calls[first].Agent,
        _ => null,
    };

    /// <summary>A limit stops what is still to be done: an answer that is there, and paid for, is never thrown away. To write down what was said is no more work.</summary>
    private NextStep Decide()
    {
        if (State.Timer is not null)
        {
            return new Wait(RunStatus.WaitingTimer);
        }

        var next = TeamPattern.For(View.Kind).Next(View);
        return next is Finish or Record && State.Stopped is null ? next : Guards.Check(this) ?? next;
    }

    private RunExit? WriteDown(Record record)
    {
        foreach (var e in record.Events)
        {
            ChangePlan(e);
        }

        return null;
    }

    private async Task<RunExit?> ParkAsync(RunStatus status)
    {
        await FlushedAsync();
        if (await WriteAsync(status, WakeTime.Of(State)))
        {
            return RunExit.Parked;
        }

        // The inbox was not empty: read it and go on.
        await _inbox.ReadAsync();
        return null;
    }

    private async Task<RunExit?> EndAsync(RunStatus status)
    {
        await FlushAsync(status);
        return RunExit.Final;
    }

    /// <summary>Does not wait for a batch that is still being written: this one follows it, in the same commit if it comes soon enough, and is refused if that one is.</summary>
    private async Task<bool> WriteAsync(RunStatus status, DateTimeOffset? wakeAt)
    {
        var writing = HandOver(status, wakeAt);
        await writing.AfterAsync(FlushedAsync());
        return Settle(writing, await writing.Answer);
    }

    private Writing HandOver(RunStatus status, DateTimeOffset? wakeAt, TreeHold? hold = null)
    {
        var (events, children, abandoned, ledger, delta) = (_pending, _children, _abandoned, _ledger, _delta);
        (_pending, _children, _abandoned, _ledger, _delta) = ([], [], [], [], default);
        var (folded, create) = (_inbox.Folded, _created ? null : Run);
        _created = true;
        var answer = _parts.Journal.AppendAsync(
            new()
            {
                RunId = Run.RunId,
                Attempt = Execution.Attempt,
                ExpectedSeq = (events.Count > 0 ? events[0].Event.Seq : State.Seq + 1) - 1,
                Events = events,
                BatchId = Guid.CreateVersion7(),
                Create = create,
                Of = Run,
                InboxDone = folded > _inboxWritten ? folded : null,
                Status = status,
                WakeAt = wakeAt,
                Reason = status.IsParked() ? State.WaitReason(status) : null,
                Children = children,
                Abandoned = abandoned,
                Ledger = ledger,
                TreeDelta = delta,
                Hold = hold,
            },
            CancellationToken.None);
        return new(answer.AsTask(), folded, events.Count > 0 ? events[^1].Event.Seq : null);
    }

    private async ValueTask FinishAsync(Writing writing)
    {
        if (writing.Before is { } before)
        {
            await writing.AfterAsync(FinishAsync(before));
            _writing = writing with { Before = null };
        }

        Settle(writing, await writing.Answer);
        _writing = null;
    }

    private bool Settle(Writing writing, AppendResult result)
    {
        if (result.Outcome == AppendOutcome.Fenced)
        {
            Execution.Fence();
            throw new RunFencedException();
        }

        _inboxWritten = writing.Folded;
        Tree = result.Tree + _delta;
        if (writing.LastSeq is { } seq)
        {
            lock (_pieceGate)
            {
                _durable = seq;
                _pieces = 0;
            }
        }

        _inbox.Told(result);
        return result.Parked;
    }
}
