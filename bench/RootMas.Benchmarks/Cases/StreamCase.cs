using RootMas.Benchmarks.Load;
using RootMas.Benchmarks.Targets;

namespace RootMas.Benchmarks.Cases;

/// <summary>B3: added time to the first text when many streams begin at once, and whether every stream's text is what the model sent.</summary>
internal static class StreamCase
{
    private static readonly string Text = string.Join(' ', Enumerable.Range(0, 10).Select(i => $"w{i}"));

    public static async Task RunAsync(BenchContext context)
    {
        await context.Model.UseAsync($"{{\"record\":\"counts\",\"default\":{{\"text\":\"{Text}\",\"first_token_ms\":50,\"tokens_per_second\":10}}}}");
        var sizes = context.Options.Quick ? new[] { 1, 64, 256 } : [1, 64, 256, 1000];
        var targets = context.Completions.Where(t => t.Name != "Portkey").ToArray();
        for (var round = 0; round < context.Options.FewRounds; round++)
        {
            foreach (var size in sizes)
            {
                await context.RoundAsync(() => RoundAsync(context, targets, size));
            }
        }
    }

    private static async Task RoundAsync(BenchContext context, Target[] targets, int size)
    {
        var row = size == 1 ? "1 stream" : $"{size} streams at once";
        var direct = await MeasureAsync(context.Model.Direct, size);
        if (direct.TimeToFirstToken.Failed)
        {
            context.Report.Missing("B3", row, "direct to the model", "time to first text p50", "ms", direct.Error ?? "no text came");
        }
        else
        {
            context.Report.Add("B3", row, "direct to the model", "time to first text p50", "ms", direct.TimeToFirstToken.P50);
        }

        foreach (var target in targets)
        {
            if (target.Missing is not null)
            {
                context.Report.Missing("B3", row, target, "added time to first text p50", "ms");
                continue;
            }

            var streams = await MeasureAsync(target, size);
            if (streams.TimeToFirstToken.Count == 0 || direct.TimeToFirstToken.Failed)
            {
                context.Report.Missing("B3", row, target.Name, "added time to first text p50", "ms", streams.Error ?? direct.Error ?? "no text came");
                continue;
            }

            context.Report.Add("B3", row, target.Name, "added time to first text p50", "ms", streams.TimeToFirstToken.P50 - direct.TimeToFirstToken.P50);
            context.Report.Add("B3", row, target.Name, "added time to first text p99", "ms", streams.TimeToFirstToken.P99 - direct.TimeToFirstToken.P99);
            context.Report.Add("B3", row, target.Name, "pieces lost or doubled, streams broken", "", streams.Lost + streams.Doubled + (streams.Streams - streams.Complete));
            if (streams.Error is not null)
            {
                context.Note($"B3 {row} {target.Name}: {streams.Error}");
            }
        }
    }

    private static Task<StreamSamples> MeasureAsync(Target target, int size)
    {
        var request = target.Completion("hello", stream: true);
        return StreamLoad.RunAsync(target.Address!, _ => request, size, Text, TimeSpan.FromSeconds(30));
    }
}
