using RabbitMQ.Client;
using RabbitMQ.Client.Exceptions;

namespace RootMas.Server.Platform.Broker;

/// <summary>Durable quorum queues, and where their dead letters go.</summary>
internal static class BrokerTopology
{
    public static async Task DeclareAsync(IChannel channel, BrokerOptions options, BrokerNames names, CancellationToken cancellationToken)
    {
        var (dead, exchange) = (names.NameOf(BrokerQueue.Dead), names.NameOf(BrokerQueue.Dead));
        await channel.ExchangeDeclareAsync(exchange, ExchangeType.Fanout, durable: true, cancellationToken: cancellationToken);
        await DeclareAsync(channel, dead, [], cancellationToken);
        await channel.QueueBindAsync(dead, exchange, "", cancellationToken: cancellationToken);
        var arguments = new Dictionary<string, object?>(StringComparer.Ordinal) { ["x-delivery-limit"] = options.DeliveryLimit, ["x-dead-letter-exchange"] = exchange };
        foreach (var queue in (BrokerQueue[])[BrokerQueue.First, BrokerQueue.Interactive, BrokerQueue.Background])
        {
            await DeclareAsync(channel, names.NameOf(queue), arguments, cancellationToken);
        }
    }

    /// <summary>Of the queues of versions before, those that are there. They are never made here.</summary>
    public static async Task<IReadOnlySet<string>> FindOldAsync(IConnection connection, BrokerNames names, CancellationToken cancellationToken)
    {
        HashSet<string> found = new(StringComparer.Ordinal);
        foreach (var name in names.Before is { } before ? Enum.GetValues<BrokerQueue>().Select(queue => BrokerNames.NameOf(before, queue)) : [])
        {
            if (await ExistsAsync(connection, name, cancellationToken))
            {
                found.Add(name);
            }
        }

        return found;
    }

    /// <summary>Whether it is there, and may be used. On a channel of its own: the answer that it is not ends the channel.</summary>
    public static async Task<bool> ExistsAsync(IConnection connection, string queue, CancellationToken cancellationToken)
    {
        await using var channel = await connection.CreateChannelAsync(cancellationToken: cancellationToken);
        try
        {
            await channel.QueueDeclarePassiveAsync(queue, cancellationToken);
            return true;
        }
        catch (OperationInterruptedException missing) when (missing.ShutdownReason?.ReplyCode is Constants.NotFound or Constants.AccessRefused)
        {
            return false;
        }
    }

    private static async Task DeclareAsync(IChannel channel, string name, Dictionary<string, object?> arguments, CancellationToken cancellationToken) => await channel.QueueDeclareAsync(
        name, durable: true, exclusive: false, autoDelete: false, new Dictionary<string, object?>(arguments, StringComparer.Ordinal) { ["x-queue-type"] = "quorum" }, cancellationToken: cancellationToken);
}
