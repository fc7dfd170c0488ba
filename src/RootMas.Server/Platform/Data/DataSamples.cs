using RootMas.Server.Platform.Telemetry;

namespace RootMas.Server.Platform.Data;

/// <summary>The size of the database and what waits in its outbox.</summary>
internal sealed class DataSamples(DataDirectory data) : ISampled
{
    private readonly SampledGauge _size = new("rootmas.db.size", "By", "Size of the database, its write-ahead log included on SQLite.");
    private readonly SampledGauge _pending = new("rootmas.outbox.pending", "{message}", "Messages in the outbox that were not handed out yet, by topic. The same on every instance.");
    private readonly SampledGauge _oldest = new("rootmas.outbox.oldest.age", "s", "Age of the oldest message in the outbox. The same on every instance.");

    public void Publish(ServerMeter meter)
    {
        _size.Publish(meter);
        _pending.Publish(meter);
        _oldest.Publish(meter);
    }

    public async ValueTask SampleAsync(DbSession session)
    {
        // A clause that both databases know: topics are few, and what waits is little or an incident.
        var waiting = await session.Prepared("SELECT topic, COUNT(*), MIN(created_at) FROM outbox GROUP BY topic").ListAsync(static row => (Topic: row.GetString(0), Count: row.GetInt64(1), Oldest: row.Time(2)));
        _pending.Set([.. waiting.Select(static w => new Reading(w.Count, "topic", w.Topic))]);
        _oldest.Set(new Reading(waiting.Count == 0 ? 0 : Math.Max(0, (session.Now - waiting.Min(static w => w.Oldest)).TotalSeconds)));
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
