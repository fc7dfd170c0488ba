using System.Collections.Concurrent;
using RootMas.Server.Identity.Access;
using RootMas.Server.Platform.Data;

namespace RootMas.Server.Runs;

/// <summary>
/// <see cref="OpenRuns"/> where several processes accept runs: the database counts, in the transaction that creates the run. Whoever is near the limit creates one run at a time, so the limit is exact;
/// whoever is far from it is counted once a second and waits for nobody.
/// </summary>
internal sealed class SharedOpenRuns(int perUser, TimeProvider clock)
{
    /// <summary>More runs of one user than can be between their count and their commit, in all processes together: each has at most Database:PoolMax transactions at a time.</summary>
    private const int Slack = 1_000;

    private const int Remembered = 10_000;

    private static readonly string OneAtATime = SqlDialect.Turn("runs", "@user").Postgres;

    /// <summary>With those of the user's external subjects: '0' follows '/' in ASCII.</summary>
    private const string Count = """
        SELECT COUNT(*) FROM (SELECT 1 FROM runs WHERE ended_at IS NULL AND parent_run_id IS NULL
            AND (owner_id = @user OR (owner_id >= @user || '/' AND owner_id < @user || '0')) LIMIT @limit) AS unfinished
        """;

    private static readonly TimeSpan Fresh = TimeSpan.FromSeconds(1);

    private readonly ConcurrentDictionary<string, (int Count, long At)> _counted = new(StringComparer.Ordinal);

    /// <summary>It is so unlikely to be refused that work may begin before the transaction has committed.</summary>
    public bool IsFarFromFull(string ownerId, int? own)
    {
        var limit = own ?? perUser;
        return limit >= Slack && (!_counted.TryGetValue(Subjects.UserOf(ownerId).UserId, out var last) || last.Count * 2 < limit);
    }

    /// <summary>To be run in the transaction that creates a root run of this owner.</summary>
    /// <param name="takesPlace">Of an unfinished run of the same owner, which this transaction holds: that one is not counted.</param>
    /// <exception cref="TooManyRunsException">The user has as many as allowed.</exception>
    public async ValueTask CountInAsync(DbSession session, string ownerId, int? own, bool takesPlace = false)
    {
        var (user, limit) = (Subjects.UserOf(ownerId).UserId, (own ?? perUser) + (takesPlace ? 1 : 0));
        if (limit >= Slack && _counted.TryGetValue(user, out var last) && last.Count * 2 < limit && clock.GetElapsedTime(last.At) < Fresh)
        {
            return;
        }

        var count = limit >= Slack ? await CountAsync(session, user, limit) : limit;
        if (count + Slack > limit)
        {
            await session.Prepared(OneAtATime).Set("user", user).RunAsync();
            count = await CountAsync(session, user, limit);
        }

        if (_counted.Count > Remembered)
        {
            _counted.Clear();
        }

        _counted[user] = (count, clock.GetTimestamp());
        if (count >= limit)
        {
            throw new TooManyRunsException();
        }
    }

    private static async ValueTask<int> CountAsync(DbSession session, string user, int limit) =>
        (int)(await session.Prepared(Count).Set("user", user).Set("limit", (long)limit).Int64Async() ?? 0);
}

/// <summary>A refusal that becomes known inside of a transaction.</summary>
internal sealed class TooManyRunsException : Exception;
