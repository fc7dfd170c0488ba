using System.Text.Json.Nodes;
using RootMas.Server.Identity.Access;
using RootMas.Server.Identity.Audit;
using RootMas.Server.Identity.Sessions;
using RootMas.Server.Platform.Data;
using RootMas.Server.Platform.Http;
using RootMas.Server.Platform.Idempotency;
using RootMas.Server.Platform.Outbox;

namespace RootMas.Server.Identity.Users;

/// <summary>What came of a change: the user as they are now, or why not.</summary>
public readonly record struct UserResult(User? User, Problem? Refusal)
{
    public static implicit operator UserResult(User user) => new(user, null);

    public static implicit operator UserResult(Problem refusal) => new(null, refusal);
}

/// <summary>The sessions of users, stored and open.</summary>
public sealed record UserSessions(SessionStore Store, LiveSessions Live);

/// <summary>The rules about users: somebody can always administer, and what changes a user's rights reaches their sessions, streams and work at once.</summary>
public sealed class UserAdministration(IDatabase database, UserSessions sessions, FirstAdmin setup, AuditLog audit, Outbox outbox, IEnumerable<IUserData> data)
{
    public static Problem NotFound() => Problems.NotFound("user_not_found", "There is no such user.");

    public static Problem OldPasswordWrong() => Problems.Forbidden("old_password_wrong", "old_password is not right. Nothing was done.");

    public static Problem NameTaken() => Problems.Conflict("username_taken", "Somebody else has that username (upper and lower case count as the same). Nothing was done. Choose another.");

    /// <param name="also">Written in the same transaction, with the new user's id.</param>
    public Task<UserResult> AddAsync(string username, string role, string passwordHash, UserLimits? limits, AuditEntry entry, Made? also, CancellationToken cancellationToken) => database.WriteAsync(
        async session =>
        {
            var id = Guid.CreateVersion7().ToString();
            if (!await UserStore.AddAsync(session, id, username, role, passwordHash, limits))
            {
                return (UserResult)NameTaken();
            }

            await setup.TellAsync(session);
            var made = (await UserStore.FindAsync(session, id))!;
            await audit.AppendAsync(session, entry with { TargetKind = "user", TargetId = id, After = made.ToAudit() });
            if (also is not null)
            {
                await also(session, id);
            }

            return made;
        },
        cancellationToken);

    public Task<UserResult> ChangeAsync(string id, long version, UserChange change, AuditEntry entry, CancellationToken cancellationToken) => database.WriteAsync(
        async session =>
        {
            if (await UserStore.HoldAsync(session, id) is not { } before)
            {
                return (UserResult)NotFound();
            }

            if (before.Version != version)
            {
                return Problems.PreconditionFailed($"\"{before.Version}\"");
            }

            var now = before with
            {
                Username = change.Username ?? before.Username,
                Role = change.Role ?? before.Role,
                IsDisabled = change.Disabled ?? before.IsDisabled,
                Limits = change.Limits ?? before.Limits,
                ActsFor = change.ActsFor ?? before.ActsFor,
                Grants = change.Grants ?? before.Grants,
            };
            if (await RefusalAsync(session, before, now) is { } refusal)
            {
                return refusal;
            }

            await UserStore.ChangeAsync(session, now);
            await ReachAsync(session, before, now);
            if (before.IsLocal && now.Username != before.Username)
            {
                await setup.TellNameAsync(session, now.Username);
            }

            await audit.AppendAsync(session, entry with { TargetKind = "user", TargetId = id, Before = before.ToAudit(), After = now.ToAudit() });
            return (await UserStore.FindAsync(session, id))!;
        },
        cancellationToken);

