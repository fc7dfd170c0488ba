using System.ComponentModel.DataAnnotations;
using System.Text.Json.Serialization;
using RootMas.Server.Identity.Access;
using RootMas.Server.Identity.Sessions;
using RootMas.Server.Identity.Tokens;
using RootMas.Server.Platform.Http;

namespace RootMas.Server.Identity.Users;

/// <summary>Whether the first administrator is still to be made.</summary>
/// <param name="Open">True: POST /auth/setup works.</param>
public sealed record SetupState(bool Open);

/// <summary>The first administrator.</summary>
public sealed record SetupRequest
{
    /// <summary>What stands in the file setup-token of the data directory.</summary>
    /// <example>rmu_6gYCn3kQmX0y8WJt3r1cVh2sZq5bNf7aLd9eUo4iPwE</example>
    [Required, StringLength(200)]
    public required string SetupToken { get; init; }

    /// <summary>Their name: 1 to 64 letters, digits and ._@- .</summary>
    /// <example>ada</example>
    [Required, RegularExpression(Usernames.Pattern)]
    public required string Username { get; init; }

    /// <summary>Their password: 8 to 256 characters, none of the common ones.</summary>
    /// <example>correct horse battery</example>
    [Required, Characters(PasswordPolicy.Shortest, PasswordPolicy.Longest)]
    public required string Password { get; init; }
}

/// <summary>Who logs in.</summary>
public sealed record LoginRequest
{
    /// <summary>The username; upper and lower case count as the same.</summary>
    /// <example>ada</example>
    [Required, StringLength(64)]
    public required string Username { get; init; }

    /// <summary>The password.</summary>
    /// <example>correct horse battery</example>
    [Required, StringLength(2 * PasswordPolicy.Longest)]
    public required string Password { get; init; }
}

/// <summary>A refresh token to spend.</summary>
public sealed record RefreshRequest
{
    /// <summary>The refresh token of the last answer.</summary>
    /// <example>rmr_6gYCn3kQmX0y8WJt3r1cVh2sZq5bNf7aLd9eUo4iPwE</example>
    [Required, StringLength(4_096)]
    public required string RefreshToken { get; init; }
}

/// <summary>Who is signed in.</summary>
public sealed record SignedInUser
{
    /// <summary>The user.</summary>
    public required string Id { get; init; }

    /// <summary>The username.</summary>
    /// <example>ada</example>
    public required string Username { get; init; }

    /// <summary>admin, user, agent or readonly.</summary>
    /// <example>user</example>
    public required string Role { get; init; }
}

/// <summary>A login's answer. Browsers get a cookie, and only user and expires_in here.</summary>
public sealed record LoginAnswer
{
    /// <summary>Send it as Authorization: Bearer. Absent for browsers.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? AccessToken { get; init; }

    /// <summary>Gives the next pair, once. Absent for browsers.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? RefreshToken { get; init; }

    /// <summary>bearer. Absent for browsers.</summary>
    /// <example>bearer</example>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? TokenType { get; init; }

    /// <summary>Seconds that the access token, or the browser's session, is good for.</summary>
    /// <example>900</example>
    public required long ExpiresIn { get; init; }

    /// <summary>Who logged in.</summary>
    public required SignedInUser User { get; init; }
}

/// <summary>A new pair of tokens.</summary>
public sealed record RefreshAnswer
{
    /// <summary>Send it as Authorization: Bearer.</summary>
    public required string AccessToken { get; init; }

    /// <summary>Gives the next pair, once.</summary>
    public required string RefreshToken { get; init; }

    /// <summary>bearer.</summary>
    /// <example>bearer</example>
    public string TokenType { get; init; } = "bearer";

    /// <summary>Seconds that the access token is good for.</summary>
    /// <example>900</example>
    public required long ExpiresIn { get; init; }
}

/// <summary>The end of a session.</summary>
public sealed record LogoutAnswer
{
    /// <summary>revoked.</summary>
    /// <example>revoked</example>
    public string Status { get; init; } = "revoked";
}

/// <summary>Who calls.</summary>
public sealed record MeAnswer
{
    /// <summary>The user; the role is that of the credential, which may be less than the user's own.</summary>
    public required SignedInUser User { get; init; }

    /// <summary>What this credential may do; * is everything.</summary>
    /// <example>["chat:read", "chat:write"]</example>
    public required IReadOnlyList<string> Permissions { get; init; }

    /// <summary>Limits of the user's own; null members follow role and settings.</summary>
    public required UserLimits Limits { get; init; }

    /// <summary>With what the call was made.</summary>
    /// <example>access_token</example>
    public required CredentialKind Credential { get; init; }

    /// <summary>The session or API key; null: the data directory's token.</summary>
    public string? SessionId { get; init; }
}

/// <summary>Puts answers of logins together: tokens, or a cookie.</summary>
public sealed class AuthAnswers(AccessTokens tokens, IdentityOptions options)
{
    /// <summary>Before a refresh token is spent.</summary>
    internal void RequireKey() => tokens.RequireKey();

    internal LoginAnswer Of(HttpContext context, LoggedIn begun)
    {
        var user = new SignedInUser { Id = begun.UserId, Username = begun.Username, Role = begun.Role };
        if (begun.Cookie is { } cookie)
        {
            SessionCookie.Write(context, cookie, options.RefreshTokenLifetime);
            return new LoginAnswer { User = user, ExpiresIn = (long)options.RefreshTokenLifetime.TotalSeconds };
        }

        return new LoginAnswer
        {
            AccessToken = tokens.Issue(begun.UserId, begun.SessionId),
            RefreshToken = begun.RefreshToken,
            TokenType = "bearer",
            ExpiresIn = (long)tokens.Lifetime.TotalSeconds,
            User = user,
        };
    }

    internal RefreshAnswer Of(Refreshed refreshed) => new()
    {
        AccessToken = tokens.Issue(refreshed.UserId, refreshed.SessionId),
        RefreshToken = refreshed.Token!,
        ExpiresIn = (long)tokens.Lifetime.TotalSeconds,
    };
}
