using System.Net;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging.Abstractions;

using RootMas.Server.Platform.Health;
using RootMas.Tests.Support;

namespace RootMas.Tests.Platform.Health;

public sealed class HealthTests
{
    [Fact]
    public async Task A_healthy_server_says_so_in_every_form()
    {
        await using var app = await TestApp.StartAsync();
        var health = await app.GetJsonAsync("/health");
        Assert.NotEqual("unhealthy", health.GetProperty("status").GetString());
        foreach (var name in (string[])["api", "database", "redis", "postgres", "rabbitmq"])
        {
            Assert.True(health.GetProperty("services").TryGetProperty(name, out _), name);
        }

        Assert.Matches(@"^\d+\.\d+\.\d+", health.GetProperty("version").GetString());
        foreach (var path in (string[])["/health/live", "/health/ready", "/health/startup"])
        {
            await app.GetJsonAsync(path);
        }
    }

    [Fact]
    public async Task A_broken_critical_part_is_unhealthy_and_not_ready_and_one_that_hangs_too()
    {
        var database = new FakeProbe("database", critical: true, _ => throw new InvalidOperationException("password=secret"));
        var models = new FakeProbe("models", critical: false, async token => { await Task.Delay(Timeout.Infinite, token); return HealthState.Healthy(); });
        using var monitor = Monitor(new FakeLifetime(), TimeProvider.System, database, models);
        var report = await monitor.CheckAsync(CancellationToken.None);
        Assert.Equal("unhealthy", report.Status);
        Assert.Equal(("unhealthy", "unhealthy"), (report.Services["database"], report.Services["models"]));
        Assert.DoesNotContain("secret", report.Details["database"], StringComparison.Ordinal);
        Assert.False(report.IsReady);
    }

    [Fact]
    public async Task A_broken_part_that_is_not_critical_degrades_and_stays_ready()
    {
        using var monitor = Monitor(new FakeLifetime(), TimeProvider.System, new FakeProbe("models", critical: false, _ => ValueTask.FromResult(HealthState.Unhealthy("no provider answers"))));
        var report = await monitor.CheckAsync(CancellationToken.None);
        Assert.Equal("degraded", report.Status);
        Assert.True(report.IsReady);
    }

    [Fact]
    public async Task Parts_are_asked_once_a_second_however_many_ask()
    {
        var clock = new SteppedClock();
        var probe = new FakeProbe("database", critical: true, _ => ValueTask.FromResult(HealthState.Healthy()));
        using var monitor = Monitor(new FakeLifetime(), clock, probe);
        await Task.WhenAll(Enumerable.Range(0, 50).Select(_ => monitor.CheckAsync(CancellationToken.None)));
        Assert.Equal(1, probe.Asked);
        clock.Advance(TimeSpan.FromSeconds(1.1));
        await monitor.CheckAsync(CancellationToken.None);
        Assert.Equal(2, probe.Asked);
    }

    [Fact]
    public async Task Readiness_goes_red_as_soon_as_the_server_is_told_to_stop()
    {
        var lifetime = new FakeLifetime();
        using var monitor = Monitor(lifetime, TimeProvider.System);
        Assert.True((await monitor.CheckAsync(CancellationToken.None)).IsReady);
        lifetime.StopApplication();
        Assert.True(monitor.IsStopping);
        Assert.False((await monitor.CheckAsync(CancellationToken.None)).IsReady);
    }

    [Fact]
    public async Task A_data_directory_survives_a_restart_and_keeps_its_user()
    {
        var data = Directory.CreateTempSubdirectory("rootmas-restart-").FullName;
        try
        {
            var ids = new List<string>();
            for (var i = 0; i < 2; i++)
            {
                await using var app = await TestApp.StartAsync(o => o.Data = data);
                ids.Add(app.Get<RootMas.Server.Identity.Access.LocalUser>().Caller.UserId);
                await app.StopAsync();
            }

            Assert.Equal(ids[0], ids[1]);
        }
        finally
        {
            Directory.Delete(data, recursive: true);
        }
    }

    [Fact]
    public async Task The_docs_page_loads_nothing_from_elsewhere()
    {
        await using var app = await TestApp.StartAsync();
        using var page = await app.Client.GetAsync("/docs");
        Assert.Equal(HttpStatusCode.OK, page.StatusCode);
        Assert.DoesNotContain("'unsafe-inline'", string.Concat(page.Headers.GetValues("Content-Security-Policy").SelectMany(p => p.Split(';')).Where(p => p.Contains("script-src", StringComparison.Ordinal))), StringComparison.Ordinal);
        var html = await page.Content.ReadAsStringAsync();
        Assert.DoesNotContain("://", html, StringComparison.Ordinal);
        foreach (var asset in (string[])["/docs/swagger-ui.css", "/docs/swagger-ui-bundle.js", "/docs/start.js"])
        {
            using var response = await app.Client.GetAsync(asset);
            Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        }

        using var traversal = await app.Client.GetAsync("/docs/..%2f..%2fetc%2fpasswd");
        await ProblemAssert.IsProblemAsync(traversal, 404);
        using var redoc = await app.Client.GetAsync("/redoc");
        Assert.Equal("/docs", redoc.Headers.Location?.ToString());
        using var old = await app.Client.GetAsync("/openapi.json");
        Assert.Equal("/openapi/v1.json", old.Headers.Location?.ToString());
    }

    private static HealthMonitor Monitor(IHostApplicationLifetime lifetime, TimeProvider clock, params IHealthProbe[] probes) =>
        new(probes, lifetime, clock, NullLogger<HealthMonitor>.Instance);

    private sealed class FakeProbe(string name, bool critical, Func<CancellationToken, ValueTask<HealthState>> check) : IHealthProbe
    {
        private int _asked;

        public string Name => name;

        public bool IsCritical => critical;

        public int Asked => _asked;

        public ValueTask<HealthState> CheckAsync(CancellationToken cancellationToken)
        {
            Interlocked.Increment(ref _asked);
            return check(cancellationToken);
        }
    }

    private sealed class FakeLifetime : IHostApplicationLifetime
    {
        private readonly CancellationTokenSource _stopping = new();

        public CancellationToken ApplicationStarted { get; } = new(canceled: true);

        public CancellationToken ApplicationStopping => _stopping.Token;

        public CancellationToken ApplicationStopped => CancellationToken.None;

        public void StopApplication() => _stopping.Cancel();
    }
}
