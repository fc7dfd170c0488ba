using System.Diagnostics.Metrics;

namespace RootMas.Server.Platform.Data;

/// <summary>What the database tells about itself.</summary>
internal static class DatabaseMetrics
{
    public const string MeterName = "RootMas.Database";

    private static readonly Meter Meter = new(MeterName);

    public static readonly Histogram<double> Commits =
        Meter.CreateHistogram<double>("rootmas.db.commit.duration", "s", "Time of one group commit, its delegates included.");

    public static readonly Histogram<int> GroupSizes =
        Meter.CreateHistogram<int>("rootmas.db.commit.writes", "{write}", "Writes that shared one commit.");

    public static readonly Counter<long> Failures =
        Meter.CreateCounter<long>("rootmas.db.failures", "{failure}", "Failures of PostgreSQL, those that were repeated with success included, by class.");

    public static readonly Counter<long> Checkpoints =
        Meter.CreateCounter<long>("rootmas.db.checkpoints", "{checkpoint}", "Checkpoints of the write-ahead log.");
}
