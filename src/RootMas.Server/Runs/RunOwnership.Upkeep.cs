using System.Data.Common;
using System.Text.Json;
using RootMas.Runtime.Runs;
using RootMas.Server.Platform.Data;

namespace RootMas.Server.Runs;

/// <summary>What is done to several runs at once: they are given back, taken from the dead, woken, told. Those that are being written just then are left for the next look (<see cref="FreeRuns"/>).</summary>
internal sealed partial class RunOwnership
{
    private const string Release = $"""
        UPDATE runs SET status = 'queued', worker = NULL, lease_until = NULL, ready_at = @now
        WHERE id = @id AND attempt = @attempt AND worker = @worker AND status = 'running' RETURNING {RunRow.Columns}
        """;

    /// <summary>Whose fault the crash was is certain only for a run that was alone, or the one suspect that was tried at a time.</summary>
    private const string VoidLeases = """
        UPDATE runs SET status = 'queued', worker = NULL, lease_until = NULL, ready_at = @now, crashes = crashes + 1,
            stalled = stalled + CASE WHEN @alone = 1 OR crashes >= 2 THEN 1 + attempt_idle ELSE 0 END
        WHERE status = 'running' AND ended_at IS NULL
        """;

    private const string Others = "SELECT worker, COUNT(*) FROM runs WHERE status = 'running' AND ended_at IS NULL AND worker <> @worker GROUP BY worker";

    private static readonly SqlText VoidLeasesOf = SqlDialect.InList($"{VoidLeases} AND worker = @worker AND", "id", "ids", $"RETURNING {RunRow.Columns}");

    private const string Held = "SELECT id, root_run_id, lease_until FROM runs WHERE status = 'running' AND ended_at IS NULL";

    private const string HeldOf = Held + " AND worker = @worker";

    private const string Mine = "SELECT id, attempt FROM runs WHERE status = 'running' AND ended_at IS NULL AND worker = @worker";

    private const string DueTimers = "SELECT id, wake_at, attempt FROM runs WHERE wake_at IS NOT NULL AND wake_at <= @now ORDER BY wake_at LIMIT 500";

    /// <summary>Back-offs that began in the future: the clock was set back since, and they would last for as much longer. Short differences between two machines are none of that.</summary>
    private const string SetBack = "FROM runs WHERE wake_at IS NOT NULL AND status = 'waiting_timer' AND parked_at > @later";

    private const string NextTimer = "SELECT MIN(wake_at) FROM runs WHERE wake_at IS NOT NULL";

    private const string Orphans = """
        SELECT child.id FROM runs child JOIN runs parent ON parent.id = child.parent_run_id
        WHERE child.ended_at IS NULL AND parent.ended_at IS NOT NULL LIMIT 500
        """;

    private static readonly TimeSpan ClocksDiffer = TimeSpan.FromSeconds(5);

    /// <summary>A timer whose run is being written is looked at again.</summary>
    private static readonly TimeSpan LookAgain = TimeSpan.FromMilliseconds(400);

    /// <summary>What cuts this process off the database for a moment cuts off others, who take their places again, and renew what they hold, with their next looks. As long as upkeep takes to come round as shipped.</summary>
    private static readonly TimeSpan ComeBack = TimeSpan.FromSeconds(5);

    /// <summary>How many runs each other worker had when it was looked at last; of one that is gone the most since it was seen living. What others freed meanwhile, or is being written, was in its hands, too: the rest was not alone.</summary>
    private volatile Dictionary<string, int> _had = new(StringComparer.Ordinal);

    /// <summary>This worker had to take its place anew a moment ago: others may be about to do the same, and nothing of theirs is taken.</summary>
    public bool IsJustBack => worker.Presence?.SinceReturn < ComeBack;

    /// <summary>This worker's place among the living.</summary>
    public Task HoldAsync(CancellationToken cancellationToken) => worker.Presence?.HoldAsync(worker.Name, cancellationToken) ?? Task.CompletedTask;

