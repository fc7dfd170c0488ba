using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using System.Runtime.CompilerServices;
using RootMas.Server.Platform.Telemetry;

namespace RootMas.Server.Platform.Caching;

/// <summary>How often answers could be given again.</summary>
internal static class CacheMetrics
{
    private static readonly Counter<long> Requests = RootMasTelemetry.Meter.CreateCounter<long>("rootmas.api_cache.requests", "{request}", "Requests to routes whose answers are kept, by route and outcome: hit, miss, bypass.");
    private static readonly Histogram<double> Settling = RootMasTelemetry.Meter.CreateHistogram<double>("rootmas.api_cache.settle.duration", "s", "Time until a change counted in all instances.");
    private static readonly Counter<long> Fences = RootMasTelemetry.Meter.CreateCounter<long>("rootmas.api_cache.fences", "{fence}", "Times that this instance told the others through the database not to use kept answers, since it could not reach Redis.");
    private static readonly ConcurrentDictionary<string, Totals> ByRoute = new(StringComparer.Ordinal);

    static CacheMetrics() => RootMasTelemetry.Meter.CreateObservableGauge("rootmas.api_cache.hit_ratio", Ratios, "1", "Part of the requests to a route that an answer could be given again to, since the start.");

    /// <summary>The instruments are there, and listed, before the first request.</summary>
    public static void Create() => RuntimeHelpers.RunClassConstructor(typeof(CacheMetrics).TypeHandle);

    public static void Answered(string route, string outcome)
    {
        Requests.Add(1, new KeyValuePair<string, object?>("route", route), new KeyValuePair<string, object?>("outcome", outcome));
        var totals = ByRoute.GetOrAdd(route, static _ => new Totals());
        Interlocked.Increment(ref totals.All);
        if (outcome == "hit")
        {
            Interlocked.Increment(ref totals.Hits);
        }
    }

    public static void Settled(TimeSpan took) => Settling.Record(took.TotalSeconds);

    public static void Fenced() => Fences.Add(1);

    private static IEnumerable<Measurement<double>> Ratios() =>
        ByRoute.Select(static route => new Measurement<double>(Volatile.Read(ref route.Value.Hits) / (double)Math.Max(1, Volatile.Read(ref route.Value.All)), new KeyValuePair<string, object?>("route", route.Key)));

    private sealed class Totals
    {
        public long All;
        public long Hits;
    }
}
