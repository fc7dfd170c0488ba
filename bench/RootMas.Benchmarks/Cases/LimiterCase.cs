using RootMas.Benchmarks.Load;
using RootMas.Benchmarks.Targets;

namespace RootMas.Benchmarks.Cases;

/// <summary>B14: what limits add to a small request, the same server with and without them, in turn; and what authentication, permission and limits cost together, in process.</summary>
internal static class LimiterCase
{
    private const string Row = "limits of a request, on against off";

    public static async Task RunAsync(BenchContext context)
    {
        await AccessAsync(context);
        await using var on = await RootMasServer.StartAsync(context, ServerMode.Durable, "Root-MAS, limits on");
        await using var off = await RootMasServer.StartAsync(context, ServerMode.Durable, "Root-MAS, limits off", ("ROOTMAS__Limits__Enabled", "false"), ("ROOTMAS__Server__Environment", "Development"));
        const string name = "Root-MAS, all on";
        if ((on.Target.Missing ?? off.Target.Missing) is { } reason)
        {
            context.Report.Missing("B14", Row, name, "added p50", "ms", reason);
            return;
        }

        var count = context.Options.Quick ? 1_000 : 4_000;
        for (var round = -1; round < context.Options.Rounds; round++)
        {
            await context.RoundAsync(() =>
            {
                var without = Measure(off, count);
                var with = Measure(on, count);
                if (round >= 0 && (with.Failed || without.Failed))
                {
                    context.Report.Missing("B14", Row, name, "added p50", "ms", with.Error ?? without.Error ?? "no answer");
                }
                else if (round >= 0)
                {
                    context.Report.Add("B14", Row, name, "added p50", "ms", with.P50 - without.P50);
                }

                return Task.CompletedTask;
            });
        }
    }

    /// <summary>They cannot be switched off in a server, so the pipeline's own piece is called with the handler behind it, and the handler alone.</summary>
    private static async Task AccessAsync(BenchContext context)
    {
        const string row = "authentication, permission and limits of a request";
        await using var server = await Micro.AccessBenchmarks.StartAsync(context.Folder);
        for (var round = 0; round < context.Options.Rounds; round++)
        {
            await context.RoundAsync(async () =>
            {
                var (with, without) = await Micro.AccessBenchmarks.MeasureAsync(context.Options.Quick ? 200 : 800);
                context.Report.Add("B14", row, "Root-MAS, all on", "with, p50", "µs", with);
                context.Report.Add("B14", row, "Root-MAS, all on", "without, p50", "µs", without);
            });
        }
    }

    private static Samples Measure(RootMasServer server, int count)
    {
        var request = HttpConnection.Get(server.Target.Address!, "/v1/models", token: server.Target.Token ?? "");
        return RequestLoad.Sequential(server.Target.Address!, _ => request, count, TimeSpan.FromSeconds(8), "\"object\"");
    }
}
