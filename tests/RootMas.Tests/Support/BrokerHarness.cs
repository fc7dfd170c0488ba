using Microsoft.Extensions.Logging.Abstractions;
using RootMas.Server.Platform.Broker;
using RootMas.Server.Platform.Resilience;
using RootMas.Server.Runs;

namespace RootMas.Tests.Support;

/// <summary>What a process has that hands runs over by RabbitMQ.</summary>
internal sealed class BrokerHarness : IAsyncDisposable
{
    private readonly DispatchStart _start;

    public BrokerHarness(RunsHarness runs, BrokerOptions options)
    {
        Broker = new RabbitBroker(options, runs.Database, new OutboundPolicies(Quick, TimeProvider.System), TimeProvider.System, NullLogger<RabbitBroker>.Instance);
        WakeUps = new WakeUps(runs.Database, Broker, TimeProvider.System, NullLogger<WakeUps>.Instance);
        Dispatch = new BrokerDispatch(runs.Signals, Broker, WakeUps, options, runs.Options);
        Deliveries = new RunDeliveries(Broker, options, runs.Database, TimeProvider.System, NullLogger<RunDeliveries>.Instance);
        _start = new DispatchStart(Dispatch, runs.Signals, runs.Database, runs.Options, TimeProvider.System, NullLogger<DispatchStart>.Instance);
    }

    public RabbitBroker Broker { get; }

    public BrokerDispatch Dispatch { get; }

    public WakeUps WakeUps { get; }

    public RunDeliveries Deliveries { get; }

    /// <summary>A broker that was away is tried again soon: tests do not wait for the pauses of an installation.</summary>
    private static ResilienceOptions Quick => new() { RabbitMq = new OutboundSettings { Tries = 1, Timeout = TimeSpan.FromSeconds(10), BreakAfter = 1_000, BreakFor = TimeSpan.FromSeconds(0.5) } };

    public async Task StartAsync()
    {
        await _start.StartingAsync(default);
        foreach (var service in (Microsoft.Extensions.Hosting.IHostedService[])[Broker, WakeUps, Deliveries, _start])
        {
            await service.StartAsync(default);
        }

        await ConnectedAsync();
    }

    public async Task ConnectedAsync()
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromMinutes(2));
        while (!Broker.IsConnected)
        {
            await Task.Delay(20, limit.Token);
        }
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var service in (Microsoft.Extensions.Hosting.IHostedService[])[_start, Deliveries, WakeUps, Broker])
        {
            await service.StopAsync(default);
            (service as IDisposable)?.Dispose();
        }
    }
}
