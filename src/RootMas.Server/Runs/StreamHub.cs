using System.Collections.Concurrent;
using RootMas.Runtime.Runs;

namespace RootMas.Server.Runs;

/// <summary>Where engines show what happens and readers attach. Never blocks the engine: a reader that is too slow is sent back to the store.</summary>
internal sealed class StreamHub : IRunSink
{
    private readonly ConcurrentDictionary<string, RunChannel> _channels = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, TreeChannel> _trees = new(StringComparer.Ordinal);

    public StreamHub(RunSignals signals) => signals.Appended += Appended;


    /// <inheritdoc/>
    public void Piece(RunExecution run, LivePiece piece)
    {
        byte[]? json = null; // written once, for all who listen, if anybody does
        if (_channels.TryGetValue(run.Run.RunId, out var channel))
        {
            channel.Publish(piece, ref json);
        }

        if (FindTree(run.Run.ParentRunId, run.Run.RootRunId) is { } tree)
        {
            tree.Publish(run.Run.RunId, run.Run.ParentRunId!, piece, ref json);
        }
    }

    /// <inheritdoc/>
    public bool HasReaders(RunExecution run) => _channels.ContainsKey(run.Run.RunId) || FindTree(run.Run.ParentRunId, run.Run.RootRunId) is not null;

    /// <summary>The run's worker has let go of it (parked, final, fenced, stopped).</summary>
    public void Left(string runId)
    {
        if (_channels.TryGetValue(runId, out var channel) && channel.Leave())
        {
            Remove(channel);
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

    private void Appended(RunIdentity run, IReadOnlyList<EventRecord> events)
    {
        RunMetrics.Appended(events);
        while (!_channels.GetOrAdd(run.RunId, static id => new RunChannel(id)).TryPublish(events))
        {
            // It was taken out between look-up and use; the next look-up makes a new one.
        }

        if (FindTree(run.ParentRunId, run.RootRunId) is { } tree)
        {
            tree.Publish(run.RunId, run.ParentRunId!, events);
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
