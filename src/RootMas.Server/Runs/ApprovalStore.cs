using System.Data.Common;
using RootMas.Runtime.Runs;
using RootMas.Server.Platform.Data;
using RootMas.Server.Platform.Idempotency;

namespace RootMas.Server.Runs;

/// <summary>Who may decide: the run's owner, or an administrator.</summary>
/// <param name="IsAdmin">May also decide others' approvals, and those that only administrators decide.</param>
public sealed record ApprovalDecider(string UserId, bool IsAdmin)
{
    /// <summary>Writes the decision into the audit log, in its transaction; gets the approval as it was.</summary>
    public Func<DbSession, ApprovalRecord, ValueTask>? Record { get; init; }
}

/// <summary>Approvals: listed, and decided once (DESIGN §4.9).</summary>
public sealed class ApprovalStore
{
    /// <summary>What is pending in a run that ended waits for nobody any more: its time was over with the run.</summary>
    private const string Columns = """
        a.id, a.run_id, a.owner_id, a.agent, a.call, a.tool, a.arguments, a.arguments_hash, a.approver, a.reason, a.target_origin,
        CASE WHEN a.status = 'pending' AND r.ended_at IS NOT NULL THEN 'expired' ELSE a.status END, a.decided_by, a.decision_reason, a.created_at, a.expires_at, COALESCE(a.decided_at, r.ended_at)
        """;

    /// <summary>The run is held, as its owner holds it when it settles an approval: so that neither waits for the other.</summary>
    private static readonly SqlText One = SqlDialect.Held(
        $"SELECT {Columns}, r.status FROM approvals a JOIN runs r ON r.id = a.run_id WHERE a.id = @id AND (@owner IS NULL OR a.owner_id = @owner)", of: "r");

    private const string Many = $"SELECT {Columns} FROM approvals a JOIN runs r ON r.id = a.run_id WHERE 1 = 1";

    private const string Decide = """
        UPDATE approvals SET status = @status, decided_by = @by, decision_reason = @reason, decided_at = @now WHERE id = @id AND status = 'pending'
        """;

    private readonly IDatabase _database;
    private readonly RunSignals _signals;

    internal ApprovalStore(IDatabase database, RunSignals signals) => (_database, _signals) = (database, signals);

    /// <summary>Newest first.</summary>
    /// <param name="ownerId">Null: of all owners (administrators).</param>
    /// <param name="status">pending, approved, denied, expired, decided (whatever is not pending); null: all.</param>
    /// <param name="id">Only this one; null: all.</param>
    public Task<IReadOnlyList<ApprovalRecord>> ListAsync(string? ownerId, string? status, string? runId, string? beforeId, int limit, CancellationToken cancellationToken, string? id = null) =>
        _database.ReadAsync<IReadOnlyList<ApprovalRecord>>(
            async session =>
            {
                (string Name, string? Value, string Condition)[] filters =
                    [("owner", ownerId, "a.owner_id = @owner"), ("run", runId, "a.run_id = @run"), ("id", id, "a.id = @id"), ("before", beforeId, "a.id < @before")];
                var asked = filters.Where(static f => f.Value is not null).ToList();
                var command = session.Prepared($"{Many}{ConditionOf(status)}{string.Concat(asked.Select(static f => $" AND {f.Condition}"))} ORDER BY a.id DESC LIMIT @limit").Set("limit", (long)limit);
                asked.ForEach(f => command.Set(f.Name, f.Value));
                return await command.ListAsync(Read);
            },
            cancellationToken);

    /// <summary>By what is shown as the status, in words that the index of the stored one can serve.</summary>
    private static string ConditionOf(string? status) => status switch
    {
        null => "",
        "pending" => " AND a.status = 'pending' AND r.ended_at IS NULL",
        "expired" => " AND a.status IN ('expired', 'pending') AND (a.status = 'expired' OR r.ended_at IS NOT NULL)",
        "approved" => " AND a.status = 'approved'",
        "denied" => " AND a.status = 'denied'",
        _ => " AND (a.status <> 'pending' OR r.ended_at IS NOT NULL)",
    };

