using System.Diagnostics;

namespace RootMas.Server.Platform.Telemetry;

/// <summary>A measurement that stands for its bucket, with the trace it was made in.</summary>
internal sealed record Exemplar(string TraceId, double Value, DateTimeOffset At);

/// <summary>One metric with one set of labels. Written by many threads, without locks.</summary>
internal sealed class MetricSeries(KeyValuePair<string, object?>[] tags, double[]? bounds)
{
    private readonly long[]? _buckets = bounds is null ? null : new long[bounds.Length + 1];
    private readonly Exemplar?[]? _exemplars = bounds is null ? null : new Exemplar?[bounds.Length + 1];
    private readonly long[]? _exemplarTicks = bounds is null ? null : new long[bounds.Length + 1];
    private long _count;
    private double _value;

    /// <summary>The next series with the same hash.</summary>
    public MetricSeries? Next { get; init; }

    public KeyValuePair<string, object?>[] Tags => tags;

    public double Value => Volatile.Read(ref _value);

    public long Count => Interlocked.Read(ref _count);

    public ReadOnlySpan<long> Buckets => _buckets;

    public void Set(double value) => Volatile.Write(ref _value, value);

    public void Add(double value)
    {
        var seen = Volatile.Read(ref _value);
        while (true)
        {
            var before = Interlocked.CompareExchange(ref _value, seen + value, seen);
            if (before.Equals(seen))
            {
                return;
            }

            seen = before;
        }
    }

    public void Observe(double value)
    {
        var index = 0;
        while (index < bounds!.Length && value > bounds[index])
        {
            index++;
        }

        Interlocked.Increment(ref _buckets![index]);
        Exemplify(index, value);
        Interlocked.Increment(ref _count);
        Add(value);
    }

    public Exemplar? ExemplarOf(int bucket) => Volatile.Read(ref _exemplars![bucket]);

    /// <summary>At most one a second and bucket: what is measured a thousand times a second pays one comparison for it.</summary>
    private void Exemplify(int bucket, double value)
    {
        var now = Environment.TickCount64;
        if (now - Volatile.Read(ref _exemplarTicks![bucket]) < 1_000 && _exemplars![bucket] is not null)
        {
            return;
        }

        if (Activity.Current is { IdFormat: ActivityIdFormat.W3C } activity)
        {
            Volatile.Write(ref _exemplarTicks[bucket], now);
            Volatile.Write(ref _exemplars![bucket], new Exemplar(activity.TraceId.ToHexString(), value, TimeProvider.System.GetUtcNow()));
        }
    }

    public bool Has(ReadOnlySpan<KeyValuePair<string, object?>> others)
    {
        if (others.Length != tags.Length)
        {
            return false;
        }

        foreach (var other in others)
        {
            var found = false;
            foreach (var own in tags)
            {
                if (string.Equals(own.Key, other.Key, StringComparison.Ordinal) && Equals(own.Value, other.Value))
                {
                    found = true;
                    break;
                }
            }

            if (!found)
            {
                return false;
            }
        }

        return true;
    }
}
