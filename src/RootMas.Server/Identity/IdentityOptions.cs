using System.ComponentModel.DataAnnotations;
using RootMas.Server.Platform.Secrets;
using RootMas.Server.Platform.Settings;

namespace RootMas.Server.Identity;

/// <summary>How people prove who they are. Section <c>Identity</c>.</summary>
public sealed record IdentityOptions : IValidatableObject
{
    /// <summary>The least cost of password hashes that Production accepts.</summary>
    public const int LeastProductionCost = 12;

    /// <summary>Who issues access tokens (claim <c>iss</c>).</summary>
    [Required]
    public string Issuer { get; init; } = "root-mas";

    /// <summary>For whom access tokens are meant (claim <c>aud</c>).</summary>
    [Required]
    public string Audience { get; init; } = "root-mas-api";

    /// <summary>How long an access token is good for.</summary>
    [Range(typeof(TimeSpan), "00:10:00", "00:30:00")]
    public TimeSpan AccessTokenLifetime { get; init; } = TimeSpan.FromMinutes(15);

    /// <summary>How long a refresh token or a browser's cookie is good for.</summary>
    [Range(typeof(TimeSpan), "01:00:00", "30.00:00:00")]
    public TimeSpan RefreshTokenLifetime { get; init; } = TimeSpan.FromDays(7);

    /// <summary>How long a login lasts however often its tokens are refreshed.</summary>
    [Range(typeof(TimeSpan), "01:00:00", "366.00:00:00")]
    public TimeSpan SessionLifetime { get; init; } = TimeSpan.FromDays(30);

    /// <summary>Cost of password hashes (bcrypt: each step doubles the work). Production needs at least 12. Old hashes are renewed at the next login when it rises.</summary>
    [Range(4, 18)]
    public int PasswordCost { get; init; } = LeastProductionCost;

    /// <summary>Passwords that are hashed at the same time; 0: half the processors.</summary>
    [Range(0, 64)]
    public int PasswordThreads { get; init; }

    /// <summary>Logins that may wait for their password to be hashed; more are answered 429.</summary>
    [Range(1, 10_000)]
    public int PasswordQueue { get; init; } = 32;

    /// <summary>Key that signs access tokens, at least 32 bytes as base64 or hex; empty: made at the first start, and changed with <c>rootmas keys rotate</c>.</summary>
    [Secret]
    public string SigningKey { get; init; } = "";

    /// <summary>The given signing key before this one: still verifies tokens. Take it away once they are over.</summary>
    [Secret]
    public string PreviousSigningKey { get; init; } = "";

    /// <summary>Key that goes into password hashes, at least 32 bytes; empty: made at the first start. When it is lost or changed, every password has to be set anew.</summary>
    [Secret]
    public string Pepper { get; init; } = "";

    /// <summary>Key that refresh tokens are derived with, at least 32 bytes; empty: made at the first start.</summary>
    [Secret]
    public string RefreshKey { get; init; } = "";

    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        foreach (var (name, value) in new[] { (nameof(SigningKey), SigningKey), (nameof(PreviousSigningKey), PreviousSigningKey), (nameof(Pepper), Pepper), (nameof(RefreshKey), RefreshKey) })
        {
            if (value.Length > 0 && KeyFile.Parse(value) is null)
            {
                yield return new ValidationResult($"is no key; legal: at least {KeyFile.Bytes} bytes as base64 or hex", [name]);
            }
        }

        if (PreviousSigningKey.Length > 0 && SigningKey.Length == 0)
        {
            yield return new ValidationResult("is only for a signing key that is given too; legal: empty, or set SigningKey", [nameof(PreviousSigningKey)]);
        }
    }
}
