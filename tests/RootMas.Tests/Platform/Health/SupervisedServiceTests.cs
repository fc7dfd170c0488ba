using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using RootMas.Server.Platform.Data;
using RootMas.Server.Platform.Health;
using RootMas.Tests.Support;

namespace RootMas.Tests.Platform.Health;

public sealed class SupervisedServiceTests
{
    [Fact]
    public async Task An_exception_ends_neither_the_service_nor_the_server_and_health_names_it_until_it_has_gone_on_for_a_while()
    {
        var clock = new ManualTimeProvider();
        var service = new Stumbling(clock, failures: 3);
        var builder = Host.CreateEmptyApplicationBuilder(null);
        builder.Services.AddHostedService(_ => service);
        using var host = builder.Build();
        await host.StartAsync();
        await AdvanceUntilAsync(clock, () => service.IsWell);

        Assert.False(host.Services.GetRequiredService<IHostApplicationLifetime>().ApplicationStopping.IsCancellationRequested);
        Assert.Equal(4, service.Begun);
        Assert.False(service.ExecuteTask!.IsCompleted);
        var probe = new ScheduleProbe(new BackgroundJobs(clock), new Lazy<IReadOnlyList<SupervisedService>>(() => [service]));
        var troubled = await probe.CheckAsync(CancellationToken.None);
        Assert.Equal(("degraded", "degraded", "io"), (troubled.Status, troubled.Parts["stumbling"].Status, troubled.Parts["stumbling"].LastError));
        Assert.DoesNotContain("secret", troubled.Detail + troubled.Parts["stumbling"].Detail, StringComparison.Ordinal);

        clock.Advance(SupervisedService.Calm);
        var well = await probe.CheckAsync(CancellationToken.None);
        Assert.Equal(("healthy", 0), (well.Status, well.Parts.Count));
        await host.StopAsync();
        Assert.True(service.ExecuteTask!.IsCompletedSuccessfully);
    }

    [Fact]
    public async Task One_loop_of_several_begins_again_while_the_others_go_on()
    {
        var clock = new ManualTimeProvider();
        using var service = new Stumbling(clock, failures: 1) { HasSteadyLoop = true };
        await service.StartAsync(CancellationToken.None);
        await AdvanceUntilAsync(clock, () => service.IsWell);
        Assert.Equal((2, 1), (service.Begun, service.SteadyBegun));
        await service.StopAsync(CancellationToken.None);
        Assert.True(service.ExecuteTask!.IsCompletedSuccessfully);
    }

    [Fact]
    public async Task Pauses_grow_so_that_a_service_that_always_fails_is_no_load()
    {
        var clock = new ManualTimeProvider();
        using var service = new Stumbling(clock, failures: int.MaxValue);
        await service.StartAsync(CancellationToken.None);
        await AdvanceUntilAsync(clock, () => service.Begun >= 8); // after 1, 2, 4, 8, 16, 32 and 60 s
        Assert.True(clock.GetElapsedTime(0) >= TimeSpan.FromSeconds(123), $"{clock.GetElapsedTime(0)}");
        await service.StopAsync(CancellationToken.None);
    }

    [Fact]
    public void What_cannot_be_saved_is_told_until_there_was_no_failure_for_a_while_and_a_write_succeeded()
    {
        var clock = new SteppedClock();
        var trouble = new WriteTrouble(clock);
        trouble.Failed("timeout");
        Assert.Null(trouble.Kind);
        trouble.Failed(PostgresErrors.DiskFull);
        clock.Advance(2 * WriteTrouble.Recent);
        Assert.Equal(PostgresErrors.DiskFull, trouble.Kind); // nobody has shown that there is room
        trouble.Saved();
        Assert.Null(trouble.Kind);
        trouble.Failed(PostgresErrors.DiskFull);
        trouble.Saved(); // there was room in a page
        Assert.Equal(PostgresErrors.DiskFull, trouble.Kind);
        clock.Advance(2 * WriteTrouble.Recent);
        Assert.Null(trouble.Kind);
    }

    /// <summary>No faster than the service comes to its pauses: what is said of the time since its last failure has to be true.</summary>
    private static Task AdvanceUntilAsync(ManualTimeProvider clock, Func<bool> done) => TestCluster.UntilAsync(
        () =>
        {
            if (!done() && clock.IsAwaited)
            {
                clock.Advance(TimeSpan.FromSeconds(1));
            }

            return Task.FromResult(done());
        },
        "the service goes on");

    private sealed class Stumbling(TimeProvider clock, int failures) : SupervisedService
    {
        private volatile int _begun;
        private volatile int _steadyBegun;
        private volatile bool _isWell;

        public int Begun => _begun;

        public int SteadyBegun => _steadyBegun;

        public bool IsWell => _isWell;

        public bool HasSteadyLoop { get; init; }

        protected override (TimeProvider Clock, ILogger Logger) Means => (clock, NullLogger.Instance);

        protected override Task RunAsync(CancellationToken stoppingToken) => HasSteadyLoop ? KeepAllAsync(stoppingToken, StumbleAsync, StayAsync) : StumbleAsync(stoppingToken);

        private async Task StumbleAsync(CancellationToken stoppingToken)
        {
            await Task.Yield();
            if (Interlocked.Increment(ref _begun) <= failures)
            {
                throw new IOException("secret path");
            }

            _isWell = true;
            await Task.Delay(Timeout.InfiniteTimeSpan, clock, stoppingToken);
        }

        private async Task StayAsync(CancellationToken stoppingToken)
        {
            Interlocked.Increment(ref _steadyBegun);
            await Task.Delay(Timeout.InfiniteTimeSpan, clock, stoppingToken);
        }
    }
}
