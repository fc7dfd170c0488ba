using RabbitMQ.Client;

namespace RootMas.Server.Platform.Broker;

/// <summary>Durable quorum queues, and where their dead letters go.</summary>
internal static class BrokerTopology
{
    public static string NameOf(BrokerOptions options, BrokerQueue queue) => $"{options.Queue}.{queue.ToString().ToLowerInvariant()}";

    public static async Task DeclareAsync(IChannel channel, BrokerOptions options, CancellationToken cancellationToken)
    {
        var (dead, exchange) = (NameOf(options, BrokerQueue.Dead), NameOf(options, BrokerQueue.Dead));
        await channel.ExchangeDeclareAsync(exchange, ExchangeType.Fanout, durable: true, cancellationToken: cancellationToken);
        await DeclareAsync(channel, dead, [], cancellationToken);
        await channel.QueueBindAsync(dead, exchange, "", cancellationToken: cancellationToken);
        var arguments = new Dictionary<string, object?>(StringComparer.Ordinal) { ["x-delivery-limit"] = options.DeliveryLimit, ["x-dead-letter-exchange"] = exchange };
        foreach (var queue in (BrokerQueue[])[BrokerQueue.First, BrokerQueue.Interactive, BrokerQueue.Background])
        {
            await DeclareAsync(channel, NameOf(options, queue), arguments, cancellationToken);
        }
    }

    private static async Task DeclareAsync(IChannel channel, string name, Dictionary<string, object?> arguments, CancellationToken cancellationToken) => await channel.QueueDeclareAsync(
        name, durable: true, exclusive: false, autoDelete: false, new Dictionary<string, object?>(arguments, StringComparer.Ordinal) { ["x-queue-type"] = "quorum" }, cancellationToken: cancellationToken);
}
