using RootMas.Benchmarks.Load;
using RootMas.Benchmarks.Targets;

namespace RootMas.Benchmarks.Cases;

/// <summary>B1: what a completion through a target takes longer than the same request sent to the model directly. One connection.</summary>
internal static class LatencyCase
{
    public static async Task RunAsync(BenchContext context)
    {
        await context.Model.InstantAsync();
        var count = context.Options.Quick ? 300 : 1500;
        var sizes = new (string Row, string Prompt)[] { ("small prompt", "hello"), ("100 kB prompt", string.Concat(Enumerable.Repeat("lorem ipsum ", 8534))) };
        var targets = context.Completions.ToArray();
        for (var round = -1; round < context.Options.Rounds; round++)
        {
            await context.RoundAsync(() =>
            {
                foreach (var (row, prompt) in sizes)
                {
                    Round(context, targets, row, prompt, row[0] == '1' ? count / 4 : count, round);
                }

                return Task.CompletedTask;
            });
        }
    }

    /// <summary>Round -1 warms up.</summary>
    private static void Round(BenchContext context, Target[] targets, string row, string prompt, int count, int round)
    {
        var direct = Measure(context.Model.Direct, prompt, count);
        if (round >= 0 && direct.Failed)
        {
            context.Report.Missing("B1", row, "direct to the model", "p50", "ms", direct.Error ?? "no answer");
        }
        else if (round >= 0)
        {
            context.Report.Add("B1", row, "direct to the model", "p50", "ms", direct.P50);
        }

        foreach (var target in targets)
        {
            if (target.Missing is not null)
            {
                context.Report.Missing("B1", row, target, "added p50", "ms");
                continue;
            }

            var cpu = target.Cpu;
            var samples = Measure(target, prompt, count);
            if (round >= 0 && (samples.Failed || direct.Failed))
            {
                context.Report.Missing("B1", row, target.Name, "added p50", "ms", samples.Error ?? direct.Error ?? "no answer");
            }
            else if (round >= 0)
            {
                context.Report.Add("B1", row, target.Name, "added p50", "ms", samples.P50 - direct.P50);
                context.Report.Add("B1", row, target.Name, "processor time per request", "ms", (target.Cpu - cpu).TotalMilliseconds / samples.Count);
            }
        }
    }

    private static Samples Measure(Target target, string prompt, int count)
    {
        var request = target.Completion(prompt);
        return RequestLoad.Sequential(target.Address!, _ => request, count, TimeSpan.FromSeconds(8), ModelServer.Text);
    }
}
