using RootMas.Server.Platform.Data;
using RootMas.Server.Platform.Health;

namespace RootMas.Server.Platform.Outbox;

/// <summary>Hands the outbox to its handlers: what is there at start, then what comes. One loop per topic, so a slow one delays only itself; of several processes one at a time serves a topic.</summary>
public sealed partial class OutboxDispatcher(
    IDatabase database, Outbox outbox, IEnumerable<OutboxSubscription> subscriptions, IServiceProvider services, TimeProvider time, ILogger<OutboxDispatcher> logger) : SupervisedService
{
    private const int BatchSize = 100;
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(30);

    protected override (TimeProvider Clock, ILogger Logger) Means => (time, logger);

    protected override Task RunAsync(CancellationToken stoppingToken) =>
        KeepAllAsync(stoppingToken, outbox.Topics.Select<string, Func<CancellationToken, Task>>(topic => token => ServeAsync(topic, HandlersOf(topic), token)));

    private List<IOutboxHandler> HandlersOf(string topic) =>
        [.. subscriptions.Where(subscription => subscription.Topic == topic).Select(subscription => (IOutboxHandler)services.GetRequiredService(subscription.Handler))];

    private async Task ServeAsync(string topic, List<IOutboxHandler> handlers, CancellationToken cancellationToken)
    {
        var failures = 0;
        while (!cancellationToken.IsCancellationRequested)
        {
            try
            {
                var handed = await outbox.IsMineAsync(topic, cancellationToken) ? await HandOutAsync(topic, handlers, cancellationToken) : 0;
                failures = 0;
                if (handed == 0)
                {
                    await outbox.WaitAsync(topic, time, cancellationToken);
                }
            }
            catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
            {
                return;
            }
#pragma warning disable CA1031 // a handler's mistake must not end the topic; the message stays and is tried again
            catch (Exception exception)
#pragma warning restore CA1031
            {
                failures++;
                OutboxMetrics.Failed(topic);
                var pause = TimeSpan.FromSeconds(Math.Min(Math.Pow(2, failures - 1), LongestPause.TotalSeconds));
                LogFailed(logger, topic, failures, pause, exception);
                await Task.Delay(pause, time, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }

    /// <returns>Messages handed out.</returns>
    private async Task<int> HandOutAsync(string topic, List<IOutboxHandler> handlers, CancellationToken cancellationToken)
    {
        var batch = await database.LookAsync(
            session => session.Prepared("SELECT id, payload, created_at FROM outbox WHERE topic = @topic ORDER BY id LIMIT @limit")
                .Set("topic", topic).Set("limit", BatchSize)
                .ListAsync(row => new OutboxMessage(row.GetInt64(0), topic, row.GetString(1), row.Time(2))),
            cancellationToken);
        long handled = 0;
        try
        {
            foreach (var message in batch)
            {
                foreach (var handler in handlers)
                {
                    await handler.HandleAsync(message, cancellationToken);
                }

                handled = message.Id;
                OutboxMetrics.Handed(topic);
            }
        }
        finally
        {
            if (handled > 0)
            {
                await ForgetAsync(topic, handled);
            }
        }

        return batch.Count;
    }

    /// <summary>Not cancelled at shutdown: what was handled should not come again. Ids rise with the commits, so none below can still appear.</summary>
    private Task<int> ForgetAsync(string topic, long upTo) => database.WriteAsync(
        session => session.Prepared("DELETE FROM outbox WHERE topic = @topic AND id <= @id").Set("topic", topic).Set("id", upTo).RunAsync(),
        CancellationToken.None);

    [LoggerMessage(Level = LogLevel.Error, Message = "Handing out the outbox topic {Topic} failed ({Failures} in a row); it goes on with the same message in {Pause}")]
    private static partial void LogFailed(ILogger logger, string topic, int failures, TimeSpan pause, Exception exception);
}
