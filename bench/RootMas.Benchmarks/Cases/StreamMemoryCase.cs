using System.Diagnostics;
using RootMas.Benchmarks.Load;
using RootMas.Benchmarks.Targets;

namespace RootMas.Benchmarks.Cases;

/// <summary>B4: memory of the target per open stream while many slow streams are open, and its growth under steady load.</summary>
internal static class StreamMemoryCase
{
    private const string Slow = "{\"record\":\"counts\",\"default\":{\"text\":\"a b c d e f g h i j k l m n o p q r s t u v w x y z\",\"first_token_ms\":10,\"tokens_per_second\":0.5}}";

    public static async Task RunAsync(BenchContext context)
    {
        await context.Model.UseAsync(Slow);
        for (var round = 0; round < context.Options.FewRounds; round++)
        {
            await FreshTargets.ForEachAsync(context, OneAsync);
        }

        await GrowthAsync(context, context.Options.Soak is { } minutes ? TimeSpan.FromMinutes(minutes) : TimeSpan.FromSeconds(context.Options.Quick ? 10 : 60));
    }

    private static async Task OneAsync(BenchContext context, Target target)
    {
        var streams = context.Options.Quick ? 1000 : 2000;
        var row = $"{streams} slow streams";
        if (target.Missing is not null)
        {
            context.Report.Missing("B4", row, target, "memory per stream", "kB");
            return;
        }

        // The first streams pay for code and pools.
        var request = target.Completion("hello", stream: true);
        using (await OpenConnections.OpenAsync(target.Address!, request, 100, "HTTP/1.1 200", TimeSpan.FromSeconds(20)))
        {
        }

        var before = await target.SettledMemoryAsync();
        using var open = await OpenConnections.OpenAsync(target.Address!, request, streams, "HTTP/1.1 200", TimeSpan.FromSeconds(40));
        var after = await target.SettledMemoryAsync();
        if (open.Count < streams)
        {
            context.Report.Missing("B4", row, target.Name, "memory per stream", "kB", $"only {open.Count} of {streams} streams opened: {open.Error}");
            return;
        }

        context.Report.Add("B4", row, target.Name, "memory per stream", "kB", (after - before) / 1024.0 / streams);
    }

    /// <summary>Steady load on the durable server; how much the smallest memory of the last quarter is above that of the quarter before.</summary>
    private static async Task GrowthAsync(BenchContext context, TimeSpan duration)
    {
        await (context.Options.Soak is null ? context.Model.InstantAsync() : context.Model.UseAsync($"{{\"record\":\"counts\",\"default\":{{\"text\":\"{ModelServer.Text}\",\"first_token_ms\":100}}}}"));
        foreach (var server in context.Servers.Where(s => s.Target.Missing is null).Take(1))
        {
            var request = server.Target.Completion("hello");
            var began = Stopwatch.GetTimestamp();
            var load = RequestLoad.ParallelAsync(server.Target.Address!, _ => request, 16, TimeSpan.Zero, duration, ModelServer.Text);
            var points = new List<double>();
            while (!load.IsCompleted)
            {
                await Task.Delay(500);
                points.Add(server.Target.Memory / 1048576.0);
            }

            var samples = await load;
            var row = $"{Stopwatch.GetElapsedTime(began).TotalSeconds:0} s of steady load ({samples.Count} runs)";
            if (samples.Failed)
            {
                context.Report.Missing("B4", row, server.Target.Name, "memory at the end", "MB", samples.Error ?? "no answer"); // each connection stops after three errors
                return;
            }

            var half = points.Skip(points.Count / 2).ToArray();
            var growth = half[(half.Length / 2)..].Min() - half[..(half.Length / 2)].Min();
            context.Report.Add("B4", row, server.Target.Name, "memory at the end", "MB", points[^1]);
            context.Report.Add("B4", row, server.Target.Name, "growth of the smallest memory, third to fourth quarter", "MB", growth);
            for (var quarter = 0; context.Options.Soak is not null && quarter < 4; quarter++)
            {
                context.Report.Add("B4", row, server.Target.Name, $"smallest memory in quarter {quarter + 1}", "MB", points.Skip(quarter * points.Count / 4).Take(points.Count / 4).Min());
            }
        }
    }
}
