using System.Diagnostics;
using RootMas.Benchmarks.Targets;

namespace RootMas.Benchmarks.Cluster;

/// <summary>What one to four workers get done when the model takes 200 ms.</summary>
internal static class ScalingCase
{
    private const int Parallelism = 16;

    public static async Task RunAsync(BenchContext context, Installation installation)
    {
        var (_, database) = await installation.Postgres.MakeDatabaseAsync("scaling");
        var server = await installation.ServerAsync(context, "server for scaling", database, offered: 4 * Parallelism);
        await context.Model.UseAsync("{\"record\":\"counts\",\"default\":{\"text\":\"Simulated answer.\",\"first_token_ms\":200}}");
        var missing = server.Target.Missing;
        for (var workers = 1; workers <= 4; workers++)
        {
            // Where one did not start, those after it would be one fewer than their row says.
            missing ??= (await installation.WorkerAsync(context, $"scaling {workers}", database, Parallelism, offered: 4 * Parallelism)).Target.Missing;
            var name = $"{workers} worker{(workers == 1 ? "" : "s")}";
            if (missing is null)
            {
                await MeasureAsync(context, server, database, name, 300 * workers);
            }
            else
            {
                context.Report.Missing("Scaling", name, "Root-MAS", "runs a second", "1/s", missing);
            }
        }
    }

    private static async Task MeasureAsync(BenchContext context, RootMasServer server, string database, string name, int runs)
    {
        await Drain.FillAsync(server, 200, "one"); // warms up
        await Drain.UntilEmptyAsync(database, TimeSpan.FromMinutes(1));
        for (var round = 0; round < context.Options.Rounds; round++)
        {
            await context.RoundAsync(async () =>
            {
                var began = Stopwatch.GetTimestamp();
                await Drain.FillAsync(server, runs, "one");
                await Drain.UntilEmptyAsync(database, TimeSpan.FromMinutes(2));
                context.Report.Add("Scaling", name, "Root-MAS", "runs a second", "1/s", runs / Stopwatch.GetElapsedTime(began).TotalSeconds);
            });
        }
    }
}
