using System.Diagnostics;
using System.Text.Json;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using RootMas.Server.Platform.Telemetry;
using RootMas.Tests.Support;

namespace RootMas.Tests.Platform.Telemetry;

public sealed class LogTests
{
    private const string Hostile = "line\r\n{\"log.level\":\"fake\"} \u001b[31mred\u202e";

    [Fact]
    public void A_json_line_has_the_names_of_ecs_and_the_ids_of_trace_and_run()
    {
        using var activity = new Activity("test").Start();
        RootMasTelemetry.SetCurrentRun("run-1");
        var text = Write(new EcsLogFormatter(TimeProvider.System), Hostile);
        RootMasTelemetry.SetCurrentRun(null);
        Assert.Single(text.TrimEnd('\n').Split('\n'));
        Assert.DoesNotContain('\u001b', text);
        var line = JsonDocument.Parse(text).RootElement;
        Assert.Equal("error", line.GetProperty("log.level").GetString());
        Assert.Equal(activity.TraceId.ToHexString(), line.GetProperty("trace.id").GetString());
        Assert.Equal("run-1", line.GetProperty("labels").GetProperty("run_id").GetString());
        Assert.Equal("System.InvalidOperationException", line.GetProperty("error.type").GetString());
        Assert.True(DateTimeOffset.TryParse(line.GetProperty("@timestamp").GetString(), System.Globalization.CultureInfo.InvariantCulture, out _));
    }

    [Fact]
    public void A_text_line_cannot_be_forged_and_cannot_draw()
    {
        var text = Write(new TextLogFormatter(TimeProvider.System), Hostile);
        Assert.DoesNotContain('\u001b', text);
        Assert.DoesNotContain('\u202e', text);
        Assert.DoesNotContain("\n{", text, StringComparison.Ordinal);
        Assert.Contains("\\u000d\\u000a{", text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_last_lines_can_be_read_by_level_component_and_number()
    {
        await using var app = await TestApp.StartAsync(static o =>
        {
            o.Settings["Telemetry:LogRing"] = "3";
            foreach (var component in (string[])["RootMas", "Microsoft", "System"])
            {
                o.Settings["Telemetry:LogLevels:" + component] = "Critical"; // what the server has to say meanwhile would be among the last three
            }
        });
        var logger = app.Get<ILoggerFactory>().CreateLogger("Some.Component");
        for (var i = 1; i <= 4; i++)
        {
            logger.LogWarning("line {Number}", i);
        }

        logger.LogInformation("info");
        var logs = await app.GetJsonAsync("/api/v1/logs");
        Assert.Equal(["info", "line 4", "line 3"], logs.GetProperty("logs").EnumerateArray().Select(l => l.GetProperty("message").GetString()));
        var warnings = await app.GetJsonAsync("/api/v1/logs?level=warning&limit=1&component=some");
        Assert.Equal("line 4", Assert.Single(warnings.GetProperty("logs").EnumerateArray()).GetProperty("message").GetString());
        Assert.Equal(1, warnings.GetProperty("total").GetInt32());
        foreach (var bad in (string[])["level=loud", "limit=0", "limit=1001"])
        {
            using var response = await app.Client.GetAsync($"/api/v1/logs?{bad}");
            ProblemAssert.Names(await ProblemAssert.IsProblemAsync(response, 400), bad.Split('=')[0]);
        }
    }

    [Fact]
    public async Task The_dashboard_has_its_figures()
    {
        await using var app = await TestApp.StartAsync();
        var dashboard = await app.GetJsonAsync("/api/v1/metrics/dashboard");
        foreach (var name in (string[])["total_messages", "active_agents", "uptime", "memory_usage", "cpu_usage"])
        {
            Assert.Equal(JsonValueKind.Number, dashboard.GetProperty(name).ValueKind);
        }

        Assert.InRange(dashboard.GetProperty("memory_usage").GetInt64(), 1_000_000, GC.GetGCMemoryInfo().TotalAvailableMemoryBytes);
    }

    private static string Write(Microsoft.Extensions.Logging.Console.ConsoleFormatter formatter, string message)
    {
        var entry = new LogEntry<string>(LogLevel.Error, "Some.Category", default, message, new InvalidOperationException("broken\n\u001b[0m"), (state, _) => state);
        using var writer = new StringWriter();
        formatter.Write(entry, null, writer);
        return writer.ToString();
    }
}
