using RootMas.Server.Platform.Data;
using RootMas.Server.Platform.Health;

namespace RootMas.Server.Platform.Idempotency;

/// <summary>Gives back the keys of requests that did nothing and could not say so, as soon as the database answers again.</summary>
public sealed partial class IdempotencyReturns(IDatabase database, IdempotencyStore store, KeysAtWork keys, TimeProvider time, ILogger<IdempotencyReturns> logger) : SupervisedService
{
    private static readonly TimeSpan Every = TimeSpan.FromSeconds(1);

    protected override (TimeProvider Clock, ILogger Logger) Means => (time, logger);

    protected override async Task RunAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Every, time);
        try
        {
            while (await timer.WaitForNextTickAsync(stoppingToken))
            {
                await ReturnAsync(stoppingToken);
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // the end of the process, which gives back all that is left
        }
    }

    /// <summary>One round. How many were given back.</summary>
    internal async Task<int> ReturnAsync(CancellationToken cancellationToken)
    {
        var returned = 0;
        foreach (var request in keys.LeftBehind)
        {
            using var hold = keys.TryEnter(request);
            if (hold is null)
            {
                continue; // a repeat has it, and takes it over or leaves it behind again
            }

            try
            {
                await database.WriteAsync(session => store.GiveBackAsync(session, request), cancellationToken);
                keys.Settled(request);
                returned++;
            }
            catch (StorageUnavailableException exception)
            {
                LogLater(logger, exception.Message);
                return returned;
            }
        }

        return returned;
    }

    [LoggerMessage(Level = LogLevel.Debug, Message = "Idempotency keys are given back later: {Reason}")]
    private static partial void LogLater(ILogger logger, string reason);
}
