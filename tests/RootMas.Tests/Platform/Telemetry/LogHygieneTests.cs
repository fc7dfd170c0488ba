using System.Text.Json.Nodes;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using RootMas.Server.Platform.Telemetry;
using RootMas.Tests.Platform.BadInput;
using RootMas.Tests.Support;

namespace RootMas.Tests.Platform.Telemetry;

/// <summary>What comes from outside can neither forge a line of the log nor get its contents into it.</summary>
public sealed class LogHygieneTests
{
    private const string Mark = "hygiene-canary-4711";
    private const string Hostile = Mark + "\r\n{\"log.level\":\"fake\"}\u001b[31m\u009b2J\u202e\u2028";

    [Fact]
    public async Task Hostile_text_in_every_field_of_every_route_leaves_no_line_with_it()
    {
        await using var app = await TestApp.StartAsync(o =>
        {
            o.Settings["Telemetry:LogLevel"] = "Debug";
            o.Settings["Telemetry:LogRing"] = "100000";
        });
        var api = System.Text.Json.JsonDocument.Parse(await app.Client.GetStringAsync("/openapi/v1.json")).RootElement;
        var sent = 0;
        foreach (var operation in ApiOperation.Read(api).Where(static o => o.Body is not null))
        {
            foreach (var field in operation.Fields.Where(static f => f.IsText))
            {
                var body = JsonNode.Parse(operation.Body!.ToJsonString())!.AsObject();
                body[field.Name] = Hostile;
                using var response = await app.SendAsync(operation.Method, operation.PathWith("x"), body.ToJsonString(),
                    ("User-Agent", Mark), ("X-Request-Id", Mark + " x"), ("X-Forwarded-For", Mark), ("If-Match", $"\"{Mark}\""), ("Idempotency-Key", Guid.NewGuid().ToString()));
                Assert.True((int)response.StatusCode < 500, $"{operation.Name} {field.Name}: {(int)response.StatusCode}");
                sent++;
            }
        }

        Assert.True(sent > 30, $"only {sent} fields");
        var lines = app.Get<LogRing>().Read(LogLevel.Trace, null, 100_000);
        Assert.DoesNotContain(lines, static l => l.Message.Any(char.IsControl) || l.Message.Contains('\u202e', StringComparison.Ordinal) || l.Message.Contains('\u2028', StringComparison.Ordinal));
        Assert.DoesNotContain(lines, static l => l.Message.Contains(Mark, StringComparison.Ordinal));
    }

    [Fact]
    public void No_form_of_the_console_can_be_forged_or_drawn_on()
    {
        foreach (var formatter in (Microsoft.Extensions.Logging.Console.ConsoleFormatter[])[new EcsLogFormatter(TimeProvider.System), new TextLogFormatter(TimeProvider.System)])
        {
            var state = new Dictionary<string, object?>(StringComparer.Ordinal) { ["name"] = Hostile };
            var entry = new LogEntry<Dictionary<string, object?>>(LogLevel.Warning, "Some.Category", default, state, null, static (s, _) => (string)s["name"]!);
            using var writer = new StringWriter();
            formatter.Write(entry, null, writer);
            var line = writer.ToString().TrimEnd('\n', '\r');
            Assert.DoesNotContain(line, char.IsControl);
            Assert.DoesNotContain(line, static c => c is '\u202e' or '\u2028' or '\u009b');
        }
    }
}
