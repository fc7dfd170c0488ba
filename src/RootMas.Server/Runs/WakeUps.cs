using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Threading.Channels;
using RootMas.Server.Platform.Broker;
using RootMas.Server.Platform.Data;
using RootMas.Server.Platform.Health;

namespace RootMas.Server.Runs;

/// <summary>Messages to the broker that became true with a transaction. Whoever wrote one publishes it after the commit; what then stays behind, because the broker was away or the process died, any process publishes later.</summary>
/// <remarks>Not the outbox: its topics keep an order, for which writers of a topic wait for each other's commits. Here order does not matter.</remarks>
internal sealed partial class WakeUps(IDatabase database, RabbitBroker broker, TimeProvider clock, ILogger<WakeUps> logger) : SupervisedService
{
    private const int Batch = 256;

    private const string Insert = "INSERT INTO run_wakeups (run_id, queue, body, created_at, taken_at) VALUES (@run, @queue, @body, @now, @now) RETURNING id";

    /// <summary>Each row to one relay at a time, and again if that one does not come to an end with it. An array, so that the rows are found by their keys: a join with the selection reads a long backlog from end to end.</summary>
    private const string Take = """
        UPDATE run_wakeups SET taken_at = @now WHERE id = ANY(ARRAY(
            SELECT id FROM run_wakeups WHERE taken_at <= @before ORDER BY id LIMIT @limit FOR UPDATE SKIP LOCKED))
        RETURNING id, queue, body, EXISTS (SELECT 1 FROM runs WHERE runs.id = run_id AND status = 'queued' AND ended_at IS NULL)
        """;

    private const string Delete = "DELETE FROM run_wakeups WHERE id = ANY(ARRAY(SELECT CAST(json_array_elements_text(@ids::json) AS BIGINT)))";

    private static readonly TimeSpan LookEvery = TimeSpan.FromSeconds(1);

    /// <summary>Longer than a confirm takes. A broker in trouble may take longer; what is sent twice then is done once.</summary>
    private static readonly TimeSpan LeftBehind = TimeSpan.FromSeconds(3);

    private readonly Channel<WakeUp> _written = Channel.CreateBounded<WakeUp>(new BoundedChannelOptions(10_000) { FullMode = BoundedChannelFullMode.DropWrite });

    /// <summary>In a transaction; published after its commit.</summary>
    public async ValueTask AddAsync(DbSession session, BrokerQueue queue, string runId, string body)
    {
        var id = await session.Prepared(Insert).Set("run", runId).Set("queue", (long)queue).Set("body", body).Set("now", session.Now).Int64Async();
        session.AfterCommit(() => _written.Writer.TryWrite(new WakeUp(id!.Value, queue, body))); // full: it is found like one that was left behind
    }

    protected override (TimeProvider Clock, ILogger Logger) Means => (clock, logger);

    protected override Task RunAsync(CancellationToken stoppingToken) => KeepAllAsync(stoppingToken, PublishWrittenAsync, PublishLeftAsync);

    private async Task PublishWrittenAsync(CancellationToken cancellationToken)
    {
        List<WakeUp> batch = new(Batch);
        while (await MoreAsync(cancellationToken))
        {
            while (batch.Count < Batch && _written.Reader.TryRead(out var next))
            {
                batch.Add(next);
            }

            if (broker.IsConnected)
            {
                await TryAsync(() => PublishAsync(batch, cancellationToken));
            }

            batch.Clear();
        }
    }

    private async Task<bool> MoreAsync(CancellationToken cancellationToken)
    {
        try
        {
            return await _written.Reader.WaitToReadAsync(cancellationToken);
        }
        catch (OperationCanceledException)
        {
            return false;
        }
    }

    private async Task PublishLeftAsync(CancellationToken cancellationToken)
    {
        using var timer = new PeriodicTimer(LookEvery, clock);
        try
        {
            while (await timer.WaitForNextTickAsync(cancellationToken))
            {
                while (broker.IsConnected && await TryAsync(() => PublishLeftOnceAsync(cancellationToken)) == Batch)
                {
                    // there may be more
                }
            }
        }
        catch (OperationCanceledException)
        {
            // stopping
        }
    }

    /// <summary>One batch of what stayed behind. How many rows it was.</summary>
    internal async Task<int> PublishLeftOnceAsync(CancellationToken cancellationToken)
    {
        var rows = await database.WriteAsync(
            session => session.Prepared(Take).Set("now", session.Now).Set("before", session.Now - LeftBehind).Set("limit", (long)Batch)
                .ListAsync(static r => (WakeUp: new WakeUp(r.GetInt64(0), (BrokerQueue)r.GetInt32(1), r.GetString(2)), Counts: r.Flag(3))),
            cancellationToken);
        await ForgetAsync([.. rows.Where(static r => !r.Counts).Select(static r => r.WakeUp.Id)]); // somebody has it, or it ended: nothing to say any more
        await PublishAsync([.. rows.Where(static r => r.Counts).Select(static r => r.WakeUp)], cancellationToken);
        return rows.Count;
    }

    /// <summary>Sends all at once and forgets those that were confirmed.</summary>
    private async Task<int> PublishAsync(List<WakeUp> batch, CancellationToken cancellationToken)
    {
        var sending = batch.ConvertAll(w => broker.PublishAsync(w.Queue, Encoding.UTF8.GetBytes(w.Body), w.Id.ToString(CultureInfo.InvariantCulture), cancellationToken));
        await Task.WhenAll(sending).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await ForgetAsync([.. batch.Where((_, i) => sending[i].IsCompletedSuccessfully).Select(static w => w.Id)]);
        await Task.WhenAll(sending); // what failed is said, and stays
        return batch.Count;
    }

    /// <summary>Not cancelled at shutdown: what was confirmed should not be sent again.</summary>
    private Task ForgetAsync(List<long> ids) => ids.Count == 0
        ? Task.CompletedTask
        : database.WriteAsync(
            session => session.Prepared(Delete).Set("ids", JsonSerializer.Serialize(ids)).RunAsync(), CancellationToken.None);

    private async Task<int> TryAsync(Func<Task<int>> work)
    {
        try
        {
            return await work();
        }
        catch (Exception failure) when (failure is BrokerUnavailableException or StorageUnavailableException or OperationCanceledException)
        {
            LogLater(failure.Message);
            return 0;
        }
#pragma warning disable CA1031 // the rows stay; a mistake here must not end the server
        catch (Exception failure)
#pragma warning restore CA1031
        {
            LogFailed(failure);
            return 0;
        }
    }

    [LoggerMessage(Level = LogLevel.Debug, Message = "Messages to RabbitMQ are sent later: {Reason}")]
    private partial void LogLater(string reason);

    [LoggerMessage(Level = LogLevel.Error, Message = "Messages to RabbitMQ could not be sent; they are tried again")]
    private partial void LogFailed(Exception exception);

    private readonly record struct WakeUp(long Id, BrokerQueue Queue, string Body);
}
