using System.Net.Sockets;
using RootMas.Server.Platform.Data;

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

    /// <summary>Class of the newest failure (<c>timeout</c>, <c>unreachable</c>, <c>auth</c>), also when all is well again. Null: the probe remembers none.</summary>
    public string? LastError { get; init; }

    /// <summary>When that was; null: now.</summary>
    public DateTimeOffset? LastErrorAt { get; init; }

    /// <summary>How long the part took to answer, where that is not the time of the check itself: of a check in the background, say.</summary>
    public TimeSpan? Latency { get; init; }

    /// <summary>Parts of the part, by name: <c>models</c> has one for each endpoint, shown as <c>models/NAME</c>. They say what is wrong; how bad that is for the whole, the state itself says.</summary>
    public IReadOnlyDictionary<string, HealthState> Parts { get; init; } = Nothing;

    private static readonly Dictionary<string, HealthState> Nothing = [];

    public static HealthState Healthy(string? detail = null) => new(Good, detail);

    public static HealthState Degraded(string detail, string? error = null) => new(Weak, detail) { LastError = error };

    public static HealthState Unhealthy(string detail, string? error = null) => new(Bad, detail) { LastError = error };

    public static HealthState NotConfigured(string? detail = null) => new(Absent, detail);

    /// <summary>The class of a failure, for those who do not know better: never its text, which may hold addresses and names.</summary>
    public static string ClassOf(Exception failure) => failure switch
    {
        StorageUnavailableException => "unavailable",
        TimeoutException or OperationCanceledException => "timeout",
        SocketException or HttpRequestException => "unreachable",
        UnauthorizedAccessException => "not_allowed",
        IOException => "io",
        _ => "failed",
    };
}
