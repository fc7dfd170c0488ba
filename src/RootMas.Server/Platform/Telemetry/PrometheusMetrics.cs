using System.Collections.Concurrent;
using System.Diagnostics.Metrics;

namespace RootMas.Server.Platform.Telemetry;

/// <summary>
/// Everything that this program, ASP.NET Core, the HTTP client and the runtime publish as <see cref="Meter"/>s, as Prometheus text (exposition format 0.0.4) or OpenMetrics text (1.0.0, with exemplars).
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
    /// <param name="open">As OpenMetrics, which has room for exemplars: the trace of a request that fell into a bucket.</param>
    public async Task<string> WriteAsync(CancellationToken cancellationToken, bool open = false)
    {
        await _scrape.WaitAsync(cancellationToken);
        try
        {
            foreach (var instrument in _instruments.Values.Where(i => i.IsObservable))
            {
                instrument.Forget();
            }

            _listener.RecordObservableInstruments();
            var text = new MetricsText(open);
            foreach (var family in _instruments.Values.GroupBy(i => i.Name, StringComparer.Ordinal).OrderBy(g => g.Key, StringComparer.Ordinal))
            {
                text.Write(family.Key, [.. family]);
            }

            return text.End();
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
}
