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

    /// <summary>Most series of one metric; further label combinations are counted together.</summary>
    [Range(10, 100_000)]
    public int MaxSeries { get; init; } = 2_000;
}
