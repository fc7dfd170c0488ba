using System.Collections.Concurrent;

namespace RootMas.Server.Identity.Access;

/// <summary>
/// The sessions and keys that this process has seen since it started, so that the end of one reaches streams, sockets and remembered callers at once. Only ends are kept here: what a session may do stands in the database.
/// </summary>
public sealed class LiveSessions
{
    private readonly ConcurrentDictionary<string, Live> _sessions = new(StringComparer.Ordinal);
    private long _ends;

    /// <summary>
    /// Rises with every end. Who reads a session and then asks for its <see cref="Token"/> compares it before and after: if it rose, what was read may have ended in between.
    /// </summary>
    public long Ends => Interlocked.Read(ref _ends);

    internal int Count => _sessions.Count;

    /// <summary>Cancelled when the session ends, or its user's rights change.</summary>
    public CancellationToken Token(string userId, string sessionId) => _sessions.GetOrAdd(sessionId, static (_, user) => new Live(user), userId).Source.Token;

    /// <summary>One session is over. Call after the commit that ended it.</summary>
    public void EndSession(string sessionId)
    {
        Interlocked.Increment(ref _ends);
        if (_sessions.TryRemove(sessionId, out var live))
        {
            live.End();
        }
    }

    /// <summary>Everything of a user has to prove itself anew, perhaps without success: after the commit that changed their rights.</summary>
    public void EndUser(string userId, string? exceptSessionId = null)
    {
        Interlocked.Increment(ref _ends);
        foreach (var (id, live) in _sessions)
        {
            if (live.UserId == userId && id != exceptSessionId && _sessions.TryRemove(KeyValuePair.Create(id, live)))
            {
                live.End();
            }
        }
    }

    private sealed class Live(string userId)
    {
        public string UserId { get; } = userId;

        /// <summary>Never disposed: its token outlives it in callers, and without a timer there is nothing to free.</summary>
        public CancellationTokenSource Source { get; } = new();

        /// <summary>Cancelled when this returns; whoever listens does its own work on other threads, since the one who ends it may be the database's writer.</summary>
        public void End() => _ = Source.CancelAsync();
    }
}
