using RootMas.Server.Platform.Data;
using RootMas.Server.Platform.Health;

namespace RootMas.Server.Platform.Idempotency;

/// <summary>Forgets old keys once an hour, in small bites.</summary>
public sealed partial class IdempotencyPruning(IDatabase database, IdempotencyStore store, BackgroundJobs jobs, TimeProvider time, ILogger<IdempotencyPruning> logger) : SupervisedService
{
    private const int Bite = 500;
    private static readonly TimeSpan Every = TimeSpan.FromHours(1);

    private readonly BackgroundJob _job = jobs.Add("idempotency-pruning", Every);

    protected override (TimeProvider Clock, ILogger Logger) Means => (time, logger);

    protected override async Task RunAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Every, time);
        try
        {
            do
            {
                await PruneAsync(stoppingToken);
            }
            while (await timer.WaitForNextTickAsync(stoppingToken));
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // the end of the process
        }
    }

    private async Task PruneAsync(CancellationToken cancellationToken)
    {
        try
        {
            await _job.RunAsync(
                async token =>
                {
                    while (await database.WriteAsync(session => store.PruneAsync(session, Bite), token) == Bite)
                    {
                        // more to come
                    }
                },
                cancellationToken);
        }
        catch (StorageUnavailableException exception)
        {
            LogFailed(logger, exception);
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "Old idempotency keys could not be removed; the next try is in an hour")]
    private static partial void LogFailed(ILogger logger, Exception exception);
}
