using RootMas.Server.Identity.Limits;

namespace RootMas.Server.Identity.Access;

/// <summary>How a caller proved who they are.</summary>
public enum CredentialKind
{
    /// <summary>The token of the data directory, or no request at all (command line without a server, recovery).</summary>
    Local,

    /// <summary>A JWT of a login.</summary>
    AccessToken,

    /// <summary>A browser's session cookie.</summary>
    Cookie,

    /// <summary>An API key.</summary>
    ApiKey,

    /// <summary>A JWT that was made for somebody else by <c>POST /auth/token</c>.</summary>
    ServiceToken,
}

/// <summary>Who calls, as the server knows them at this moment. Equal requests of one session share one object while its rights stay the same.</summary>
public sealed record Caller
{
    /// <summary>Owner of what is made. For an external subject that a bot speaks for: <c>caller/user_id</c>.</summary>
    public required string UserId { get; init; }

    public required string Username { get; init; }

    /// <summary>admin, user, agent, readonly.</summary>
    public required string Role { get; init; }

    /// <summary>What the role allows, cut down to the credential's scopes; <c>*</c> allows everything but what only single users are granted.</summary>
    public required IReadOnlySet<string> Permissions { get; init; }

    public required CredentialKind Credential { get; init; }

    /// <summary>The session or API key; null: <see cref="CredentialKind.Local"/>.</summary>
    public string? SessionId { get; init; }

    /// <summary>Limits of the user's own, by name; null: the server's.</summary>
    public IReadOnlyDictionary<string, long>? Limits { get; init; }

    /// <summary>
    /// Cancelled when the session ends or its user's rights change (logout, disabling, another role or password): streams and sockets end then, and whoever still may comes back with new rights.
    /// The mere expiry of a token does not cancel it.
    /// </summary>
    public CancellationToken Ended { get; init; }

    public bool IsAdmin => Role == "admin";

    public bool May(string permission) => Access.Permissions.Allows(Permissions, permission);

    /// <summary>What the credential allows, where that is less than the role does by itself; null: all of it. Kept with runs, whose tools have the same rights.</summary>
    public IReadOnlyList<string>? Restriction() => ReferenceEquals(Permissions, Access.Permissions.OfRole(Role)) ? null : [.. Permissions.Order(StringComparer.Ordinal)];
}
