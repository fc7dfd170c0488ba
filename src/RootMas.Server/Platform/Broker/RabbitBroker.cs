using System.Collections.Concurrent;
using RabbitMQ.Client;
using RabbitMQ.Client.Exceptions;
using RootMas.Server.Platform.Data;
using RootMas.Server.Platform.Health;
using RootMas.Server.Platform.Resilience;

namespace RootMas.Server.Platform.Broker;

/// <summary>
/// The connection to RabbitMQ with everything on it: queues, consumers, confirms. It is made in the background, so a start does not wait for a broker that is away, and made anew as a whole whenever it is lost.
/// The library's own recovery is off: it restores what it remembers, and waits; here one way serves the first connection and every later one.
/// </summary>
public sealed partial class RabbitBroker(BrokerOptions options, IDatabase database, OutboundPolicies policies, TimeProvider time, ILogger<RabbitBroker> logger) : SupervisedService
{
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(500);

    private readonly ConcurrentDictionary<BrokerQueue, Consumer> consumers = new();
    private volatile BrokerConnection? connection;
    private volatile BrokerNames? names;
    private string? complained;
    private BrokerTrouble? trouble;

    /// <summary>Messages can be sent, and are handed over.</summary>
    public bool IsConnected => connection is { IsOpen: true, BlockedBecause: null };

    /// <summary>It is connected, and takes no messages for now.</summary>
    public bool IsBlocked => connection?.BlockedBecause is not null;

    /// <summary>Why not, for people; null: it is, or nothing was tried yet.</summary>
    public string? Trouble => connection?.BlockedBecause is { } why ? Blocks(why) : trouble?.Text;

    /// <summary>The same in a word.</summary>
    internal string TroubleClass => IsBlocked ? "blocked" : trouble?.Class ?? BrokerTrouble.Unreachable;

    /// <summary>After each connection, when everything on it stands.</summary>
    public Action? Connected { get; set; }

    /// <summary>Another installation sent it, which uses the same queues.</summary>
    public bool IsForeign(BrokerDelivery delivery)
    {
        ArgumentNullException.ThrowIfNull(delivery);
        return delivery.Installation is { } theirs && names is { } ours && theirs != ours.Installation;
    }

    /// <summary>Completes when the broker has confirmed the message: it survives the loss of a broker node from then on.</summary>
    /// <exception cref="BrokerUnavailableException">It is not known to be safe. Send it again.</exception>
    public async Task PublishAsync(BrokerQueue queue, ReadOnlyMemory<byte> body, string messageId, CancellationToken cancellationToken)
    {
        var current = connection ?? throw new BrokerUnavailableException("RabbitMQ is not connected.", null);
        var blocked = current.Blocked;
        if (current.BlockedBecause is { } why)
        {
            throw new BrokerUnavailableException(Blocks(why) + ".", null);
        }

        using var limit = new CancellationTokenSource(options.ConfirmTimeout, time);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, limit.Token);
        try
        {
            BrokerMetrics.Published();
            var sending = current.PublishAsync(queue, body, messageId, both.Token).WaitAsync(both.Token); // not by the library alone: it may hang
            if (await Task.WhenAny(sending, blocked) == blocked && !sending.IsCompleted)
            {
                // The connection stays: it is confirmed when the broker reads again, and what is sent twice then is done once.
                throw new BrokerUnavailableException("RabbitMQ began to block whoever sends.", null);
            }

            await sending;
            BrokerMetrics.Confirmed();
        }
        catch (PublishException refused)
        {
            BrokerMetrics.Returned();
            if (refused.IsReturn)
            {
                current.Abandon(); // a queue is gone: it is declared with the next connection
            }

            throw new BrokerUnavailableException("RabbitMQ did not take the message.", refused);
        }
        catch (OperationCanceledException late) when (limit.IsCancellationRequested)
        {
            current.Abandon(); // what does not confirm in time is as good as gone
            throw new BrokerUnavailableException($"RabbitMQ did not confirm within {options.ConfirmTimeout.TotalSeconds:0.#} s.", late);
        }
        catch (Exception lost) when (IsLoss(lost))
        {
            throw new BrokerUnavailableException("The connection to RabbitMQ was lost.", lost);
        }
    }

    /// <summary>From now on, on this connection and every later one, messages of the queue are handed to <paramref name="take"/>, one after the other; it returns quickly and does not throw.</summary>
    public void Consume(BrokerQueue queue, int prefetch, Func<BrokerDelivery, Task> take)
    {
        consumers[queue] = new Consumer(queue, (ushort)Math.Clamp(prefetch, 1, ushort.MaxValue), take);
        _ = connection?.ConsumeAsync(consumers[queue]);
    }

    /// <summary>Hands back at once what was handed over on the queue and is not done with.</summary>
    public async Task EndConsumingAsync(BrokerQueue queue)
    {
        consumers.TryRemove(queue, out _);
        try
        {
            await (connection?.EndConsumingAsync(queue) ?? Task.CompletedTask);
        }
        catch (Exception lost) when (IsLoss(lost))
        {
            // the connection ended, and with it what was handed over
        }
    }

    /// <summary>Somebody else uses the queues that versions before had: from now on, on this connection and every later one, nothing is taken from them.</summary>
    public async Task LeaveOldAsync()
    {
        if (names is { Before: not null } all)
        {
            names = all with { Before = null };
        }

        try
        {
            await (connection?.LeaveOldAsync() ?? Task.CompletedTask);
        }
        catch (Exception lost) when (IsLoss(lost))
        {
            // the connection ended, and the next one is made without them
        }
    }

    /// <summary>How full the queues are; empty while there is no connection.</summary>
    public async Task<IReadOnlyList<BrokerQueueState>> StatesAsync(CancellationToken cancellationToken)
    {
        try
        {
            return connection is { BlockedBecause: null } current ? await current.StatesAsync(cancellationToken).WaitAsync(options.ConfirmTimeout, time, cancellationToken) : [];
        }
        catch (Exception lost) when (IsLoss(lost))
        {
            return [];
        }
    }

    protected override (TimeProvider Clock, ILogger Logger) Means => (time, logger);

    protected override async Task RunAsync(CancellationToken stoppingToken)
    {
        var policy = policies.Get("rabbitmq");
        policies.Classify(policy.Client, static failure => BrokerTrouble.Of(failure).Class);
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                var named = names ??= BrokerNames.Of(options, await InstallationId.ReadAsync(database, stoppingToken));
                await using var made = await policy.ExecuteAsync(token => MakeAsync(named, token), stoppingToken);
                made.BlockChanged = TellBlock;
                (connection, trouble, complained) = (made, null, null);
                await made.ConsumeAllAsync(consumers.Values);
                BrokerMetrics.Connected();
                LogConnected(made.Endpoint, named.Queue);
                Connected?.Invoke();
                await made.Ended.WaitAsync(stoppingToken);
                LogLost(made.Endpoint, made.EndedBecause);
                trouble = BrokerTrouble.Lost;
            }
            catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
            {
                break;
            }
