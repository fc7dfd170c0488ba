using RootMas.Server.Platform.Data;

namespace RootMas.Server.Platform.Idempotency;

/// <summary>Forgets old keys once an hour, in small bites.</summary>
public sealed partial class IdempotencyPruning(IDatabase database, IdempotencyStore store, TimeProvider time, ILogger<IdempotencyPruning> logger) : BackgroundService
{
    private const int Bite = 500;

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(TimeSpan.FromHours(1), time);
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
            while (await database.WriteAsync(session => store.PruneAsync(session, Bite), cancellationToken) == Bite)
            {
                // more to come
            }
        }
        catch (StorageUnavailableException exception)
        {
            LogFailed(logger, exception);
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "Old idempotency keys could not be removed; the next try is in an hour")]
    private static partial void LogFailed(ILogger logger, Exception exception);
}
