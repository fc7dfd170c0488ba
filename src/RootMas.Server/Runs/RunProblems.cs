using RootMas.Server.Platform.Http;

namespace RootMas.Server.Runs;

/// <summary>Refusals that every channel gives alike.</summary>
public static class RunProblems
{
    private static readonly TimeSpan Retry = TimeSpan.FromSeconds(5);

    /// <summary>The user has too many unfinished runs.</summary>
    public static Problem TooManyRuns(string detail) => Problems.TooManyRequests(OpenRuns.Limit, Retry) with { Code = OpenRuns.Limit, Detail = detail };
}
