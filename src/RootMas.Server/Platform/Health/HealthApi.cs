using System.Text.Json.Serialization;
using Microsoft.AspNetCore.Http.HttpResults;
using RootMas.Server.Platform.Http;

namespace RootMas.Server.Platform.Health;

/// <summary>How the server is.</summary>
/// <param name="Status">healthy, degraded (works, but something needs attention) or unhealthy (requests fail).</param>
/// <param name="Services">Each part of the system: healthy, degraded, unhealthy or not_configured.</param>
/// <param name="Details">What there is to say about a part, for people.</param>
/// <param name="Version">The program's version.</param>
public sealed record HealthReport(string Status, IReadOnlyDictionary<string, string> Services, IReadOnlyDictionary<string, string> Details, string Version)
{
    /// <summary>Each part of the system as it was found: status, latency, last error.</summary>
    public IReadOnlyDictionary<string, HealthCheck> Checks { get; init; } = new Dictionary<string, HealthCheck>(StringComparer.Ordinal);

    /// <summary>Requests can be sent here.</summary>
    [JsonIgnore]
    public bool IsReady { get; init; }
}

/// <summary>How one part was found.</summary>
/// <param name="Status">healthy, degraded, unhealthy or not_configured.</param>
/// <param name="IsCritical">Without it no request can be served.</param>
/// <param name="LatencyMs">How long it took to answer, in milliseconds; null: nothing was asked.</param>
/// <param name="LastError">Class of its newest failure since this process started: unreachable, timeout, auth, unavailable and the like; null: none yet.</param>
/// <param name="LastErrorAt">When that was.</param>
/// <param name="Detail">What there is to say, for people.</param>
public sealed record HealthCheck(string Status, [property: JsonPropertyName("critical")] bool IsCritical, double? LatencyMs, string? LastError, DateTimeOffset? LastErrorAt, string? Detail);

/// <summary>The answer of a single probe.</summary>
/// <param name="Status">ok, or what is being waited for.</param>
public sealed record ProbeAnswer(string Status);

/// <summary>Health for people, load balancers and orchestrators.</summary>
internal static class HealthApi
{
    public static void MapHealth(this IEndpointRouteBuilder routes)
    {
        var health = routes.MapGroup("/health").WithTags("Operations").AllowPublic().IgnoresCredentials();
        health.MapGet("", ReportAsync).WithName("GetHealth")
            .WithSummary("How the server and its parts are")
            .WithDescription("Every part is asked at most once a second (model endpoints once a minute, in the background), however often this is called. `checks` has latency and the class of the last error; parts of a part are named `part/name`. " +
                "Degraded is still 200: requests are served. The `models` part says so when only the built-in offline model is there.")
            .Produces<HealthReport>(StatusCodes.Status503ServiceUnavailable);
        health.MapGet("/live", () => TypedResults.Ok(new ProbeAnswer("ok"))).WithName("GetLiveness")
            .WithSummary("The process answers")
            .WithDescription("Asks nothing else, so that a broken database does not get the process killed.");
        health.MapGet("/ready", ReadyAsync).WithName("GetReadiness")
            .WithSummary("Send requests here")
            .WithDescription("503 before the start is complete, while the database does not answer, and from the moment that the server is told to stop.")
            .Produces<ProbeAnswer>(StatusCodes.Status503ServiceUnavailable);
        health.MapGet("/startup", Startup).WithName("GetStartup")
            .WithSummary("The start is complete")
            .WithDescription("200 once migrations, recovery and listening are done; it never goes back to 503.")
            .Produces<ProbeAnswer>(StatusCodes.Status503ServiceUnavailable);
    }

    private static async Task<Results<Ok<HealthReport>, JsonHttpResult<HealthReport>>> ReportAsync(HealthMonitor monitor, CancellationToken cancellationToken)
    {
        var report = await monitor.CheckAsync(cancellationToken);
        return report.Status == HealthState.Bad ? TypedResults.Json(report, statusCode: StatusCodes.Status503ServiceUnavailable) : TypedResults.Ok(report);
    }

    private static async Task<Results<Ok<ProbeAnswer>, JsonHttpResult<ProbeAnswer>>> ReadyAsync(HealthMonitor monitor, CancellationToken cancellationToken)
    {
        if (monitor.IsStopping)
        {
            return Wait("stopping");
        }

        return !monitor.IsStarted ? Wait("starting")
            : (await monitor.CheckAsync(cancellationToken)).IsReady ? TypedResults.Ok(new ProbeAnswer("ok"))
            : Wait("a critical part is unhealthy; see /health");
    }

    private static Results<Ok<ProbeAnswer>, JsonHttpResult<ProbeAnswer>> Startup(HealthMonitor monitor) =>
        monitor.IsStarted ? TypedResults.Ok(new ProbeAnswer("ok")) : Wait("starting");

    private static JsonHttpResult<ProbeAnswer> Wait(string status) => TypedResults.Json(new ProbeAnswer(status), statusCode: StatusCodes.Status503ServiceUnavailable);
}
