using System.Diagnostics;
using System.Diagnostics.Metrics;
using System.Globalization;
using System.Net;
using System.Text.RegularExpressions;
using Microsoft.Extensions.Logging;
using RootMas.Server.Backups;
using RootMas.Server.Platform.Telemetry;
using RootMas.Tests.Support;

namespace RootMas.Tests.Platform.Telemetry;

public sealed partial class PrometheusTests
{
    [Fact]
    public async Task Counters_gauges_and_histograms_are_written_as_prometheus_reads_them()
    {
        using var metrics = new PrometheusMetrics(new TelemetryOptions());
        using var meter = new Meter("RootMas.Test");
        var name = $"rootmas.test.x{Guid.NewGuid():N}";
        var counter = meter.CreateCounter<long>(name, "{thing}", "Things\nwith \\ lines.");
        counter.Add(2, new("kind", "a\"b\\c\nd"), new("other.tag", 1));
        counter.Add(3, new("other.tag", 1), new KeyValuePair<string, object?>("kind", "a\"b\\c\nd"));
        var histogram = meter.CreateHistogram<double>(name + ".time", "s", "Time.");
        histogram.Record(0.003);
        histogram.Record(1_000);
        var level = 7;
        meter.CreateObservableGauge(name + ".level", () => level, "By", "Level.");
        var upDown = meter.CreateUpDownCounter<int>(name + ".open");
        upDown.Add(5);
        upDown.Add(-2);
        var gauge = meter.CreateGauge<double>(name + ".now");
        gauge.Record(1.5);
        gauge.Record(2.5);

        var text = await metrics.WriteAsync(CancellationToken.None);
        var p = name.Replace('.', '_');
        Assert.Contains($"# HELP {p}_total Things\\nwith \\\\ lines.\n# TYPE {p}_total counter\n{p}_total{{kind=\"a\\\"b\\\\c\\nd\",other_tag=\"1\"}} 5\n", text, StringComparison.Ordinal);
        Assert.Contains($"{p}_time_seconds_bucket{{le=\"0.0025\"}} 0\n{p}_time_seconds_bucket{{le=\"0.005\"}} 1\n", text, StringComparison.Ordinal);
        Assert.Contains($"{p}_time_seconds_bucket{{le=\"+Inf\"}} 2\n{p}_time_seconds_sum 1000.003\n{p}_time_seconds_count 2\n", text, StringComparison.Ordinal);
        Assert.Contains($"{p}_level_bytes 7\n", text, StringComparison.Ordinal);
        Assert.Contains($"{p}_open 3\n", text, StringComparison.Ordinal);
        Assert.Contains($"{p}_now 2.5\n", text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Labels_that_never_end_are_counted_together()
    {
        using var metrics = new PrometheusMetrics(new TelemetryOptions { MaxSeries = 10 });
        using var meter = new Meter("RootMas.Test");
        var name = $"rootmas.test.y{Guid.NewGuid():N}";
        var counter = meter.CreateCounter<long>(name);
        for (var i = 0; i < 100; i++)
        {
            counter.Add(1, new KeyValuePair<string, object?>("id", i));
        }

        var lines = (await metrics.WriteAsync(CancellationToken.None)).Split('\n').Where(l => l.StartsWith(name.Replace('.', '_'), StringComparison.Ordinal)).ToList();
        Assert.Equal(11, lines.Count);
        Assert.Equal(100, lines.Sum(l => double.Parse(l.Split(' ')[^1], CultureInfo.InvariantCulture)));
        Assert.Contains(lines, l => l.EndsWith("{otel_metric_overflow=\"true\"} 90", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Nothing_is_lost_when_many_threads_count()
    {
        using var metrics = new PrometheusMetrics(new TelemetryOptions());
        using var meter = new Meter("RootMas.Test");
        var name = $"rootmas.test.z{Guid.NewGuid():N}";
        var counter = meter.CreateCounter<long>(name);
        var histogram = meter.CreateHistogram<int>(name + ".h");
        await Task.WhenAll(Enumerable.Range(0, 8).Select(n => Task.Run(() =>
        {
            for (var i = 0; i < 10_000; i++)
            {
                counter.Add(1, new KeyValuePair<string, object?>("k", i % 7));
                histogram.Record(i);
            }
        })));
        var text = await metrics.WriteAsync(CancellationToken.None);
        var p = name.Replace('.', '_');
        Assert.Equal(80_000, text.Split('\n').Where(l => l.StartsWith(p + "_total", StringComparison.Ordinal)).Sum(l => double.Parse(l.Split(' ')[^1], CultureInfo.InvariantCulture)));
        Assert.Contains($"{p}_h_count 80000\n", text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_figure_that_cannot_be_read_costs_no_other_is_told_once_and_counted()
    {
        var (log, meters) = (new Told(), TestMeters.Own());
        using var metrics = new PrometheusMetrics(new TelemetryOptions(), meters, log);
        var meter = meters.Create(new MeterOptions("RootMas.Test")); // no other server of this process looks at it
        var name = $"rootmas.test.f{Guid.NewGuid():N}";
        meter.CreateObservableGauge(name + ".before", static () => 1);
        meter.CreateObservableGauge<int>(name + ".broken", Broken);
        meter.CreateObservableGauge<int>(name + ".half", Half);
        meter.CreateObservableGauge(name + ".after", static () => 2);
        var p = name.Replace('.', '_');
        for (var scrapes = 1; scrapes <= 2; scrapes++)
        {
            var text = await metrics.WriteAsync(CancellationToken.None);
            Assert.Contains($"{p}_before 1\n", text, StringComparison.Ordinal);
            Assert.Contains($"{p}_after 2\n", text, StringComparison.Ordinal);
            Assert.DoesNotContain($"\n{p}_broken", text, StringComparison.Ordinal);
            Assert.DoesNotContain($"\n{p}_half", text, StringComparison.Ordinal);
            Assert.Matches($"rootmas_metrics_failed_total\\{{metric=\"{p}_broken\"\\}} [1-9]", text);
            Assert.Matches($"rootmas_metrics_failed_total\\{{metric=\"{p}_half\"\\}} [1-9]", text);
        }

        Assert.Equal(2, log.Lines.Count);
        Assert.Single(log.Lines, l => l.Contains($"{p}_broken", StringComparison.Ordinal) && l.EndsWith("no idea", StringComparison.Ordinal));

        static int Broken() => throw new InvalidOperationException("no idea");

        static IEnumerable<Measurement<int>> Half()
        {
            yield return new Measurement<int>(1);
            throw new InvalidOperationException("and no more");
        }
    }

    [Fact]
    public async Task Names_that_were_looked_up_are_in_no_label()
    {
        using var metrics = new PrometheusMetrics(new TelemetryOptions());
        await Dns.GetHostAddressesAsync("localhost");
        var text = await metrics.WriteAsync(CancellationToken.None);
        Assert.Contains("dns_lookup_duration_seconds_count", text, StringComparison.Ordinal);
        Assert.DoesNotContain("dns_question_name", text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_may_take_hours_is_told_apart_up_to_a_day()
    {
        await using var app = await TestApp.StartAsync();
        await app.PostJsonAsync("/api/v1/chat", new { message = "What is 6 * 7?" });
        app.Get<BackupMetrics>().Made("manual", "ok", TimeSpan.FromHours(2));
        foreach (var name in (string[])["rootmas_run_duration_seconds_bucket", "rootmas_backups_duration_seconds_bucket", "rootmas_job_duration_seconds_bucket"])
        {
            await Wait.UntilAsync(
                async a =>
                {
                    var lines = (await a.Client.GetStringAsync("/metrics")).Split('\n').Where(l => l.StartsWith(name, StringComparison.Ordinal)).ToList();
                    return lines.Exists(static l => l.Contains("le=\"14400\"", StringComparison.Ordinal)) && lines.Exists(static l => l.Contains("le=\"86400\"", StringComparison.Ordinal));
                },
                app,
                $"{name} had no such bounds");
        }
    }

    [Fact]
    public async Task The_servers_metrics_are_valid_and_hold_those_of_aspnet_and_the_runtime()
    {
        await using var app = await TestApp.StartAsync();
        await app.GetJsonAsync("/health");
        await app.GetJsonAsync("/health");
        using var response = await app.Client.GetAsync("/metrics");
        Assert.Equal("text/plain; version=0.0.4; charset=utf-8", response.Content.Headers.ContentType?.ToString());
        var text = await response.Content.ReadAsStringAsync();
        Assert.Contains("http_server_request_duration_seconds_count{", text, StringComparison.Ordinal);
        Assert.Contains("dotnet_gc_collections_total{", text, StringComparison.Ordinal);
        Assert.Contains("rootmas_db_commit_duration_seconds_count", text, StringComparison.Ordinal);
        Assert.All(text.Split('\n', StringSplitOptions.RemoveEmptyEntries), line => Assert.Matches(LinePattern(), line));
        await PromtoolAcceptsAsync(text);
    }

    /// <summary>Where Prometheus is installed, its own checker has the last word.</summary>
    private static async Task PromtoolAcceptsAsync(string text)
    {
        var promtool = new[] { "/usr/bin/promtool", "/usr/local/bin/promtool" }.FirstOrDefault(File.Exists);
        if (promtool is null)
        {
            return;
        }

        using var process = Process.Start(new ProcessStartInfo(promtool, "check metrics") { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true, UseShellExecute = false })!;
        await process.StandardInput.WriteAsync(text);
        process.StandardInput.Close();
        var said = await process.StandardError.ReadToEndAsync();
        await process.WaitForExitAsync();
        Assert.True(process.ExitCode == 0, said);
    }

    private sealed class Told : ILogger<PrometheusMetrics>
    {
        public List<string> Lines { get; } = [];

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
            Lines.Add($"{formatter(state, exception)}: {exception?.Message}");
    }

    [GeneratedRegex("""^(# (HELP|TYPE) [a-zA-Z_:][a-zA-Z0-9_:]* .+|[a-zA-Z_:][a-zA-Z0-9_:]*(\{([a-zA-Z_][a-zA-Z0-9_]*="([^"\\]|\\.)*",?)*\})? (NaN|[+-]?Inf|[-+0-9.eE]+))$""", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1_000)]
    private static partial Regex LinePattern();
}
