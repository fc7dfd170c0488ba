using RootMas.Server.Platform.Http;

namespace RootMas.Server.Runs;

/// <summary>Refusals that every channel gives alike.</summary>
public static class RunProblems
{
    /// <summary>Code of <see cref="ConversationDeleted"/>.</summary>
    public const string NoConversation = "conversation_not_found";

    /// <summary>Code of a retry from an event that there is not.</summary>
    public const string BeyondLog = "from_seq_beyond_log";

    private static readonly TimeSpan Retry = TimeSpan.FromSeconds(5);

    /// <summary>The run is still there, and goes after its conversation.</summary>
    public static Problem ConversationDeleted() =>
        Problems.NotFound(NoConversation, "The conversation of this run was deleted, and the run goes with it. Nothing was done. What is still wanted can be asked in another conversation.");

    /// <summary>The user has too many unfinished runs.</summary>
    public static Problem TooManyRuns(string detail) => Problems.TooManyRequests(OpenRuns.Limit, Retry) with { Code = OpenRuns.Limit, Detail = detail };
}
