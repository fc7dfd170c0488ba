using System.ComponentModel.DataAnnotations;

namespace RootMas.Server.Platform.Telemetry;

/// <summary>Logs, metrics, traces. Section <c>Telemetry</c>.</summary>
public sealed record TelemetryOptions
{
    /// <summary>Least severe level that is logged. Message contents appear only at <c>Trace</c>.</summary>
    public LogLevel LogLevel { get; init; } = LogLevel.Information;

    /// <summary>Levels of single components, name → level: <c>Telemetry:LogLevels:RootMas.Server.Runs = Debug</c>.</summary>
    public IReadOnlyDictionary<string, string> LogLevels { get; init; } = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase);

    /// <summary><c>auto</c>: JSON in Production, text in Development.</summary>
    [AllowedValues("auto", "json", "text")]
    public string LogFormat { get; init; } = "auto";

    /// <summary>Log lines kept in memory for <c>GET /api/v1/logs</c>.</summary>
    [Range(0, 100_000)]
    public int LogRing { get; init; } = 2_000;

    /// <summary>OTLP collector (gRPC, usually port 4317) for traces, metrics and logs; empty: nothing is sent. Also <c>OTEL_EXPORTER_OTLP_ENDPOINT</c>.</summary>
    public Uri? OtlpEndpoint { get; init; }

    /// <summary>How often figures that only the database knows (length of the queue, open approvals, size) are read for metrics.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "01:00:00")]
    public TimeSpan SampleInterval { get; init; } = TimeSpan.FromSeconds(15);

    /// <summary>A running run in which nothing happened for so long counts as stuck in metrics and alerts; nothing is done to it. Longer than the slowest model call.</summary>
    [Range(typeof(TimeSpan), "00:00:10", "1.00:00:00")]
    public TimeSpan StuckAfter { get; init; } = TimeSpan.FromMinutes(15);

    /// <summary>US dollars that all model calls of 24 hours may cost together before monitoring alerts; nothing is stopped. 0: what Budgets:All says, which does stop; no alert without either.</summary>
    [Range(0, 100_000_000)]
    public double DailyBudgetUsd { get; init; }

    /// <summary>Most series of one metric; further label combinations are counted together.</summary>
    [Range(10, 100_000)]
    public int MaxSeries { get; init; } = 2_000;
}
