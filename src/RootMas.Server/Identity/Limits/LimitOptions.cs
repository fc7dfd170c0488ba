using System.ComponentModel.DataAnnotations;

namespace RootMas.Server.Identity.Limits;

/// <summary>How much one user may ask for. Section <c>Limits</c>.</summary>
public sealed record LimitOptions
{
    /// <summary>Requests of one user per minute, whatever the route.</summary>
    [Range(1, 1_000_000_000)]
    public int RequestsPerMinute { get; init; } = 1_200_000;
}
