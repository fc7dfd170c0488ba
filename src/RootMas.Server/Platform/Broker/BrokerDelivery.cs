using RabbitMQ.Client;
using RabbitMQ.Client.Events;
using RabbitMQ.Client.Exceptions;
using RootMas.Server.Platform.Data;

namespace RootMas.Server.Platform.Broker;

/// <summary>A message that this process was handed. Until it says what became of it the broker keeps it, and hands it to somebody else if the connection ends.</summary>
public sealed class BrokerDelivery
{
    private readonly IChannel channel;
    private readonly ulong tag;
    private int said;

    internal BrokerDelivery(IChannel channel, BrokerQueue queue, BasicDeliverEventArgs message)
    {
        (this.channel, Queue, tag) = (channel, queue, message.DeliveryTag);
        Body = message.Body.ToArray(); // the library reuses its buffer
        IsRepeated = message.Redelivered;
        MessageId = message.BasicProperties.MessageId;
        Installation = InstallationId.Is(message.BasicProperties.AppId) ? message.BasicProperties.AppId : null;
        if (message.BasicProperties.Headers is { } headers)
        {
            Deliveries = 1 + (headers.TryGetValue("x-delivery-count", out var count) && count is long or int ? Convert.ToInt64(count, System.Globalization.CultureInfo.InvariantCulture) : 0);
            (DeadBecause, DeadFrom) = (TextOf(headers, "x-first-death-reason"), TextOf(headers, "x-first-death-queue"));
        }
    }

    public BrokerQueue Queue { get; }

    /// <summary>It was in a queue as versions before called them.</summary>
    public bool IsFromOld { get; init; }

    public ReadOnlyMemory<byte> Body { get; }

    /// <summary>It was handed to somebody before.</summary>
    public bool IsRepeated { get; }

    public long Deliveries { get; } = 1;

    public string? MessageId { get; }

    /// <summary>Whose it is; null: an older version sent it, or somebody who is none of us.</summary>
    public string? Installation { get; }

    /// <summary>Of a dead letter: rejected, delivery_limit, expired, maxlen.</summary>
    public string? DeadBecause { get; }

    /// <summary>Of a dead letter: the queue it was in.</summary>
    public string? DeadFrom { get; }

    /// <summary>It is done with. On a connection that ended meanwhile this says nothing to nobody: the message is handed out again, and who gets it sees in the database that there is nothing to do.</summary>
    public void Ack() => _ = SayAsync(static (channel, tag) => channel.BasicAckAsync(tag, multiple: false), BrokerMetrics.Acknowledged);

    /// <summary>Nobody can do anything with it: to the dead letters.</summary>
    public void Refuse() => _ = SayAsync(static (channel, tag) => channel.BasicNackAsync(tag, multiple: false, requeue: false), BrokerMetrics.Refused);

    /// <summary>It is somebody else's: to whoever is next. The broker counts how often, and so it does not go round for ever.</summary>
    public void HandBack() => _ = SayAsync(static (channel, tag) => channel.BasicNackAsync(tag, multiple: false, requeue: true), static () => { });

    private async Task SayAsync(Func<IChannel, ulong, ValueTask> say, Action told)
    {
        if (Interlocked.Exchange(ref said, 1) == 1)
        {
            return;
        }

        try
        {
            await say(channel, tag);
            told();
        }
        catch (Exception ended) when (ended is AlreadyClosedException or OperationInterruptedException or OperationCanceledException or ObjectDisposedException or IOException)
        {
            // the connection ended: the broker hands the message out again
        }
    }

    private static string? TextOf(IDictionary<string, object?> headers, string name) =>
        headers.TryGetValue(name, out var value) && value is byte[] { Length: < 300 } bytes ? System.Text.Encoding.UTF8.GetString(bytes) : null;
}
