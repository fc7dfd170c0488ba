using System.ComponentModel.DataAnnotations;
using System.Text.RegularExpressions;

namespace RootMas.Server.Identity.Users;

/// <summary>A user to add.</summary>
public sealed record NewUserRequest : IValidatableObject
{
    /// <summary>Their name: 1 to 64 letters, digits and ._@- ; upper and lower case count as the same.</summary>
    /// <example>ada</example>
    [Required, RegularExpression(Usernames.Pattern)]
    public required string Username { get; init; }

    /// <summary>Their password: 8 to 256 characters, none of the common ones.</summary>
    /// <example>correct horse battery</example>
    [Required, StringLength(2 * PasswordPolicy.Longest)]
    public required string Password { get; init; }

    /// <summary>admin, user (the default), agent or readonly.</summary>
    /// <example>user</example>
    [AllowedValues("admin", "user", "agent", "readonly", null)]
    public string? Role { get; init; }

    /// <summary>Limits of their own, by name; absent: the server's.</summary>
    /// <example>{"requests_per_minute": 600}</example>
    public IReadOnlyDictionary<string, long>? Limits { get; init; }

    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext) => OwnLimits.Check(Limits, nameof(Limits));
}

/// <summary>What to change of a user; absent members stay as they are.</summary>
public sealed record UserChangeRequest : IValidatableObject
{
    /// <summary>Their name: 1 to 64 letters, digits and ._@- .</summary>
    /// <example>ada</example>
    [RegularExpression(Usernames.Pattern)]
    public string? Username { get; init; }

    /// <summary>admin, user, agent or readonly.</summary>
    /// <example>user</example>
    [AllowedValues("admin", "user", "agent", "readonly", null)]
    public string? Role { get; init; }

    /// <summary>Whether they may not log in, nor anything work for them.</summary>
    /// <example>false</example>
    public bool? Disabled { get; init; }

    /// <summary>Limits of their own, by name, in place of those they have; empty: the server's.</summary>
    /// <example>{"requests_per_minute": 600}</example>
    public IReadOnlyDictionary<string, long>? Limits { get; init; }

    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext) => OwnLimits.Check(Limits, nameof(Limits));
}

/// <summary>A new password.</summary>
public sealed record PasswordRequest
{
    /// <summary>The new password: 8 to 256 characters, none of the common ones.</summary>
    /// <example>correct horse battery</example>
    [Required, StringLength(2 * PasswordPolicy.Longest)]
    public required string Password { get; init; }

    /// <summary>The present password; needed for one's own.</summary>
    /// <example>incorrect horse battery</example>
    [StringLength(2 * PasswordPolicy.Longest)]
    public string? OldPassword { get; init; }
}

/// <summary>A user.</summary>
public sealed record UserAnswer
{
    /// <summary>The user.</summary>
    public required string Id { get; init; }

    /// <summary>Their name.</summary>
    /// <example>ada</example>
    public required string Username { get; init; }

    /// <summary>admin, user, agent or readonly.</summary>
    /// <example>user</example>
    public required string Role { get; init; }

    /// <summary>Whether they may not log in, nor anything work for them.</summary>
    /// <example>false</example>
    public required bool Disabled { get; init; }

    /// <summary>Limits of their own, by name; empty: the server's hold.</summary>
    /// <example>{"requests_per_minute": 600}</example>
    public required IReadOnlyDictionary<string, long> Limits { get; init; }

    /// <summary>When they were added.</summary>
    public required DateTimeOffset CreatedAt { get; init; }

    /// <summary>When they last logged in; null: never.</summary>
    public DateTimeOffset? LastLoginAt { get; init; }

    /// <summary>When their password was last set; null: they have none.</summary>
    public DateTimeOffset? PasswordChangedAt { get; init; }

    internal static UserAnswer Of(User user) => new()
    {
        Id = user.Id,
        Username = user.Username,
        Role = user.Role,
        Disabled = user.IsDisabled,
        Limits = user.Limits ?? new Dictionary<string, long>(),
        CreatedAt = user.CreatedAt,
        LastLoginAt = user.LastLoginAt,
        PasswordChangedAt = user.PasswordChangedAt,
    };
}

/// <summary>Limits that a user has of their own.</summary>
internal static partial class OwnLimits
{
    private const int Most = 50;
    private const long Highest = 1_000_000_000;

    public static IEnumerable<ValidationResult> Check(IReadOnlyDictionary<string, long>? limits, string member)
    {
        if (limits is { Count: > Most })
        {
            yield return new ValidationResult($"must be at most {Most}", [member]);
        }

        if (limits?.Any(static l => l.Value is < 1 or > Highest || !Name().IsMatch(l.Key)) == true)
        {
            yield return new ValidationResult($"must be names of limits (lower-case letters, digits, _ : .) with numbers from 1 to {Highest}", [member]);
        }
    }

    [GeneratedRegex(@"^[a-z][a-z0-9_:.]{0,99}\z", RegexOptions.CultureInvariant | RegexOptions.NonBacktracking)]
    private static partial Regex Name();
}
