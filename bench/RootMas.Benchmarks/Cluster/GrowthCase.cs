using RootMas.Benchmarks.Load;
using RootMas.Benchmarks.Targets;

namespace RootMas.Benchmarks.Cluster;

/// <summary>What one stored run takes on disk.</summary>
internal static class GrowthCase
{
    private const string Figure = "stored for a run";

    public static async Task RunAsync(BenchContext context, Installation installation)
    {
        var (_, database) = await installation.Postgres.MakeDatabaseAsync("growth");
        var server = await installation.StartAsync(context, new ServerPlan($"{Installation.Prefix}, growth") { Core = null, Settings = installation.OnPostgres(database) });
        await context.Model.UseAsync(StepCase.Script);
        foreach (var (row, team, expect) in ((string, string, string)[])[("one model call", "one", ModelServer.Text), ("five model calls, four tool calls", "steps", "Five steps done.")])
        {
            if (server.Target.Missing is { } reason)
            {
                context.Report.Missing("Growth", row, Installation.Prefix, Figure, "kB", reason);
                continue;
            }

            var request = server.Chat(team, "go");
            var before = await Postgres.SizeAsync(database);
            var samples = await RequestLoad.ParallelAsync(server.Target.Address!, _ => request, 16, TimeSpan.Zero, TimeSpan.FromSeconds(context.Options.Quick ? 4 : 10), expect);
            var after = await Postgres.SizeAsync(database);
            if (samples.Failed)
            {
                context.Report.Missing("Growth", row, Installation.Prefix, Figure, "kB", samples.Error ?? "no run ended");
            }
            else
            {
                context.Report.Add("Growth", row, Installation.Prefix, Figure, "kB", (after - before) / 1_000.0 / samples.Count);
            }
        }
    }
}
