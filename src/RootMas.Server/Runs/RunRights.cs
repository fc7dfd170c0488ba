using System.Collections.Concurrent;
using RootMas.Runtime.Runs;
using RootMas.Runtime.Tools;
using RootMas.Server.Identity.Access;
using RootMas.Server.Identity.Audit;
using RootMas.Server.Platform.Cluster;
using RootMas.Server.Platform.Data;
using RootMas.Server.Platform.Http;

namespace RootMas.Server.Runs;

/// <summary>What the people behind runs may do, asked each time: a role that was taken away yesterday counts for a run that was started last week.</summary>
internal sealed class RunRights(UserRights users, LiveSessions live, ChangeFeed changes) : IRunRights
{
    private const int MostKnown = 10_000;
    private readonly ConcurrentDictionary<string, Known> _known = new(StringComparer.Ordinal);

    public async ValueTask<Func<string, bool>> PermissionsAsync(NewRun run, CancellationToken cancellationToken)
    {
        var permissions = await users.OfOwnerAsync(run.OwnerId, run.Options.Permissions, cancellationToken);
        return permission => Permissions.Allows(permissions, permission);
    }

    /// <summary>Kept until somebody's rights or sessions end anywhere, which is rare beside model calls; while that cannot be heard of, nothing is kept.</summary>
    public async ValueTask<Func<string, bool>> OfferedAsync(NewRun run, CancellationToken cancellationToken)
    {
        var ends = live.Ends;
        if (run.Options.Permissions is not null || !changes.IsCurrent)
        {
            return await PermissionsAsync(run, cancellationToken);
        }

        if (_known.TryGetValue(run.OwnerId, out var known) && known.Ends == ends)
        {
            return known.May;
        }

        if (_known.Count >= MostKnown)
        {
            _known.Clear();
        }

        var may = await PermissionsAsync(run, cancellationToken);
        _known[run.OwnerId] = new Known(ends, may);
        return may;
    }

    public async ValueTask<bool> MayApproveAsync(NewRun run, string decidedBy, Approver approver, CancellationToken cancellationToken)
    {
        if (await users.FindAsync(decidedBy, cancellationToken) is not { IsDisabled: false } user || !Permissions.Allows(user.Permissions, Permissions.DecideApprovals))
        {
            return false;
        }

        return user.Role == "admin" || (approver == Approver.Owner && user.Id == run.OwnerId);
    }

    /// <param name="Ends">How many ends there had been when it was read.</param>
    private sealed record Known(long Ends, Func<string, bool> May);
}

/// <summary>Owners whose account was disabled: nothing of theirs begins or goes on.</summary>
internal static class DisabledOwners
{
    public const string Reason = "user_disabled: the account for which this was done may no longer be used. What was found before is kept.";

    private const string IsDisabled = "select 1 from users where id = @id and disabled_at is not null";

    /// <summary>The look for a disabled owner, for whoever looks for more at the same time.</summary>
    public static RowRead Read(string ownerId, Action found) => new(IsDisabled, command => command.Set("id", Subjects.UserOf(ownerId).UserId), _ => found());

    public static ValueTask<bool> ContainsAsync(DbSession session, string ownerId) => session.Prepared(IsDisabled).Set("id", Subjects.UserOf(ownerId).UserId).AnyAsync();

    /// <summary>In the transaction that would create the run: however close the disabling came, one of the two sees the other.</summary>
    /// <exception cref="ProblemException">Nothing is written.</exception>
    public static async ValueTask RefuseAsync(DbSession session, string ownerId)
    {
        if (await ContainsAsync(session, ownerId))
        {
            throw new ProblemException(Problems.Forbidden("user_disabled", "This account was disabled. Nothing was done."));
        }
    }
}

/// <summary>Writes calls that were refused for want of rights into the audit log, in the transaction that writes the refusal into the run's.</summary>
internal sealed class RunAudit(AuditLog audit) : IRunTransactionParticipant
{
    public ValueTask OnCreatedAsync(DbSession session, RunIdentity run, bool takesTurn) => ValueTask.CompletedTask;

    public ValueTask OnActivatedAsync(DbSession session, RunIdentity run) => ValueTask.CompletedTask;

    public ValueTask OnAppendedAsync(DbSession session, RunIdentity run, IReadOnlyList<EventRecord> events, RunStatus status) => ValueTask.CompletedTask;

    public ValueTask OnRightsDeniedAsync(DbSession session, RunIdentity run, ToolFailed refusal) => audit.AppendAsync(session, new AuditEntry
    {
        Action = "tool.call",
        Outcome = AuditOutcome.Denied,
        ActorId = run.OwnerId,
        TargetKind = "run",
        TargetId = run.RunId,
        After = new System.Text.Json.Nodes.JsonObject { ["tool"] = refusal.Tool, ["agent"] = refusal.Agent, ["call_id"] = refusal.CallId },
    });
}
