using System.Collections.Concurrent;
using RootMas.Server.Platform.Data;
using RootMas.Server.Runs;
using RootMas.Server.Runs.Elsewhere;

namespace RootMas.Server.Chat;

/// <summary>Tells open visualisation sockets of new root runs, whichever instance accepted them. Without a listener it costs nothing.</summary>
internal sealed class FlowFeed
{
    private readonly ConcurrentDictionary<Listener, byte> _listeners = new();
    private readonly RunRelay? _relay;
    private readonly RunsElsewhere? _elsewhere;

    /// <param name="relay">Null: there are no other instances to tell.</param>
    /// <param name="elsewhere">Null: there are no other instances to hear of.</param>
    public FlowFeed(RunRelay? relay = null, RunsElsewhere? elsewhere = null)
    {
        (_relay, _elsewhere) = (relay, elsewhere);
        elsewhere?.Started += Tell;
    }

    /// <summary>Called once for each root run of the owner that is durable from now on, on the writer's thread: must not block.</summary>
    /// <param name="working">Runs that are to be told of, too; asked for when none that begins can be missed any more.</param>
    public async Task<IDisposable> ListenAsync(string ownerId, Action<string> onStarted, Func<Task<IEnumerable<string>>> working, CancellationToken cancellationToken)
    {
        var listener = new Listener(_listeners, ownerId, onStarted);
        _listeners[listener] = 0;
        try
        {
            listener.Elsewhere = _elsewhere is null ? null : await _elsewhere.FollowStartsAsync(ownerId, cancellationToken);
            foreach (var runId in await working())
            {
                listener.Tell(runId);
            }

            return listener;
        }
        catch
        {
            listener.Dispose();
            throw;
        }
    }

    public void Announce(DbSession session, RunIdentity run)
    {
        if (!_listeners.IsEmpty || _relay is not null)
        {
            session.AfterCommit(() =>
            {
                Tell(run.OwnerId, run.RunId);
                _relay?.Started(run);
            });
        }
    }

    private void Tell(string ownerId, string runId)
    {
        foreach (var listener in _listeners.Keys)
        {
            if (listener.OwnerId == ownerId)
            {
                listener.Tell(runId);
            }
        }
    }

    private sealed class Listener(ConcurrentDictionary<Listener, byte> all, string ownerId, Action<string> onStarted) : IDisposable
    {
        /// <summary>More than are heard of twice: from here, over the bus and from the database.</summary>
        private const int Remembered = 256;

        private readonly Queue<string> _told = new();

        public string OwnerId => ownerId;

        public IDisposable? Elsewhere { get; set; }

        public void Tell(string runId)
        {
            lock (_told)
            {
                if (_told.Contains(runId))
                {
                    return;
                }

                _told.Enqueue(runId);
                if (_told.Count > Remembered)
                {
                    _told.Dequeue();
                }
            }

            onStarted(runId);
        }

        public void Dispose()
        {
            all.TryRemove(this, out _);
            Elsewhere?.Dispose();
        }
    }
}
