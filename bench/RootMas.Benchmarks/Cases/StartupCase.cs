using System.Diagnostics;
using System.Net.Http.Json;
using System.Text.Json;
using RootMas.Benchmarks.Load;
using RootMas.Benchmarks.Targets;

namespace RootMas.Benchmarks.Cases;

/// <summary>B14: start to ready, idle memory, and what the switch to the next model costs.</summary>
internal static class StartupCase
{
    public static async Task RunAsync(BenchContext context)
    {
        await context.Model.InstantAsync();
        await using var server = await RootMasServer.StartAsync(context, ServerMode.Durable, "Root-MAS, start");
        const string name = "Root-MAS, all on";
        if (server.Target.Missing is { } reason)
        {
            context.Report.Missing("B14", "start", name, "start to ready", "ms", reason);
            return;
        }

        context.Report.Add("B14", "first start, empty data directory", name, "start to ready", "ms", server.TimeToReady.TotalMilliseconds);
        for (var round = 0; round < context.Options.Rounds; round++)
        {
            await context.RoundAsync(async () =>
            {
                if (server.Target.Process is not null)
                {
                    await server.KillAsync();
                }

                await server.StartAgainAsync();
                if (server.Target.Missing is not null)
                {
                    context.Report.Missing("B14", "start", server.Target with { Name = name }, "start to ready", "ms");
                    return;
                }

                context.Report.Add("B14", "start", name, "start to ready", "ms", server.TimeToReady.TotalMilliseconds);
                context.Report.Add("B14", "start", name, "idle memory", "MB", await server.Target.SettledResidentAsync() / 1048576.0);
                await HopAsync(context);
            });
        }

        if (server.Target.Missing is null)
        {
            await FailOverAsync(context, server, name);
        }

        await LimiterCase.RunAsync(context);
    }

    private static async Task HopAsync(BenchContext context)
    {
        var began = Stopwatch.GetTimestamp();
        var hop = await ReverseProxies.HopAsync(context.Model.Address);
        if (hop.Process is null)
        {
            context.Report.Missing("B14", "start", hop, "start to ready", "ms");
            return;
        }

        context.Report.Add("B14", "start", hop.Name, "start to ready", "ms", Stopwatch.GetElapsedTime(began).TotalMilliseconds);
        context.Report.Add("B14", "start", hop.Name, "idle memory", "MB", await hop.SettledResidentAsync() / 1048576.0);
        await hop.Process.DisposeAsync();
    }

    /// <summary>Every fourth call of the tier's first model fails with 503; the answer's <c>metadata.model</c> tells which runs went on with the second.</summary>
    private static async Task FailOverAsync(BenchContext context, RootMasServer server, string name)
    {
        await context.Model.UseAsync($$"""
            record: counts
            rules: [ { match: { model: sim-flaky, every: 4 }, answer: { fault: { kind: status, status: 503 } } } ]
            default: { text: "{{ModelServer.Text}}" }
            """);
        var runs = context.Options.Quick ? 200 : 600;
        for (var round = -1; round < context.Options.Rounds; round++)
        {
            var straight = new List<double>();
            var switched = new List<double>();
            for (var i = 0; i < runs; i++)
            {
                var began = Stopwatch.GetTimestamp();
                using var response = await server.Http.PostAsJsonAsync("/api/v1/chat", new { message = "hello", team = "failover" });
                var answer = await response.Content.ReadFromJsonAsync<JsonElement>();
                var took = Stopwatch.GetElapsedTime(began).TotalMilliseconds;
                if (!response.IsSuccessStatusCode)
                {
                    context.Report.Missing("B14", "next model of the tier after a 503", name, "added p50", "ms", answer.GetRawText());
                    return;
                }

                (answer.GetProperty("metadata").GetProperty("model").GetString() == "sim-flaky" ? straight : switched).Add(took);
            }

            if (round >= 0 && (switched.Count == 0 || straight.Count == 0))
            {
                context.Report.Missing("B14", "next model of the tier after a 503", name, "added p50", "ms", $"{switched.Count} of {runs} runs went to the next model");
            }
            else if (round >= 0)
            {
                context.Report.Add("B14", "next model of the tier after a 503", name, "added p50", "ms", Samples.Median(switched) - Samples.Median(straight));
            }
        }
    }
}
