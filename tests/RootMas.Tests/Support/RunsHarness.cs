using System.Collections.Concurrent;
using Microsoft.Extensions.AI;
using Microsoft.Extensions.Logging.Abstractions;
using RootMas.Runtime.Runs;
using RootMas.Runtime.Teams;
using RootMas.Runtime.Tools;
using RootMas.Server.Agents;
using RootMas.Server.Platform.Broker;
using RootMas.Server.Platform.Caching;
using RootMas.Server.Platform.Cluster;
using RootMas.Server.Platform.Data;
using RootMas.Server.Runs;
using RootMas.Server.Runs.Elsewhere;

namespace RootMas.Tests.Support;

/// <summary>The whole runs slice on a real database, with a scripted model; a second one on the same database is another worker.</summary>
internal sealed class RunsHarness : IAsyncDisposable
{
    private readonly TestDatabase? _owned;
    private readonly PostgresPresence? _presence;

    public RunsHarness(IChatClient? model = null, IEnumerable<Tool>? tools = null, RunsOptions? options = null, TestDatabase? database = null, TimeProvider? time = null, AdvanceRun? engine = null,
        bool ownsData = true, IRunTransactionParticipant? participant = null, BrokerOptions? broker = null, IClusterBus? bus = null, IAnswerCache? answers = null)
    {
        _owned = database is null ? NewDatabase(time) : null;
        Test = database ?? _owned!;
        Clock = time ?? TimeProvider.System;
        Options = options ?? new RunsOptions();
        Snapshots = new SnapshotStore(Database);
        bus ??= new LocalBus();
        var interests = new Interests(Clock);
        answers ??= new NoAnswerCache();
        Signals.Appended += (run, _) => answers.Raise(CacheScope.OfUser(run.OwnerId));
        Hub = new StreamHub(Signals, new RunRelay(bus, Signals, interests, answers, NullLogger<RunRelay>.Instance));
        Store = new RunStore(Database, Snapshots, Signals, Pending, participant is null ? [] : [participant], NullLogger<RunStore>.Instance);
        Reader = new RunReader(Database);
        _presence = ownsData || time is not null || Test.Options.Kind == DatabaseKind.Sqlite ? null : new PostgresPresence(Database, Test.Options);
        Ownership = new RunOwnership(Database, Snapshots, Signals, WorkerIdentity.New(ownsData, _presence));
        Queue = broker is null ? null : new BrokerHarness(this, broker);
        Approvals = new ApprovalStore(Database, Signals);
        var catalog = new Tools(tools ?? []);
        var runtime = new RunEngine(model ?? new ScriptedChatClient(static _ => [ScriptedChatClient.Say("ok")]), catalog, Store, Hub, new RunEngineOptions(), Clock);
        var executor = new RunExecutor(engine ?? runtime.ExecuteAsync, Store, Ownership, catalog, Clock, NullLogger<RunExecutor>.Instance);
        Worker = new RunWorker(executor, Ownership, new WorkerChannels(Signals, Hub, bus, Queue?.Deliveries), Options, Clock, NullLogger<RunWorker>.Instance);
        Starter = new RunStarter(null!, Store, Ownership, Worker, Pending, NullLogger<RunStarter>.Instance);
        Verbs = new RunVerbs(Reader, Store, Ownership, Starter, Clock);
        Elsewhere = ownsData ? null : new RunsElsewhere(Hub, Reader, bus, interests, Clock, NullLogger<RunsElsewhere>.Instance);
        Streams = new RunStreams(Reader, Hub, answers, Elsewhere);
        Waiters = new RunWaiters(Signals, Worker, Reader, Clock, Elsewhere);
    }

    public TestDatabase Test { get; }

    public IDatabase Database => Test.Database;

    public TimeProvider Clock { get; }

    public RunsOptions Options { get; }

    public RunSignals Signals { get; } = new();

    public PendingStarts Pending { get; } = new();

    public SnapshotStore Snapshots { get; }

    public StreamHub Hub { get; }

    public RunStore Store { get; }

    public RunReader Reader { get; }

