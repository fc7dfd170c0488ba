namespace RootMas.Server.Platform.Health;

/// <summary>One part of the system that can be asked how it is. Slices register probes; each is asked at most once per second, and has two seconds to answer.</summary>
public interface IHealthProbe
{
    /// <summary>As <c>/health</c> names it: <c>database</c>, <c>models</c>.</summary>
    string Name { get; }

    /// <summary>Without it no request can be served: readiness is red while it is unhealthy.</summary>
    bool IsCritical { get; }

    ValueTask<HealthState> CheckAsync(CancellationToken cancellationToken);
}

/// <param name="Status">healthy, degraded (works, but not as it should), unhealthy, or not_configured.</param>
/// <param name="Detail">For people; no secrets, no addresses of others.</param>
public sealed record HealthState(string Status, string? Detail = null)
{
    public const string Good = "healthy";
    public const string Weak = "degraded";
    public const string Bad = "unhealthy";
    public const string Absent = "not_configured";

    public static HealthState Healthy(string? detail = null) => new(Good, detail);

    public static HealthState Degraded(string detail) => new(Weak, detail);

    public static HealthState Unhealthy(string detail) => new(Bad, detail);

    public static HealthState NotConfigured(string? detail = null) => new(Absent, detail);
}