    /// <summary>Gives runs back so that any worker may take them up at once; nobody died, so nothing is counted. Returns those that are still to be given back.</summary>
    public Task<List<(string RunId, int Attempt)>> ReleaseAsync(IReadOnlyCollection<(string RunId, int Attempt)> runs, CancellationToken cancellationToken) =>
        database.WriteAsync<List<(string RunId, int Attempt)>>(
            async session =>
            {
                var free = await FreeRuns.HoldWithRootsAsync(session, [.. runs.Select(static r => r.RunId)]);
                HashSet<string> roots = new(StringComparer.Ordinal);
                foreach (var (runId, attempt) in runs.Where(r => free.Contains(r.RunId)))
                {
                    var row = await session.Prepared(Release).Set("now", session.Now).Set("id", runId).Set("attempt", (long)attempt).Set("worker", worker.Name).FirstOrDefaultAsync(RunRow.Read);
                    if (row is null)
                    {
                        continue;
                    }

                    roots.Add(row.Identity.RootRunId);
                    if (!worker.OwnsData)
                    {
                        await signals.Dispatch.AnnounceAsync(session, row.Ready);
                    }
                }

                foreach (var root in roots)
                {
                    await TreeRest.BeginAsync(session, root, session.Now);
                }

                return [.. runs.Where(r => !free.Contains(r.RunId))];
            },
            cancellationToken);

    /// <summary>What this worker has, as the database sees it.</summary>
    public Task<List<(string RunId, int Attempt)>> MineAsync(CancellationToken cancellationToken) =>
        database.LookAsync(async session => await session.Prepared(Mine).Set("worker", worker.Name).ListAsync(static r => (RunId: r.GetString(0), Attempt: r.GetInt32(1))), cancellationToken);

    /// <summary>This process owns the data directory, so whoever held leases is dead: all of them are void. Returns how many there were.</summary>
    public Task<int> VoidLeasesAsync(CancellationToken cancellationToken) =>
        database.WriteAsync(
            async session =>
            {
                var held = await session.Prepared(Held).ListAsync(ReadHeld);
                var freed = await session.Prepared(VoidLeases).Set("now", session.Now).Set("alone", held.Count == 1).RunAsync();
                await RestAsync(session, held);
                return freed;
            },
            cancellationToken);

    /// <summary>
    /// Before anything is claimed, and every few seconds: this worker takes its place among the living, and gives back what those hold who are gone. Returns how many runs that were.
    /// Where this process owns the data, everybody else is gone.
    /// </summary>
    public async Task<int> RecoverAsync(CancellationToken cancellationToken)
    {
        if (worker.Presence is not { } presence)
        {
            return worker.OwnsData ? await VoidLeasesAsync(cancellationToken) : 0;
        }

        await presence.HoldAsync(worker.Name, cancellationToken);
        if (IsJustBack)
        {
            return 0;
        }

        var others = await database.LookAsync(
            session => session.Prepared(Others).Set("worker", worker.Name).ListAsync(static r => (Name: r.GetString(0), Runs: r.GetInt32(1))), cancellationToken);
        var gone = await presence.GoneAsync([.. others.Select(static o => o.Name)], cancellationToken);
        var known = _had;
        var had = others.ToDictionary(
            static o => o.Name, o => gone.Contains(o.Name, StringComparer.Ordinal) ? Math.Max(o.Runs, known.GetValueOrDefault(o.Name)) : o.Runs, StringComparer.Ordinal);
        _had = had;
        var recovered = 0;
        foreach (var name in gone)
        {
            recovered += await database.WriteAsync(session => TakeBackAsync(session, presence, name, had[name]), cancellationToken);
        }

        return recovered;
    }

    /// <summary>Leases that ended before this are over.</summary>
    private DateTimeOffset LapsedBefore(DbSession session) => IsJustBack ? DateTimeOffset.UnixEpoch : session.Now;

