using System.Collections.Concurrent;
using RootMas.Server.Platform.Broker;
using RootMas.Server.Platform.Data;

namespace RootMas.Server.Runs;

/// <summary>What the broker hands to this process: runs to its worker, dead letters to the table that operators see.</summary>
internal sealed partial class RunDeliveries(RabbitBroker broker, BrokerOptions options, IDatabase database, TimeProvider clock, ILogger<RunDeliveries> logger) : IRunDeliveries, IHostedService, IDisposable
{
    private static readonly BrokerQueue[] Queues = [BrokerQueue.First, BrokerQueue.Interactive, BrokerQueue.Background];
    private const int MostTold = 100;
    private static readonly TimeSpan BuryAgain = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan BuryAtLatest = TimeSpan.FromSeconds(30);

    private readonly CancellationTokenSource _stopping = new();
    private readonly ConcurrentDictionary<Offer, bool> _offers = new();
    private readonly ConcurrentDictionary<string, bool> _told = new(StringComparer.Ordinal);

    /// <inheritdoc/>
    public void Begin(RunWorker worker, int capacity)
    {
        var prefetch = options.Prefetch > 0 ? options.Prefetch : capacity;
        foreach (var queue in Queues)
        {
            // Of the urgent ones a few more than there is room for, so that the next is there when a place becomes free; of the others less.
            broker.Consume(queue, queue == BrokerQueue.Background ? (prefetch + 3) / 4 : prefetch + ((prefetch + 7) / 8), delivery => Take(worker, delivery));
        }
    }

    /// <inheritdoc/>
    public async Task EndAsync()
    {
        foreach (var queue in Queues)
        {
            await broker.EndConsumingAsync(queue);
        }
    }

    /// <inheritdoc/>
    public void Forget(TimeSpan age)
    {
        foreach (var offer in _offers.Keys)
        {
            if (clock.GetElapsedTime(offer.At) > age)
            {
                offer.Done();
            }
        }
    }

    public Task StartAsync(CancellationToken cancellationToken)
    {
        broker.Consume(BrokerQueue.Dead, 16, BuryAsync);
        return Task.CompletedTask;
    }

    public async Task StopAsync(CancellationToken cancellationToken)
    {
        await _stopping.CancelAsync();
        await broker.EndConsumingAsync(BrokerQueue.Dead);
    }

    public void Dispose() => _stopping.Dispose();

    private Task Take(RunWorker worker, BrokerDelivery delivery)
    {
        if (broker.IsForeign(delivery))
        {
            Tell(delivery);
            if (delivery.IsFromOld)
            {
                _ = broker.LeaveOldAsync(); // with its channel it is handed back, once; not waited for: the end of a channel waits for those who take from it
            }
            else
            {
                delivery.HandBack();
            }
        }
        else if (RunMessage.Read(delivery.Body.Span) is { } run)
        {
            var offer = new Offer(delivery, clock.GetTimestamp(), _offers);
            _offers[offer] = true;
            worker.Enqueue(run with { Offer = offer });
        }
        else
        {
            LogUnreadable(delivery.Queue, delivery.Body.Length);
            delivery.Refuse();
        }

        return Task.CompletedTask;
    }

    /// <summary>Once for each installation: there may be a message for each run.</summary>
    private void Tell(BrokerDelivery delivery)
    {
        if (_told.Count < MostTold && _told.TryAdd(delivery.Installation!, true))
        {
            LogForeign(delivery.Queue, delivery.Installation!);
        }
    }

    /// <summary>While the database is away it stays with the broker, and is tried again; if this process ends meanwhile, another one is handed it.</summary>
    private async Task BuryAsync(BrokerDelivery delivery)
    {
        var id = Guid.CreateVersion7().ToString();
        for (var pause = BuryAgain; ; pause = TimeSpan.FromTicks(Math.Min(2 * pause.Ticks, BuryAtLatest.Ticks)))
        {
            try
            {
                await database.WriteAsync(session => DeadLetterRows.AddMessageAsync(session, id, delivery, broker.IsForeign(delivery)), CancellationToken.None);
                break;
            }
            catch (StorageUnavailableException)
            {
                await Task.Delay(pause, clock, _stopping.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                if (_stopping.IsCancellationRequested)
                {
                    return;
                }
            }
        }

        LogDead(delivery.DeadFrom ?? "?", delivery.DeadBecause ?? "unknown");
        delivery.Ack();
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "A message of {Length} bytes in the queue {Queue} cannot be read; it goes to the dead letters (rootmas queue dead)")]
    private partial void LogUnreadable(BrokerQueue queue, int length);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Messages in the queue {Queue} are of the installation {Installation}, which is another one on the same broker. They are handed back for its workers, and queues of versions before (rootmas.runs.*) are left to it from now on; its runs are found in its database in any case. Leave RabbitMq:Queue empty, or give each a name or a virtual host of its own")]
    private partial void LogForeign(BrokerQueue queue, string installation);

    [LoggerMessage(Level = LogLevel.Warning, Message = "A message from {Queue} is a dead letter now ({Reason}): rootmas queue dead lists it")]
    private partial void LogDead(string queue, string reason);

    private sealed class Offer(BrokerDelivery delivery, long at, ConcurrentDictionary<Offer, bool> open) : IRunOffer
    {
        public bool IsRepeated => delivery.IsRepeated;

        public long At => at;

        public void Done()
        {
            if (open.TryRemove(this, out _))
            {
                delivery.Ack();
            }
        }
    }
}
