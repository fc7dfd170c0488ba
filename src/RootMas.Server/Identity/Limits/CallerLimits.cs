using RootMas.Server.Identity.Access;

namespace RootMas.Server.Identity.Limits;

/// <summary>Reads a user's own limits, which stand in the user's row by name: rates per minute, and numbers of what may be open at once.</summary>
public static class CallerLimits
{
    /// <summary>The names that a user's row may hold.</summary>
    public static IReadOnlySet<string> Names { get; } =
        new HashSet<string>([LimitNames.Route, LimitNames.Reads, LimitNames.Frames, LimitNames.Runs, LimitNames.Streams, LimitNames.Sockets, LimitNames.Spend], StringComparer.Ordinal);

    /// <summary>So many per minute; null: role and settings decide.</summary>
    public static LimitRule? OwnRate(this Caller caller, string name) =>
        caller.Limits?.TryGetValue(name, out var own) == true ? LimitRule.PerMinute(Math.Clamp(own, 1, 999_999_999)) : null;

    /// <summary>So many at once; null: the settings decide.</summary>
    public static int? OwnNumber(this Caller caller, string name) =>
        caller.Limits?.TryGetValue(name, out var own) == true ? (int)Math.Clamp(own, 0, int.MaxValue) : null;
}
