namespace RootMas.Server.Platform.Telemetry;

/// <summary>One metric with one set of labels. Written by many threads, without locks.</summary>
internal sealed class MetricSeries(KeyValuePair<string, object?>[] tags, double[]? bounds)
{
    private readonly long[]? _buckets = bounds is null ? null : new long[bounds.Length + 1];
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
        Interlocked.Increment(ref _count);
        Add(value);
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
