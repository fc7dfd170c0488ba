using System.Collections.Concurrent;
using System.Text.Json;
using RootMas.Runtime.Runs;
using RootMas.Server.Platform.Caching;
using RootMas.Server.Platform.Cluster;

namespace RootMas.Server.Runs.Elsewhere;

/// <summary>
/// Tells other instances what happens to the runs of this one, if they have asked: pieces, that the log has grown, that a run has settled. What they are told they could find in the database, except for pieces.
/// </summary>
internal sealed partial class RunRelay
{
    /// <summary>Instances hear of wishes here, and of their own on <see cref="TopicOf"/>.</summary>
    public const string Wishing = "runs.wishes";

    private const int Remembered = 4096;

    private readonly IClusterBus _bus;
    private readonly Interests _interests;
    private readonly IAnswerCache _answers;
    private readonly ILogger _logger;
    private readonly ConcurrentDictionary<string, byte> _settled = new(StringComparer.Ordinal);
    private readonly ConcurrentQueue<string> _order = new();

    public RunRelay(IClusterBus bus, RunSignals signals, Interests interests, IAnswerCache answers, ILogger<RunRelay> logger)
    {
        (_bus, _interests, _answers, _logger) = (bus, interests, answers, logger);
        if (!bus.IsShared)
        {
            return;
        }

        signals.Ended += run => AfterAnswers(() => Settled(run.Id, run.Id));
        signals.Parked += (runId, rootRunId, status) => AfterAnswers(() => Settled(runId, status.IsWaitingForHuman() ? rootRunId : runId));
        bus.Subscribe(Wishing, Hear);
    }

    /// <summary>Tells where a run stands and its text so far, if it is worked on here.</summary>
    public Action<string, Action<long, int, MessageSnapshot?>>? TextOf { get; set; }

    /// <summary>Where an instance hears what it has asked for.</summary>
    public static string TopicOf(string instance) => "runs.pieces:" + instance;

    /// <summary>Somebody elsewhere follows the run: its pieces are worth making.</summary>
    public bool IsWanted(NewRun run) => !_interests.IsEmpty
        && (_interests.Of(WishKey.Run(run.RunId)).Length > 0 || (run.ParentRunId is not null && _interests.Of(WishKey.Tree(run.RootRunId)).Length > 0));

    /// <param name="before">How much text of its message was said before it.</param>
    public void Piece(NewRun run, LivePiece piece, ref byte[]? json, int before)
    {
        if (!IsWanted(run))
        {
            return;
        }

        var note = new RunNote { Kind = NoteKind.Piece, Run = run.RunId, Parent = run.ParentRunId, Root = run.RootRunId, Seq = piece.Seq, N = piece.N, Before = before };
        var payload = note.ToBytes(json ??= RunJson.Serialize(piece));
        TellFollowers(run.RunId, run.ParentRunId, run.RootRunId, payload);
    }

    public void Appended(RunIdentity run, IReadOnlyList<EventRecord> events)
    {
        if (_interests.IsEmpty)
        {
            return;
        }

        var note = new RunNote { Kind = NoteKind.Appended, Run = run.RunId, Parent = run.ParentRunId, Root = run.RootRunId, Seq = events[^1].Event.Seq };
        if (events.Any(static e => RunEventNames.Settles(RunEventNames.Of(e.Event))))
        {
            AfterAnswers(() => TellFollowers(run.RunId, run.ParentRunId, run.RootRunId, note.ToBytes([])));
        }
        else
        {
            TellFollowers(run.RunId, run.ParentRunId, run.RootRunId, note.ToBytes([]));
        }
    }

    /// <summary>Other instances hear of it only when no instance gives an answer any more that was kept before it.</summary>
    private void AfterAnswers(Action tell)
    {
        var settled = _answers.SettledAsync();
        if (settled.IsCompleted)
        {
            tell();
        }
        else
        {
            _ = settled.ContinueWith(static (_, tell) => ((Action)tell!)(), tell, CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
        }
    }

    /// <summary>A root run exists.</summary>
    public void Started(RunIdentity run)
    {
        if (!_interests.IsEmpty)
        {
            Tell(WishKey.Starts(run.OwnerId), new RunNote { Kind = NoteKind.Started, Run = run.RunId, Owner = run.OwnerId }.ToBytes([]));
        }
    }

    private void Settled(string runId, string rootRunId)
    {
        Remember(runId);
        Remember(rootRunId);
        if (!_interests.IsEmpty)
        {
            TellSettled(runId);
            if (rootRunId != runId)
            {
                TellSettled(rootRunId);
            }
        }
    }

    private void TellSettled(string runId) => Tell(WishKey.End(runId), new RunNote { Kind = NoteKind.Settled, Run = runId }.ToBytes([]));

    /// <summary>Who asks a moment too late is told at once.</summary>
    private void Remember(string runId)
    {
        if (_settled.TryAdd(runId, 0))
        {
            _order.Enqueue(runId);
            if (_order.Count > Remembered && _order.TryDequeue(out var oldest))
            {
                _settled.TryRemove(oldest, out _);
            }
        }
    }

    private void TellFollowers(string runId, string? parentRunId, string rootRunId, byte[] payload)
    {
        var followers = _interests.Of(WishKey.Run(runId));
        foreach (var follower in followers)
        {
            _bus.Publish(TopicOf(follower.Instance), payload);
        }

        if (parentRunId is null)
        {
            return;
        }

        foreach (var watcher in _interests.Of(WishKey.Tree(rootRunId)))
        {
            if (!Contains(followers, watcher.Instance))
            {
                _bus.Publish(TopicOf(watcher.Instance), payload);
            }
        }
    }

    private void Tell(string key, byte[] payload)
    {
        foreach (var listener in _interests.Of(key))
        {
            _bus.Publish(TopicOf(listener.Instance), payload);
        }
    }

    private void Hear(ReadOnlyMemory<byte> payload)
    {
        Wishes wishes;
        try
        {
            wishes = JsonSerializer.Deserialize(payload.Span, NoteJson.Default.Wishes) ?? throw new JsonException("null");
        }
        catch (JsonException e)
        {
            LogNonsense(e.Message);
            return;
        }

        foreach (var key in wishes.Keys)
        {
            _interests.Note(key, wishes.Instance);
            if (key.StartsWith("end:", StringComparison.Ordinal) && _settled.ContainsKey(key[4..]))
            {
                _bus.Publish(TopicOf(wishes.Instance), new RunNote { Kind = NoteKind.Settled, Run = key[4..] }.ToBytes([]));
            }
        }

        foreach (var runId in wishes.Texts)
        {
            SendText(runId, wishes.Instance);
        }
    }

    private void SendText(string runId, string instance)
    {
        var told = false;
        TextOf?.Invoke(runId, (seq, n, text) =>
        {
            told = true;
            var note = new RunNote { Kind = NoteKind.Text, Run = runId, Seq = seq, N = n };
            _bus.Publish(TopicOf(instance), note.ToBytes(text is null ? [] : RunJson.Serialize(text)));
        });
        if (!told && _settled.ContainsKey(runId))
        {
            _bus.Publish(TopicOf(instance), new RunNote { Kind = NoteKind.Appended, Run = runId, Seq = long.MaxValue }.ToBytes([]));
        }
    }

    private static bool Contains(ReadOnlySpan<Interests.Listener> all, string instance)
    {
        foreach (var listener in all)
        {
            if (listener.Instance == instance)
            {
                return true;
            }
        }

        return false;
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "Another instance asked for runs in a form that this program does not know: {Reason}")]
    private partial void LogNonsense(string reason);
}
