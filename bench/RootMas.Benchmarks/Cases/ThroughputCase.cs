using System.Diagnostics;
using RootMas.Benchmarks.Load;
using RootMas.Benchmarks.Targets;

namespace RootMas.Benchmarks.Cases;

/// <summary>B2: completions per second with the target alone on one core, and the share of a direct connection's rate when the model takes 20 ms.</summary>
internal static class ThroughputCase
{
    public static async Task RunAsync(BenchContext context)
    {
        await context.Model.InstantAsync();
        var connections = context.Options.Quick ? new[] { 1, 64 } : [1, 8, 64, 256, 512];
        var duration = TimeSpan.FromSeconds(context.Options.Quick ? 0.8 : 1.5);
        for (var round = 0; round < context.Options.Rounds; round++)
        {
            await context.RoundAsync(async () =>
            {
                foreach (var count in connections)
                {
                    foreach (var target in context.Completions)
                    {
                        await OneAsync(context, target, $"{count} connections", count, duration);
                    }
                }
            });
        }

        await context.Model.UseAsync($"{{\"record\":\"counts\",\"default\":{{\"text\":\"{ModelServer.Text}\",\"first_token_ms\":20}}}}");
        for (var round = 0; round < context.Options.Rounds; round++)
        {
            await context.RoundAsync(async () =>
            {
                foreach (var target in context.Completions.Prepend(context.Model.Direct))
                {
                    await OneAsync(context, target, "256 connections, model 20 ms", 256, duration);
                }
            });
        }
    }

    private static async Task OneAsync(BenchContext context, Target target, string row, int connections, TimeSpan duration)
    {
        if (target.Missing is not null)
        {
            context.Report.Missing("B2", row, target, "requests per second", "1/s");
            return;
        }

        var request = target.Completion("hello");
        var (cpu, began) = (target.Process!.Cpu, Stopwatch.GetTimestamp());
        var samples = await RequestLoad.ParallelAsync(target.Address!, _ => request, connections, TimeSpan.FromSeconds(0.3), duration, ModelServer.Text);
        var (used, elapsed) = (target.Process.Cpu - cpu, Stopwatch.GetElapsedTime(began)); // longer than was planned: the last answers are waited for
        if (samples.Failed)
        {
            context.Report.Missing("B2", row, target.Name, "requests per second", "1/s", samples.Error ?? "no answer");
            return;
        }

        context.Report.Add("B2", row, target.Name, "requests per second", "1/s", samples.PerSecond);
        context.Report.Add("B2", row, target.Name, "p50", "ms", samples.P50);
        context.Report.Add("B2", row, target.Name, context.Core is null ? "share of one core" : "share of its core", "%", 100 * used.TotalSeconds / elapsed.TotalSeconds);
    }
}
