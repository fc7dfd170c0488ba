using System.Collections.Concurrent;
using RootMas.Runtime.Runs;
using RootMas.Server.Runs.Elsewhere;

namespace RootMas.Server.Runs;

/// <summary>Where engines show what happens and readers attach. Never blocks the engine: a reader that is too slow is sent back to the store.</summary>
internal sealed class StreamHub : IRunSink
{
    private readonly ConcurrentDictionary<string, RunChannel> _channels = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, TreeChannel> _trees = new(StringComparer.Ordinal);

    private readonly RunRelay? _relay;

    /// <param name="relay">Null: there are no other instances to tell.</param>
    public StreamHub(RunSignals signals, RunRelay? relay = null)
    {
        _relay = relay;
        relay?.TextOf = TellText;
        signals.Appended += Appended;
    }

    /// <summary>Whether a run's worker is in this process. Null: all of them are.</summary>
    public Func<string, bool>? IsHere { get; set; }

    /// <summary>A worker has let go of a run that somebody reads.</summary>
    public Action<string>? Released { get; set; }

    /// <inheritdoc/>
    public void Piece(RunExecution run, LivePiece piece)
    {
        byte[]? json = null; // written once, for all who listen, if anybody does
        var before = _channels.TryGetValue(run.Run.RunId, out var channel) ? channel.Publish(piece, ref json) : 0;

        if (FindTree(run.Run.ParentRunId, run.Run.RootRunId) is { } tree)
        {
            tree.Publish(run.Run.RunId, run.Run.ParentRunId!, piece, ref json);
        }

        _relay?.Piece(run.Run, piece, ref json, before);
    }

    /// <inheritdoc/>
    public bool HasReaders(RunExecution run) =>
        _channels.ContainsKey(run.Run.RunId) || FindTree(run.Run.ParentRunId, run.Run.RootRunId) is not null || _relay?.IsWanted(run.Run) == true;

    /// <summary>The run's worker has let go of it (parked, final, fenced, stopped).</summary>
    public void Left(string runId)
    {
        if (!_channels.TryGetValue(runId, out var channel))
        {
            return;
        }

        if (channel.Leave())
        {
            Remove(channel);
        }
        else
        {
            Released?.Invoke(runId);
        }
    }

    /// <summary>
    /// Keeps the run's live state for a reader. Take it before reading the store: whatever is published from now on is known to the channel,
    /// so that "the store ended here, and the hub knows no more" is certain.
    /// </summary>
    public StreamPin Pin(string runId)
    {
        while (true)
        {
            var channel = _channels.GetOrAdd(runId, static id => new RunChannel(id));
            if (channel.TryPin())
            {
                return new StreamPin(this, channel);
            }
        }
    }

    /// <summary>Keeps a tree's channel for a mirror.</summary>
    public TreePin PinTree(string rootRunId)
    {
        while (true)
        {
            var tree = _trees.GetOrAdd(rootRunId, static id => new TreeChannel(id));
            if (tree.TryPin())
            {
                return new TreePin(this, tree);
            }
        }
    }

    /// <summary>Adds descendants of <paramref name="runId"/> to the subscription.</summary>
    /// <param name="parents">Child → parent of the tree's runs so far; may be empty when the run is the root.</param>
    public IDisposable AttachTree(string rootRunId, string runId, RunSubscription subscription, IEnumerable<KeyValuePair<string, string>> parents)
    {
        while (true)
        {
            var tree = _trees.GetOrAdd(rootRunId, static id => new TreeChannel(id));
            if (tree.TryAdd(runId, subscription, parents))
            {
                return new TreeAttachment(this, tree, subscription);
            }
        }
    }

    internal void Unpin(RunChannel channel)
    {
        if (channel.Unpin())
        {
            Remove(channel);
        }
    }

    internal void Unpin(TreeChannel tree)
    {
        if (tree.Unpin())
        {
            _trees.TryRemove(KeyValuePair.Create(tree.RootRunId, tree));
        }
    }

    private void Appended(RunIdentity run, IReadOnlyList<EventRecord> events)
    {
        RunMetrics.Appended(events);
        if (IsHere is null || IsHere(run.RunId))
        {
            while (!_channels.GetOrAdd(run.RunId, static id => new RunChannel(id)).TryPublish(events))
            {
                // It was taken out between look-up and use; the next look-up makes a new one.
            }
        }
        else if (_channels.TryGetValue(run.RunId, out var channel))
        {
            channel.TryPublish(events, live: false); // written here for whoever will work on it
        }

        if (FindTree(run.ParentRunId, run.RootRunId) is { } tree)
        {
            tree.Publish(run.RunId, run.ParentRunId!, events);
        }

        _relay?.Appended(run, events);
    }

    private void TellText(string runId, Action<long, int, MessageSnapshot?> tell)
    {
        if (_channels.TryGetValue(runId, out var channel))
        {
            channel.TellText(tell);
        }
    }

    private TreeChannel? FindTree(string? parentRunId, string rootRunId) =>
        _trees.IsEmpty || parentRunId is null ? null : _trees.GetValueOrDefault(rootRunId);

    private void Remove(RunChannel channel) => _channels.TryRemove(KeyValuePair.Create(channel.RunId, channel));

    private sealed class TreeAttachment(StreamHub hub, TreeChannel tree, RunSubscription subscription) : IDisposable
    {
        public void Dispose()
        {
            if (tree.Remove(subscription))
            {
                hub._trees.TryRemove(KeyValuePair.Create(tree.RootRunId, tree));
            }
        }
    }
}

/// <summary>A reader's hold on a run's live state.</summary>
internal sealed class StreamPin(StreamHub hub, RunChannel channel) : IDisposable
{
    private int _disposed;

    public RunChannel Channel => channel;

    /// <inheritdoc cref="RunChannel.TryAttach"/>
    public RunSubscription? TryAttach(long last, int lastN) => channel.TryAttach(last, lastN);

    public void Dispose()
    {
        if (Interlocked.Exchange(ref _disposed, 1) == 0)
        {
            hub.Unpin(channel);
        }
    }
}

/// <summary>A mirror's hold on a tree's channel.</summary>
internal sealed class TreePin(StreamHub hub, TreeChannel tree) : IDisposable
{
    public TreeChannel Tree => tree;

    public void Dispose() => hub.Unpin(tree);
}
