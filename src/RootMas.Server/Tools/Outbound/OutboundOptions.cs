using System.ComponentModel.DataAnnotations;

namespace RootMas.Server.Tools.Outbound;

/// <summary>What requests to URLs of users, models and pages may reach, and how much they may take (section <c>Outbound</c>).</summary>
public sealed record OutboundOptions : IValidatableObject
{
    /// <summary>
    /// Targets beyond the public internet: a host name, an address or a network (CIDR), each with an optional port: <c>wiki.internal</c>, <c>localhost:8080</c>,
    /// <c>10.1.0.0/16</c>, <c>[fd00::/8]:443</c>. Without a port: every port. Default: none.
    /// </summary>
    public IReadOnlyList<string> Allow { get; init; } = [];

    /// <summary>Bytes kept of a response, after decompression; the rest is not read.</summary>
    [Range(1_024, 67_108_864)]
    public int MaxBytes { get; init; } = 2 * 1024 * 1024;

    /// <summary>Time for one request with its redirects and its body.</summary>
    [Range(typeof(TimeSpan), "00:00:00.100", "00:05:00")]
    public TimeSpan Timeout { get; init; } = TimeSpan.FromSeconds(20);

    /// <summary>Time for one connection.</summary>
    [Range(typeof(TimeSpan), "00:00:00.100", "00:01:00")]
    public TimeSpan ConnectTimeout { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>Redirects followed, each checked like the first URL.</summary>
    [Range(0, 20)]
    public int MaxRedirects { get; init; } = 5;

    /// <summary>What the program calls itself.</summary>
    [Required]
    public string UserAgent { get; init; } = "Root-MAS/0.1 (self-hosted assistant)";

    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext) =>
        from entry in Allow
        where !AllowedTarget.TryParse(entry, out _)
        select new ValidationResult($"'{entry}' is no host, address or network; legal: wiki.internal, localhost:8080, 10.1.0.0/16, [fd00::/8]:443", [nameof(Allow)]);
}
