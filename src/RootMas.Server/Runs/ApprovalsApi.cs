using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using System.Text.Json;
using Microsoft.AspNetCore.Http.HttpResults;
using RootMas.Server.Identity.Access;
using RootMas.Server.Identity.Audit;
using RootMas.Server.Platform.Http;
using RootMas.Server.Platform.Idempotency;

namespace RootMas.Server.Runs;

/// <summary>Routes of approvals.</summary>
internal static class ApprovalsApi
{
    private const string Decide = "approvals:decide";
    private const string Badge = "badge";

    public static void Map(RouteGroupBuilder approvals)
    {
        approvals.MapGet("", List).RequirePermission(Decide).WithName("ListApprovals")
            .WithSummary("List approvals").WithDescription("Calls that wait for a person, newest first, with the exact arguments that would run; status= lists decided ones. Administrators see everybody's, and that is audited. With view=badge nothing of what would run is shown, so that looking whether anything waits is not audited.");
        approvals.MapPost("/{id}", Post).RequirePermission(Decide).Audits("approval.decide").ShowsAgain().WithName("DecideApproval")
            .Refuses(404, "approval_not_found", "There is no such approval, or it is somebody else's.").Refuses(403, "admin_required", "Only an administrator may decide this one.")
            .Refuses(403, "people_only", "Agents and service tokens never decide.")
            .Refuses(409, "approval_decided", "It was decided already.").Refuses(409, "approval_expired", "Its time is over.").Refuses(409, "run_is_final", "Its run has ended.")
            .Refuses(409, "arguments_changed", "The hash is not that of the call that waits.")
            .WithSummary("Decide an approval").WithDescription("Approves or denies exactly the call whose arguments_hash is sent back, once.");
    }

    private static async Task<Results<Ok<ApprovalList>, Problem>> List(
        [Description("pending (default), approved, denied, expired, decided (these three), or all.")] string? status, [Description("Only approvals of the run with this id.")] string? run,
        [Description("Only the approval with this id; with status=all also one that does not wait any more.")] string? id,
        [Description("badge: that something waits and in which tool, with arguments null, and hash and reason empty.")] string? view, int? limit, string? cursor, ApprovalStore approvals, ContentReads reads, HttpContext context)
    {
        if (Paging.Read(limit, cursor, 1, out var page) is { } problem)
        {
            return problem;
        }

        if (Refusal(status, view) is { } refusal)
        {
            return refusal;
        }

        var caller = context.Caller();
        var found = await approvals.ListAsync(
            caller.IsAdmin ? null : caller.UserId, status == "all" ? null : status ?? "pending", run, page.After?[0], page.Limit + 1, context.RequestAborted, id);
        var shown = found.Take(page.Limit).ToList();

        // Who decides must see the exact call, so an administrator sees others' without a grant; that it was seen is written down.
        if (view is not Badge)
        {
            await reads.RecordAsync(context, "approval", [.. shown.Where(a => a.OwnerId != caller.UserId).Select(static a => a.Id)]);
        }

        return TypedResults.Ok(new ApprovalList
        {
            Items = [.. shown.Select(a => view is Badge ? ApprovalView.WithoutContent(a) : ApprovalView.Of(a))],
            NextCursor = found.Count > page.Limit ? Paging.CursorOf(found[page.Limit - 1].Id) : null,
        });
    }

    private static Problem? Refusal(string? status, string? view) =>
        status is not (null or "pending" or "approved" or "denied" or "expired" or "decided" or "all") ? Problems.Invalid("status", "must be pending, approved, denied, expired, decided or all")
        : view is not (null or Badge) ? Problems.Invalid("view", "must be badge, or left out")
        : null;

    private static async Task<Results<Ok<ApprovalView>, Problem>> Post([Description("Id of the approval.")] string id, ApprovalDecision body, ApprovalStore approvals, HttpContext context)
    {
        var caller = context.Caller();
        if (caller is { Role: "agent" } or { Credential: CredentialKind.ServiceToken })
        {
            return Problems.Forbidden("people_only", "Approvals are decided by people, never by agents or service tokens.");
        }

        var key = context.Idempotency();
        if (key?.Made is { } made)
        {
            return await approvals.FindAsync(made, caller.IsAdmin ? null : caller.UserId, context.RequestAborted) is { } decided
                ? TypedResults.Ok(ApprovalView.Of(decided))
                : Problems.NotFound("approval_not_found", "There is no such approval.");
        }

        var log = context.RequestServices.GetRequiredService<AuditLog>();
        var entry = context.Audit("approval.decide");
        var decider = new ApprovalDecider(caller.UserId, caller.IsAdmin)
        {
            Record = (session, approval) => log.AppendAsync(session, ApprovalAudit.Fill(entry, approval, body.Decision == "approve" ? "approved" : "denied")),
        };
        var verdict = await approvals.DecideAsync(id, decider, body.Decision == "approve", body.ArgumentsHash, body.Reason, context.RequestAborted, key?.Making("approval"));
        return verdict switch
        {
            { Ok: true, Approval: { } approval } => TypedResults.Ok(ApprovalView.Of(approval)),
            { Code: "approval_not_found" } => Problems.NotFound("approval_not_found", verdict.Detail!),
            { Code: "admin_required" } => Problems.Forbidden("admin_required", verdict.Detail!),
            _ => Problems.Conflict(verdict.Code!, verdict.Detail!),
        };
    }
}

