using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using Microsoft.Extensions.Logging.Abstractions;

namespace RootMas.Server.Platform.Telemetry;

/// <summary>
/// Everything that this program, ASP.NET Core, the HTTP client and the runtime publish as <see cref="Meter"/>s, as Prometheus text (exposition format 0.0.4) or OpenMetrics text (1.0.0, with exemplars).
/// </summary>
public sealed partial class PrometheusMetrics : IDisposable
{
    private static readonly Counter<long> Failures = RootMasTelemetry.Meter.CreateCounter<long>("rootmas.metrics.failed", "{look}", "Figures that could not be read when metrics were asked for and are missing there, by metric; the log says why.");
    private static readonly string[] Meters = ["RootMas", "Microsoft.AspNetCore", "System.Net.Http", "System.Net.NameResolution", "System.Runtime", "Npgsql", "Polly"];

    private readonly ConcurrentDictionary<Instrument, MetricInstrument> _instruments = new();

    /// <summary>Who asks for figures as they are now: a listener for each, or nobody could say which of them failed.</summary>
    private readonly ConcurrentDictionary<MetricInstrument, MeterListener> _observers = new();
    private readonly ConcurrentDictionary<string, bool> _told = new(StringComparer.Ordinal);
    private readonly MeterListener _listener = new();
    private readonly TelemetryOptions _options;
    private readonly IMeterFactory? _own;
    private readonly ILogger _logger;
    private readonly SemaphoreSlim _scrape = new(1, 1);

    /// <param name="own">Meters of another factory belong to another server in this process; null: all are shown.</param>
    public PrometheusMetrics(TelemetryOptions options, IMeterFactory? own = null, ILogger<PrometheusMetrics>? logger = null)
    {
        (_options, _own, _logger) = (options, own, logger ?? NullLogger<PrometheusMetrics>.Instance);
        _ = Failures.Enabled; // listed before the first failure
        _listener.InstrumentPublished = Publish;
        Hear(_listener);
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
            foreach (var (instrument, observer) in _observers)
            {
                Look(instrument, observer);
            }

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
        foreach (var observer in _observers.Values)
        {
            observer.Dispose();
        }

        _scrape.Dispose();
    }

    private static void Hear(MeterListener listener)
    {
        listener.SetMeasurementEventCallback<byte>(static (_, value, tags, state) => ((MetricInstrument)state!).Record(value, tags));
        listener.SetMeasurementEventCallback<short>(static (_, value, tags, state) => ((MetricInstrument)state!).Record(value, tags));
        listener.SetMeasurementEventCallback<int>(static (_, value, tags, state) => ((MetricInstrument)state!).Record(value, tags));
        listener.SetMeasurementEventCallback<long>(static (_, value, tags, state) => ((MetricInstrument)state!).Record(value, tags));
        listener.SetMeasurementEventCallback<float>(static (_, value, tags, state) => ((MetricInstrument)state!).Record(value, tags));
        listener.SetMeasurementEventCallback<double>(static (_, value, tags, state) => ((MetricInstrument)state!).Record(value, tags));
        listener.SetMeasurementEventCallback<decimal>(static (_, value, tags, state) => ((MetricInstrument)state!).Record((double)value, tags));
    }

    private void Publish(Instrument instrument, MeterListener listener)
    {
        if ((_own is not null && instrument.Meter.Scope is not null && !ReferenceEquals(instrument.Meter.Scope, _own)) || !Array.Exists(Meters, m => instrument.Meter.Name.StartsWith(m, StringComparison.Ordinal)))
        {
            return;
        }

        var shown = _instruments.GetOrAdd(instrument, static (i, max) => new MetricInstrument(i, max), _options.MaxSeries);
        if (instrument.IsObservable)
        {
            _observers.GetOrAdd(shown, static (to, of) => Observer(of, to), instrument);
        }
        else
        {
            listener.EnableMeasurementEvents(instrument, shown);
        }
    }

    private static MeterListener Observer(Instrument instrument, MetricInstrument shown)
    {
        var observer = new MeterListener();
        Hear(observer);
        observer.EnableMeasurementEvents(instrument, shown);
        return observer;
    }

    /// <summary>Whoever fails costs its own series only.</summary>
    private void Look(MetricInstrument instrument, MeterListener observer)
    {
        instrument.Forget();
        try
        {
            observer.RecordObservableInstruments();
        }
        catch (AggregateException failure)
        {
            instrument.Forget(); // half a look is none
            Failures.Add(1, new KeyValuePair<string, object?>("metric", instrument.Name));
            if (_told.TryAdd(instrument.Name, true))
            {
                LogNotRead(failure.InnerException ?? failure, instrument.Name);
            }
        }
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "The figure {Metric} could not be read and is missing in metrics; this is told once, and counted in rootmas_metrics_failed_total")]
    private partial void LogNotRead(Exception exception, string metric);
}
