using System.Collections.Concurrent;
using RabbitMQ.Client;
using RabbitMQ.Client.Events;
using RabbitMQ.Client.Exceptions;

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
    private readonly BrokerNames names;
    private readonly IReadOnlySet<string> old;
    private readonly ConcurrentDictionary<string, IChannel> consuming = new(StringComparer.Ordinal);
    private volatile TaskCompletionSource blocked = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private volatile string? blockedBecause;
    private volatile bool leftOld;

    /// <param name="old">Names of the queues of versions before that are emptied beside.</param>
    private BrokerConnection(IConnection raw, IChannel publisher, BrokerNames names, IReadOnlySet<string> old, TimeProvider time)
    {
        (this.raw, this.publisher, this.names, this.old, this.time) = (raw, publisher, names, old, time);
        raw.ConnectionShutdownAsync += EndAsync;
        publisher.ChannelShutdownAsync += EndAsync;
        raw.ConnectionBlockedAsync += BlockAsync;
        raw.ConnectionUnblockedAsync += UnblockAsync;
    }

    public bool IsOpen => raw.IsOpen && publisher.IsOpen && !ended.Task.IsCompleted;

    /// <summary>Why the broker reads nothing from here any more (memory, disk), although the connection stands; null: it does.</summary>
    public string? BlockedBecause => blockedBecause;

    /// <summary>Completes when the broker stops reading: what was sent and is not confirmed will not be for long.</summary>
    public Task Blocked => blocked.Task;

    /// <summary>The broker has begun or ended to block.</summary>
    public Action<string?>? BlockChanged { get; set; }

    public Task Ended => ended.Task;

    public string EndedBecause { get; private set; } = "it did not answer";

    /// <summary>Without user and password.</summary>
    public string Endpoint => $"{raw.Endpoint.HostName}:{raw.Endpoint.Port}";

    public static async Task<BrokerConnection> OpenAsync(IConnection raw, BrokerOptions options, BrokerNames names, TimeProvider time, CancellationToken cancellationToken)
    {
        // On a channel of its own: a refused declaration ends its channel.
        await using (var channel = await raw.CreateChannelAsync(cancellationToken: cancellationToken))
        {
            await BrokerTopology.DeclareAsync(channel, options, names, cancellationToken);
        }

        var confirms = new CreateChannelOptions(publisherConfirmationsEnabled: true, publisherConfirmationTrackingEnabled: true, new ThrottlingRateLimiter(Outstanding));
        var found = await BrokerTopology.FindOldAsync(raw, names, cancellationToken);
        return new BrokerConnection(raw, await raw.CreateChannelAsync(confirms, cancellationToken), names, found, time);
    }

    public async Task PublishAsync(BrokerQueue queue, ReadOnlyMemory<byte> body, string messageId, CancellationToken cancellationToken) => await publisher.BasicPublishAsync(
        exchange: "", routingKey: names.NameOf(queue), mandatory: true, new BasicProperties { MessageId = messageId, AppId = names.Installation, ContentType = "application/json", DeliveryMode = DeliveryModes.Persistent }, body, cancellationToken);

    public async Task ConsumeAllAsync(IEnumerable<RabbitBroker.Consumer> consumers)
    {
        foreach (var consumer in consumers)
        {
            await ConsumeAsync(consumer);
        }
    }

    public async Task ConsumeAsync(RabbitBroker.Consumer consumer)
    {
        foreach (var name in NamesOf(consumer.Queue))
        {
            await ConsumeAsync(consumer, name);
        }
    }

    /// <summary>Its own, and the one of before where that is still there. Dead letters of before are for whoever has that name now: nothing tells whose they are before they are taken.</summary>
    private IEnumerable<string> NamesOf(BrokerQueue queue) =>
        queue != BrokerQueue.Dead && !leftOld && names.Before is { } before && BrokerNames.NameOf(before, queue) is var earlier && old.Contains(earlier) ? [names.NameOf(queue), earlier] : [names.NameOf(queue)];

    private async Task ConsumeAsync(RabbitBroker.Consumer consumer, string queue)
    {
        try
        {
            var channel = await raw.CreateChannelAsync();
            if (!consuming.TryAdd(queue, channel))
            {
                await channel.DisposeAsync(); // the connection was made while this consumer was added: it has one already
                return;
            }

            channel.ChannelShutdownAsync += (sender, why) => IsNeeded(queue) ? EndAsync(sender, why) : Task.CompletedTask;
            await channel.BasicQosAsync(0, consumer.Prefetch, global: false);
            var receiver = new AsyncEventingBasicConsumer(channel);
            receiver.ReceivedAsync += (_, message) =>
            {
                BrokerMetrics.Delivered(consumer.Queue, message.Redelivered);
                return consumer.Take(new BrokerDelivery(channel, consumer.Queue, message) { IsFromOld = old.Contains(queue) });
            };
            receiver.UnregisteredAsync += (_, _) => IsNeeded(queue) ? AbandonAsync() : Task.CompletedTask; // the queue was deleted under it
            await channel.BasicConsumeAsync(queue, autoAck: false, receiver);
        }
        catch (OperationInterruptedException) when (old.Contains(queue))
        {
            // it was deleted meanwhile, or is for others to read: the sweep finds what it would have told
        }
        catch (Exception)
        {
            Abandon();
            throw;
        }
    }

    /// <summary>Without it the connection is of no use. The queues of versions before may go at any time.</summary>
    private bool IsNeeded(string queue) => consuming.ContainsKey(queue) && !old.Contains(queue);

    public Task EndConsumingAsync(BrokerQueue queue) => EndConsumingAsync(NamesOf(queue));

    /// <summary>No more of the queues of versions before; what was handed over from them and is not done with goes back.</summary>
    public Task LeaveOldAsync()
    {
        leftOld = true;
        return EndConsumingAsync(old);
    }

    private async Task EndConsumingAsync(IEnumerable<string> queues)
    {
        foreach (var name in queues)
        {
            if (!consuming.TryRemove(name, out var channel))
            {
                continue;
            }

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

    public async Task<IReadOnlyList<BrokerQueueState>> StatesAsync(CancellationToken cancellationToken)
    {
        var channel = await raw.CreateChannelAsync(cancellationToken: cancellationToken);
        try
        {
            List<BrokerQueueState> states = [];
            foreach (var queue in Enum.GetValues<BrokerQueue>().Select(names.NameOf))
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

    private Task BlockAsync(object sender, ConnectionBlockedEventArgs why)
    {
        blockedBecause = why.Reason;
        blocked.TrySetResult();
        BlockChanged?.Invoke(why.Reason);
        return Task.CompletedTask;
    }

    private Task UnblockAsync(object sender, AsyncEventArgs unblocked)
    {
        blocked = new(TaskCreationOptions.RunContinuationsAsynchronously);
        blockedBecause = null;
        BlockChanged?.Invoke(null);
        return Task.CompletedTask;
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
