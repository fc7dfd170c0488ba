using System.Text.Json;
using System.Text.RegularExpressions;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging.Abstractions;
using RootMas.Server.Platform.Data;
using RootMas.Server.Platform.Health;
using RootMas.Server.Platform.Telemetry;
using RootMas.Tests.Cli;
using RootMas.Tests.Support;

namespace RootMas.Tests.Platform.Health;

/// <summary>What <c>/health</c> says of single parts: model endpoints, disk, background jobs; with latency and the class of the last error.</summary>
public sealed partial class HealthPartsTests
{
    [Fact]
    public async Task An_endpoint_that_nobody_used_yet_is_known_to_be_unreachable_and_one_that_is_there_has_a_latency()
    {
        await using var there = await FakeModelServer.StartAsync();
        await using var app = await TestApp.StartAsync(o =>
        {
            o.Settings["Health:ModelCheckInterval"] = "5s"; // a look that took too long is not the last
            o.ConfigFiles["models.yaml"] = $$"""
                providers:
                  here: { base_url: "{{there.BaseUrl.OriginalString}}" }
                  gone: { base_url: "http://127.0.0.1:{{ServerProcess.FreePort()}}/v1" }
                models:
                  one: { provider: here, free: true }
                  two: { provider: gone, free: true }
                tiers: { standard: [one, two] }
                """;
        });
        var health = await HealthAsync(app, static h => h.GetProperty("checks").TryGetProperty("models/gone", out var gone) && gone.GetProperty("last_error").GetString() == "unreachable"
            && h.GetProperty("details").TryGetProperty("models/here", out var here) && here.GetString() == "answers");
        Assert.Equal("degraded", health.GetProperty("services").GetProperty("models").GetString());
        Assert.Equal("healthy", health.GetProperty("services").GetProperty("models/here").GetString());
        var gone = health.GetProperty("checks").GetProperty("models/gone");
        Assert.Equal("unreachable", gone.GetProperty("last_error").GetString());
        Assert.False(gone.GetProperty("critical").GetBoolean());
        Assert.NotEqual(JsonValueKind.Null, gone.GetProperty("last_error_at").ValueKind);
        Assert.True(health.GetProperty("checks").GetProperty("models/here").GetProperty("latency_ms").GetDouble() > 0);
        Assert.Contains("rootmas_model_endpoint_reachable{provider=\"gone\"} 0\n", await app.Client.GetStringAsync("/metrics"), StringComparison.Ordinal);

        // The doctor repeats it, and sends nobody to the doctor.
        using var cli = new CliSession(app.Data);
        await cli.RunAsync("doctor");
        var said = Assert.Single(cli.Output.ToString().Split('\n'), static l => l.StartsWith("· models: ", StringComparison.Ordinal));
        Assert.Contains("Endpoints that do not answer as they should: gone.", said, StringComparison.Ordinal);
        Assert.DoesNotContain("doctor", said, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Asking_often_asks_no_endpoint_more_often()
    {
        await using var there = await FakeModelServer.StartAsync();
        await using var app = await TestApp.StartAsync(o =>
        {
            o.Settings["Health:ModelCheckInterval"] = "20s"; // nobody else asks meanwhile, or once
            o.ConfigFiles["models.yaml"] = $$"""
                providers: { here: { base_url: "{{there.BaseUrl.OriginalString}}" } }
                models: { one: { provider: here, free: true } }
                tiers: { standard: [one] }
                """;
        });
        await HealthAsync(app, static h => h.GetProperty("details").TryGetProperty("models/here", out var detail) && detail.GetString() == "answers");
        var asked = there.Lists;
        await Task.WhenAll(Enumerable.Range(0, 100).Select(_ => app.GetJsonAsync("/health")));
        Assert.InRange(there.Lists, asked, asked + 1);
    }

    [Theory]
    [InlineData(5_000, "healthy", null)]
    [InlineData(1_000, "degraded", "disk_low")]
    [InlineData(100, "unhealthy", "disk_full")]
    public async Task The_disk_is_judged_by_the_thresholds(int megabytes, string status, string? error)
    {
        using var folder = new TempFolder();
        using var data = new DataDirectory(folder.Path);
        var state = await new DiskProbe(data, new HealthOptions(), _ => new DiskSpace((long)megabytes << 20, 1L << 40)).CheckAsync(CancellationToken.None);
        Assert.Equal((status, error), (state.Status, state.LastError));
    }

    [Theory]
    [InlineData(256, 200, "healthy", null)] // the tmpfs of compose.yaml's profile cluster
    [InlineData(256, 60, "degraded", "disk_low")]
    [InlineData(256, 15, "unhealthy", "disk_full")]
    [InlineData(0, 1_000, "degraded", "disk_low")] // nobody knows its size
    public async Task A_disk_that_is_smaller_than_the_thresholds_is_judged_by_a_share_of_it(int size, int free, string status, string? error)
    {
        using var folder = new TempFolder();
        using var data = new DataDirectory(folder.Path);
        var space = new DiskSpace((long)free << 20, (long)size << 20);
        var probe = new DiskProbe(data, new HealthOptions(), _ => space);
        var state = await probe.CheckAsync(CancellationToken.None);
        Assert.Equal((status, error), (state.Status, state.LastError));

        // What the alert divides by says the same.
        var meters = TestMeters.Own();
        using var metrics = new PrometheusMetrics(new TelemetryOptions(), meters);
        probe.Publish(new ServerMeter(meters));
        var text = await metrics.WriteAsync(CancellationToken.None);
        Assert.Contains($"rootmas_disk_low_bytes {space.Low(new HealthOptions()).ToString(System.Globalization.CultureInfo.InvariantCulture)}\n", text, StringComparison.Ordinal);
        Assert.Equal(status == "healthy", space.Free >= space.Low(new HealthOptions()));
    }

    [Fact]
    public async Task A_disk_that_hangs_holds_one_thread_and_nobody_who_asks()
    {
        using var folder = new TempFolder();
        using var data = new DataDirectory(folder.Path);
        using var answers = new ManualResetEventSlim();
        var looks = 0;
        var probe = new DiskProbe(data, new HealthOptions(), _ =>
        {
            Interlocked.Increment(ref looks);
            answers.Wait();
            return new DiskSpace(1L << 40, 1L << 41);
        });
        for (var i = 0; i < 20; i++)
        {
            using var soon = new CancellationTokenSource(10);
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => probe.CheckAsync(soon.Token).AsTask());
        }

        Assert.Equal(1, looks);
        answers.Set();
        Assert.Equal("healthy", (await probe.CheckAsync(CancellationToken.None)).Status);
    }

    [Fact]
    public async Task Thresholds_that_contradict_each_other_stop_the_start()
    {
        var refused = await Assert.ThrowsAsync<RootMas.Server.Platform.Settings.SettingsException>(() => TestApp.StartAsync(static o => o.Settings["Health:DiskCriticalMegabytes"] = "5000"));
        Assert.Contains("Health:DiskCriticalMegabytes", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_job_that_fails_or_no_longer_runs_is_named_until_it_succeeds_again()
    {
        var clock = new SteppedClock();
        var jobs = new BackgroundJobs(clock);
        var job = jobs.Add("tidying", TimeSpan.FromMinutes(10));
        jobs.Add("other", TimeSpan.FromDays(1));
        var probe = new ScheduleProbe(jobs, new Lazy<IReadOnlyList<SupervisedService>>([]));
        Assert.Equal("healthy", (await probe.CheckAsync(CancellationToken.None)).Status);

        await Assert.ThrowsAsync<IOException>(() => job.RunAsync(static _ => throw new IOException("secret path"), CancellationToken.None));
        var failed = await probe.CheckAsync(CancellationToken.None);
        Assert.Equal(("degraded", "io"), (failed.Status, failed.Parts["tidying"].LastError));
        Assert.Equal("healthy", failed.Parts["other"].Status);
        Assert.DoesNotContain("secret", failed.Detail + failed.Parts["tidying"].Detail, StringComparison.Ordinal);

        clock.Advance(TimeSpan.FromMinutes(1));
        await job.RunAsync(static _ => Task.CompletedTask, CancellationToken.None);
        Assert.Equal("healthy", (await probe.CheckAsync(CancellationToken.None)).Status);
        clock.Advance(TimeSpan.FromMinutes(31));
        Assert.Contains("overdue", (await probe.CheckAsync(CancellationToken.None)).Parts["tidying"].Detail, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_class_of_the_last_error_is_remembered_after_all_is_well_again()
    {
        var clock = new SteppedClock();
        var probe = new Switched();
        using var monitor = new HealthMonitor([probe], new Started(), clock, NullLogger<HealthMonitor>.Instance);
        probe.Fails = true;
        var broken = (await monitor.CheckAsync(CancellationToken.None)).Checks["part"];
        Assert.Equal(("unhealthy", "unreachable"), (broken.Status, broken.LastError));
        probe.Fails = false;
        clock.Advance(TimeSpan.FromSeconds(2));
        var well = (await monitor.CheckAsync(CancellationToken.None)).Checks["part"];
        Assert.Equal(("healthy", "unreachable", clock.GetUtcNow().AddSeconds(-2)), (well.Status, well.LastError, well.LastErrorAt));
        Assert.DoesNotContain("10.0.0.1", broken.Detail, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_parts_of_a_fresh_server_are_all_there()
    {
        await using var app = await TestApp.StartAsync();
        var checks = (await app.GetJsonAsync("/health")).GetProperty("checks");
        foreach (var name in (string[])["api", "database", "redis", "rabbitmq", "mas", "models", "disk", "schedule", "schedule/idempotency-pruning", "schedule/outbox", "schedule/samples"])
        {
            Assert.True(checks.TryGetProperty(name, out var check), name);
            Assert.Contains(check.GetProperty("status").GetString(), (string[])["healthy", "not_configured", "degraded"]);
        }

        Assert.True(checks.GetProperty("database").GetProperty("critical").GetBoolean());
    }

    /// <summary>Two there are on PostgreSQL only, and the guide says so.</summary>
    [Fact]
    public async Task The_parts_that_the_guide_lists_are_those_that_there_are()
    {
        await using var app = await TestApp.StartAsync();
        var parts = (await app.GetJsonAsync("/health")).GetProperty("services").EnumerateObject().Select(static s => s.Name).Where(static n => !n.Contains('/', StringComparison.Ordinal));
        var guide = File.ReadLines(Repository.PathOf("docs", "monitoring.md")).Single(static l => l.Contains(" Parts: ", StringComparison.Ordinal)).Split(" Parts: ")[1];
        Assert.Equal(parts.Concat(["instances", "keys"]).Order(StringComparer.Ordinal), PartName().Matches(guide).Select(static m => m.Groups["name"].Value).Order(StringComparer.Ordinal));
        Assert.All(["instances", "keys"], name => Assert.True(guide.IndexOf($"`{name}`", StringComparison.Ordinal) > guide.IndexOf("on PostgreSQL", StringComparison.Ordinal), name));
    }

    // `disk`; neither `disk/NAME` nor a setting
    [GeneratedRegex("`(?<name>[a-z]+)`", RegexOptions.ExplicitCapture | RegexOptions.NonBacktracking)]
    private static partial Regex PartName();

    private static async Task<JsonElement> HealthAsync(TestApp app, Func<JsonElement, bool> until)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromMinutes(1));
        while (true)
        {
            limit.Token.ThrowIfCancellationRequested();
            var health = await app.GetJsonAsync("/health");
            if (until(health))
            {
                return health;
            }

            await Task.Yield();
        }
    }

    private sealed class Switched : IHealthProbe
    {
        public bool Fails { get; set; }

        public string Name => "part";

        public bool IsCritical => true;

        public ValueTask<HealthState> CheckAsync(CancellationToken cancellationToken) =>
            Fails ? throw new HttpRequestException("10.0.0.1 refused") : ValueTask.FromResult(HealthState.Healthy());
    }

    private sealed class Started : IHostApplicationLifetime
    {
        public CancellationToken ApplicationStarted { get; } = new(canceled: true);

        public CancellationToken ApplicationStopping => CancellationToken.None;

        public CancellationToken ApplicationStopped => CancellationToken.None;

        public void StopApplication()
        {
        }
    }
}
