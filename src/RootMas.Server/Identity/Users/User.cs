using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace RootMas.Server.Identity.Users;

/// <summary>Somebody who may log in, or a program that has a name of its own.</summary>
public sealed record User
{
    public required string Id { get; init; }

    public required string Username { get; init; }

    public required string Role { get; init; }

    public required bool IsDisabled { get; init; }

    /// <summary>The row of whoever holds the data directory.</summary>
    public required bool IsLocal { get; init; }

    public required bool HasPassword { get; init; }

    /// <summary>Limits of their own; null: those of role and settings.</summary>
    public UserLimits? Limits { get; init; }

    /// <summary>For a user of role agent: the users it speaks for, by id or name.</summary>
    public IReadOnlyList<string> ActsFor { get; init; } = [];

    /// <summary>What they may do beyond their role.</summary>
    public IReadOnlyList<string> Grants { get; init; } = [];

    /// <summary>Raised by every change: the ETag.</summary>
    public required long Version { get; init; }

    public required DateTimeOffset CreatedAt { get; init; }

    public DateTimeOffset? LastLoginAt { get; init; }

    public DateTimeOffset? PasswordChangedAt { get; init; }

    /// <summary>What the audit log keeps of it.</summary>
    internal JsonObject ToAudit() => new()
    {
        ["username"] = Username,
        ["role"] = Role,
        ["disabled"] = IsDisabled,
        ["acts_for"] = new JsonArray([.. ActsFor.Select(static n => (JsonNode?)n)]),
        ["grants"] = new JsonArray([.. Grants.Select(static n => (JsonNode?)n)]),
        ["limits"] = Limits?.Write() is { } limits ? JsonNode.Parse(limits) : null,
    };
}

/// <summary>What a login is checked against.</summary>
public sealed record Credentials(string Id, string Username, string Role, bool IsDisabled, string? PasswordHash);

/// <summary>A password to set.</summary>
/// <param name="InPlaceOf">The hash of the old one, as it was verified; null: whatever there is.</param>
public sealed record NewPassword(string Hash, string? InPlaceOf);

/// <summary>A change of a user; null members stay as they are.</summary>
/// <param name="Limits">One without members takes the user's own limits away.</param>
public sealed record UserChange(string? Username, string? Role, bool? Disabled, UserLimits? Limits, IReadOnlyList<string>? ActsFor, IReadOnlyList<string>? Grants);

/// <summary>Names of users.</summary>
public static partial class Usernames
{
    /// <summary>As the API description says it: in JavaScript's regular expressions <c>$</c> is the very end.</summary>
    public const string Pattern = $"^{Characters}$";

    private const string Characters = "[A-Za-z0-9][A-Za-z0-9._@-]{0,63}";

    public static bool IsValid(string name) => Form().IsMatch(name);

    /// <summary>A name that somebody tried, fit for a log: short and printable.</summary>
    public static string Shown(string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        var text = name.Length > 64 ? name[..64] : name;
        return string.Concat(text.Select(static c => char.IsControl(c) || char.IsSurrogate(c) ? '?' : c));
    }

    [GeneratedRegex($@"^{Characters}\z", RegexOptions.CultureInvariant | RegexOptions.NonBacktracking)]
    private static partial Regex Form();
}
