using System.Diagnostics.Metrics;

namespace RootMas.Server.Tools.Outbound;

/// <summary>Requests of tools to the outside, by client and outcome. No host names: those are people's data.</summary>
internal sealed class OutboundMetrics(IMeterFactory meters)
{
    private readonly Histogram<double> _duration = meters.Create("RootMas").CreateHistogram<double>("rootmas.outbound.duration", "s", "Duration of tools' requests to the outside; the count is their number.");

    public void Record(string client, string outcome, TimeSpan duration) =>
        _duration.Record(duration.TotalSeconds, new KeyValuePair<string, object?>("client", client), new KeyValuePair<string, object?>("outcome", outcome));

    public static string Name(OutboundFailure failure) => failure switch
    {
        OutboundFailure.Refused => "refused",
        OutboundFailure.Unresolved => "unresolved",
        OutboundFailure.TimedOut => "timeout",
        OutboundFailure.BadAnswer => "bad_answer",
        _ => "unreachable",
    };
}

/// <summary>
/// For handlers whose hosts are people's data: the runtime's own measurements carry each host's name. Here they are made on a meter that neither <c>/metrics</c> nor an exporter listens to.
/// </summary>
internal sealed class UnheardMeters : IMeterFactory
{
    /// <summary>For the life of the process: each call has a handler of its own.</summary>
    private static readonly Meter Unheard = new("Unheard");

    public static UnheardMeters Instance { get; } = new();

    public Meter Create(MeterOptions options) => Unheard;

    public void Dispose()
    {
        // It belongs to no handler.
    }
}