    public RunOwnership Ownership { get; }

    public ApprovalStore Approvals { get; }

    public RunWorker Worker { get; }

    public RunStarter Starter { get; }

    public RunVerbs Verbs { get; }

    public RunStreams Streams { get; }

    /// <summary>Null: nobody else can have a run.</summary>
    public RunsElsewhere? Elsewhere { get; }

    public RunWaiters Waiters { get; }

    /// <summary>Null: runs are handed over in process, or found in the database.</summary>
    public BrokerHarness? Queue { get; }

    public static TestDatabase NewDatabase(TimeProvider? time = null, string? folder = null) => new(new DatabaseOptions { Durability = Durability.Normal, PoolMin = 1, ConnectTimeout = TimeSpan.FromMinutes(1) }, time, folder);

    public async Task StartAsync()
    {
        await FollowAsync();
        if (Queue is not null)
        {
            await Queue.StartAsync();
        }

        await Worker.StartAsync(CancellationToken.None);
    }

    /// <summary>Follows what others do, without working on runs.</summary>
    public Task FollowAsync() => Elsewhere?.StartAsync(CancellationToken.None) ?? Task.CompletedTask;

    /// <summary>A run of a team, started as a message would.</summary>
    public async Task<RunAccepted> RunAsync(
        TeamSnapshot team, string input, string? branch = null, bool enqueue = true, bool atOnce = false, string owner = "alice", string? id = null, bool background = false)
    {
        var stored = StoredSnapshot.Of(team);
        id ??= Guid.CreateVersion7().ToString();
        var run = new NewRun
        {
            RunId = id,
            OwnerId = owner,
            RootRunId = id,
            Team = team.Team.Name,
            EntryAgent = team.Team.Entry,
            SnapshotHash = stored.Hash,
            Input = input,
            Options = new RunRequestOptions { Background = background },
            CreatedAt = Clock.GetUtcNow(),
        };
        var creation = new RunCreation { Run = run, Snapshot = stored, BranchId = branch, Enqueue = enqueue };
        return await Starter.StartAsync(new StartPlan(creation, team, [], []), atOnce);
    }

    /// <summary>A run that stands in the database owned by nobody's engine: attempt 1, events 1 (queued) and 2 (started).</summary>
    public async Task<TestRun> OwnedAsync(NewRun? child = null)
    {
        var team = TestTeams.Of(PatternKind.Direct, ["solo"]);
        var stored = StoredSnapshot.Of(team);
        var id = Guid.CreateVersion7().ToString();
        var run = child ?? new NewRun { RunId = id, OwnerId = "alice", RootRunId = id, Team = "test", EntryAgent = "solo", SnapshotHash = stored.Hash, Input = "hi", CreatedAt = Clock.GetUtcNow() };
        var test = new TestRun(this, run.RunId, 1);
        var first = test.Batch(RunStatus.Running, NewRuns.Queued(run, team), new RunStarted(1, "test"));
        await Store.CreateAsync(new RunCreation { Run = run, Snapshot = stored, Worker = "test", Lease = TimeSpan.FromSeconds(15) }, first, CancellationToken.None);
        return test;
    }

    public async Task<RunSummary> EndAsync(string runId)
    {
        var run = await Waiters.WaitAsync(runId, TimeSpan.FromMinutes(2), CancellationToken.None);
        return run ?? throw new InvalidOperationException("no such run");
    }

