using System.ComponentModel.DataAnnotations;

namespace RootMas.Server.Platform.Health;

/// <summary>How the server watches itself and what it depends on. Section <c>Health</c>.</summary>
public sealed record HealthOptions : IValidatableObject
{
    /// <summary>How often the server looks at itself when nobody asks, so that metrics and the log know of a change.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "01:00:00")]
    public TimeSpan Interval { get; init; } = TimeSpan.FromSeconds(15);

    /// <summary>How often each configured model endpoint is asked whether it is there (for its list of models; no tokens are spent), however often health is asked for.</summary>
    [Range(typeof(TimeSpan), "00:00:05", "1.00:00:00")]
    public TimeSpan ModelCheckInterval { get; init; } = TimeSpan.FromMinutes(1);

    /// <summary>Free space on the disk of the data directory below which health is degraded, in MiB; at most a quarter of the disk.</summary>
    [Range(1, 100_000_000)]
    public int DiskLowMegabytes { get; init; } = 2_048;

    /// <summary>Free space on the disk of the data directory below which it is unhealthy, in MiB; at most a sixteenth of the disk.</summary>
    [Range(1, 100_000_000)]
    public int DiskCriticalMegabytes { get; init; } = 512;

    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        if (DiskCriticalMegabytes > DiskLowMegabytes)
        {
            yield return new ValidationResult($"{DiskCriticalMegabytes} is more than DiskLowMegabytes ({DiskLowMegabytes}); legal: 1 to DiskLowMegabytes", [nameof(DiskCriticalMegabytes)]);
        }
    }
}
