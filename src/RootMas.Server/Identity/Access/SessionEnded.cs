using RootMas.Server.Platform.Http;

namespace RootMas.Server.Identity.Access;

/// <summary>What waits are told when the right to wait ends (<see cref="Caller.Ended"/>).</summary>
public static class SessionEnded
{
    public static Problem While(string what) => Problems.Unauthorized(
        "session_ended",
        $"Your session ended, or your rights changed, while you followed {what}. Work that was begun goes on unless the account was disabled. Sign in again and look.");
}
