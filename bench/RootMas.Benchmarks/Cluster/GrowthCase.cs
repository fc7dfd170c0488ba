using RootMas.Benchmarks.Load;
using RootMas.Benchmarks.Targets;

namespace RootMas.Benchmarks.Cluster;

/// <summary>What one stored run takes on disk.</summary>
internal static class GrowthCase
{
    public static async Task RunAsync(BenchContext context, Installation installation)
    {
        var (_, database) = await installation.Postgres.MakeDatabaseAsync("growth");
        var server = await installation.StartAsync(context, new ServerPlan($"{Installation.Prefix}, growth") { Core = null, Settings = installation.OnPostgres(database) });
        await context.Model.UseAsync(StepCase.Script);
        foreach (var (row, team, expect) in ((string, string, string)[])[("one model call", "one", ModelServer.Text), ("five model calls, four tool calls", "steps", "Five steps done.")])
        {
            var request = server.Chat(team, "go");
            var before = await Postgres.SizeAsync(database);
            var samples = await RequestLoad.ParallelAsync(server.Target.Address!, _ => request, 16, TimeSpan.Zero, TimeSpan.FromSeconds(context.Options.Quick ? 4 : 10), expect);
            var after = await Postgres.SizeAsync(database);
            context.Report.Add("Growth", row, "Root-MAS, PostgreSQL", "stored for a run", "kB", (after - before) / 1_000.0 / Math.Max(1, samples.Count));
        }
    }
}
