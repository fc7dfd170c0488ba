using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using System.Threading.Channels;
using Microsoft.Extensions.AI;
using RootMas.Runtime.Teams;
using RootMas.Runtime.Tools;

namespace RootMas.Runtime.Runs;

/// <summary>What a library caller gives a team. A plain string converts.</summary>
public sealed record RunInput(string Text)
{
    /// <summary>Earlier messages of the conversation, oldest first.</summary>
    public IReadOnlyList<HistoryMessage> History { get; init; } = [];

    public RunRequestOptions Options { get; init; } = new();

    public static implicit operator RunInput(string text) => new(text);

    public static RunInput FromString(string text) => new(text);
}

/// <summary>One thing that a run shows: a log event, or a live piece of text.</summary>
public readonly record struct RunUpdate(RunEvent? Event, LivePiece? Piece);

/// <summary>
/// The runtime as a library, without a server: runs teams in this process and keeps their logs in memory.
/// <code>await foreach (var update in engine.RunAsync(team, "hello", ct)) { … }</code>
/// </summary>
public sealed class InMemoryEngine : IRunSink, IToolCatalog
{
    private readonly ConcurrentDictionary<string, RunExecution> _active = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, Channel<RunUpdate>> _readers = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, TeamSnapshot> _teams = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, RunInput> _inputs = new(StringComparer.Ordinal);

    /// <summary>Runs that are worked on and that nobody reads any more: one of them may not be in the journal yet.</summary>
    private readonly ConcurrentDictionary<string, bool> _left = new(StringComparer.Ordinal);
    private readonly Dictionary<string, Tool> _tools;
    private readonly RunEngine _engine;
    private readonly TimeProvider _clock;

    public InMemoryEngine(IChatClient models, IEnumerable<Tool>? tools = null, RunEngineOptions? options = null, TimeProvider? clock = null)
    {
        _tools = (tools ?? []).ToDictionary(t => t.Name, StringComparer.Ordinal);
        _clock = clock ?? TimeProvider.System;
        _engine = new(new CallersModels(models), this, Journal, this, options ?? new(), _clock);
        Journal.Clock = _clock;
        Journal.Appended = Appended;
        Journal.TreeEnded = id => _teams.TryRemove(id, out _);
        Journal.HasLeft = _left.ContainsKey;
        Journal.Ready = id => _ = AdvanceAsync(id);
        Journal.Poked = id =>
        {
            if (_active.TryGetValue(id, out var execution))
            {
                execution.Poke();
            }
        };
    }

    /// <summary>The logs, the newest of them (<see cref="InMemoryRunJournal.KeepEnded"/>); also how a waiting run is answered: <see cref="InMemoryRunJournal.Tell"/>.</summary>
    public InMemoryRunJournal Journal { get; } = new();

    IReadOnlyCollection<Tool> IToolCatalog.All => _tools.Values;

    Tool? IToolCatalog.Find(string name) => _tools.GetValueOrDefault(name);

    /// <summary>Runs a team on an input and yields what happens until the final event. Leaving the loop early cancels the run.</summary>
    public async IAsyncEnumerable<RunUpdate> RunAsync(TeamSnapshot team, RunInput input, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        var id = Guid.CreateVersion7().ToString();
        var channel = Channel.CreateUnbounded<RunUpdate>();
        _readers[id] = channel;
        _teams[id] = team;
        _inputs[id] = input;
        var run = new NewRun
        {
            RunId = id,
            RootRunId = id,
            OwnerId = "local",
            Team = team.Team.Name,
            EntryAgent = team.Team.Entry,
            SnapshotHash = "",
            Input = input.Text,
            Options = input.Options,
            CreatedAt = _clock.GetUtcNow(),
        };
        var execution = Execution(run, null);
        _ = ExecuteAsync(execution);
        try
        {
            await foreach (var update in channel.Reader.ReadAllAsync(cancellationToken))
            {
                yield return update;
            }
        }
        finally
        {
            _readers.TryRemove(id, out _);
            _inputs.TryRemove(id, out _);
            _left[id] = true;
            Journal.Tell(id, "cancel", CancelRequested.CallerLeft);
            if (!_active.ContainsKey(id))
            {
                _left.TryRemove(id, out _);
            }
        }
    }

