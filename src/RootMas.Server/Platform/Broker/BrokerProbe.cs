using RootMas.Server.Platform.Health;

namespace RootMas.Server.Platform.Broker;

/// <summary>The broker as <c>/health</c> shows it. Not critical: without it runs are found in the database, a moment later.</summary>
internal sealed class BrokerProbe(RabbitBroker broker, TimeProvider time) : IHealthProbe
{
    public string Name => "rabbitmq";

    public bool IsCritical => false;

    public async ValueTask<HealthState> CheckAsync(CancellationToken cancellationToken)
    {
        var began = time.GetTimestamp();
        var states = broker.IsConnected ? await broker.StatesAsync(cancellationToken) : [];
        if (states.Count == 0)
        {
            return HealthState.Degraded($"{broker.Trouble ?? "not connected yet"}; runs are found in the database meanwhile", broker.TroubleClass);
        }

        var took = time.GetElapsedTime(began).TotalMilliseconds;
        return HealthState.Healthy(string.Create(
            System.Globalization.CultureInfo.InvariantCulture, $"answers in {took:0.0} ms; {states.Sum(static s => s.Messages)} messages wait, {states.Max(static s => s.Consumers)} consumers"));
    }
}
