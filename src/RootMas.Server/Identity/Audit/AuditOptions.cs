using System.ComponentModel.DataAnnotations;
using RootMas.Server.Platform.Secrets;
using RootMas.Server.Platform.Settings;

namespace RootMas.Server.Identity.Audit;

/// <summary>The audit log. Section <c>Audit</c>.</summary>
public sealed record AuditOptions : IValidatableObject
{
    /// <summary>Key of the chain, at least 32 bytes as base64 or hex; empty: keys/audit.key of the data directory, made at the first start.</summary>
    [Secret]
    public string? Key { get; init; }

    /// <summary>Go on with another key than the one that made the newest row, once, because that one is lost. Older rows can then no longer be verified.</summary>
    public bool AcceptNewKey { get; init; }

    /// <summary>How often the head of the chain is written to the log, if it changed. Keep that log elsewhere: it is what shows that the end of the audit log was cut off.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "1.00:00:00")]
    public TimeSpan HeadInterval { get; init; } = TimeSpan.FromMinutes(1);

    /// <summary>Kinds of refusals (who, route, code) that get rows of their own within one minute; further ones are counted together, so that an attacker cannot fill the disk.</summary>
    [Range(1, 100_000)]
    public int DenialsPerMinute { get; init; } = 100;

    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        if (Key is { Length: > 0 } && KeyFile.Parse(Key) is null)
        {
            yield return new ValidationResult("is no key; legal: at least 32 random bytes as base64 or hex (openssl rand -base64 32)", [nameof(Key)]);
        }
    }
}