    public async Task<RunSummary> WaitForAsync(string runId, Func<RunSummary, bool> until)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromMinutes(2));
        while (true)
        {
            var run = await Reader.FindAsync(runId, null, limit.Token) ?? throw new InvalidOperationException("no such run");
            if (until(run))
            {
                return run;
            }

            await Task.Delay(5, limit.Token);
        }
    }

    public async Task<List<RunEvent>> LogAsync(string runId) =>
        [.. (await Reader.EventsAsync(runId, 0, 10_000, CancellationToken.None)).Select(static e => RunJson.DeserializeEvent(e.Json.Span))];

    public async ValueTask DisposeAsync()
    {
        await Worker.StoppingAsync(CancellationToken.None);
        await (Elsewhere?.StopAsync(CancellationToken.None) ?? Task.CompletedTask);
        Elsewhere?.Dispose();
        Worker.Dispose();
        if (Queue is not null)
        {
            await Queue.DisposeAsync();
        }

        if (_presence is not null)
        {
            await _presence.DisposeAsync();
        }

        if (_owned is not null)
        {
            await _owned.DisposeAsync();
        }
    }

    private sealed class Tools(IEnumerable<Tool> tools) : IToolCatalog
    {
        private readonly Dictionary<string, Tool> _byName = tools.ToDictionary(static t => t.Name);

        public IReadOnlyCollection<Tool> All => _byName.Values;

        public Tool? Find(string name) => _byName.GetValueOrDefault(name);
    }
}

/// <summary>The owner of a run, written by hand.</summary>
internal sealed class TestRun(RunsHarness harness, string id, int attempt)
{
    public string Id => id;

    public int Attempt => attempt;

    public long Seq { get; set; }

    /// <summary>Numbers the events after what this owner knows, and moves on.</summary>
    public RunAppend Batch(RunStatus status, params RunEvent[] events)
    {
        var append = new RunAppend
        {
            RunId = id,
            Attempt = attempt,
            ExpectedSeq = Seq,
            Events = RunClosing.Record(id, "solo", Seq, events, harness.Clock.GetUtcNow()),
            BatchId = Guid.CreateVersion7(),
            Status = status,
        };
        Seq += events.Length;
        return append;
    }

    public ValueTask<AppendResult> AppendAsync(RunStatus status, params RunEvent[] events) => harness.Store.AppendAsync(Batch(status, events), CancellationToken.None);

    /// <summary>A model call begins, with so much set aside for it.</summary>
    public async Task<TreeGrant> AskAsync(TreeHold hold) =>
        (await harness.Store.AppendAsync(Batch(RunStatus.Running, new ModelRequested("m", "cheap", "v1", "h", "answer", 1)) with { Hold = hold }, CancellationToken.None)).Grant;

    public ValueTask<AppendResult> EndAsync(string text = "done") => AppendAsync(
        RunStatus.Completed,
        new MessageCompleted(Guid.NewGuid().ToString(), text, "complete", [], "m", "t", false),
        new RunCompleted(TokenUsage.None, Money.Zero, Money.Zero, 1));
}

/// <summary>Collects what a stream delivers, in the form a client keeps it.</summary>
internal sealed class StreamClient
{
    private readonly Dictionary<string, string> _texts = new(StringComparer.Ordinal);

    public List<(long Seq, byte[] Json)> Events { get; } = [];

    public IReadOnlyDictionary<string, string> Texts => _texts;

    public StreamPosition Position { get; private set; }

    public bool Ended { get; private set; }

    /// <summary>Takes an item as a browser would; throws when something comes twice or out of order.</summary>
    public void Take(StreamItem item)
    {
        Assert.True(StreamPositions.TryParse(item.Id!, out var position), $"id {item.Id}");
        Ended |= item.IsFinal;
        using var json = System.Text.Json.JsonDocument.Parse(item.Json);
        var root = json.RootElement;
        switch (item.Type)
        {
            case "message.delta":
                Assert.Equal(Position with { N = Position.N + 1 }, position);
                _texts[root.GetProperty("message_id").GetString()!] = _texts.GetValueOrDefault(root.GetProperty("message_id").GetString()!, "") + root.GetProperty("text").GetString();
                break;
            case "message.snapshot":
                Assert.True(position.Seq == Position.Seq && position.N >= Position.N, $"snapshot {position} after {Position}");
                _texts[root.GetProperty("message_id").GetString()!] = root.GetProperty("text").GetString()!;
                break;
            default:
                Assert.Equal(Position.Seq + 1, position.Seq);
                Assert.Equal(0, position.N);
                Events.Add((position.Seq, item.Json.ToArray()));
                break;
        }

        Position = position;
    }
}
