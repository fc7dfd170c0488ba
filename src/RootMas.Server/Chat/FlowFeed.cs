using System.Collections.Concurrent;
using RootMas.Server.Platform.Data;
using RootMas.Server.Runs;

namespace RootMas.Server.Chat;

/// <summary>Tells open visualisation sockets of new root runs. Without a listener it costs nothing.</summary>
public sealed class FlowFeed
{
    private readonly ConcurrentDictionary<object, Action<RunIdentity>> _listeners = new();

    /// <summary>Called for each root run that is durable from now on, on the writer's thread: must not block.</summary>
    public IDisposable Listen(Action<RunIdentity> onStarted)
    {
        var listener = new Listener(_listeners);
        _listeners[listener] = onStarted;
        return listener;
    }

    internal void Announce(DbSession session, RunIdentity run)
    {
        if (!_listeners.IsEmpty)
        {
            session.AfterCommit(() => Tell(run));
        }
    }

    private void Tell(RunIdentity run)
    {
        foreach (var tell in _listeners.Values)
        {
            tell(run);
        }
    }

    private sealed class Listener(ConcurrentDictionary<object, Action<RunIdentity>> listeners) : IDisposable
    {
        public void Dispose() => listeners.TryRemove(this, out _);
    }
}