#pragma warning disable CA1031 // whatever it is, the server goes on without the broker and tries again
            catch (Exception failure)
#pragma warning restore CA1031
            {
                Complain(failure);
            }
            finally
            {
                connection = null;
            }

            await Task.Delay(Pause, time, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private async ValueTask<BrokerConnection> MakeAsync(BrokerNames named, CancellationToken cancellationToken)
    {
        var factory = new ConnectionFactory
        {
            Uri = new Uri(options.Uri),
            AutomaticRecoveryEnabled = false,
            TopologyRecoveryEnabled = false,
            RequestedHeartbeat = options.Heartbeat,
            RequestedConnectionTimeout = options.ConfirmTimeout,
            ContinuationTimeout = options.ConfirmTimeout,
            ClientProvidedName = $"rootmas {Environment.MachineName} {Environment.ProcessId}",
        };
        var raw = await factory.CreateConnectionAsync(cancellationToken).WaitAsync(cancellationToken);
        try
        {
            return await BrokerConnection.OpenAsync(raw, options, named, time, cancellationToken).WaitAsync(cancellationToken);
        }
        catch
        {
            await BrokerConnection.CloseAsync(raw, time);
            throw;
        }
    }

    /// <summary>Once for each kind of trouble, not once for each try.</summary>
    private void Complain(Exception failure)
    {
        if (failure is OutboundUnavailableException { IsTimeout: false } && trouble is not null)
        {
            return; // it is left alone for a moment, for the reason that is known
        }

        trouble = BrokerTrouble.Of(failure);
        if (failure is not OutboundUnavailableException && complained != trouble.Text)
        {
            complained = trouble.Text;
            LogAway(trouble.Text, failure.Message);
        }
    }

    private static string Blocks(string why) => $"RabbitMQ blocks whoever sends ({why})";

    private void TellBlock(string? why)
    {
        if (why is not null)
        {
            LogBlocked(Blocks(why));
        }
        else
        {
            LogUnblocked();
        }
    }

    private static bool IsLoss(Exception e) =>
        e is RabbitMQClientException or IOException or System.Net.Sockets.SocketException or TimeoutException or ObjectDisposedException or OperationCanceledException;

    internal sealed record Consumer(BrokerQueue Queue, ushort Prefetch, Func<BrokerDelivery, Task> Take);

    [LoggerMessage(Level = LogLevel.Information, Message = "Connected to RabbitMQ at {Endpoint}; its queues here are {Queue}.*")]
    private partial void LogConnected(string endpoint, string queue);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The connection to RabbitMQ at {Endpoint} was lost ({Reason}). Runs in work go on; new ones are found in the database until it is back")]
    private partial void LogLost(string endpoint, string reason);

    [LoggerMessage(Level = LogLevel.Warning, Message = "{Trouble}. Runs are found in the database until that ends; give the broker memory or disk space")]
    private partial void LogBlocked(string trouble);

    [LoggerMessage(Level = LogLevel.Information, Message = "RabbitMQ takes messages again; those that were left behind are sent")]
    private partial void LogUnblocked();

    [LoggerMessage(Level = LogLevel.Warning, Message = "RabbitMQ: {Trouble}. Runs are found in the database meanwhile, and it is tried again: {Error}")]
    private partial void LogAway(string trouble, string error);
}

/// <summary>The broker has not confirmed what was sent to it.</summary>
public sealed class BrokerUnavailableException(string message, Exception? inner) : Exception(message, inner);
