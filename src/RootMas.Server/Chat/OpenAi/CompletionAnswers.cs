using RootMas.Runtime.Runs;
using RootMas.Server.Platform.Http;
using RootMas.Server.Runs;

namespace RootMas.Server.Chat.OpenAi;

/// <summary>How a run's end is told in OpenAI's words.</summary>
internal static class CompletionAnswers
{
    /// <summary>OpenAI's names; agents use their own tools, so a tool call is never how an answer ends.</summary>
    public static string FinishReason(string? reason) => reason is "length" or "content_filter" ? reason : "stop";

    /// <summary>What the caller's request made impossible is 400, a budget that is used up 429 as with OpenAI, everything else 500.</summary>
    public static Problem Failed(string runId, string? code, string? reason) => Problems.Of(
        code is "guard" or "context_length" or "content_filter" or "model_rejected" ? 400 : code is "model_budget" ? 429 : 500,
        code ?? "run_failed",
        $"{reason ?? "The run failed."} (run {runId})");

    public static Problem Cancelled(string runId, string? reason) => Problems.Of(409, "run_cancelled", $"The run was cancelled: {reason ?? "no reason was given"} (run {runId})");

    public static Problem NoModel(Problem refusal) => refusal with { Status = 404, Code = "model_not_found", Errors = new Dictionary<string, string[]>(StringComparer.Ordinal) { ["model"] = [refusal.Detail] } };

    /// <summary>The event by which a run waits for a person.</summary>
    public static string Parked(RunEvent e) => e switch
    {
        InputRequested asked => Parked(e.RunId, asked.Question, $"POST /api/v1/runs/{e.RunId}/input"),
        ApprovalRequested asked => Parked(e.RunId, $"An approval is needed for {asked.Tool}: {asked.Reason}", $"POST /api/v1/approvals/{asked.ApprovalId}"),
        RunNeedsReview review => Parked(e.RunId, review.Reason, $"POST /api/v1/runs/{e.RunId}/resolve"),
        _ => Parked(e.RunId, "It waits for a person.", $"GET /api/v1/runs/{e.RunId}"),
    };

    public static string Parked(RunSummary run) => Parked(run.Id, run.Reason ?? "It waits for a person.", run.Status switch
    {
        RunStatus.WaitingInput => $"POST /api/v1/runs/{run.Id}/input",
        RunStatus.NeedsReview => $"POST /api/v1/runs/{run.Id}/resolve",
        _ => "GET /api/v1/approvals",
    });

    private static string Parked(string runId, string why, string where) => $"{why}\n\n[The run {runId} waits for a person. Decide at {where}; it goes on by itself then.]";
}
