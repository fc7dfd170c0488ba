using System.Collections.Frozen;
using System.Text.RegularExpressions;
using RootMas.Server.Identity.Audit;
using RootMas.Server.Platform.Data;
using RootMas.Server.Platform.Http;

namespace RootMas.Server.Identity.Access;

/// <summary>For whom a call is made: the caller as the owner of what is read and made, or why not.</summary>
public readonly record struct Subject(Caller? Caller, Problem? Refusal);

/// <summary>
/// Who may name whom as <c>user_id</c>: an administrator any user but another administrator, an agent the users on its list, and anybody else's names as external subjects of its own. Everybody else only themselves.
/// The result is a caller whose rights are those that both have.
/// </summary>
public sealed partial class Subjects(UserRights users, IDatabase database, AuditLog audit)
{
    /// <summary>What somebody has who is no user here: their own conversations and memory.</summary>
    public static readonly IReadOnlySet<string> ExternalRights = new[] { "chat:read", "chat:write", "memory:read", "memory:write" }.ToFrozenSet(StringComparer.Ordinal);

    /// <summary>Ids of users hold no slash, and neither do the names that are accepted: nobody can name another's subject.</summary>
    private const char Separator = '/';

    /// <param name="userId">As the client sent it; null: the caller.</param>
    /// <param name="permission">What the subject must be allowed too.</param>
    public async ValueTask<Subject> OfAsync(HttpContext context, Caller caller, string? userId, string permission, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(caller);
        if (userId is null || userId == caller.UserId || userId.Equals(caller.Username, StringComparison.OrdinalIgnoreCase))
        {
            return new Subject(caller, null);
        }

        if (!Name().IsMatch(userId))
        {
            return new Subject(null, Problems.Invalid("user_id", "must be 1 to 100 letters, digits, - or _"));
        }

        if (await FindAsync(caller, userId, cancellationToken) is not { } subject)
        {
            return new Subject(null, Problems.Forbidden("user_not_allowed", "You may not speak for that user. Leave user_id away, or name yourself. Nothing was done."));
        }

        if (!subject.May(permission))
        {
            return new Subject(null, Problems.Forbidden("permission_missing", $"This needs the permission {permission}, which you and that user do not both have. Nothing was done."));
        }

        if (caller.IsAdmin)
        {
            await database.WriteAsync(session => audit.AppendAsync(session, context.Audit("user.act_for") with { TargetKind = "user", TargetId = subject.UserId }), cancellationToken);
        }

        return new Subject(subject, null);
    }

    /// <summary>The user to whom an owner belongs, and whether it is an external subject of theirs.</summary>
    public static (string UserId, bool IsExternal) UserOf(string ownerId)
    {
        ArgumentNullException.ThrowIfNull(ownerId);
        var slash = ownerId.IndexOf(Separator, StringComparison.Ordinal);
        return slash < 0 ? (ownerId, false) : (ownerId[..slash], true);
    }

    private async ValueTask<Caller?> FindAsync(Caller caller, string name, CancellationToken cancellationToken)
    {
        if (caller.Role is not ("admin" or "agent"))
        {
            return null;
        }

        var user = await users.FindByNameAsync(name, cancellationToken);
        if (caller.IsAdmin)
        {
            return user is { IsDisabled: false, Role: not "admin" } ? As(caller, user) : null;
        }

        if (await users.FindAsync(caller.UserId, cancellationToken) is not { } self)
        {
            return null;
        }

        // A name on the list is a promise about a user: if that user is disabled it must not turn into an external subject of the same name.
        var listed = self.ActsFor.Contains(name, StringComparer.OrdinalIgnoreCase) || (user is not null && self.ActsFor.Contains(user.Id, StringComparer.Ordinal));
        if (listed)
        {
            return user is { IsDisabled: false, Role: not "admin" } ? As(caller, user) : null;
        }

        return caller with
        {
            UserId = $"{caller.UserId}{Separator}{name}",
            Username = name,
            Permissions = Permissions.Intersect(caller.Permissions, ExternalRights),
        };
    }

    private static Caller As(Caller caller, UserState user) => caller with
    {
        UserId = user.Id,
        Username = user.Username,
        Role = user.Role,
        Permissions = Permissions.Intersect(caller.Permissions, user.Permissions),
    };

    [GeneratedRegex("^[A-Za-z0-9_-]{1,100}\\z", RegexOptions.CultureInvariant | RegexOptions.NonBacktracking)]
    private static partial Regex Name();
}
