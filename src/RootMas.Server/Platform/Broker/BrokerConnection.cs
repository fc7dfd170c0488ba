using System.Collections.Concurrent;
using RabbitMQ.Client;
using RabbitMQ.Client.Events;

namespace RootMas.Server.Platform.Broker;

/// <summary>One connection: a channel to publish on and one for each consumer. When any of them ends, all of it ends.</summary>
/// <remarks>Nothing here is waited for without a limit: closing a channel or a connection of this library is known to hang now and then (its issues 1751, 1757, 1930). What hangs is left to the collector.</remarks>
internal sealed class BrokerConnection : IAsyncDisposable
{
    /// <summary>Messages that wait for their confirm at a time; further ones wait to be sent.</summary>
    private const int Outstanding = 512;

    private static readonly TimeSpan ClosesWithin = TimeSpan.FromSeconds(3);

    private readonly IConnection raw;
    private readonly IChannel publisher;
    private readonly TimeProvider time;
    private readonly TaskCompletionSource ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly ConcurrentDictionary<BrokerQueue, IChannel> consuming = new();

    private BrokerConnection(IConnection raw, IChannel publisher, TimeProvider time)
    {
        (this.raw, this.publisher, this.time) = (raw, publisher, time);
        raw.ConnectionShutdownAsync += EndAsync;
        publisher.ChannelShutdownAsync += EndAsync;
    }

    public bool IsOpen => raw.IsOpen && publisher.IsOpen && !ended.Task.IsCompleted;

    public Task Ended => ended.Task;

    public string EndedBecause { get; private set; } = "it did not answer";

    /// <summary>Without user and password.</summary>
    public string Endpoint => $"{raw.Endpoint.HostName}:{raw.Endpoint.Port}";

    public static async Task<BrokerConnection> OpenAsync(IConnection raw, BrokerOptions options, TimeProvider time, CancellationToken cancellationToken)
    {
        // On a channel of its own: a refused declaration ends its channel.
        await using (var channel = await raw.CreateChannelAsync(cancellationToken: cancellationToken))
        {
            await BrokerTopology.DeclareAsync(channel, options, cancellationToken);
        }

        var confirms = new CreateChannelOptions(publisherConfirmationsEnabled: true, publisherConfirmationTrackingEnabled: true, new ThrottlingRateLimiter(Outstanding));
        return new BrokerConnection(raw, await raw.CreateChannelAsync(confirms, cancellationToken), time);
    }

    public async Task PublishAsync(string queue, ReadOnlyMemory<byte> body, string messageId, CancellationToken cancellationToken) => await publisher.BasicPublishAsync(
        exchange: "", routingKey: queue, mandatory: true, new BasicProperties { MessageId = messageId, ContentType = "application/json", DeliveryMode = DeliveryModes.Persistent }, body, cancellationToken);

    public async Task ConsumeAllAsync(IEnumerable<RabbitBroker.Consumer> consumers, Func<BrokerQueue, string> nameOf)
    {
        foreach (var consumer in consumers)
        {
            await ConsumeAsync(consumer, nameOf(consumer.Queue));
        }
    }

    public async Task ConsumeAsync(RabbitBroker.Consumer consumer, string queue)
    {
        try
        {
            var channel = await raw.CreateChannelAsync();
            if (!consuming.TryAdd(consumer.Queue, channel))
            {
                await channel.DisposeAsync(); // the connection was made while this consumer was added: it has one already
                return;
            }

            channel.ChannelShutdownAsync += (sender, why) => consuming.ContainsKey(consumer.Queue) ? EndAsync(sender, why) : Task.CompletedTask;
            await channel.BasicQosAsync(0, consumer.Prefetch, global: false);
            var receiver = new AsyncEventingBasicConsumer(channel);
            receiver.ReceivedAsync += (_, message) =>
            {
                BrokerMetrics.Delivered(consumer.Queue, message.Redelivered);
                return consumer.Take(new BrokerDelivery(channel, consumer.Queue, message));
            };
            receiver.UnregisteredAsync += (_, _) => consuming.ContainsKey(consumer.Queue) ? AbandonAsync() : Task.CompletedTask; // the queue was deleted under it
            await channel.BasicConsumeAsync(queue, autoAck: false, receiver);
        }
        catch (Exception)
        {
            Abandon();
            throw;
        }
    }

    public async Task EndConsumingAsync(BrokerQueue queue)
    {
        if (consuming.TryRemove(queue, out var channel))
        {
            try
            {
                await channel.DisposeAsync().AsTask().WaitAsync(ClosesWithin, time);
            }
            catch (TimeoutException)
            {
                Abandon(); // the connection's end hands back what the channel had
            }
        }
    }

    public async Task<IReadOnlyList<BrokerQueueState>> StatesAsync(IReadOnlyList<string> queues, CancellationToken cancellationToken)
    {
        var channel = await raw.CreateChannelAsync(cancellationToken: cancellationToken);
        try
        {
            List<BrokerQueueState> states = [];
            foreach (var queue in queues)
            {
                var found = await channel.QueueDeclarePassiveAsync(queue, cancellationToken);
                states.Add(new BrokerQueueState(queue, found.MessageCount, (int)found.ConsumerCount));
            }

            return states;
        }
        finally
        {
            await channel.DisposeAsync().AsTask().WaitAsync(ClosesWithin, time, CancellationToken.None);
        }
    }

    /// <summary>It is not used any more, and made anew.</summary>
    public void Abandon() => ended.TrySetResult();

    public async ValueTask DisposeAsync()
    {
        ended.TrySetResult();
        await CloseAsync(raw, time);
    }

    /// <summary>Ends it, or gives up waiting for that.</summary>
    public static async Task CloseAsync(IConnection raw, TimeProvider time)
    {
        async Task EndAsync()
        {
            await raw.AbortAsync();
            await raw.DisposeAsync();
        }

        await EndAsync().WaitAsync(ClosesWithin, time).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    private Task AbandonAsync()
    {
        Abandon();
        return Task.CompletedTask;
    }

    private Task EndAsync(object sender, ShutdownEventArgs why)
    {
        EndedBecause = why.ReplyText;
        return AbandonAsync();
    }
}
