using Microsoft.Extensions.Logging.Abstractions;
using RootMas.Server.Platform.Health;
using RootMas.Server.Platform.Retention;
using RootMas.Tests.Support;

namespace RootMas.Tests.Platform.Retention;

/// <summary>When what is old goes.</summary>
public sealed class RetentionTimesTests
{
    [Fact]
    public async Task The_first_pass_comes_a_minute_after_the_start_and_further_ones_after_the_interval()
    {
        var clock = new ManualTimeProvider();
        await using var database = new TestDatabase();
        var passes = 0;
        var kind = new RetentionKind("logs", TimeSpan.FromDays(1), static (_, _) => ValueTask.FromResult(0L), (_, _, _) =>
        {
            Interlocked.Increment(ref passes);
            return ValueTask.FromResult(0);
        });
        using var pruner = new RetentionPruner(new RetentionOptions { Interval = TimeSpan.FromHours(6) }, [kind], database.Database, new BackgroundJobs(clock), clock, NullLogger<RetentionPruner>.Instance);
        await pruner.StartAsync(CancellationToken.None);
        await Wait.UntilAsync(() => clock.IsAwaited);
        clock.Advance(TimeSpan.FromSeconds(59));
        Assert.Equal(0, Volatile.Read(ref passes));
        clock.Advance(TimeSpan.FromSeconds(1));
        await Wait.UntilAsync(() => Volatile.Read(ref passes) == 1);

        clock.Advance(TimeSpan.FromHours(6) - TimeSpan.FromSeconds(1));
        Assert.Equal(1, Volatile.Read(ref passes));
        clock.Advance(TimeSpan.FromSeconds(1));
        await Wait.UntilAsync(() => Volatile.Read(ref passes) == 2);
        await pruner.StopAsync(CancellationToken.None);
    }
}
