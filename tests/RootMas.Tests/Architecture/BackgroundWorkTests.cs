using Microsoft.Extensions.Hosting;
using RootMas.Server.Platform.Health;

namespace RootMas.Tests.Architecture;

/// <summary>An exception in the background must not end the server, and must not end the work in silence either: <see cref="SupervisedService"/> sees to both.</summary>
public sealed class BackgroundWorkTests
{
    /// <summary>Loops that must begin before services start, or end after them; each catches whatever its round throws.</summary>
    private static readonly string[] OnTheirOwn = ["Platform/Cluster/ChangeFeed.cs", "Runs/RunWorker.Upkeep.cs"];

    [Fact]
    public void Services_in_the_background_are_supervised()
    {
        var services = typeof(SupervisedService).Assembly.GetTypes().Where(static t => t.IsSubclassOf(typeof(BackgroundService)) && t != typeof(SupervisedService)).ToList();
        Assert.True(services.Count > 20);
        Assert.All(services, static t => Assert.True(IsSupervised(t), $"{t.FullName} derives from BackgroundService: an exception in it would end the server. Derive it from SupervisedService."));
    }

    [Fact]
    public void Loops_on_a_timer_are_supervised()
    {
        var loops = Sources.Product.Where(static f => f.Path.StartsWith(Sources.Server, StringComparison.Ordinal) && !f.Path.Contains("/Cli/", StringComparison.Ordinal) && f.Root.ToString().Contains("new PeriodicTimer(", StringComparison.Ordinal)).ToList();
        Assert.NotEmpty(loops);
        var alone = loops.Where(static f => !f.Root.ToString().Contains(": SupervisedService", StringComparison.Ordinal)).Select(static f => f.Path[Sources.Server.Length..]);
        Assert.Equal(OnTheirOwn, alone.Order(StringComparer.Ordinal));
    }

    [Fact]
    public void The_rule_sees_an_offence() => Assert.False(IsSupervised(typeof(Bare)));

    private static bool IsSupervised(Type type) => type.IsSubclassOf(typeof(SupervisedService));

    private sealed class Bare : BackgroundService
    {
        protected override Task ExecuteAsync(CancellationToken stoppingToken) => Task.CompletedTask;
    }
}
