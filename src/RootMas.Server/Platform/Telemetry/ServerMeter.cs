using System.Diagnostics.Metrics;

namespace RootMas.Server.Platform.Telemetry;

/// <summary>A figure as it is now, with at most two labels.</summary>
internal readonly record struct Reading(double Value, string? Label = null, string? Is = null, string? Label2 = null, string? Is2 = null)
{
    public Measurement<double> ToMeasurement() => Label is null ? new(Value)
        : Label2 is null ? new(Value, new KeyValuePair<string, object?>(Label, Is))
        : new(Value, new KeyValuePair<string, object?>(Label, Is), new KeyValuePair<string, object?>(Label2, Is2));
}

/// <summary>Registered by whoever has gauges to show; called once, before the first request.</summary>
public delegate void GaugeSource(ServerMeter meter);

/// <summary>
/// Gauges that look at objects of one server. They end with it, and only its own <c>/metrics</c> shows them; what merely counts stays on <see cref="RootMasTelemetry.Meter"/>, which the whole process shares.
/// </summary>
public sealed class ServerMeter(IMeterFactory factory)
{
    internal Meter Meter { get; } = factory.Create(new MeterOptions(RootMasTelemetry.Name) { Version = ProgramVersion.Text });

    internal void Observe(string name, string unit, string help, Func<double> read) => Meter.CreateObservableGauge(name, read, unit, help);

    internal void Observe(string name, string unit, string help, Func<IEnumerable<Reading>> read) =>
        Meter.CreateObservableGauge(name, () => read().Select(static r => r.ToMeasurement()), unit, help);

    internal void ObserveCount(string name, string unit, string help, Func<long> read) => Meter.CreateObservableCounter(name, read, unit, help);
}
