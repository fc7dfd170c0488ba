using System.Diagnostics.Metrics;
using RootMas.Server.Platform.Telemetry;

namespace RootMas.Server.Knowledge.Vectors;

/// <summary>Searches, texts that got vectors, and what is in memory.</summary>
internal sealed class VectorMetrics
{
    private readonly Histogram<double> _searches;
    private readonly Counter<long> _embedded;
    private readonly Counter<long> _refused;

    public VectorMetrics(IMeterFactory meters, MemoryVectors memory)
    {
        var meter = meters.Create(RootMasTelemetry.Name);
        _searches = meter.CreateHistogram<double>("rootmas.knowledge.search.duration", "s", "Time of a vector search, by space and index (memory, pgvector).");
        _embedded = meter.CreateCounter<long>("rootmas.knowledge.embedded", "{text}", "Texts that got a vector, by space.");
        _refused = meter.CreateCounter<long>("rootmas.knowledge.embed.refused", "{text}", "Attempts at texts that the embedding model refused, by space and reason (context_length, content_filter, bad_request, invalid_answer).");
        meter.CreateObservableGauge("rootmas.knowledge.vectors", () => memory.Loaded.Select(static s => Of(s.Content.Count, s.Space, s.Model)), "{vector}", "Vectors in memory, by space and model.");
        meter.CreateObservableGauge("rootmas.knowledge.vectors.memory", () => memory.Loaded.Select(static s => Of(s.Content.Bytes, s.Space, s.Model)), "By", "Memory that vectors and their graphs take, by space and model.");
    }

    public void Searched(string space, string index, TimeSpan took) =>
        _searches.Record(took.TotalSeconds, new("space", space), new KeyValuePair<string, object?>("index", index));

    public void Embedded(string space, int texts) => _embedded.Add(texts, new KeyValuePair<string, object?>("space", space));

    public void Refused(string space, string reason) => _refused.Add(1, new("space", space), new KeyValuePair<string, object?>("reason", reason));

    private static Measurement<long> Of(long value, string space, string model) => new(value, new("space", space), new KeyValuePair<string, object?>("model", model));
}
