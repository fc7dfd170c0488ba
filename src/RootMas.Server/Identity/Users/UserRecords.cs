using System.ComponentModel.DataAnnotations;
using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.RegularExpressions;
using RootMas.Server.Identity.Limits;
using RootMas.Server.Platform.Http;

namespace RootMas.Server.Identity.Users;

/// <summary>A user to add.</summary>
public sealed record NewUserRequest
{
    /// <summary>Their name: 1 to 64 letters, digits and ._@- ; upper and lower case count as the same.</summary>
    /// <example>ada</example>
    [Required, RegularExpression(Usernames.Pattern)]
    public required string Username { get; init; }

    /// <summary>Their password: 8 to 256 characters, none of the common ones.</summary>
    /// <example>correct horse battery</example>
    [Required, Characters(PasswordPolicy.Shortest, PasswordPolicy.Longest)]
    public required string Password { get; init; }

    /// <summary>admin, user (the default), agent or readonly.</summary>
    /// <example>user</example>
    [AllowedValues("admin", "user", "agent", "readonly", null)]
    public string? Role { get; init; }

    /// <summary>Limits of their own; absent: the server's.</summary>
    public UserLimits? Limits { get; init; }
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

    /// <summary>Limits of their own, in place of those they have; without members: those of role and settings.</summary>
    public UserLimits? Limits { get; init; }

    /// <summary>For a user of role agent: the users it speaks for, by id or name, in place of those it has. Any other name that it gives is an end user of its own.</summary>
    /// <example>["ada"]</example>
    [MaxLength(1000)]
    public IReadOnlyList<string>? ActsFor { get; init; }

    /// <summary>What they may do beyond their role, in place of what they have: content:read, to see what others said (each use is audited).</summary>
    /// <example>["content:read"]</example>
    [MaxLength(10)]
    public IReadOnlyList<string>? Grants { get; init; }

    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext) => BeyondRole.Check(ActsFor, Grants);
}

/// <summary>A new password.</summary>
public sealed record PasswordRequest
{
    /// <summary>The new password: 8 to 256 characters, none of the common ones.</summary>
    /// <example>correct horse battery</example>
    [Required, Characters(PasswordPolicy.Shortest, PasswordPolicy.Longest)]
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

    /// <summary>Limits of their own.</summary>
    public required UserLimits Limits { get; init; }

    /// <summary>For a user of role agent: the users it speaks for, by id or name.</summary>
    /// <example>["ada"]</example>
    public required IReadOnlyList<string> ActsFor { get; init; }

    /// <summary>What they may do beyond their role.</summary>
    /// <example>["content:read"]</example>
    public required IReadOnlyList<string> Grants { get; init; }

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
        Limits = user.Limits ?? new UserLimits(),
        ActsFor = user.ActsFor,
        Grants = user.Grants,
        CreatedAt = user.CreatedAt,
        LastLoginAt = user.LastLoginAt,
        PasswordChangedAt = user.PasswordChangedAt,
    };
}

/// <summary>Limits of one user; what is null follows role and settings.</summary>
public sealed record UserLimits
{
    private const int Highest = 1_000_000_000;

    /// <summary>Requests a minute, per route.</summary>
    /// <example>600</example>
    [Range(1, Highest)]
    public int? Requests { get; init; }

    /// <summary>Requests a minute of all reading routes together.</summary>
    /// <example>6000</example>
    [Range(1, Highest)]
    public int? Reads { get; init; }

    /// <summary>Unfinished runs at once.</summary>
    /// <example>20</example>
    [Range(1, Highest)]
    public int? Runs { get; init; }

    /// <summary>Streams and sockets open at once.</summary>
    /// <example>50</example>
    [Range(1, Highest)]
    public int? Streams { get; init; }

    /// <summary>US dollars that models may cost in a day (UTC), instead of what the settings say; a decimal text such as "2.5" is taken too.</summary>
    /// <example>2.5</example>
    [Range(0d, Highest)]
    [JsonConverter(typeof(DollarsConverter))]
    public decimal? SpendPerDayUsd { get; init; }

    internal static UserLimits? Read(string? json) => json is null ? null : JsonSerializer.Deserialize<UserLimits>(json, JsonSerializerOptions.Web);

    internal string? Write() => this == new UserLimits() ? null : JsonSerializer.Serialize(this, JsonSerializerOptions.Web);

    /// <summary>By the names of limits; null: none.</summary>
    internal IReadOnlyDictionary<string, long>? ToCaller()
    {
        var own = new Dictionary<string, long>(StringComparer.Ordinal);
        foreach (var (name, value) in new (string, int?)[]
        {
            (LimitNames.Route, Requests), (LimitNames.Reads, Reads), (LimitNames.Runs, Runs), (LimitNames.Streams, Streams), (LimitNames.Sockets, Streams),
        })
        {
            if (value is { } set)
            {
                own[name] = set;
            }
        }

        if (SpendPerDayUsd is { } spend)
        {
            own[LimitNames.Spend] = (long)Math.Round(spend * 1_000_000m);
        }

        return own.Count == 0 ? null : own;
    }
}

/// <summary>What users have beyond their role.</summary>
internal static partial class BeyondRole
{
    public static IEnumerable<ValidationResult> Check(IReadOnlyList<string>? actsFor, IReadOnlyList<string>? grants)
    {
        if (actsFor?.Any(static name => name is null || !Name().IsMatch(name)) == true)
        {
            yield return new ValidationResult("must be ids or names of users, each of 1 to 100 letters, digits, - or _", [nameof(UserChangeRequest.ActsFor)]);
        }

        if (grants?.Any(static grant => grant is null || !Access.Permissions.Grantable.Contains(grant)) == true)
        {
            yield return new ValidationResult($"must be among: {string.Join(", ", Access.Permissions.Grantable)}", [nameof(UserChangeRequest.Grants)]);
        }
    }

    [GeneratedRegex(@"^[A-Za-z0-9_-]{1,100}\z", RegexOptions.CultureInvariant | RegexOptions.NonBacktracking)]
    private static partial Regex Name();
}
