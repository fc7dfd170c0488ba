using System.Diagnostics;
using System.Diagnostics.Metrics;

namespace RootMas.Server.Platform.Telemetry;

/// <summary>Where spans and measurements of this program are made. Names follow the OpenTelemetry GenAI conventions where there is one, else <c>rootmas.*</c>; durations are in seconds.</summary>
public static class RootMasTelemetry
{
    public const string Name = "RootMas";

    /// <summary>Tag of a span, and key of a log scope, that carries the run's id into log lines.</summary>
    public const string RunIdTag = "rootmas.run.id";

    public static ActivitySource Source { get; } = new(Name, ProgramVersion.Text);

    public static Meter Meter { get; } = new(Name, ProgramVersion.Text);

    /// <summary>For histograms of what takes minutes or hours at times: runs that wait for people, backups, background jobs. Others end at five minutes.</summary>
    internal static InstrumentAdvice<double> Long { get; } = new() { HistogramBucketBoundaries = [.. MetricInstrument.Seconds, 600, 1_800, 3_600, 14_400, 86_400] };

    private static readonly AsyncLocal<string?> Run = new();

    /// <summary>Everything that this flow of control does from here on belongs to that run: its log lines carry the id. For the task that advances a run.</summary>
    public static void SetCurrentRun(string? runId) => Run.Value = runId;

    /// <summary>The run that the current work belongs to: what <see cref="SetCurrentRun"/> said, or the nearest span that names one.</summary>
    public static string? CurrentRunId()
    {
        if (Run.Value is { } said)
        {
            return said;
        }

        for (var activity = Activity.Current; activity is not null; activity = activity.Parent)
        {
            if (activity.GetTagItem(RunIdTag) is string id)
            {
                return id;
            }
        }

        return null;
    }
}
