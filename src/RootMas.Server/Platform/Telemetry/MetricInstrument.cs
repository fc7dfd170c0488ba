using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using System.Globalization;
using System.Text;

namespace RootMas.Server.Platform.Telemetry;

internal enum MetricKind
{
    Counter,
    Gauge,
    Histogram,
}

/// <summary>An instrument and its series, under its Prometheus name.</summary>
internal sealed class MetricInstrument
{
    /// <summary>The runtime's measurement of look-ups in the DNS. Which names were looked up is people's data: agents visit what they are asked to.</summary>
    internal const string LookUps = "dns.lookup.duration";

    private const string LookUpName = "dns.question.name";

    internal static readonly double[] Seconds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300];
    private static readonly double[] Amounts = [1, 2, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 50_000, 100_000];
    private static readonly KeyValuePair<string, object?>[] Overflow = [new("otel_metric_overflow", "true")];

    private readonly ConcurrentDictionary<int, MetricSeries> _series = new();
    private readonly Lock _adding = new();
    private readonly int _maxSeries;
    private readonly string? _hidden;
    private int _count;

    public MetricInstrument(Instrument instrument, int maxSeries)
    {
        _maxSeries = maxSeries;
        Kind = KindOf(instrument);
        IsObservable = instrument.IsObservable;
        Name = NameOf(instrument, Kind);
        Help = instrument.Description is { Length: > 0 } text ? text : instrument.Name;
        Bounds = Kind == MetricKind.Histogram ? BoundsOf(instrument) : null;
        _hidden = instrument.Name == LookUps ? LookUpName : null;
    }

    public string Name { get; }

    public string Help { get; }

    public MetricKind Kind { get; }

    public bool IsObservable { get; }

    public double[]? Bounds { get; }

    public IEnumerable<MetricSeries> Series
    {
        get
        {
            foreach (var head in _series.Values)
            {
                for (var series = head; series is not null; series = series.Next)
                {
                    yield return series;
                }
            }
        }
    }

    public void Record(double value, ReadOnlySpan<KeyValuePair<string, object?>> tags)
    {
        var series = Find(_hidden is null ? tags : Without(_hidden, tags));
        if (IsObservable)
        {
            series.Set(value);
        }
        else if (Kind == MetricKind.Histogram)
        {
            series.Observe(value);
        }
        else if (_isGauge)
        {
            series.Set(value);
        }
        else
        {
            series.Add(value);
        }
    }

    /// <summary>Before observable instruments are asked again: what they no longer report is gone.</summary>
    public void Forget()
    {
        lock (_adding)
        {
            _series.Clear();
            _count = 0;
        }
    }

    private bool _isGauge;

    private static KeyValuePair<string, object?>[] Without(string hidden, ReadOnlySpan<KeyValuePair<string, object?>> tags) => [.. tags.ToArray().Where(t => t.Key != hidden)];

    private MetricSeries Find(ReadOnlySpan<KeyValuePair<string, object?>> tags)
    {
        // Independent of the order of the tags.
        var hash = 0;
        foreach (var tag in tags)
        {
            hash += (Shape(tag.Key) * 31) + (tag.Value is string text ? Shape(text) : tag.Value?.GetHashCode() ?? 0);
        }

        if (_series.TryGetValue(hash, out var head) && InChain(head, tags) is { } found)
        {
            return found;
        }

        lock (_adding)
        {
            _series.TryGetValue(hash, out head);
            if (InChain(head, tags) is { } meanwhile)
            {
                return meanwhile;
            }

            if (_count >= _maxSeries && !tags.SequenceEqual(Overflow))
            {
                return Find(Overflow);
            }

            _count++;
            return _series[hash] = new MetricSeries(tags.ToArray(), Bounds) { Next = head };
        }
    }

    /// <summary>Enough to tell labels apart at a fraction of a string's hash code, which every measurement would compute a dozen times; what it does not tell apart shares a chain.</summary>
    private static int Shape(string text) => text.Length == 0 ? 0 : (((text.Length * 31) + text[0]) * 31) + text[^1];

    private static MetricSeries? InChain(MetricSeries? series, ReadOnlySpan<KeyValuePair<string, object?>> tags)
    {
        while (series is not null && !series.Has(tags))
        {
            series = series.Next;
        }

        return series;
    }

    private MetricKind KindOf(Instrument instrument)
    {
        var type = instrument.GetType();
        var name = type.IsGenericType ? type.GetGenericTypeDefinition().Name : type.Name;
        _isGauge = name.StartsWith("Gauge", StringComparison.Ordinal);
        return name switch
        {
            _ when name.StartsWith("Histogram", StringComparison.Ordinal) => MetricKind.Histogram,
            _ when name.StartsWith("Counter", StringComparison.Ordinal) || name.StartsWith("ObservableCounter", StringComparison.Ordinal) => MetricKind.Counter,
            _ => MetricKind.Gauge,
        };
    }

    private static double[] BoundsOf(Instrument instrument) => instrument switch
    {
        Histogram<double> { Advice.HistogramBucketBoundaries: { } own } => [.. own],
        Histogram<long> { Advice.HistogramBucketBoundaries: { } own } => [.. own.Select(b => (double)b)],
        Histogram<int> { Advice.HistogramBucketBoundaries: { } own } => [.. own.Select(b => (double)b)],
        _ => instrument.Unit == "s" ? Seconds : Amounts,
    };

    private static string NameOf(Instrument instrument, MetricKind kind)
    {
        var name = new StringBuilder(Sanitize(instrument.Name));
        var unit = instrument.Unit switch
        {
            "s" => "seconds",
            "ms" => "milliseconds",
            "By" => "bytes",
            "%" => "percent",
            "1" when kind == MetricKind.Gauge => "ratio",
            _ => "",
        };
        if (unit.Length > 0 && !name.ToString().EndsWith("_" + unit, StringComparison.Ordinal))
        {
            name.Append('_').Append(unit);
        }

        if (kind == MetricKind.Counter && !name.ToString().EndsWith("_total", StringComparison.Ordinal))
        {
            name.Append("_total");
        }

        // Prometheus keeps the ending for histograms.
        if (kind == MetricKind.Gauge && name.ToString().EndsWith("_count", StringComparison.Ordinal))
        {
            name.Length -= "_count".Length;
            name.Append("_current");
        }

        return name.ToString();
    }

    /// <summary>Letters, digits and underscores, not beginning with a digit.</summary>
    internal static string Sanitize(string name)
    {
        var clean = string.Create(name.Length, name, static (span, from) =>
        {
            for (var i = 0; i < from.Length; i++)
            {
                span[i] = char.IsAsciiLetterOrDigit(from[i]) ? from[i] : '_';
            }
        });
        return clean.Length == 0 || char.IsAsciiDigit(clean[0]) ? string.Create(CultureInfo.InvariantCulture, $"_{clean}") : clean;
    }
}
