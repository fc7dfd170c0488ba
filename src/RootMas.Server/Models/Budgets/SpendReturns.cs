using RootMas.Server.Platform.Data;
using RootMas.Server.Platform.Health;

namespace RootMas.Server.Models.Budgets;

/// <summary>Gives back to the other instances what this one took of budgets in advance and does not use.</summary>
internal sealed partial class SpendReturns(SharedSpend spend, IDatabase database, TimeProvider clock, ILogger<SpendReturns> logger) : SupervisedService, IHostedLifecycleService
{
    private const int TicksBetweenCleanings = 720;

    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(5);

    protected override (TimeProvider Clock, ILogger Logger) Means => (clock, logger);

    public Task StartingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <summary>After the last run here has stopped.</summary>
    public Task StoppedAsync(CancellationToken cancellationToken) => TryAsync(() => spend.ReturnAsync(everything: true, cancellationToken), cancellationToken);

    protected override async Task RunAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Interval, clock);
        try
        {
            for (var tick = 0; await timer.WaitForNextTickAsync(stoppingToken); tick++)
            {
                await TryAsync(() => spend.ReturnAsync(everything: false, stoppingToken), stoppingToken);
                if (tick % TicksBetweenCleanings == 0)
                {
                    await TryAsync(() => database.WriteAsync(SharedRows.CleanAsync, stoppingToken), stoppingToken);
                }
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // The process stops.
        }
    }

    private async Task TryAsync(Func<Task> work, CancellationToken cancellationToken)
    {
        try
        {
            await work();
        }
        catch (Exception error) when (error is StorageUnavailableException or Npgsql.NpgsqlException || (error is OperationCanceledException && cancellationToken.IsCancellationRequested))
        {
            LogKept(error);
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "What this instance took of daily budgets and does not use could not be given back; it is tried again, and ends by itself within the time of two calls")]
    private partial void LogKept(Exception exception);
}
