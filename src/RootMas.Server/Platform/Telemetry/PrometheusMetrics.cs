using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using System.Globalization;
using System.Text;

namespace RootMas.Server.Platform.Telemetry;

/// <summary>
/// Everything that this program, ASP.NET Core, the HTTP client and the runtime publish as <see cref="Meter"/>s, as Prometheus text (exposition format 0.0.4).
/// </summary>
public sealed class PrometheusMetrics : IDisposable
{
    private static readonly string[] Meters = ["RootMas", "Microsoft.AspNetCore", "System.Net.Http", "System.Net.NameResolution", "System.Runtime", "Npgsql", "Polly"];

    private readonly ConcurrentDictionary<Instrument, MetricInstrument> _instruments = new();
    private readonly MeterListener _listener = new();
    private readonly TelemetryOptions _options;
    private readonly IMeterFactory? _own;
    private readonly SemaphoreSlim _scrape = new(1, 1);

    /// <param name="own">Meters of another factory belong to another server in this process; null: all are shown.</param>
    public PrometheusMetrics(TelemetryOptions options, IMeterFactory? own = null)
    {
        (_options, _own) = (options, own);
        _listener.InstrumentPublished = Publish;
        _listener.SetMeasurementEventCallback<byte>(static (_, value, tags, state) => ((MetricInstrument)state!).Record(value, tags));
        _listener.SetMeasurementEventCallback<short>(static (_, value, tags, state) => ((MetricInstrument)state!).Record(value, tags));
        _listener.SetMeasurementEventCallback<int>(static (_, value, tags, state) => ((MetricInstrument)state!).Record(value, tags));
        _listener.SetMeasurementEventCallback<long>(static (_, value, tags, state) => ((MetricInstrument)state!).Record(value, tags));
        _listener.SetMeasurementEventCallback<float>(static (_, value, tags, state) => ((MetricInstrument)state!).Record(value, tags));
        _listener.SetMeasurementEventCallback<double>(static (_, value, tags, state) => ((MetricInstrument)state!).Record(value, tags));
        _listener.SetMeasurementEventCallback<decimal>(static (_, value, tags, state) => ((MetricInstrument)state!).Record((double)value, tags));
        _listener.Start();
    }

    /// <summary>Names and kinds, for documentation and tests.</summary>
    public IReadOnlyList<(string Name, string Kind, string Help)> Describe() =>
        [.. _instruments.Values.Select(i => (i.Name, i.Kind.ToString().ToLowerInvariant(), i.Help)).Distinct().OrderBy(i => i.Name, StringComparer.Ordinal)];

    /// <summary>All series now.</summary>
    public async Task<string> WriteAsync(CancellationToken cancellationToken)
    {
        await _scrape.WaitAsync(cancellationToken);
        try
        {
            foreach (var instrument in _instruments.Values.Where(i => i.IsObservable))
            {
                instrument.Forget();
            }

            _listener.RecordObservableInstruments();
            var text = new StringBuilder(16_384);
            foreach (var family in _instruments.Values.GroupBy(i => i.Name, StringComparer.Ordinal).OrderBy(g => g.Key, StringComparer.Ordinal))
            {
                WriteFamily(text, family.Key, [.. family]);
            }

            return text.ToString();
        }
        finally
        {
            _scrape.Release();
        }
    }

    public void Dispose()
    {
        _listener.Dispose();
        _scrape.Dispose();
    }

    private void Publish(Instrument instrument, MeterListener listener)
    {
        if ((_own is null || instrument.Meter.Scope is null || ReferenceEquals(instrument.Meter.Scope, _own)) && Array.Exists(Meters, m => instrument.Meter.Name.StartsWith(m, StringComparison.Ordinal)))
        {
            listener.EnableMeasurementEvents(instrument, _instruments.GetOrAdd(instrument, static (i, max) => new MetricInstrument(i, max), _options.MaxSeries));
        }
    }

    private static void WriteFamily(StringBuilder text, string name, MetricInstrument[] instruments)
    {
        if (!instruments.Any(i => i.Series.Any()))
        {
            return;
        }

        var first = instruments[0];
        text.Append("# HELP ").Append(name).Append(' ').Append(first.Help.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\n", "\\n", StringComparison.Ordinal)).Append('\n');
        text.Append("# TYPE ").Append(name).Append(' ').Append(first.Kind switch
        {
            MetricKind.Counter => "counter",
            MetricKind.Histogram => "histogram",
            _ => "gauge",
        }).Append('\n');
        var written = new HashSet<string>(StringComparer.Ordinal);
        foreach (var instrument in instruments.Where(i => i.Kind == first.Kind))
        {
            foreach (var series in instrument.Series)
            {
                var labels = Labels(series.Tags);
                if (written.Add(labels))
                {
                    WriteSeries(text, name, labels, instrument, series);
                }
            }
        }
    }

    private static void WriteSeries(StringBuilder text, string name, string labels, MetricInstrument instrument, MetricSeries series)
    {
        if (instrument.Kind != MetricKind.Histogram)
        {
            Line(text, name, labels, series.Value);
            return;
        }

        long sum = 0;
        var separator = labels.Length == 0 ? "" : ",";
        for (var i = 0; i < instrument.Bounds!.Length; i++)
        {
            sum += series.Buckets[i];
            Line(text, name + "_bucket", $"{labels}{separator}le=\"{Number(instrument.Bounds[i])}\"", sum);
        }

        // The count is read from the buckets, so that a scrape amid a measurement is still consistent.
        sum += series.Buckets[^1];
        Line(text, name + "_bucket", $"{labels}{separator}le=\"+Inf\"", sum);
        Line(text, name + "_sum", labels, series.Value);
        Line(text, name + "_count", labels, sum);
    }

    private static void Line(StringBuilder text, string name, string labels, double value)
    {
        text.Append(name);
        if (labels.Length > 0)
        {
            text.Append('{').Append(labels).Append('}');
        }

        text.Append(' ').Append(Number(value)).Append('\n');
    }

    private static string Labels(KeyValuePair<string, object?>[] tags)
    {
        if (tags.Length == 0)
        {
            return "";
        }

        var labels = new SortedDictionary<string, string>(StringComparer.Ordinal);
        foreach (var (key, value) in tags)
        {
            var name = MetricInstrument.Sanitize(key);
            labels[name.StartsWith("__", StringComparison.Ordinal) || name == "le" ? "x_" + name.TrimStart('_') : name] = Convert.ToString(value, CultureInfo.InvariantCulture) ?? "";
        }

        return string.Join(',', labels.Select(l => $"{l.Key}=\"{Escape(l.Value)}\""));
    }

    private static string Escape(string value) =>
        value.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal).Replace("\n", "\\n", StringComparison.Ordinal);

    private static string Number(double value) => value switch
    {
        double.PositiveInfinity => "+Inf",
        double.NegativeInfinity => "-Inf",
        _ when double.IsNaN(value) => "NaN",
        _ => value.ToString("R", CultureInfo.InvariantCulture),
    };
}