/// <summary>A page of approvals.</summary>
public sealed record ApprovalList
{
    /// <summary>The approvals of this page, newest first.</summary>
    public required IReadOnlyList<ApprovalView> Items { get; init; }

    /// <summary>Send it as cursor to get the next page; null: this is the last one.</summary>
    /// <example>null</example>
    public required string? NextCursor { get; init; }
}

/// <summary>A call that a person decides about.</summary>
public sealed record ApprovalView
{
    /// <summary>Id of the approval.</summary>
    /// <example>0198f2c4-7a13-7d10-8f00-6d1f5a2b6c70</example>
    public required string Id { get; init; }

    /// <summary>The run that waits.</summary>
    /// <example>0198f2c4-7a11-7cc3-9b3e-0d1f5a2b6c70</example>
    public required string RunId { get; init; }

    /// <summary>The user who owns the run.</summary>
    /// <example>0198f2c4-0000-7000-8000-000000000001</example>
    public required string OwnerId { get; init; }

    /// <summary>The agent that asked for the call.</summary>
    /// <example>multi_tool</example>
    public required string Agent { get; init; }

    /// <summary>The call within the run.</summary>
    /// <example>call_2</example>
    public required string CallId { get; init; }

    /// <summary>The tool.</summary>
    /// <example>http_request</example>
    public required string Tool { get; init; }

    /// <summary>The exact arguments that would run; null with view=badge.</summary>
    public required JsonElement Arguments { get; init; }

    /// <summary>The stored text of these arguments, for readers whose JSON rounds large numbers; empty with view=badge.</summary>
    /// <example>"{\"account\":9007199254740993}"</example>
    public required string ArgumentsText { get; init; }

    /// <summary>Send it back with the decision: it says which call is meant, byte for byte. Empty with view=badge.</summary>
    /// <example>9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08</example>
    public required string ArgumentsHash { get; init; }

    /// <summary>Who may decide: owner or admin.</summary>
    /// <example>owner</example>
    public required string Approver { get; init; }

    /// <summary>Why it is asked; empty with view=badge.</summary>
    /// <example>The call sends data to another system.</example>
    public required string Reason { get; init; }

    /// <summary>Where the call would go, or null.</summary>
    /// <example>https://api.example.com</example>
    public string? TargetOrigin { get; init; }

    /// <summary>pending, approved, denied, or expired: its time was over, or its run ended before.</summary>
    /// <example>pending</example>
    public required string Status { get; init; }

    /// <summary>Who decided; null: nobody yet.</summary>
    /// <example>null</example>
    public string? DecidedBy { get; init; }

    /// <summary>What they said about it.</summary>
    /// <example>null</example>
    public string? DecisionReason { get; init; }

    /// <summary>When it was asked.</summary>
    public required DateTimeOffset CreatedAt { get; init; }

    /// <summary>Until when it can be decided.</summary>
    public required DateTimeOffset ExpiresAt { get; init; }

    /// <summary>When it was decided, or was over; null: it waits.</summary>
    public DateTimeOffset? DecidedAt { get; init; }

    /// <summary>That it waits, and no more: whoever saw this cannot decide.</summary>
    internal static ApprovalView WithoutContent(ApprovalRecord a) =>
        Of(a) with { Arguments = JsonElement.Parse("null"), ArgumentsText = "", ArgumentsHash = "", Reason = "", TargetOrigin = null, DecisionReason = null };

    internal static ApprovalView Of(ApprovalRecord a) => new()
    {
        Id = a.Id,
        RunId = a.RunId,
        OwnerId = a.OwnerId,
        Agent = a.Agent,
        CallId = $"call_{a.Call}",
        Tool = a.Tool,
        Arguments = JsonElement.Parse(a.Arguments),
        ArgumentsText = a.Arguments,
        ArgumentsHash = a.ArgumentsHash,
        Approver = a.Approver,
        Reason = a.Reason,
        TargetOrigin = a.TargetOrigin,
        Status = a.Status,
        DecidedBy = a.DecidedBy,
        DecisionReason = a.DecisionReason,
        CreatedAt = a.CreatedAt,
        ExpiresAt = a.ExpiresAt,
        DecidedAt = a.DecidedAt,
    };
}

/// <summary>A person's decision.</summary>
public sealed record ApprovalDecision
{
    /// <summary>approve: exactly this call runs, once; deny: the agent is told that it may not.</summary>
    /// <example>approve</example>
    [AllowedValues("approve", "deny")]
    public required string Decision { get; init; }

    /// <summary>Why; the agent reads it with a denial.</summary>
    /// <example>null</example>
    [Characters(0, 2000)]
    public string? Reason { get; init; }

    /// <summary>The hash that the approval shows.</summary>
    /// <example>9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08</example>
    [RegularExpression("^[0-9a-fA-F]{64}$")]
    public required string ArgumentsHash { get; init; }
}
