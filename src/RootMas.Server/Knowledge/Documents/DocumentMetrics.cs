using System.Diagnostics.Metrics;
using RootMas.Server.Platform.Telemetry;

namespace RootMas.Server.Knowledge.Documents;

/// <summary>Documents that were indexed, and searches in them.</summary>
internal static class DocumentMetrics
{
    private static readonly Counter<long> Documents =
        RootMasTelemetry.Meter.CreateCounter<long>("rootmas.knowledge.documents", "{document}", "Documents that were indexed or could not be, by outcome (ready, or the code of the failure).");

    private static readonly Histogram<double> Indexing = RootMasTelemetry.Meter.CreateHistogram<double>("rootmas.knowledge.indexing.duration", "s", "Time from taking a document up to its being found.");

    private static readonly Histogram<double> Searches = RootMasTelemetry.Meter.CreateHistogram<double>("rootmas.knowledge.retrieval.duration", "s", "Time of a whole search in documents: words, vectors, fusion, order.");

    /// <summary>The instruments are there, and listed, before the first document.</summary>
    internal static void Create() => System.Runtime.CompilerServices.RuntimeHelpers.RunClassConstructor(typeof(DocumentMetrics).TypeHandle);

    public static void Indexed(TimeSpan took)
    {
        Documents.Add(1, KeyValuePair.Create("outcome", (object?)"ready"));
        Indexing.Record(took.TotalSeconds);
    }

    public static void Refused(string code) => Documents.Add(1, KeyValuePair.Create("outcome", (object?)code));

    public static void Searched(TimeSpan took) => Searches.Record(took.TotalSeconds);
}
