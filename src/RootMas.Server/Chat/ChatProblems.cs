using RootMas.Runtime.Runs;
using RootMas.Server.Identity.Limits;
using RootMas.Server.Platform.Http;
using RootMas.Server.Runs;

namespace RootMas.Server.Chat;

/// <summary>The refusals of this slice.</summary>
internal static class ChatProblems
{
    public static Problem NoConversation() => Problems.NotFound("conversation_not_found", "There is no such conversation. Nothing was done.");

    public static Problem NoRun() => Problems.NotFound("run_not_found", "There is no such run.");

    public static Problem NoMessage() => Problems.NotFound("message_not_found", "There is no such answer. Nothing was done.");

    public static Problem NoParent() =>
        Problems.Unprocessable("parent_not_found", "parent_id names no message of this conversation that can be answered. Nothing was done.", "parent_id", "names no message of this conversation that can be answered");

    /// <summary>The run was not accepted: no such team, agent or model, or too many runs already.</summary>
    public static Problem NotAccepted(string code, string detail) => code == LimitNames.Runs ? RunProblems.TooManyRuns(detail) : Problems.Of(400, code, detail) with
    {
        Errors = new Dictionary<string, string[]>(StringComparer.Ordinal) { [code[..code.IndexOf('_', StringComparison.Ordinal)]] = [detail] },
    };

    /// <summary>The conversation, and not the sender, names a team that is not there any more. Another one with other rights does not take its place by itself.</summary>
    public static Problem TeamIsGone(string code, string team) => NotAccepted(
        code, $"This conversation's team '{team}' is gone. Nothing was done. Name another one: team in the message, or with PATCH for the conversation. GET /api/v1/teams lists them.");

    public static Problem WaitingForHuman(RunSummary busy) => Problems.Conflict(
        "waiting_for_human",
        $"The run {busy.Id} of this branch waits for a person ({busy.Status.ToName()}). Nothing was done. Decide there first, or send on_busy: interrupt.")
        .With("run_id", busy.Id).With("run_status", busy.Status.ToName());

    public static Problem Busy(RunSummary busy) => Problems.Conflict(
        "conversation_busy", $"The run {busy.Id} still works on this branch. Nothing was done.", TimeSpan.FromSeconds(1))
        .With("run_id", busy.Id).With("run_status", busy.Status.ToName());

    public static Problem CannotRollBack(RunSummary busy) => Problems.Conflict(
        "rollback_impossible", $"The run {busy.Id} has already used a tool that changes something, which cannot be taken back. Nothing was done; it goes on.")
        .With("run_id", busy.Id);

    public static Problem Restless() =>
        Problems.Conflict("conversation_busy", "The branch kept changing while this message was to be placed. Nothing was done. Send it again.", TimeSpan.FromSeconds(1));
}
