using System.Net;
using RootMas.Tests.Chat;
using RootMas.Tests.Support;

namespace RootMas.Tests.Platform.Telemetry;

/// <summary>With <c>OTEL_EXPORTER_OTLP_ENDPOINT</c> set, traces, logs and metrics arrive at a collector, in both of the protocol's forms.</summary>
public sealed class OtlpExportTests
{
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Spans_with_the_genai_attributes_logs_and_metrics_arrive_at_a_collector(bool grpc)
    {
        await using var collector = await OtlpCollector.StartAsync(grpc);
        await using var world = await ChatWorld.StartAsync(
            """
            rules:
              - { match: { last_role: tool }, answer: { text: "It is {{tool_result}}.", usage: { input: 30, output: 7 } } }
            default: { tool_calls: [ { name: calculator, arguments: { expression: "6*7" } } ], usage: { input: 20, output: 5 } }
            """,
            configure: o => o.Environment["OTEL_EXPORTER_OTLP_ENDPOINT"] = collector.Endpoint);
        var answer = await world.AskAsync(new { message = "six times seven", team = "solo" });
        await Record.ExceptionAsync(static () => Dns.GetHostAddressesAsync("looked-up-by-an-agent.invalid")); // known or not
        var trace = answer.GetProperty("run_id").GetString()!.Replace("-", "", StringComparison.Ordinal);
        await world.App.StopAsync();

        var spans = await collector.SpansOfAsync(trace, 7);
        var run = Assert.Single(spans, static s => s.Name == "run solo");
        var agent = Assert.Single(spans, static s => s.Name == "invoke_agent communicator");
        Assert.Equal(run.Id, agent.ParentId);
        var chats = spans.Where(s => s.Name.StartsWith("chat ", StringComparison.Ordinal) && s.ParentId == agent.Id).ToList(); // in each of them one for each request that was sent
        Assert.Equal(2, chats.Count);
        Assert.All(chats, static c => Assert.Equal("chat", c.Attributes["gen_ai.operation.name"]));
        Assert.All(chats, static c => Assert.DoesNotContain("gen_ai.usage.input_tokens", c.Attributes.Keys));
        var requests = spans.Where(s => chats.Exists(c => c.Id == s.ParentId));
        Assert.Equal([("20", "5"), ("30", "7")], requests.Select(static r => (r.Attributes["gen_ai.usage.input_tokens"], r.Attributes["gen_ai.usage.output_tokens"])).Order());
        var tool = Assert.Single(spans, static s => s.Name == "execute_tool calculator");
        Assert.Equal(("execute_tool", "calculator"), (tool.Attributes["gen_ai.operation.name"], tool.Attributes["gen_ai.tool.name"]));
        Assert.Equal("rootmas", run.Service);
        Assert.DoesNotContain(spans, static s => s.Attributes.Values.Any(static v => v.Contains("six times seven", StringComparison.Ordinal)));
        await collector.ArrivedAsync("logs", "Audit head");
        foreach (var metric in (string[])["rootmas.runs", "rootmas.model.calls", "rootmas.tool.duration", "gen_ai.client.token.usage", "http.server.request.duration", "rootmas.disk.free", "dns.lookup.duration"])
        {
            await collector.ArrivedAsync("metrics", metric);
        }

        Assert.False(collector.HasHeard("metrics", "looked-up-by-an-agent"), "a name that was looked up");
    }

    [Fact]
    public async Task A_collector_that_is_not_there_hinders_nobody()
    {
        await using var world = await ChatWorld.StartAsync(configure: static o => o.Environment["OTEL_EXPORTER_OTLP_ENDPOINT"] = $"http://127.0.0.1:{ServerProcess.FreePort()}");
        var (status, _) = await world.TryAskAsync(new { message = "hello" });
        Assert.Equal(HttpStatusCode.OK, status);
    }
}
