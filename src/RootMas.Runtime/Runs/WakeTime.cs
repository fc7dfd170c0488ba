namespace RootMas.Runtime.Runs;

/// <summary>When a parked run must be woken by the clock: the earliest expiry, deadline or back-off.</summary>
internal static class WakeTime
{
    /// <remarks>In whole microseconds, rounded down: a database keeps no more, and says the time again when it has come.</remarks>
    public static DateTimeOffset? Of(RunState state)
    {
        DateTimeOffset? earliest = state.Timer?.Until;
        foreach (var number in state.OpenCalls)
        {
            var call = state.Calls[number];
            if (call.Phase is CallPhase.WaitingApproval or CallPhase.WaitingInput)
            {
                earliest = Earlier(earliest, call.ExpiresAt);
            }
        }

        foreach (var task in state.Plan?.Tasks ?? [])
        {
            if (task.Status == "running")
            {
                earliest = Earlier(earliest, task.Deadline);
            }
        }

        return earliest is { } at ? Whole(at) : null;
    }

    /// <summary>Compared as <see cref="Of"/> tells it, so that whoever is woken at that time finds something due. Logs have finer times.</summary>
    public static bool IsDue(DateTimeOffset? at, DateTimeOffset now) => at is { } time && Whole(time) <= now;

    private static DateTimeOffset Whole(DateTimeOffset time) => time.AddTicks(-(time.UtcTicks % TimeSpan.TicksPerMicrosecond));

    private static DateTimeOffset? Earlier(DateTimeOffset? a, DateTimeOffset? b) => a is null || b < a ? b ?? a : a;
}
