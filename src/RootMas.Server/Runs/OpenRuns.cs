using RootMas.Server.Identity.Limits;

using RootMas.Server.Identity.Access;

namespace RootMas.Server.Runs;

/// <summary>
/// How many root runs of each user have not ended, waiting ones included: a bound on what one user can pile up. Beyond <see cref="RunsOptions.RootRunsPerUser"/> runs wait in the queue; beyond this none is accepted.
/// What a bot starts for its end users counts for the bot. Kept by id, so that a signal that comes twice, or a start whose outcome is unknown, never makes it drift upwards.
/// </summary>
internal sealed class OpenRuns(int perUser)
{
    /// <summary>The limit's name, and the code of the refusal.</summary>
    public const string Limit = LimitNames.Runs;

    private readonly Lock _gate = new();
    private readonly Dictionary<string, HashSet<string>> _open = new(StringComparer.Ordinal);

    /// <summary>False: the user has as many unfinished runs as allowed. <paramref name="own"/> is the user's own bound.</summary>
    /// <param name="takesPlace">Of one of these, which is not counted.</param>
    public bool TryEnter(string ownerId, string runId, int? own, bool takesPlace = false)
    {
        lock (_gate)
        {
            var runs = Of(Subjects.UserOf(ownerId).UserId);
            return runs.Count < (own ?? perUser) + (takesPlace ? 1 : 0) && runs.Add(runId);
        }
    }

    public void Leave(string ownerId, string runId)
    {
        var user = Subjects.UserOf(ownerId).UserId;
        lock (_gate)
        {
            if (_open.TryGetValue(user, out var runs) && runs.Remove(runId) && runs.Count == 0)
            {
                _open.Remove(user);
            }
        }
    }

    /// <summary>What an earlier process left unfinished.</summary>
    public void Load(IEnumerable<(string Id, string OwnerId)> runs)
    {
        lock (_gate)
        {
            foreach (var (id, owner) in runs)
            {
                Of(Subjects.UserOf(owner).UserId).Add(id);
            }
        }
    }

    private HashSet<string> Of(string ownerId)
    {
        if (!_open.TryGetValue(ownerId, out var runs))
        {
            _open[ownerId] = runs = new HashSet<string>(StringComparer.Ordinal);
        }

        return runs;
    }
}
