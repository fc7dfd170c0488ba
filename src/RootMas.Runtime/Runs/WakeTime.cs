namespace RootMas.Runtime.Runs;

/// <summary>When a parked run must be woken by the clock: the earliest expiry, deadline or back-off.</summary>
internal static class WakeTime
{
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

        return earliest;
    }

    private static DateTimeOffset? Earlier(DateTimeOffset? a, DateTimeOffset? b) => a is null || b < a ? b ?? a : a;
}
