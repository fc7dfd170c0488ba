using Microsoft.Extensions.AI;
using RootMas.Runtime.Runs;
using RootMas.Runtime.Teams;
using RootMas.Runtime.Tools;

namespace RootMas.Tests.Support;

/// <summary>Attempts at one run on the engine itself: a test has its inbox, its lease and the worker's shutdown in its own hands.</summary>
internal sealed class EngineHost : IRunSink, IToolCatalog, IDisposable
{
    private readonly Dictionary<string, Tool> _tools;
    private readonly TeamSnapshot _team;
    private readonly RunEngine _engine;
    private readonly CancellationTokenSource _stopping = new();
    private readonly List<LivePiece> _pieces = [];
    private RunExecution? _execution;

    public EngineHost(IChatClient model, TeamSnapshot team, IEnumerable<Tool> tools, RunEngineOptions? options = null, Func<InMemoryRunJournal, IRunJournal>? journal = null)
    {
        _tools = tools.ToDictionary(static t => t.Name, StringComparer.Ordinal);
        _team = team;
        _engine = new(model, this, journal?.Invoke(Journal) ?? Journal, this, options ?? new(), TimeProvider.System);
        Journal.Poked = _ => _execution?.Poke();
    }

    public InMemoryRunJournal Journal { get; } = new();

    public string RunId { get; } = Guid.CreateVersion7().ToString();

    public IReadOnlyList<RunEvent> Log => Journal.EventsOf(RunId);

    /// <summary>How long the run is certainly ours.</summary>
    public Func<TimeSpan> LeaseLeft { get; set; } = static () => TimeSpan.MaxValue;

    /// <summary>What was shown.</summary>
    public IReadOnlyList<LivePiece> Pieces
    {
        get
        {
            lock (_pieces)
            {
                return [.. _pieces];
            }
        }
    }

    /// <summary>Somebody wants to see the pieces of text.</summary>
    public bool HasReaders { get; set; } = true;

    /// <summary>Null: the lease cannot be made longer.</summary>
    public Func<TimeSpan, Task>? ExtendLease { get; set; }

    IReadOnlyCollection<Tool> IToolCatalog.All => _tools.Values;

    /// <summary>One attempt: the first one makes the run, the next ones go on from its log.</summary>
    public Task<RunExit> AttemptAsync()
    {
        _execution = Journal.Exists(RunId) ? Again() : Execution(Fresh(), 1, [], 0, default, isNew: true);
        return _engine.ExecuteAsync(_execution, _stopping.Token).WaitAsync(TimeSpan.FromMinutes(1));
    }

    /// <summary>Something comes into the inbox, and the attempt that is under way has read it when this returns.</summary>
    public void Tell(string key, InboxPayload payload) => Assert.True(Journal.Tell(RunId, key, payload));

    public void Stop() => _stopping.Cancel();

    Tool? IToolCatalog.Find(string name) => _tools.GetValueOrDefault(name);

    bool IRunSink.HasReaders(RunExecution run) => HasReaders;

    void IRunSink.Piece(RunExecution run, LivePiece piece)
    {
        lock (_pieces)
        {
            _pieces.Add(piece);
        }
    }

    public void Dispose() => _stopping.Dispose();

    private RunExecution Again()
    {
        Journal.ReleaseIfThere(RunId);
        var claim = Journal.TryClaim(RunId) ?? throw new InvalidOperationException("The run waits for something.");
        return Execution(claim.Run, claim.Attempt, claim.Log, claim.InboxDone, claim.Tree, isNew: false);
    }

    private NewRun Fresh() => new()
    {
        RunId = RunId, RootRunId = RunId, OwnerId = "local", Team = _team.Team.Name, EntryAgent = _team.Team.Entry, SnapshotHash = "", Input = "go", CreatedAt = TimeProvider.System.GetUtcNow(),
    };

    private RunExecution Execution(NewRun run, int attempt, IReadOnlyList<RunEvent> log, long inboxDone, TreeTotals tree, bool isNew) => new()
    {
        Run = run, Snapshot = _team, History = [], Attempt = attempt, Worker = "test", Log = log, IsNew = isNew, InboxDone = inboxDone, Tree = tree, LeaseLeft = () => LeaseLeft(),
        ExtendLease = ExtendLease,
    };
}
