using System.Collections.Concurrent;
using Microsoft.Extensions.AI;
using RootMas.Runtime.Runs;
using RootMas.Runtime.Teams;
using RootMas.Runtime.Tools;

namespace RootMas.Tests.Support;

/// <summary>The process "died": nothing of this attempt goes on.</summary>
public sealed class CrashException : Exception;

/// <summary>Runs a team in memory and dies at chosen appends, before or after they are durable; then goes on from the log like a restarted worker.</summary>
public sealed class CrashingHost : IRunJournal, IRunSink, IToolCatalog
{
    private readonly InMemoryRunJournal _inner = new();
    private readonly ConcurrentQueue<string> _ready = new();
    private readonly Dictionary<string, Tool> _tools;
    private readonly RunEngine _engine;
    private readonly TeamSnapshot _team;
    private readonly Func<int, CrashPoint> _plan;
    private int _appends;

    public CrashingHost(IChatClient models, TeamSnapshot team, IEnumerable<Tool> tools, Func<int, CrashPoint> plan)
    {
        _tools = tools.ToDictionary(t => t.Name);
        _engine = new(models, this, this, this, new(), TimeProvider.System);
        _team = team;
        _plan = plan;
        _inner.Ready = _ready.Enqueue;
    }

    public enum CrashPoint
    {
        None,
        Before,
        After,
    }

    public InMemoryRunJournal Journal => _inner;

    public int Crashes { get; private set; }

    public IReadOnlyCollection<Tool> All => _tools.Values;

    /// <summary>What a person answers when a run needs a review.</summary>
    public Func<RunNeedsReview, ReviewDecided> OnReview { get; set; } = r => new(r.Call, "done", "reviewed", "person");

    /// <summary>What a person answers to an approval.</summary>
    public Func<ApprovalRequested, bool> OnApproval { get; set; } = _ => true;

    public Tool? Find(string name) => _tools.GetValueOrDefault(name);

    public void Piece(RunExecution run, LivePiece piece)
    {
    }

    public async ValueTask<AppendResult> AppendAsync(RunAppend append, CancellationToken cancellationToken)
    {
        var point = _plan(Interlocked.Increment(ref _appends));
        if (point == CrashPoint.Before)
        {
            throw new CrashException();
        }

        var result = await _inner.AppendAsync(append, cancellationToken);
        return point == CrashPoint.After ? throw new CrashException() : result;
    }

    public ValueTask<IReadOnlyList<InboxItem>> ReadInboxAsync(string runId, long after, CancellationToken cancellationToken) =>
        _inner.ReadInboxAsync(runId, after, cancellationToken);

    /// <summary>A process that died writes nothing any more.</summary>
    public ValueTask KeepAsync(IReadOnlyList<LedgerEntry> rows) => ValueTask.CompletedTask;

    /// <summary>Drives one root run to its end and returns its id.</summary>
    public async Task<string> RunAsync(string input)
    {
        string? root = null;
        while (root is null)
        {
            var id = Guid.CreateVersion7().ToString();
            var run = new NewRun
            {
                RunId = id, RootRunId = id, OwnerId = "local", Team = _team.Team.Name, EntryAgent = _team.Team.Entry, SnapshotHash = "", Input = input, CreatedAt = DateTimeOffset.UtcNow,
            };
            await TryAsync(Execution(run, 1, [], 0, default, isNew: true));
            root = _inner.Exists(id) ? id : null;
        }

        for (var i = 0; i < 10_000; i++)
        {
            var (status, _) = _inner.StatusOf(root);
            if (status.IsFinal())
            {
                return root;
            }

            if (!_ready.TryDequeue(out var id))
            {
                id = AnswerSomething() ?? _inner.FindReady() ?? throw new InvalidOperationException($"The run is {status} and nothing is ready: a lost wake-up.");
            }

            if (_inner.TryClaim(id) is { } claim)
            {
                await TryAsync(Execution(claim.Run, claim.Attempt, claim.Log, claim.InboxDone, claim.Tree, isNew: false));
            }
        }

        throw new InvalidOperationException("The run does not end.");
    }

    private async Task TryAsync(RunExecution execution)
    {
        try
        {
            await _engine.ExecuteAsync(execution, CancellationToken.None);
        }
        catch (CrashException)
        {
            Crashes++;
            _inner.ReleaseIfThere(execution.Run.RunId);
        }
    }

    private string? AnswerSomething()
    {
        foreach (var id in _inner.Runs())
        {
            var state = RunState.Fold(_inner.EventsOf(id));
            foreach (var e in _inner.EventsOf(id).Where(_ => !state.Status.IsFinal()))
            {
                if (e is RunNeedsReview review && state.Calls[review.Call].Phase == CallPhase.InReview && _inner.Tell(id, "review:" + review.Seq, OnReview(review)))
                {
                    return id;
                }

                if (e is ApprovalRequested approval && state.Calls[approval.Call].Phase == CallPhase.WaitingApproval
                    && _inner.Tell(id, approval.ApprovalId, new ApprovalDecided(approval.ApprovalId, OnApproval(approval), "person", null)))
                {
                    return id;
                }

                if (e is InputRequested question && state.Calls[question.Call].Phase == CallPhase.WaitingInput && _inner.Tell(id, "input:" + question.Seq, new InputGiven(question.Call, "said", "person")))
                {
                    return id;
                }
            }
        }

        return null;
    }

    private RunExecution Execution(NewRun run, int attempt, IReadOnlyList<RunEvent> log, long inboxDone, TreeTotals tree, bool isNew) => new()
    {
        Run = run, Snapshot = _team, History = [], Attempt = attempt, Worker = "test", Log = log, IsNew = isNew, InboxDone = inboxDone, Tree = tree,
        LeaseLeft = static () => TimeSpan.MaxValue,
    };
}
