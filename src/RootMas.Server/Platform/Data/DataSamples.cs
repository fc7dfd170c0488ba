using RootMas.Server.Platform.Health;
using RootMas.Server.Platform.Telemetry;

namespace RootMas.Server.Platform.Data;

/// <summary>The size of the database and what waits in its outbox.</summary>
internal sealed class DataSamples(DataDirectory data, Outbox.Outbox outbox, BackgroundJobs jobs, TelemetryOptions options) : ISampled
{
    /// <summary>Ids rise with the commits: the first of a topic is its oldest.</summary>
    private const string Oldest = "SELECT created_at FROM outbox WHERE topic = @topic ORDER BY id LIMIT 1";

    /// <summary>More is no other news.</summary>
    private const string Count = "SELECT COUNT(*) FROM (SELECT id FROM outbox WHERE topic = @topic ORDER BY id LIMIT 10000) waiting";

    /// <summary>A message that waits longer than any handler's pause after a failure.</summary>
    private static readonly TimeSpan Stands = TimeSpan.FromMinutes(1);

    /// <summary>The outbox hands out as soon as there is something; as a job it is well while nothing waits for long.</summary>
    private readonly BackgroundJob _job = jobs.Add("outbox", options.SampleInterval);
    private readonly SampledGauge _size = new("rootmas.db.size", "By", "Size of the database, its write-ahead log included on SQLite.");
    private readonly SampledGauge _pending = new("rootmas.outbox.pending", "{message}", "Messages in the outbox that were not handed out yet, by topic, counted up to 10,000. The same on every instance.");
    private readonly SampledGauge _oldest = new("rootmas.outbox.oldest.age", "s", "Age of the oldest message in the outbox. The same on every instance.");

    public void Publish(ServerMeter meter)
    {
        _size.Publish(meter);
        _pending.Publish(meter);
        _oldest.Publish(meter);
    }

    public async ValueTask SampleAsync(DbSession session)
    {
        var (pending, oldest) = (new List<Reading>(), session.Now);
        foreach (var topic in outbox.Topics)
        {
            var first = await session.Prepared(Oldest).Set("topic", topic).FirstOrDefaultAsync(static row => row.TimeOrNull(0));
            pending.Add(new Reading(first is null ? 0 : await session.Prepared(Count).Set("topic", topic).FirstOrDefaultAsync(static row => row.GetInt64(0)), "topic", topic));
            oldest = first < oldest ? first.Value : oldest;
        }

        _pending.Set(pending);
        var age = session.Now - oldest;
        _oldest.Set(new Reading(Math.Round(age.TotalSeconds, 3)));
        if (age < Stands)
        {
            _job.Succeeded();
        }
        else
        {
            _job.Failed("message_waits");
        }

        _size.Set(new Reading(session.Kind == DatabaseKind.Postgres
            ? await session.Prepared("SELECT pg_database_size(current_database())").FirstOrDefaultAsync(static row => row.GetInt64(0))
            : FileSize(data.DatabasePath) + FileSize(data.DatabasePath + "-wal")));
    }

    public void Forget()
    {
        _size.Clear();
        _pending.Clear();
        _oldest.Clear();
    }

    private static long FileSize(string path) => new FileInfo(path) is { Exists: true } file ? file.Length : 0;
}
