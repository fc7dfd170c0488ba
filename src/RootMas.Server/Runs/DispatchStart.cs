using RootMas.Server.Platform.Data;
using RootMas.Server.Platform.Health;

namespace RootMas.Server.Runs;

/// <summary>Puts the broker's dispatch in its place before anything can become ready, and repairs turns every few seconds, beside a backlog up to a minute apart.</summary>
internal sealed partial class DispatchStart(BrokerDispatch dispatch, RunSignals signals, IDatabase database, RunsOptions options, TimeProvider clock, ILogger<DispatchStart> logger)
    : SupervisedService, IHostedLifecycleService
{
    private readonly Pace _pace = new(clock);

    public Task StartingAsync(CancellationToken cancellationToken)
    {
        signals.Dispatch = dispatch;
        return Task.CompletedTask;
    }

    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    protected override (TimeProvider Clock, ILogger Logger) Means => (clock, logger);

    protected override async Task RunAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(options.Renewal, clock);
        try
        {
            while (await timer.WaitForNextTickAsync(stoppingToken))
            {
                await TryAsync(stoppingToken);
            }
        }
        catch (OperationCanceledException)
        {
            // stopping
        }
    }

    private async Task TryAsync(CancellationToken cancellationToken)
    {
        try
        {
            await _pace.RunAsync(() => dispatch.RepairAsync(database, cancellationToken));
        }
#pragma warning disable CA1031 // done again with the next round; it must not end the server
        catch (Exception failure) when (failure is not OperationCanceledException)
#pragma warning restore CA1031
        {
            LogLater(failure.Message);
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "Whose turn it is could not be looked at, and is with the next round: {Reason}")]
    private partial void LogLater(string reason);
}
