namespace RootMas.Server.Identity.Limits;

/// <summary>Own limits of one user, from the user's row; what is null follows role and settings. Made once per session, so requests find the rules ready.</summary>
/// <param name="Requests">Per route.</param>
/// <param name="Reads">Of all reading routes together.</param>
/// <param name="Runs">Unfinished root runs at once.</param>
/// <param name="Streams">Event streams, and sockets, open at once.</param>
public sealed record CallerLimits(LimitRule? Requests = null, LimitRule? Reads = null, int? Runs = null, int? Streams = null)
{
    /// <summary>As a user's row and the API of users write them: requests and reads per minute.</summary>
    public static CallerLimits? PerMinute(int? requests, int? reads, int? runs, int? streams) =>
        (requests, reads, runs, streams) is (null, null, null, null)
            ? null
            : new CallerLimits(requests is { } r ? LimitRule.PerMinute(r) : null, reads is { } all ? LimitRule.PerMinute(all) : null, runs, streams);
}
