using System.Globalization;
using System.Text;

namespace RootMas.Server.Platform.Telemetry;

/// <summary>Writes families of series: Prometheus text 0.0.4, or OpenMetrics 1.0.0, which names a counter's family without <c>_total</c>, writes bounds as floats, has exemplars and an end.</summary>
internal sealed class MetricsText(bool open)
{
    private readonly StringBuilder _text = new(32_768);

    public void Write(string name, MetricInstrument[] instruments)
    {
        if (!instruments.Any(static i => i.Series.Any()))
        {
            return;
        }

        var first = instruments[0];
        var family = open && first.Kind == MetricKind.Counter ? name[..^"_total".Length] : name;
        var help = first.Help.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\n", "\\n", StringComparison.Ordinal);
        _text.Append("# HELP ").Append(family).Append(' ').Append(open ? help.Replace("\"", "\\\"", StringComparison.Ordinal) : help).Append('\n');
        _text.Append("# TYPE ").Append(family).Append(' ').Append(first.Kind switch
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
                    Write(name, labels, instrument, series);
                }
            }
        }
    }

    public string End() => open ? _text.Append("# EOF\n").ToString() : _text.ToString();

    private void Write(string name, string labels, MetricInstrument instrument, MetricSeries series)
    {
        if (instrument.Kind != MetricKind.Histogram)
        {
            Line(name, labels, series.Value);
            return;
        }

        long sum = 0;
        var separator = labels.Length == 0 ? "" : ",";
        for (var i = 0; i < instrument.Bounds!.Length; i++)
        {
            sum += series.Buckets[i];
            Line(name + "_bucket", $"{labels}{separator}le=\"{Bound(instrument.Bounds[i])}\"", sum, series.ExemplarOf(i));
        }

        // The count is read from the buckets, so that a scrape amid a measurement is still consistent.
        sum += series.Buckets[^1];
        Line(name + "_bucket", $"{labels}{separator}le=\"+Inf\"", sum, series.ExemplarOf(instrument.Bounds.Length));
        Line(name + "_sum", labels, series.Value);
        Line(name + "_count", labels, sum);
    }

    private void Line(string name, string labels, double value, Exemplar? exemplar = null)
    {
        _text.Append(name);
        if (labels.Length > 0)
        {
            _text.Append('{').Append(labels).Append('}');
        }

        _text.Append(' ').Append(Number(value));
        if (open && exemplar is not null)
        {
            _text.Append(" # {trace_id=\"").Append(exemplar.TraceId).Append("\"} ").Append(Number(exemplar.Value)).Append(' ').Append((exemplar.At.ToUnixTimeMilliseconds() / 1000d).ToString("0.000", CultureInfo.InvariantCulture));
        }

        _text.Append('\n');
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

        return string.Join(',', labels.Select(static l => $"{l.Key}=\"{Escape(l.Value)}\""));
    }

    private static string Escape(string value) =>
        value.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal).Replace("\n", "\\n", StringComparison.Ordinal);

    /// <summary>A bound is text in a label: the same number must be the same text everywhere, which OpenMetrics wants to be a float's.</summary>
    private string Bound(double value) => Number(value) is var text && open && !text.AsSpan().ContainsAny('.', 'E') ? text + ".0" : text;

    private static string Number(double value) => value switch
    {
        double.PositiveInfinity => "+Inf",
        double.NegativeInfinity => "-Inf",
        _ when double.IsNaN(value) => "NaN",
        _ => value.ToString("R", CultureInfo.InvariantCulture),
    };
}
