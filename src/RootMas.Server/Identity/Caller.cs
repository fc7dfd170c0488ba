namespace RootMas.Server.Identity;

/// <summary>Who calls. Until users exist there is one: the local administrator, whose id owns every row.</summary>
/// <param name="UserId">Owner of what is made.</param>
/// <param name="Role">admin, user, agent, readonly.</param>
/// <param name="Permissions">What the role (and later the token's scopes) allow; <c>*</c> allows everything.</param>
public sealed record Caller(string UserId, string Username, string Role, IReadOnlySet<string> Permissions)
{
    public bool IsAdmin => Role == "admin";

    public bool May(string permission) => Permissions.Contains("*") || Permissions.Contains(permission);
}
