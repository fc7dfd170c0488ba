using System.Collections.Concurrent;
using RootMas.Server.Platform.Cluster;
using RootMas.Server.Platform.Data;

namespace RootMas.Server.Identity.Access;

/// <summary>
/// The sessions and keys that this process has seen since it started, so that the end of one reaches streams, sockets and remembered callers at once. Only ends are kept here: what a session may do stands in the database.
/// </summary>
public sealed class LiveSessions(ChangeFeed changes)
{
    private const string OfSession = "session ";
    private const string OfUser = "user ";

    private readonly ConcurrentDictionary<string, Live> _sessions = new(StringComparer.Ordinal);
    private Action<string>? _heard;
    private long _ends;

    /// <summary>
    /// Rises with every end. Who reads a session and then asks for its <see cref="Token"/> compares it before and after: if it rose, what was read may have ended in between.
    /// </summary>
    public long Ends => Interlocked.Read(ref _ends);

    internal int Count => _sessions.Count;

    /// <summary>Hears of each end that is known by name, with the id of the session or key, or of the user whose rights are others now. Call while the services are made.</summary>
    internal void OnEnd(Action<string> hears) => _heard += hears;

    /// <summary>Cancelled when the session ends, or its user's rights change.</summary>
    /// <param name="ends">When it runs out by itself, for what no table says is over then: <see cref="EndOver"/>.</param>
    public CancellationToken Token(string userId, string sessionId, DateTimeOffset? ends = null) =>
        _sessions.GetOrAdd(sessionId, static (_, of) => new Live(of.userId, of.ends), (userId, ends)).Source.Token;

    /// <summary>One session or key is over, here and in all other instances, with the commit of this session of the database.</summary>
    public async ValueTask EndSessionAsync(DbSession session, string sessionId)
    {
        ArgumentNullException.ThrowIfNull(session);
        await changes.AddAsync(session, AccessFollower.Access, OfSession + sessionId);
        session.AfterCommit(() => EndSession(sessionId));
    }

    /// <summary>Everything of a user has to prove itself anew, here and in all other instances, with the commit that changes their rights.</summary>
    public async ValueTask EndUserAsync(DbSession session, string userId, string? exceptSessionId = null)
    {
        ArgumentNullException.ThrowIfNull(session);
        await changes.AddAsync(session, AccessFollower.Access, $"{OfUser}{userId} {exceptSessionId}");
        session.AfterCommit(() => EndUser(userId, exceptSessionId));
    }

    /// <summary>What another instance said with one of the two above.</summary>
    internal void End(string subject)
    {
        if (subject.StartsWith(OfSession, StringComparison.Ordinal))
        {
            EndSession(subject[OfSession.Length..]);
        }
        else if (subject.StartsWith(OfUser, StringComparison.Ordinal))
        {
            var words = subject[OfUser.Length..].Split(' ');
            EndUser(words[0], words is [_, { Length: > 0 } except] ? except : null);
        }
    }

    /// <summary>What ended may have been missed: everything proves itself anew, or is told to.</summary>
    internal void EndAll()
    {
        Interlocked.Increment(ref _ends);
        foreach (var (id, live) in _sessions)
        {
            if (_sessions.TryRemove(KeyValuePair.Create(id, live)))
            {
                live.End();
            }
        }
    }

    /// <summary>One session is over. Call after the commit that ended it.</summary>
    public void EndSession(string sessionId)
    {
        Interlocked.Increment(ref _ends);
        if (_sessions.TryRemove(sessionId, out var live))
        {
            live.End();
        }

        _heard?.Invoke(sessionId);
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

        _heard?.Invoke(userId);
    }

    /// <summary>Ends what has run out by itself, so that nothing that was opened with it outlives it.</summary>
    internal void EndOver(DateTimeOffset now)
    {
        foreach (var (id, live) in _sessions)
        {
            if (live.Ends <= now)
            {
                EndSession(id);
            }
        }
    }

    private sealed class Live(string userId, DateTimeOffset? ends)
    {
        public string UserId { get; } = userId;

        public DateTimeOffset? Ends { get; } = ends;

        /// <summary>Never disposed: its token outlives it in callers, and without a timer there is nothing to free.</summary>
        public CancellationTokenSource Source { get; } = new();

        /// <summary>Cancelled when this returns; whoever listens does its own work on other threads, since the one who ends it may be the database's writer.</summary>
        public void End() => _ = Source.CancelAsync();
    }
}
