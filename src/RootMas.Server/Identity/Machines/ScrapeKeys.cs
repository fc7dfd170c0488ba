using System.Collections.Concurrent;
using System.Collections.Frozen;
using RootMas.Server.Identity.Access;
using RootMas.Server.Identity.Sessions;
using RootMas.Server.Platform.Data;

namespace RootMas.Server.Identity.Machines;

/// <summary>
/// API keys that may read metrics while the database is away: monitoring has to see just then that the instances stand. Only keys that this process itself has verified on that route within a day, by their hash,
/// and for nothing but metrics; never one that it heard was revoked, or whose user was changed.
/// </summary>
public sealed class ScrapeKeys
{
    private const string Permission = "metrics:read";

    /// <summary>Nobody has so many Prometheus servers; the one that was verified longest ago makes room.</summary>
    internal const int Most = 100;

    private static readonly TimeSpan Good = TimeSpan.FromDays(1);

    /// <summary>As long as <see cref="CallerCache"/> remembers anybody.</summary>
    private static readonly TimeSpan Fresh = TimeSpan.FromMinutes(1);

    /// <summary>A database that hangs is away too; a scrape has ten seconds.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(2);

    private static readonly FrozenSet<string> OnlyMetrics = ((string[])[Permission]).ToFrozenSet(StringComparer.Ordinal);

    private readonly ConcurrentDictionary<CallerKey, Known> _known = new();
    private readonly TimeProvider _clock;

    public ScrapeKeys(LiveSessions live, TimeProvider clock)
    {
        ArgumentNullException.ThrowIfNull(live);
        _clock = clock;

        // That something may have been missed, which a long outage says again and again, is no such news.
        live.OnEnd(Forget);
    }

    internal int Count => _known.Count;

    /// <summary>Whether the key was verified here a moment ago, so that what is remembered of callers is as new.</summary>
    public bool IsFresh(CallerKey key) => _known.TryGetValue(key, out var known) && _clock.GetUtcNow() - known.At < Fresh;

    /// <summary>What was found out, or, where the database does not answer, what was found out last.</summary>
    /// <param name="look">Asks the database, and tells <see cref="Verified"/>.</param>
    /// <exception cref="StorageUnavailableException">It does not answer, and nothing is known.</exception>
    internal async ValueTask<Authentication> LookAsync(CallerKey key, Func<Task<Authentication>> look, CancellationToken cancellationToken)
    {
        var asked = Find(key) is not null;
        try
        {
            return await (asked ? look().WaitAsync(Patience, _clock, cancellationToken) : look());
        }
        catch (StorageUnavailableException) when (Find(key) is not null)
        {
            // Below. It may be forgotten by then.
        }
        catch (TimeoutException) when (asked)
        {
            // Likewise: it hangs.
        }

        return Find(key) ?? throw new StorageUnavailableException("The database does not answer, and the key was revoked meanwhile.");
    }

    /// <summary>What the database says of the key now.</summary>
    internal SessionCaller Verified(CallerKey key, SessionCaller found)
    {
        if (found.Caller is not { } caller || !caller.May(Permission))
        {
            _known.TryRemove(key, out _);
            return found;
        }

        _known[key] = new Known(caller with { Permissions = OnlyMetrics }, _clock.GetUtcNow(), found.ExpiresAt);
        if (caller.Ended.IsCancellationRequested)
        {
            _known.TryRemove(key, out _); // it was over before it was kept
        }

        if (_known.Count > Most)
        {
            _known.TryRemove(_known.MinBy(static k => k.Value.At).Key, out _);
        }

        return found;
    }

    private Caller? Find(CallerKey key)
    {
        var now = _clock.GetUtcNow();
        return _known.TryGetValue(key, out var known) && now < known.ExpiresAt && now - known.At < Good ? known.Caller : null;
    }

    /// <param name="id">A key that is over, or a user whose rights are others now.</param>
    private void Forget(string id)
    {
        foreach (var (key, known) in _known)
        {
            if (known.Caller.SessionId == id || known.Caller.UserId == id)
            {
                _known.TryRemove(key, out _);
            }
        }
    }

    private sealed record Known(Caller Caller, DateTimeOffset At, DateTimeOffset ExpiresAt);
}
