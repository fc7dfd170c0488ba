using System.Diagnostics;
using System.Diagnostics.Metrics;
using System.Net;
using System.Text.RegularExpressions;
using Microsoft.Extensions.DependencyInjection;
using RootMas.LlmSimulator;
using RootMas.Server.Platform.Telemetry;
using RootMas.Tests.Chat;
using RootMas.Tests.Support;

namespace RootMas.Tests.Platform.Telemetry;

/// <summary>What a scraper that asks for OpenMetrics gets, and what slices tell beyond counting: figures of the database, and of one server only.</summary>
public sealed partial class OpenMetricsTests
{
    [Fact]
    public async Task Whoever_asks_for_open_metrics_gets_them_with_exemplars_and_an_end()
    {
        await using var world = await ChatWorld.StartAsync();
        var traces = new List<string>();
        async Task AskAsync() => traces.Add((await world.AskAsync(new { message = "hello", team = "solo" })).GetProperty("run_id").GetString()!.Replace("-", "", StringComparison.Ordinal));
        await AskAsync();
        using var response = await world.App.SendAsync(HttpMethod.Get, "/metrics", null, ("Accept", "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"));
        Assert.Equal("application/openmetrics-text; version=1.0.0; charset=utf-8", response.Content.Headers.ContentType?.ToString());
        var text = await response.Content.ReadAsStringAsync();
        Assert.EndsWith("\n# EOF\n", text, StringComparison.Ordinal);
        Assert.All(text.Split('\n', StringSplitOptions.RemoveEmptyEntries), line => Assert.Matches(Line(), line));
        Assert.Contains("# TYPE rootmas_runs counter\n", text, StringComparison.Ordinal);
        Assert.Contains("rootmas_runs_total{status=\"completed\"}", text, StringComparison.Ordinal);
        Assert.Contains(",le=\"1.0\"}", text, StringComparison.Ordinal);
        while (!text.Split('\n').Any(l => l.StartsWith("gen_ai_client_operation_duration_seconds_bucket", StringComparison.Ordinal) && traces.Exists(t => l.Contains($" # {{trace_id=\"{t}\"}} ", StringComparison.Ordinal))))
        {
            // A bucket shows its newest one, and other servers of this process count into the same.
            Assert.InRange(traces.Count, 1, 100);
            await AskAsync();
            using var again = await world.App.SendAsync(HttpMethod.Get, "/metrics", null, ("Accept", "application/openmetrics-text"));
            text = await again.Content.ReadAsStringAsync();
        }

        Assert.DoesNotContain("trace_id", await world.App.Client.GetStringAsync("/metrics"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_alerts_count_is_there_before_it_happens_so_that_the_first_burst_is_an_increase()
    {
        await using var app = await TestApp.StartAsync();
        var text = await app.Client.GetStringAsync("/metrics");
        foreach (var series in (string[])["rootmas_runs_taken_over_total ", "rootmas_runs_total{status=\"failed\"} ", "rootmas_budget_refused_total{reason=\"spent\",scope=\"agent\"} ", "rootmas_audit_entries_total{action=\"auth.login_failed\",outcome=\"failed\"} "])
        {
            Assert.Contains("\n" + series, text, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task Figures_of_the_database_are_read_from_time_to_time_and_are_those_of_the_whole_installation()
    {
        await using var world = await ChatWorld.StartAsync();
        world.Sim.Hold(new HoldSpec { At = HoldPoint.Before });
        var conversation = await world.NewConversationAsync();
        await world.SendAsync(conversation, new { message = "first" });
        await world.SendAsync(conversation, new { message = "second" });
        var sampling = world.App.Get<Sampling>();
        using var limit = new CancellationTokenSource(TimeSpan.FromMinutes(1));
        var text = "";
        while (!text.Contains("rootmas_runs_open{status=\"running\"} 1\n", StringComparison.Ordinal))
        {
            // The run is started a moment after it was accepted.
            await sampling.SampleAsync(limit.Token);
            text = await world.App.Client.GetStringAsync("/metrics", limit.Token);
        }

        Assert.Contains("rootmas_runs_open{status=\"queued\"} 1\n", text, StringComparison.Ordinal); // behind its branch
        Assert.Contains("rootmas_agents_active 1\n", text, StringComparison.Ordinal);
        Assert.Equal(1, (await world.App.GetJsonAsync("/api/v1/metrics/dashboard")).GetProperty("active_agents").GetInt32());
        Assert.Contains("rootmas_queue_length 0\n", text, StringComparison.Ordinal); // which is no waiting for a worker
        Assert.Contains("rootmas_runs_stuck 0\n", text, StringComparison.Ordinal);
        Assert.Contains("rootmas_approvals_pending 0\n", text, StringComparison.Ordinal);
        Assert.Matches("rootmas_db_size_bytes [1-9]", text);
    }

    [Fact]
    public async Task Approvals_of_runs_that_ended_wait_for_nobody_and_what_a_user_stopped_did_not_fail()
    {
        await using var world = await ChatWorld.StartAsync("""
            rules:
              - match: { last_user: "Post it" }
                answer: { tool_calls: [ { name: http_request, arguments: { method: POST, url: "{{base_url}}/_tool/note", json: { a: 1 } } } ] }
            """, configure: o => o.Settings["Outbound:Allow"] = "127.0.0.1");
        async Task<string> PendingAsync()
        {
            await world.App.Get<Sampling>().SampleAsync(CancellationToken.None);
            return (await world.App.Client.GetStringAsync("/metrics")).Split('\n').Single(static l => l.StartsWith("rootmas_approvals_pending ", StringComparison.Ordinal));
        }

        async Task CancelAsync(string run)
        {
            await world.App.PostJsonAsync($"/api/v1/runs/{run}/cancel", new { }, HttpStatusCode.Accepted);
            await Wait.UntilAsync(async id => await world.StatusAsync(id) == "cancelled", run, "The run was not cancelled");
        }

        async Task<int> FailedAsync() => (await world.App.GetJsonAsync("/api/v1/metrics/dashboard")).GetProperty("values").GetProperty("model_failures").GetInt32();

        var (_, parked) = await world.TryAskAsync(new { message = "Post it", agent = "multi_tool" });
        Assert.Equal("rootmas_approvals_pending 1", await PendingAsync());
        await CancelAsync(parked.GetProperty("run_id").GetString()!);
        Assert.Equal("rootmas_approvals_pending 0", await PendingAsync());

        var failed = await FailedAsync();
        var hold = world.Sim.Hold(new HoldSpec { At = HoldPoint.Before });
        var run = (await world.SendAsync(await world.NewConversationAsync(), new { message = "hello" })).GetProperty("run_id").GetString()!;
        await hold.Reached;
        await CancelAsync(run);
        Assert.Equal(failed, await FailedAsync());
    }

    [Fact]
    public async Task A_server_shows_the_gauges_of_no_other_one_in_its_process()
    {
        await using var services = new ServiceCollection().AddMetrics().BuildServiceProvider();
        await using var others = new ServiceCollection().AddMetrics().BuildServiceProvider();
        var own = services.GetRequiredService<IMeterFactory>();
        using var metrics = new PrometheusMetrics(new TelemetryOptions(), own);
        new ServerMeter(own).Observe("rootmas.test.mine", "", "Mine.", static () => 1);
        new ServerMeter(others.GetRequiredService<IMeterFactory>()).Observe("rootmas.test.other", "", "Other.", static () => 2);
        var text = await metrics.WriteAsync(CancellationToken.None);
        Assert.Contains("rootmas_test_mine 1\n", text, StringComparison.Ordinal);
        Assert.DoesNotContain("rootmas_test_other", text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_exemplar_is_the_newest_of_its_bucket_and_only_of_traced_work()
    {
        using var metrics = new PrometheusMetrics(new TelemetryOptions());
        using var meter = new Meter("RootMas.Test");
        var name = $"rootmas.test.e{Guid.NewGuid():N}";
        var histogram = meter.CreateHistogram<double>(name, "s", "Time.");
        Activity.Current = null;
        histogram.Record(0.2);
        Assert.DoesNotContain(name.Replace('.', '_') + "_seconds_bucket{le=\"0.25\"} 1 #", await metrics.WriteAsync(CancellationToken.None, open: true), StringComparison.Ordinal);
        using var activity = new Activity("work").Start();
        histogram.Record(0.2);
        Assert.Contains($"{name.Replace('.', '_')}_seconds_bucket{{le=\"0.25\"}} 2 # {{trace_id=\"{activity.TraceId.ToHexString()}\"}} 0.2 ", await metrics.WriteAsync(CancellationToken.None, open: true), StringComparison.Ordinal);
    }

    [GeneratedRegex("""^(# EOF|# (HELP|TYPE) [a-zA-Z_:][a-zA-Z0-9_:]* .+|[a-zA-Z_:][a-zA-Z0-9_:]*(\{([a-zA-Z_][a-zA-Z0-9_]*="([^"\\]|\\.)*",?)*\})? (NaN|[+-]?Inf|[-+0-9.eE]+)( # \{trace_id="[0-9a-f]{32}"\} [-+0-9.eE]+ [0-9.]+)?)$""", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1_000)]
    private static partial Regex Line();
}
