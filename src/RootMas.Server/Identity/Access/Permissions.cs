using System.Collections.Frozen;

namespace RootMas.Server.Identity.Access;

/// <summary>What each role may do. A permission is <c>area:action</c>; every route names the one it needs where it is mapped.</summary>
public static class Permissions
{
    /// <summary>Whatever is not granted to single users only.</summary>
    public const string Everything = "*";

    /// <summary>What every caller has, whatever their role and scopes: to see who they are, and to manage what is theirs alone.</summary>
    public const string SignedIn = "signed-in";

    /// <summary>To read what others said. Part of no role, not even of <see cref="Everything"/>: it is granted to a user by name, and each use is audited (decision 15).</summary>
    public const string ReadContent = "content:read";

    public const string DecideApprovals = "approvals:decide";

    private static readonly FrozenSet<string> Admin = Set(Everything);

    private static readonly FrozenSet<string> User = Set(
        "chat:read", "chat:write", "agents:read", "metrics:read", "projects:read", "projects:write", "knowledge:read", "knowledge:write", "memory:read", "memory:write", DecideApprovals);

    private static readonly FrozenSet<string> Agent = Set("chat:read", "chat:write", "agents:communicate", "memory:read", "memory:write");

    private static readonly FrozenSet<string> ReadOnly = Set("chat:read", "agents:read", "metrics:read", "projects:read");

    private static readonly FrozenSet<string> AdminOnly = Set(
        "agents:write", "audit:read", "backups:read", "backups:write", "cache:read", "cache:write", "keys:read", "keys:write", "logs:read", "memory:admin", "queue:read", "queue:write", "secrets:read", "secrets:write", "settings:read", "settings:write", "tokens:write", "usage:read", "users:read", "users:write");

    /// <summary>Roles, from the one that may do most.</summary>
    public static IReadOnlyList<string> Roles { get; } = ["admin", "user", "agent", "readonly"];

    /// <summary>What may be granted to one user beyond their role.</summary>
    public static IReadOnlySet<string> Grantable { get; } = Set(ReadContent);

    /// <summary>Every permission there is: what a scope may name.</summary>
    public static IReadOnlySet<string> All { get; } = Set([.. User, .. Agent, .. ReadOnly, .. AdminOnly, ReadContent]);

    /// <summary>A role's own set, the same object each time. An unknown role may do nothing.</summary>
    public static IReadOnlySet<string> OfRole(string role) => role switch
    {
        "admin" => Admin,
        "user" => User,
        "agent" => Agent,
        "readonly" => ReadOnly,
        _ => FrozenSet<string>.Empty,
    };

    /// <summary>What a role allows, and what was granted beyond it, cut down to scopes. No scopes: all of it.</summary>
    public static IReadOnlySet<string> Of(string role, IReadOnlyCollection<string>? scopes, IReadOnlyCollection<string>? grants = null)
    {
        var whole = OfRole(role);
        if (grants is { Count: > 0 })
        {
            whole = Set([.. whole, .. grants.Where(Grantable.Contains)]);
        }

        return scopes is { Count: > 0 } ? CutDown(whole, scopes) : whole;
    }

    /// <summary>What both sides allow.</summary>
    public static IReadOnlySet<string> Intersect(IReadOnlySet<string> one, IReadOnlySet<string> other)
    {
        ArgumentNullException.ThrowIfNull(one);
        return ReferenceEquals(one, other) ? one : Set([.. All.Append(Everything).Where(p => Allows(one, p) && Allows(other, p))]);
    }

    /// <summary>Whether a set of permissions holds this one.</summary>
    public static bool Allows(IReadOnlySet<string> permissions, string permission)
    {
        ArgumentNullException.ThrowIfNull(permissions);
        return permissions.Contains(permission) || permission == SignedIn || (permission != ReadContent && permissions.Contains(Everything));
    }

    /// <summary>Whether whoever has <paramref name="permissions"/> may all that <paramref name="others"/> allow.</summary>
    public static bool Cover(IReadOnlySet<string> permissions, IReadOnlySet<string> others) => All.All(one => !Allows(others, one) || Allows(permissions, one));

    /// <summary>Why these cannot be scopes, for people; null: they can.</summary>
    public static string? NotScopes(IReadOnlyCollection<string?>? scopes)
    {
        foreach (var scope in scopes ?? [])
        {
            if (scope is null || !All.Contains(scope))
            {
                return $"'{(scope?.Length > 50 ? scope[..50] : scope)}' is no permission; there are: {string.Join(", ", All.Order(StringComparer.Ordinal))}";
            }
        }

        return null;
    }

    private static FrozenSet<string> CutDown(IReadOnlySet<string> whole, IReadOnlyCollection<string> scopes) => Set([.. scopes.Where(scope => scope != Everything && Allows(whole, scope))]);

    private static FrozenSet<string> Set(params IReadOnlyCollection<string> names) => names.ToFrozenSet(StringComparer.Ordinal);
}
