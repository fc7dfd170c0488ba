using System.Diagnostics.Metrics;
using RootMas.Server.Platform.Telemetry;

namespace RootMas.Server.Backups;

/// <summary>What alerts look at. Times are Unix seconds; an age is there also while there is no backup yet, counted from the installation.</summary>
internal sealed class BackupMetrics
{
    private static readonly string[] Reasons = ["manual", "scheduled"];
    private static readonly string[] Outcomes = ["ok", "warnings", "failed"];

    private readonly Counter<long> _made;
    private readonly Counter<long> _checked;
    private readonly Histogram<double> _duration;
    private readonly TimeProvider _clock;

    public BackupMetrics(IMeterFactory meters, BackupOptions options, TimeProvider clock)
    {
        _clock = clock;
        var meter = meters.Create(RootMasTelemetry.Name);
        _made = meter.CreateCounter<long>("rootmas.backups.made", "{backup}", "Backups by reason and outcome: ok, warnings, failed.");
        _checked = meter.CreateCounter<long>("rootmas.backups.checked", "{backup}", "Checks of backups by outcome: ok, failed.");
        _duration = meter.CreateHistogram<double>("rootmas.backups.duration", "s", "Time of making a backup, its check and its copies included.", advice: RootMasTelemetry.Long);
        meter.CreateObservableGauge("rootmas.backups.last_success", () => Seconds(Times?.Success), "s", "When the newest backup was made, by any instance, in Unix seconds.");
        meter.CreateObservableGauge("rootmas.backups.last_verified", () => Seconds(Times?.Verified), "s", "When a backup was restored and found whole for the last time, in Unix seconds.");
        meter.CreateObservableGauge("rootmas.backups.size", () => Size is { } size ? [new Measurement<long>(size)] : Array.Empty<Measurement<long>>(), "By", "Size of the newest archive that this instance made.");
        meter.CreateObservableGauge("rootmas.backups.verified_age", () => Ages(Known is { } times ? times.Verified ?? (options.Scheduled ? times.Installed : null) : null), "s", "Time since a backup was found whole; if none ever was and the server makes them, since the installation.");
        if (options.Scheduled)
        {
            meter.CreateObservableGauge("rootmas.backups.age", () => Ages(Known?.Since), "s", "Age of the newest backup; without one, of the installation.");
            meter.CreateObservableGauge("rootmas.backups.interval", () => options.Every.TotalSeconds, "s", "Time between two scheduled backups.");
        }

        BeginAtZero();
    }

    public BackupTimes? Times { get; set; }

    public long? Size { get; set; }

    private BackupTimes? Known => Times?.AsOf(_clock.GetUtcNow());

    public void Made(string reason, string outcome, TimeSpan took)
    {
        _made.Add(1, new("reason", reason), new KeyValuePair<string, object?>("outcome", outcome));
        _duration.Record(took.TotalSeconds);
    }

    public void Checked(bool ok) => _checked.Add(1, new KeyValuePair<string, object?>("outcome", ok ? "ok" : "failed"));

    /// <summary>A series that appears with its first event shows no increase, so the first failure would raise no alert.</summary>
    private void BeginAtZero()
    {
        foreach (var outcome in Outcomes)
        {
            foreach (var reason in Reasons)
            {
                _made.Add(0, new("reason", reason), new KeyValuePair<string, object?>("outcome", outcome));
            }
        }

        _checked.Add(0, new KeyValuePair<string, object?>("outcome", "ok"));
        _checked.Add(0, new KeyValuePair<string, object?>("outcome", "failed"));
    }

    private static Measurement<double>[] Seconds(DateTimeOffset? time) => time is { } at ? [new Measurement<double>(at.ToUnixTimeSeconds())] : [];

    private Measurement<double>[] Ages(DateTimeOffset? since) => since is { } at ? [new Measurement<double>(Math.Max(0, (_clock.GetUtcNow() - at).TotalSeconds))] : [];
}
