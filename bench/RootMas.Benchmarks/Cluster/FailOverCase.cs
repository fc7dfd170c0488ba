using System.Text.Json;
using RootMas.Benchmarks.Load;
using RootMas.Benchmarks.Targets;

namespace RootMas.Benchmarks.Cluster;

/// <summary>Two workers share 100 runs of five steps of 200 ms; one is killed with -9 in the middle.</summary>
internal static class FailOverCase
{
    private const int Runs = 100;
    private const string Row = "100 runs of 5 × 200 ms on two workers";
    private const string Target = "Root-MAS";
    private const string Gap = "kill to the run going on elsewhere, median";

    public static async Task RunAsync(BenchContext context, Installation installation)
    {
        var (_, database) = await installation.Postgres.MakeDatabaseAsync("failover");
        var server = await installation.ServerAsync(context, "server for fail-over", database, offered: Runs);
        var script = StepCase.Script.Replace("answer: { ", "answer: { first_token_ms: 200, ", StringComparison.Ordinal);
        await context.Model.UseAsync(script);
        var survivor = await installation.WorkerAsync(context, "survivor", database, Runs, offered: Runs);
        for (var round = 0; round <= context.Options.FailOverRounds; round++)
        {
            var victim = await installation.WorkerAsync(context, $"victim {round}", database, Runs, offered: Runs);
            if ((server.Target.Missing ?? survivor.Target.Missing ?? victim.Target.Missing) is { } reason)
            {
                context.Report.Missing("Fail-over", Row, Target, Gap, "ms", reason);
            }
            else
            {
                var warm = round == 0;
                await context.RoundAsync(() => RoundAsync(context, server, victim, database, warm));
            }

            await installation.StopAsync(victim);
        }
    }

    private static async Task RoundAsync(BenchContext context, RootMasServer server, RootMasServer victim, string database, bool warm)
    {
        var began = TimeProvider.System.GetUtcNow();
        var ids = await Task.WhenAll(Enumerable.Range(0, Runs).Select(i => server.StartRunAsync("steps", $"run {i}")));
        await Drain.UntilStepsAsync(database, began, 2 * Runs);
        context.Note($"runs by worker: {await Drain.AskAsync(database, Drain.Workers)}");
        var killed = TimeProvider.System.GetUtcNow();
        await victim.KillAsync();
        var seconds = await Drain.UntilEmptyAsync(database, TimeSpan.FromSeconds(90));
        context.Note($"attempts: {await Drain.AskAsync(database, Drain.Attempts)}");
        var (completed, repeated) = (0, 0);
        var gaps = await Drain.BegunAgainAsync(database, killed);
        foreach (var id in ids)
        {
            completed += (await server.GetAsync($"/api/v1/runs/{id}")).GetProperty("status").GetString() == "completed" ? 1 : 0;
            var events = (await server.GetAsync($"/api/v1/runs/{id}/events?limit=200")).GetProperty("items").EnumerateArray().ToArray();
            repeated += Math.Abs(events.Count(e => TypeOf(e) == "model.completed") - 5) + Math.Abs(events.Count(e => TypeOf(e) == "tool.completed") - 4);
        }

        // Nothing may be lost in any round, whether its times count or not.
        context.Report.Add("Fail-over", Row, Target, "runs not completed", "", Runs - completed);
        context.Report.Add("Fail-over", Row, Target, "steps missing or repeated in the logs", "", repeated);
        if (warm)
        {
            context.Note("warm");
            return;
        }

        if (gaps.Count == 0)
        {
            context.Report.Missing("Fail-over", Row, Target, Gap, "ms", "the worker that was killed had no run any more");
            return;
        }

        context.Report.Add("Fail-over", Row, Target, Gap, "ms", Samples.Median(gaps));
        context.Report.Add("Fail-over", Row, Target, "runs that were taken over", "", gaps.Count);
        context.Report.Add("Fail-over", Row, Target, "kill to last end", "ms", seconds * 1_000);
    }

    private static string? TypeOf(JsonElement e) => e.GetProperty("type").GetString();
}
