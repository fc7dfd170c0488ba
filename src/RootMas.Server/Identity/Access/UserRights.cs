using System.Text.Json;
using RootMas.Server.Identity.Users;
using RootMas.Server.Platform.Data;

namespace RootMas.Server.Identity.Access;

/// <summary>A user as far as rights go, as they are at this moment.</summary>
public sealed record UserState(string Id, string Username, string Role, bool IsDisabled, IReadOnlyList<string> ActsFor, IReadOnlyList<string> Grants, IReadOnlyDictionary<string, long>? Limits)
{
    /// <summary>Columns that <see cref="Read"/> expects, of the table <c>users</c> under the name <c>u</c>.</summary>
    public const string Columns = "u.id, u.username, u.role, u.disabled_at, u.acts_for, u.grants, u.limits";

    /// <summary>How many <see cref="Columns"/> there are: the number of the first column behind them.</summary>
    public const int Width = 7;

    public IReadOnlySet<string> Permissions => IsDisabled ? Access.Permissions.OfRole("") : Access.Permissions.Of(Role, null, Grants);

    internal static UserState Read(System.Data.Common.DbDataReader row) =>
        new(row.GetString(0), row.GetString(1), row.GetString(2), !row.IsDBNull(3), NameList.Read(row.StringOrNull(4)), NameList.Read(row.StringOrNull(5)), UserLimits.Read(row.StringOrNull(6))?.ToCaller());
}

/// <summary>Who may do what now, for work that goes on after the request that started it has ended: runs, and approvals of their calls.</summary>
public sealed class UserRights(IDatabase database)
{
    private const string ById = $"select {UserState.Columns} from users u where u.id = @id";

    private const string ByIdOrName = $"select {UserState.Columns} from users u where u.id = @name or u.username = @name order by u.id <> @name limit 1";

    /// <summary>Null: there is no such user (any more).</summary>
    public async ValueTask<UserState?> FindAsync(string id, CancellationToken cancellationToken) =>
        await database.LookAsync(session => session.Prepared(ById).Set("id", id).FirstOrDefaultAsync(UserState.Read), cancellationToken);

    /// <summary>By id or, if nobody has that id, by name.</summary>
    public async ValueTask<UserState?> FindByNameAsync(string name, CancellationToken cancellationToken) =>
        await database.LookAsync(session => session.Prepared(ByIdOrName).Set("name", name).FirstOrDefaultAsync(UserState.Read), cancellationToken);

    /// <summary>What the owner of data may do now. An external subject may do what little it has, as long as the user that speaks for it exists.</summary>
    /// <param name="restriction">See <see cref="Caller.Restriction"/>.</param>
    public async ValueTask<IReadOnlySet<string>> OfOwnerAsync(string ownerId, IReadOnlyCollection<string>? restriction, CancellationToken cancellationToken)
    {
        var (userId, isExternal) = Subjects.UserOf(ownerId);
        if (await FindAsync(userId, cancellationToken) is not { } user)
        {
            return Permissions.OfRole("");
        }

        var now = isExternal ? Permissions.Intersect(user.Permissions, Subjects.ExternalRights) : user.Permissions;
        return restriction is null ? now : Permissions.Intersect(now, restriction.ToHashSet(StringComparer.Ordinal));
    }
}

/// <summary>Short lists of names in a column: a JSON array, or null for none.</summary>
internal static class NameList
{
    public static IReadOnlyList<string> Read(string? json) => json is null ? [] : JsonSerializer.Deserialize<string[]>(json) ?? [];

    public static string? Write(IReadOnlyCollection<string>? names) => names is { Count: > 0 } ? JsonSerializer.Serialize(names) : null;
}