    private void Appended(string runId, IReadOnlyList<EventRecord> events)
    {
        if (events.Count == 0 || !_readers.TryGetValue(runId, out var channel))
        {
            return;
        }

        foreach (var record in events)
        {
            channel.Writer.TryWrite(new(record.Event, null));
        }

        if (events[^1].Event is RunCompleted or RunFailed or RunCancelled)
        {
            channel.Writer.TryComplete();
        }
    }

    void IRunSink.Piece(RunExecution run, LivePiece piece)
    {
        if (_readers.TryGetValue(run.Run.RunId, out var channel))
        {
            channel.Writer.TryWrite(new(null, piece));
        }
    }

    private RunExecution Execution(NewRun run, InMemoryRunJournal.Claim? claim) => new()
    {
        Run = run,
        Snapshot = _teams[run.RootRunId],
        History = _inputs.TryGetValue(run.RunId, out var input) ? input.History : [],
        Attempt = claim?.Attempt ?? 1,
        Worker = "local",
        Log = claim?.Log ?? [],
        IsNew = claim is null,
        InboxDone = claim?.InboxDone ?? 0,
        Tree = claim?.Tree ?? default,
        TreeBegan = claim?.TreeBegan,
        TreeRestedMs = claim?.TreeRestedMs ?? 0,
        LeaseLeft = static () => TimeSpan.MaxValue,
    };

    private async Task AdvanceAsync(string runId)
    {
        await Task.Yield();
        if (Journal.TryClaim(runId) is { } claim)
        {
            await ExecuteAsync(Execution(claim.Run, claim));
        }
    }

    private async Task ExecuteAsync(RunExecution execution)
    {
        var id = execution.Run.RunId;
        _active[id] = execution;
        try
        {
            await _engine.ExecuteAsync(execution, CancellationToken.None);
        }
        catch (Exception e)
        {
            // A bug. Whoever reads the run gets it as it is; whoever gave the task is told that it failed.
            _readers.GetValueOrDefault(id)?.Writer.TryComplete(e);
            await FailAsync(execution.Run, e);
            return;
        }
        finally
        {
            _active.TryRemove(id, out _);
            _left.TryRemove(id, out _);
        }

        _ = WakeAsync(id, execution.Attempt); // not awaited: until a clock goes off, that would keep what this attempt worked with
    }

    private async Task FailAsync(NewRun run, Exception bug)
    {
        try
        {
            Journal.ReleaseIfThere(run.RunId);
            if (!Journal.Exists(run.RunId))
            {
                _teams.TryRemove(run.RunId, out _); // it was never made, so it has no end either
            }
            else if (Journal.TryClaim(run.RunId) is { } claim)
            {
                await _engine.FailAsync(Execution(claim.Run, claim), "internal", $"The engine made a mistake in this run and stopped: {bug.Message}");
            }
        }
        catch (Exception e)
        {
            // Not even its end can be written, so nobody above it would ever be told.
            _readers.GetValueOrDefault(run.RootRunId)?.Writer.TryComplete(new AggregateException(bug, e));
        }
    }

    // A row that came while the attempt was letting go has set the run queued already; a parked run is woken by the clock.
    private async Task WakeAsync(string id, int attempt)
    {
        var (status, wakeAt) = Journal.StatusOf(id);
        if (status == RunStatus.Queued)
        {
            await AdvanceAsync(id);
        }
        else if (status.IsParked() && wakeAt is { } due)
        {
            var wait = due - _clock.GetUtcNow();
            await Task.Delay(wait > TimeSpan.Zero ? wait : TimeSpan.Zero, _clock);
            Journal.Tell(id, $"timer:{attempt}", new TimerDue(due)); // an attempt parks once
        }
    }
}
