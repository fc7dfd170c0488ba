using RootMas.Server.Identity.Audit;
using RootMas.Server.Platform.Data;
using RootMas.Server.Platform.Http;

namespace RootMas.Server.Identity.Users;

/// <summary>Sets passwords: one's own with the old one, or anybody's as an administrator.</summary>
public sealed class PasswordChanges(UserStore users, UserAdministration administration, PasswordHasher hasher, FirstAdmin setup, IDatabase database, AuditLog audit)
{
    /// <summary>Null: done.</summary>
    /// <param name="keepSession">The session that goes on, if it is the user's own.</param>
    public async Task<Problem?> SetAsync(User user, string password, bool needsOld, string? oldPassword, string? keepSession, AuditEntry entry)
    {
        if (PasswordPolicy.Refusal(password, user.Username) is { } refusal)
        {
            return Problems.Invalid("password", refusal);
        }

        if (needsOld && oldPassword is null)
        {
            return Problems.Invalid("old_password", "is needed to change one's own password");
        }

        var verified = needsOld ? await VerifiedAsync(user, oldPassword!) : null;
        if (needsOld && verified is null)
        {
            await database.WriteAsync(session => audit.AppendAsync(session, entry with { Outcome = AuditOutcome.Failed, TargetKind = "user", TargetId = user.Id }), CancellationToken.None);
            return UserAdministration.OldPasswordWrong();
        }

        var hash = await hasher.HashAsync(password);
        var (_, problem) = await administration.SetPasswordAsync(user.Id, new NewPassword(hash, verified), needsOld ? keepSession : null, entry, CancellationToken.None);
        if (problem is null)
        {
            setup.Close();
        }

        return problem;
    }

    /// <summary>The hash that the old password gives; null: it is not right.</summary>
    private async Task<string?> VerifiedAsync(User user, string oldPassword)
    {
        var known = await users.FindCredentialsByIdAsync(user.Id, CancellationToken.None);
        return PasswordPolicy.IsWellFormed(oldPassword) && await hasher.VerifyAsync(oldPassword, known?.PasswordHash) ? known?.PasswordHash : null;
    }
}
