using System.Diagnostics;
using System.Diagnostics.Metrics;
using System.Globalization;
using System.Text.RegularExpressions;
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

    [GeneratedRegex("""^(# (HELP|TYPE) [a-zA-Z_:][a-zA-Z0-9_:]* .+|[a-zA-Z_:][a-zA-Z0-9_:]*(\{([a-zA-Z_][a-zA-Z0-9_]*="([^"\\]|\\.)*",?)*\})? (NaN|[+-]?Inf|[-+0-9.eE]+))$""", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1_000)]
    private static partial Regex LinePattern();
}
