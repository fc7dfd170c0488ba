using System.Diagnostics.Metrics;
using System.Runtime.CompilerServices;
using RootMas.Runtime.Runs;
using RootMas.Server.Platform.Telemetry;

namespace RootMas.Server.Runs;

/// <summary>What runs tell about themselves.</summary>
internal static class RunMetrics
{
    private static readonly Counter<long> Runs = RootMasTelemetry.Meter.CreateCounter<long>("rootmas.runs", "{run}", "Runs that ended, by status.");

    private static readonly Counter<long> Parkings = RootMasTelemetry.Meter.CreateCounter<long>("rootmas.runs.parked", "{run}", "Times that a run began to wait for something outside, by status.");

    private static readonly Counter<long> Steps = RootMasTelemetry.Meter.CreateCounter<long>("rootmas.steps", "{step}", "Steps of runs, by kind.");

    private static readonly Histogram<double> Durations = RootMasTelemetry.Meter.CreateHistogram<double>("rootmas.run.duration", "s", "Time from the creation of a run to its end.", advice: RootMasTelemetry.Long);

    private static readonly UpDownCounter<long> Active = RootMasTelemetry.Meter.CreateUpDownCounter<long>("rootmas.runs.active", "{run}", "Runs that this process advances now.");

    private static readonly UpDownCounter<long> Streams = RootMasTelemetry.Meter.CreateUpDownCounter<long>("rootmas.streams", "{stream}", "Open streams of runs.");

    private static readonly Counter<long> TakeOvers = RootMasTelemetry.Meter.CreateCounter<long>("rootmas.runs.taken_over", "{run}", "Runs taken from a worker that is gone or lost its lease.");

    /// <summary>The instruments are there, and listed, before the first run.</summary>
    public static void Create() => RuntimeHelpers.RunClassConstructor(typeof(RunMetrics).TypeHandle);

    /// <summary>For each server anew, before its first run: a series that appears with its first value shows no increase, so the first burst would raise no alert.</summary>
    public static void BeginAtZero()
    {
        TakeOvers.Add(0);
        RunEventMetrics.BeginAtZero();
        foreach (var status in Enum.GetValues<RunStatus>().Where(static s => s.IsFinal()))
        {
            Runs.Add(0, new KeyValuePair<string, object?>("status", status.ToName()));
        }
    }

    public static void Ended(RunSummary run)
    {
        Runs.Add(1, new KeyValuePair<string, object?>("status", run.Status.ToName()));
        if (run.EndedAt is { } ended)
        {
            Durations.Record(Math.Max(0, (ended - run.CreatedAt).TotalSeconds), new KeyValuePair<string, object?>("status", run.Status.ToName()));
        }
    }

    public static void Parked(RunStatus status) => Parkings.Add(1, new KeyValuePair<string, object?>("status", status.ToName()));

    public static void TakenOver(int runs) => TakeOvers.Add(runs);

    public static void ActiveChanged(int by) => Active.Add(by);

    public static void Appended(IReadOnlyList<EventRecord> events)
    {
        foreach (var (e, _) in events)
        {
            RunEventMetrics.Happened(e);
            var kind = e switch
            {
                ModelCompleted or ModelFailed => "model",
                ToolCompleted or ToolFailed => "tool",
                ApprovalRequested or InputRequested or RunNeedsReview => "human",
                ChildStarted => "child",
                Handoff => "handoff",
                _ => null,
            };
            if (kind is not null)
            {
                Steps.Add(1, new KeyValuePair<string, object?>("kind", kind));
            }
        }
    }

    public static OpenStream StreamOpened()
    {
        Streams.Add(1);
        return new OpenStream();
    }

    internal readonly struct OpenStream : IDisposable
    {
        public void Dispose() => Streams.Add(-1);
    }
}
