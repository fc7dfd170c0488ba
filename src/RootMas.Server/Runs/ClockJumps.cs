using RootMas.Server.Platform.Data;

namespace RootMas.Server.Runs;

/// <summary>
/// Where this machine's clock is the only one (the embedded database): when it is set, ahead or back, runs that are under way must not seem to have worked for that long, or to have begun in the future. The jump is taken
/// out of what counts as their own time; runs that were made after it knew the new clock from the start. A suspended machine looks the same, and that time is not theirs either. Runs that wait for people are left out: their whole waiting is taken out when it ends.
/// </summary>
internal sealed class ClockJumps(IDatabase database, TimeProvider clock)
{
    /// <summary>What is less is drift, and no limit of a run is as fine as that.</summary>
    private static readonly TimeSpan Least = TimeSpan.FromSeconds(5);

    private const string Shift = """
        UPDATE runs SET parked_on_humans_ms = parked_on_humans_ms + @by
        WHERE ended_at IS NULL AND status NOT IN ('waiting_approval', 'waiting_input', 'needs_review') AND NOT (created_at >= @since AND created_at <= @now)
        """;

    /// <summary>Of whole trees, resting ones too: that a rest lasts is seen by its beginning, which moves with the clock.</summary>
    private const string ShiftTrees = """
        UPDATE runs SET rest_ms = rest_ms + @by, rest_since = rest_since + 1000 * @by
        WHERE ended_at IS NULL AND parent_run_id IS NULL AND NOT (created_at >= @since AND created_at <= @now)
        """;

    private readonly Lock _lock = new();
    private DateTimeOffset _wall = clock.GetUtcNow();
    private long _steady = clock.GetTimestamp();

    /// <summary>Call before anything is decided by the age of a run. The database keeps the order of writes, so whoever claims after this sees what it did.</summary>
    public Task SettleAsync()
    {
        lock (_lock)
        {
            var (wall, steady) = (clock.GetUtcNow(), clock.GetTimestamp());
            var jump = wall - _wall - clock.GetElapsedTime(_steady, steady);
            if (jump.Duration() < Least)
            {
                return Task.CompletedTask; // the point of comparison stays: small steps add up
            }

            var since = _wall + jump; // the earliest that the new clock can have shown: what was made since knows no jump
            (_wall, _steady) = (wall, steady);
            return database.WriteAsync(
                async session =>
                {
                    foreach (var shift in (string[])[Shift, ShiftTrees])
                    {
                        await session.Prepared(shift).Set("by", (long)jump.TotalMilliseconds).Set("since", since).Set("now", wall).RunAsync();
                    }
                },
                CancellationToken.None);
        }
    }
}
