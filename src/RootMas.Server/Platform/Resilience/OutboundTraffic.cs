using System.Diagnostics.Metrics;

namespace RootMas.Server.Platform.Resilience;

/// <summary>What happens to calls, by client. No host names: those may be people's data.</summary>
internal sealed class OutboundTraffic
{
    private readonly Counter<long> _attempts;
    private readonly Counter<long> _retries;
    private readonly Counter<long> _giveUps;
    private readonly Counter<long> _rejected;

    public OutboundTraffic(Meter meter, Func<IEnumerable<Measurement<long>>>? circuits)
    {
        _attempts = meter.CreateCounter<long>("rootmas.outbound.attempts", "{attempt}", "Calls sent to outside services, by client and outcome.");
        _retries = meter.CreateCounter<long>("rootmas.outbound.retries", "{retry}", "Calls to outside services that were sent again.");
        _giveUps = meter.CreateCounter<long>("rootmas.outbound.give_ups", "{call}", "Calls to outside services that failed for good.");
        _rejected = meter.CreateCounter<long>("rootmas.outbound.rejected", "{call}", "Calls that were not sent because the service is being left alone.");
        if (circuits is not null)
        {
            meter.CreateObservableGauge("rootmas.outbound.circuit", circuits, "{state}", "Circuit of a client, the worst of its services: 0 closed, 1 half open, 2 open.");
        }
    }

    public void Attempted(string client, string outcome) => _attempts.Add(1, Tag(client), new KeyValuePair<string, object?>("outcome", outcome));

    public void Retried(string client) => _retries.Add(1, Tag(client));

    public void GaveUp(string client) => _giveUps.Add(1, Tag(client));

    public void Rejected(string client) => _rejected.Add(1, Tag(client));

    private static KeyValuePair<string, object?> Tag(string client) => new("client", client);
}
