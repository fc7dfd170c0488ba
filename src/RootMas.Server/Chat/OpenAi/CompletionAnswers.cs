using RootMas.Runtime.Runs;
using RootMas.Server.Platform.Http;
using RootMas.Server.Runs;

namespace RootMas.Server.Chat.OpenAi;

/// <summary>How a run's end is told in OpenAI's words.</summary>
internal static class CompletionAnswers
{
    /// <summary>Between the texts of one answer.</summary>
    public const string Separator = "\n\n";

    private const string NoticeBegin = $"{Separator}[The run ";
    private const string NoticeEnd = "; it goes on by itself then.]";

    /// <summary>OpenAI's names; agents use their own tools, so a tool call is never how an answer ends.</summary>
    public static string FinishReason(string? reason) => reason is "length" or "content_filter" ? reason : "stop";

    /// <summary>What the caller's request made impossible is 400, with OpenAI's own code where it has one; a budget that is used up is 429, as with OpenAI; everything else is 500.</summary>
    public static Problem Failed(string runId, string? code, string? reason)
    {
        var detail = $"{reason ?? "The run failed."} (run {runId})";
        return code switch
        {
            "model_context_length" => Problems.Of(400, "context_length_exceeded", detail) with { Errors = new Dictionary<string, string[]>(StringComparer.Ordinal) { ["messages"] = [detail] } },
            "model_content_filter" => Problems.Of(400, "content_filter", detail),
            "model_bad_request" => Problems.Of(400, code, detail),
            "model_budget" => Problems.Of(429, code, detail),
            not null when code.StartsWith("guard_", StringComparison.Ordinal) => Problems.Of(400, code, detail),
            _ => Problems.Of(500, code ?? "run_failed", detail),
        };
    }

    /// <summary>The process lets go of the run, which is kept: asking for it is better than asking again.</summary>
    public static Problem Stopping(string runId) => Kept("server_stopping", "The server stops.", runId);

    /// <summary>What became of the run could not be read now.</summary>
    public static Problem StorageAway(string runId) => Kept("storage_unavailable", "The database does not answer for now.", runId);

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

    /// <summary>The text of an answer without what <see cref="Parked(RunSummary)"/> says behind it.</summary>
    public static string WithoutNotice(string text) =>
        text.TrimEnd().EndsWith(NoticeEnd, StringComparison.Ordinal) && text.LastIndexOf(NoticeBegin, StringComparison.Ordinal) is > 0 and var at ? text[..at] : text;

    private static Problem Kept(string code, string why, string runId) => Problems.Unavailable(
        code, $"{why} Run {runId} is kept and goes on by itself. Read it at GET /api/v1/runs/{runId}; the same request would begin another one, unless it has the same Idempotency-Key.");

    private static string Parked(string runId, string why, string where) => $"{why}{NoticeBegin}{runId} waits for a person. Decide at {where}{NoticeEnd}";
}