    private async ValueTask<int> TakeBackAsync(DbSession session, IPresence presence, string gone, int had)
    {
        // Asked once more, by the server that commits this: if it has let go of our own place, too, then it was not they who ended.
        if (!await presence.LivesAsync(session, worker.Name) || await presence.LivesAsync(session, gone))
        {
            return 0;
        }

        var held = await session.Prepared(HeldOf).Set("worker", gone).ListAsync(ReadHeld);
        var free = await FreeRuns.HoldWithRootsAsync(session, [.. held.Select(static h => h.Id)]);
        var freed = await session.Prepared(VoidLeasesOf).Set("now", session.Now).Set("worker", gone).Set("alone", Math.Max(held.Count, had) == 1).Set("ids", JsonSerializer.Serialize(free))
            .ListAsync(RunRow.Read);
        var left = freed.Select(static r => r.Id).ToHashSet(StringComparer.Ordinal);
        await RestAsync(session, held.Where(h => left.Contains(h.Id)));
        foreach (var row in freed)
        {
            await signals.Dispatch.AnnounceAsync(session, row.Ready);
        }

        return freed.Count;
    }

    /// <summary>Wakes parked runs whose time has come, each exactly once. Returns the next time to look; null: nothing waits for a time.</summary>
    public async Task<DateTimeOffset?> FireTimersAsync(CancellationToken cancellationToken)
    {
        await SettleJumpsAsync();
        return await database.WriteAsync(
            async session =>
            {
                var due = await session.Prepared(DueTimers).Set("now", session.Now).ListAsync(ReadDue);
                var setBack = await session.Prepared($"SELECT id, wake_at, attempt {SetBack} AND wake_at > @now").Set("later", session.Now + ClocksDiffer).Set("now", session.Now)
                    .ListAsync(ReadDue);
                due.AddRange(setBack);
                var free = await FreeRuns.HoldAsync(session, [.. due.Select(static d => d.Id)]);
                foreach (var (id, at, attempt) in due.Where(d => free.Contains(d.Id)))
                {
                    // With the attempt, which parks once: that a run was woken for this time before must not keep it from being woken for it again.
                    await RunInbox.InsertAsync(session, signals, id, ownerId: null, $"timer:{attempt}:{UnixTime.ToMicros(at)}", new TimerDue(at));
                }

                return free.Count < due.Count ? session.Now + LookAgain : await session.Prepared(NextTimer).FirstOrDefaultAsync(static r => r.TimeOrNull(0));
            },
            cancellationToken);
    }

    /// <summary>When the next parked run wants to be woken, or has to be because the clock was set back; null: none does.</summary>
    public Task<DateTimeOffset?> NextTimerAsync(CancellationToken cancellationToken) =>
        database.ReadAsync(
            async session => await session.Prepared($"SELECT 1 {SetBack} LIMIT 1").Set("later", session.Now + ClocksDiffer).AnyAsync()
                ? session.Now
                : await session.Prepared(NextTimer).FirstOrDefaultAsync(static r => r.TimeOrNull(0)),
            cancellationToken);

    /// <summary>Cancels children whose parent ended without them (it failed, or the process died before it could tell them). Returns how many there were, and how many of them are still to be told.</summary>
    public Task<(int Found, int Left)> CancelOrphansAsync(CancellationToken cancellationToken) =>
        database.WriteAsync(
            async session =>
            {
                var orphans = await session.Prepared(Orphans).ListAsync(static r => r.GetString(0));
                var free = await FreeRuns.HoldAsync(session, orphans);
                foreach (var id in free)
                {
                    await RunInbox.InsertAsync(session, signals, id, ownerId: null, "parent.ended", LateChildren.ParentEnded);
                }

                return (Found: orphans.Count, Left: orphans.Count - free.Count);
            },
            cancellationToken);

    private static (string Id, DateTimeOffset At, int Attempt) ReadDue(DbDataReader row) => (row.GetString(0), row.Time(1), row.GetInt32(2));

    private static (string Id, string Root, DateTimeOffset? LeaseUntil) ReadHeld(DbDataReader row) => (row.GetString(0), row.GetString(1), row.TimeOrNull(2));

    /// <summary>When they died nobody knows, but their leases end soon after: what was left of the night is no working time.</summary>
    private static async ValueTask RestAsync(DbSession session, IEnumerable<(string Id, string Root, DateTimeOffset? LeaseUntil)> lost)
    {
        foreach (var tree in lost.GroupBy(static l => l.Root, StringComparer.Ordinal))
        {
            var over = tree.Max(static l => l.LeaseUntil) ?? session.Now;
            await TreeRest.BeginAsync(session, tree.Key, over < session.Now ? over : session.Now);
        }
    }
}