    /// <summary>Sets a password. All sessions end but the one it was changed in; API keys stay.</summary>
    public Task<UserResult> SetPasswordAsync(string id, NewPassword password, string? keepSession, AuditEntry entry, CancellationToken cancellationToken) => database.WriteAsync(
        async session =>
        {
            if (await UserStore.HoldAsync(session, id) is null)
            {
                return (UserResult)NotFound();
            }

            if (!await UserStore.SetPasswordAsync(session, id, password))
            {
                // Somebody else set another while this one's hash was computed: that one stays.
                await audit.AppendAsync(session, entry with { Outcome = AuditOutcome.Failed, TargetKind = "user", TargetId = id });
                return OldPasswordWrong();
            }

            await sessions.Store.RevokeAllAsync(session, id, keepSession);
            await setup.TellAsync(session);
            await audit.AppendAsync(session, entry with { TargetKind = "user", TargetId = id });
            return (await UserStore.FindAsync(session, id))!;
        },
        cancellationToken);

    /// <summary>Erases a user with everything that is theirs. Null: done.</summary>
    public Task<Problem?> RemoveAsync(string id, long version, AuditEntry entry, CancellationToken cancellationToken) => database.WriteAsync(
        async session =>
        {
            if (await UserStore.HoldAsync(session, id) is not { } user)
            {
                return NotFound();
            }

            if (user.Version != version)
            {
                return Problems.PreconditionFailed($"\"{user.Version}\"");
            }

            if (await RemovalRefusalAsync(session, user) is { } refusal)
            {
                return refusal;
            }

            foreach (var kept in data)
            {
                await kept.EraseAsync(session, id);
            }

            await sessions.Store.RevokeAllAsync(session, id);
            await sessions.Store.RevokeMadeAsync(session, id);
            await outbox.AddEndedAsync(session, id);
            await UserStore.RemoveAsync(session, id);
            await audit.AppendAsync(session, entry with { TargetKind = "user", TargetId = id, Before = new JsonObject { ["role"] = user.Role } });
            return (Problem?)null;
        },
        cancellationToken);

    private static async ValueTask<Problem?> RefusalAsync(DbSession session, User before, User now)
    {
        if (now.Username != before.Username && await UserStore.IsTakenAsync(session, now.Username, before.Id))
        {
            return NameTaken();
        }

        var loses = IsWorkingAdmin(before) && (now.IsDisabled || now.Role != "admin");
        return loses && !await UserStore.HasOtherAdminAsync(session, before.Id) ? LastAdmin() : null;
    }

    private async ValueTask<Problem?> RemovalRefusalAsync(DbSession session, User user)
    {
        if (user.IsLocal)
        {
            return Problems.Conflict("user_is_operator", "This is the account of whoever holds the data directory, and owns what was made before there were others. It cannot be deleted; it can be disabled. Nothing was done.");
        }

        if (IsWorkingAdmin(user) && !await UserStore.HasOtherAdminAsync(session, user.Id))
        {
            return LastAdmin();
        }

        foreach (var kept in data)
        {
            if (await kept.IsBusyAsync(session, user.Id))
            {
                return Problems.Conflict("user_is_busy", "Runs still work for this user. Disable the user, which stops them, and delete then. Nothing was done.", TimeSpan.FromSeconds(5));
            }
        }

        return null;
    }

    /// <summary>Tells sessions, streams and running work. Whoever may still come does so with the new rights.</summary>
    private async ValueTask ReachAsync(DbSession session, User before, User now)
    {
        var isDisabledNow = now.IsDisabled && !before.IsDisabled;
        if (isDisabledNow || now.Role != before.Role)
        {
            await sessions.Store.RevokeMadeAsync(session, now.Id);
        }

        if (isDisabledNow)
        {
            await sessions.Store.RevokeAllAsync(session, now.Id);
            await outbox.AddEndedAsync(session, now.Id);
        }
        else if (now.Role != before.Role || now.Username != before.Username || now.IsDisabled != before.IsDisabled || now.Limits != before.Limits
            || !ReferenceEquals(now.Grants, before.Grants) || !ReferenceEquals(now.ActsFor, before.ActsFor))
        {
            await sessions.Live.EndUserAsync(session, now.Id);
        }
    }

    private static bool IsWorkingAdmin(User user) => user is { Role: "admin", IsDisabled: false, HasPassword: true };

    private static Problem LastAdmin() =>
        Problems.Conflict("last_admin", "Nobody else can administer this server. Make somebody else an administrator first. Nothing was done.");
}
