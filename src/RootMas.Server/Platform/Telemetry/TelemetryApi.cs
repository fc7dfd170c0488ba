using System.ComponentModel;
using Microsoft.AspNetCore.Http.HttpResults;
using RootMas.Server.Platform.Caching;
using RootMas.Server.Platform.Http;

namespace RootMas.Server.Platform.Telemetry;

/// <summary>Lines of the log.</summary>
/// <param name="Logs">Newest first.</param>
/// <param name="Total">How many lines are in this answer.</param>
/// <param name="Instance">The instance whose lines these are: machine and process.</param>
public sealed record LogLines(IReadOnlyList<LogLine> Logs, int Total, string Instance);

/// <summary>Metrics and logs for administrators and machines.</summary>
internal static class TelemetryApi
{
    private const string OpenMetrics = "application/openmetrics-text";

    public static void MapMetrics(this IEndpointRouteBuilder routes) =>
        routes.MapGet("/metrics", PrometheusAsync).WithTags("Operations").RequirePermission("metrics:read").OutlivesTheStorage().WithName("GetPrometheusMetrics")
            .WithSummary("All metrics as Prometheus text")
            .WithDescription("Exposition format 0.0.4, or OpenMetrics 1.0.0 with exemplars (the trace of a request in each bucket) for those whose Accept names it: runs, model calls, tokens, cost, tools, streams, requests, and the runtime's own.")
            .Produces<string>(StatusCodes.Status200OK, "text/plain", OpenMetrics);

    public static void MapTelemetry(this IEndpointRouteBuilder routes)
    {
        routes.MapMetrics();
        routes.MapGet("/api/v1/metrics/dashboard", DashboardAsync).WithTags("Operations").RequirePermission("metrics:read")
            .Cached(new CachedRoute([CacheScope.Runs], TimeSpan.FromSeconds(1), static services => services.GetRequiredService<Dashboard>())).WithName("GetDashboardMetrics")
            .WithSummary("Figures for a dashboard")
            .WithDescription("Messages, agents, runs, queue and approvals come from the database and hold for the whole installation, however many instances there are; so do the requests to models, those that failed, and what they cost, since 00:00 UTC (model_calls, model_failures, cost_usd; the cost also as a decimal text beside values), which are given again for twenty times as long as it took to sum them up. Uptime, memory and processor are those of the instance that answers.");
        routes.MapGet("/api/v1/logs", Logs).WithTags("Operations").RequirePermission("logs:read").AuditsAccess("logs.read").WithName("GetLogs")
            .WithSummary("The last lines of the log")
            .WithDescription("From memory, newest first: what the instance that answers wrote since its start, up to the setting Telemetry:LogRing. For all instances together collect the log (docs/monitoring.md).");
    }

    private static async Task<ContentHttpResult> PrometheusAsync(HttpRequest request, PrometheusMetrics metrics, CancellationToken cancellationToken) =>
        request.GetTypedHeaders().Accept.Any(static a => a.MediaType.Equals(OpenMetrics, StringComparison.OrdinalIgnoreCase) && a.Quality is not 0)
            ? TypedResults.Text(await metrics.WriteAsync(cancellationToken, open: true), OpenMetrics + "; version=1.0.0; charset=utf-8")
            : TypedResults.Text(await metrics.WriteAsync(cancellationToken), "text/plain; version=0.0.4; charset=utf-8");

    private static async Task<Ok<DashboardMetrics>> DashboardAsync(Dashboard dashboard, CancellationToken cancellationToken) =>
        TypedResults.Ok(await dashboard.ReadAsync(cancellationToken));

    private static Results<Ok<LogLines>, Problem> Logs(
        LogRing ring,
        [Description("Lines of this level and above: trace, debug, info (default), warning, error, critical.")] string? level = null,
        [Description("1 to 1000, default 100.")] int? limit = null,
        [Description("Lines of components whose name contains this.")] string? component = null)
    {
        var atLeast = LogLevel.Information;
        if (level is not null && !LogText.TryParse(level, out atLeast))
        {
            return Problems.Invalid("level", "must be one of trace, debug, info, warning, error, critical");
        }

        if (limit is < 1 or > 1_000)
        {
            return Problems.Invalid("limit", "must be between 1 and 1000");
        }

        var lines = ring.Read(atLeast, component, limit ?? 100);
        return TypedResults.Ok(new LogLines(lines, lines.Count, $"{Environment.MachineName}:{Environment.ProcessId}"));
    }
}