    /// <summary>
    /// Decides once. Codes: approval_not_found, admin_required, approval_decided, approval_expired, arguments_changed, run_is_final. The decision and the word to the run are one transaction.
    /// </summary>
    /// <param name="also">Written in that transaction, with the approval's id.</param>
    public Task<ApprovalVerdict> DecideAsync(string id, ApprovalDecider by, bool approve, string argumentsHash, string? reason, CancellationToken cancellationToken, Made? also = null) =>
        _database.WriteAsync(
            async session =>
            {
                var verdict = await DecideAsync(session, id, by, approve, argumentsHash, reason);
                if (also is not null && verdict.Ok)
                {
                    await also(session, id);
                }

                return verdict;
            },
            cancellationToken);

    /// <summary>One approval of this owner (null: of anybody), or null.</summary>
    public Task<ApprovalRecord?> FindAsync(string id, string? ownerId, CancellationToken cancellationToken) =>
        _database.ReadAsync<ApprovalRecord?>(session => session.Prepared(One).Set("id", id).Set("owner", ownerId).FirstOrDefaultAsync(Read)!, cancellationToken);

    private async ValueTask<ApprovalVerdict> DecideAsync(DbSession session, string id, ApprovalDecider by, bool approve, string argumentsHash, string? reason)
    {
        var found = await session.Prepared(One).Set("id", id).Set("owner", by.IsAdmin ? null : by.UserId)
            .FirstOrDefaultAsync(static r => (Approval: Read(r), Run: RunStatusNames.Parse(r.GetString(17))));
        if (Refusal(found.Approval, found.Run, by, argumentsHash, session.Now) is { } refusal)
        {
            return refusal;
        }

        var approval = found.Approval!;
        var status = approve ? "approved" : "denied";
        if (await session.Prepared(Decide).Set("status", status).Set("by", by.UserId).Set("reason", reason).Set("now", session.Now).Set("id", id).RunAsync() == 0)
        {
            throw new WriteConflictException("The approval was decided between the look at it and the decision.");
        }

        await RunInbox.InsertAsync(session, _signals, approval.RunId, ownerId: null, $"approval:{id}", new ApprovalDecided(id, approve, by.UserId, reason));
        if (by.Record is { } record)
        {
            await record(session, approval);
        }

        return new ApprovalVerdict(approval with { Status = status, DecidedBy = by.UserId, DecisionReason = reason, DecidedAt = session.Now });
    }

    private static ApprovalVerdict? Refusal(ApprovalRecord? approval, RunStatus run, ApprovalDecider by, string argumentsHash, DateTimeOffset now) => approval switch
    {
        null => new ApprovalVerdict(null, "approval_not_found", "There is no such approval."),
        { Approver: "admin" } when !by.IsAdmin => new ApprovalVerdict(approval, "admin_required", "Only an administrator may decide this: it changes what others get."),
        { Status: "approved" or "denied" } => new ApprovalVerdict(approval, "approval_decided", $"This was already decided: {approval.Status}. Nothing was changed."),
        _ when run.IsFinal() => new ApprovalVerdict(approval, "run_is_final", $"The run has ended ({run.ToName()}); there is nothing left to approve."),
        { Status: "expired" } => Late(approval), // the run has noticed already
        _ when approval.ExpiresAt <= now => Late(approval),
        _ when !string.Equals(approval.ArgumentsHash, argumentsHash, StringComparison.OrdinalIgnoreCase) =>
            new ApprovalVerdict(approval, "arguments_changed", "The arguments_hash is not that of the call that waits. Read the approval again and decide about what it shows."),
        _ => null,
    };

    private static ApprovalVerdict Late(ApprovalRecord approval) => new(approval, "approval_expired", "The time to decide is over. The run goes on without this call.");

    private static ApprovalRecord Read(DbDataReader r) => new()
    {
        Id = r.GetString(0),
        RunId = r.GetString(1),
        OwnerId = r.GetString(2),
        Agent = r.GetString(3),
        Call = r.GetInt32(4),
        Tool = r.GetString(5),
        Arguments = r.GetString(6),
        ArgumentsHash = r.GetString(7),
        Approver = r.GetString(8),
        Reason = r.GetString(9),
        TargetOrigin = r.StringOrNull(10),
        Status = r.GetString(11),
        DecidedBy = r.StringOrNull(12),
        DecisionReason = r.StringOrNull(13),
        CreatedAt = r.Time(14),
        ExpiresAt = r.Time(15),
        DecidedAt = r.TimeOrNull(16),
    };
}
