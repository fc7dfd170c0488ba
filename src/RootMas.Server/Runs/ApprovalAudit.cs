using System.Text.Json.Nodes;
using RootMas.Runtime.Runs;
using RootMas.Server.Identity.Audit;
using RootMas.Server.Platform.Data;

namespace RootMas.Server.Runs;

/// <summary>Rows for approvals: what was decided about which call, and those that nobody decided in time. Arguments appear as their hash: they are contents.</summary>
internal sealed class ApprovalAudit(AuditLog log) : IRunTransactionParticipant
{
    public static AuditEntry Fill(AuditEntry entry, ApprovalRecord approval, string decision) => entry with
    {
        TargetKind = "approval",
        TargetId = approval.Id,
        Before = new JsonObject { ["status"] = approval.Status },
        After = new JsonObject
        {
            ["status"] = decision, ["run_id"] = approval.RunId, ["owner_id"] = approval.OwnerId, ["tool"] = approval.Tool, ["target_origin"] = approval.TargetOrigin,
            ["arguments_hash"] = approval.ArgumentsHash,
        },
    };

    public ValueTask OnCreatedAsync(DbSession session, RunIdentity run, bool takesTurn) => ValueTask.CompletedTask;

    public ValueTask OnActivatedAsync(DbSession session, RunIdentity run) => ValueTask.CompletedTask;

    public ValueTask OnAppendedAsync(DbSession session, RunIdentity run, IReadOnlyList<EventRecord> events, RunStatus status) => ValueTask.CompletedTask;

    public ValueTask OnApprovalExpiredAsync(DbSession session, RunIdentity run, string approvalId) => log.AppendAsync(session, new AuditEntry
    {
        Action = "approval.expire",
        TargetKind = "approval",
        TargetId = approvalId,
        Before = new JsonObject { ["status"] = "pending" },
        After = new JsonObject { ["status"] = "expired", ["run_id"] = run.RunId, ["owner_id"] = run.OwnerId },
    });
}
