using System.Diagnostics;
using RootMas.Benchmarks.Targets;

namespace RootMas.Benchmarks.Cases;

/// <summary>B13: 100 runs of five steps of 200 ms; kill -9 in the middle, start again at once; the time from the kill to the last run's end, and what was lost or repeated.</summary>
internal static class CrashCase
{
    private const int Runs = 100;
    private const string Row = "100 runs of 5 × 200 ms";

    private const string Script = """
        record: counts
        rules:
          - { name: step, match: { agent: stepper, last_role: user }, answer: { first_token_ms: 200, tool_calls: [ { name: calculator, arguments: { expression: "1000+1" } } ] } }
          - { name: step, match: { agent: stepper, tool_result: "1001" }, answer: { first_token_ms: 200, tool_calls: [ { name: calculator, arguments: { expression: "2000+2" } } ] } }
          - { name: step, match: { agent: stepper, tool_result: "2002" }, answer: { first_token_ms: 200, tool_calls: [ { name: calculator, arguments: { expression: "3000+3" } } ] } }
          - { name: step, match: { agent: stepper, tool_result: "3003" }, answer: { first_token_ms: 200, tool_calls: [ { name: calculator, arguments: { expression: "4000+4" } } ] } }
          - { name: step, match: { agent: stepper, tool_result: "4004" }, answer: { first_token_ms: 200, text: "Five steps done." } }
        """;

    public static Task RunAsync(BenchContext context) => RunAsync(context, "Root-MAS, all on", []);

    /// <param name="target">As the table calls it.</param>
    public static async Task RunAsync(BenchContext context, string target, IReadOnlyList<(string Name, string Value)> settings)
    {
        await context.Model.UseAsync(Script);
        await using var server = await RootMasServer.StartAsync(context, new ServerPlan($"{target}, crash") { Core = context.Core, Settings = settings });
        for (var round = 0; round < context.Options.FewRounds; round++)
        {
            if (server.Target.Missing is { } reason)
            {
                context.Report.Missing("B13", Row, target, "kill to last end", "ms", reason);
                continue;
            }

            await context.RoundAsync(() => RoundAsync(context, target, server));
        }
    }

    private static async Task RoundAsync(BenchContext context, string target, RootMasServer server)
    {
        await context.Model.UseAsync(Script);
        var ids = await Task.WhenAll(Enumerable.Range(0, Runs).Select(i => server.StartRunAsync("steps", $"run {i}")));
        await Task.Delay(TimeSpan.FromMilliseconds(450));
        var began = Stopwatch.GetTimestamp();
        await server.KillAsync();
        await server.StartAgainAsync();
        if (server.Target.Missing is { } reason)
        {
            context.Report.Missing("B13", Row, target, "kill to last end", "ms", $"after the kill: {reason}");
            return;
        }

        var open = ids.ToHashSet(StringComparer.Ordinal);
        var completed = 0;
        while (open.Count > 0 && Stopwatch.GetElapsedTime(began) < TimeSpan.FromSeconds(60))
        {
            foreach (var id in open.ToArray())
            {
                var status = (await server.GetAsync($"/api/v1/runs/{id}")).GetProperty("status").GetString();
                if (status is "completed" or "failed" or "cancelled" or "needs_review")
                {
                    open.Remove(id);
                    completed += status == "completed" ? 1 : 0;
                }
            }

            await Task.Delay(5);
        }

        var took = Stopwatch.GetElapsedTime(began);
        var repeated = 0;
        foreach (var id in ids)
        {
            repeated += Math.Abs(await CountAsync(server, id, "model.completed") - 5) + Math.Abs(await CountAsync(server, id, "tool.completed") - 4);
        }

        if (open.Count > 0)
        {
            context.Report.Missing("B13", Row, target, "kill to last end", "ms", $"{open.Count} runs were still open after {took.TotalSeconds:0} s");
        }
        else
        {
            context.Report.Add("B13", Row, target, "kill to last end", "ms", took.TotalMilliseconds);
        }

        context.Report.Add("B13", Row, target, "of it start to ready", "ms", server.TimeToReady.TotalMilliseconds);
        context.Report.Add("B13", Row, target, "runs not completed", "", Runs - completed);
        context.Report.Add("B13", Row, target, "steps missing or repeated in the logs", "", repeated);
    }

    private static async Task<int> CountAsync(RootMasServer server, string run, string type)
    {
        var events = await server.GetAsync($"/api/v1/runs/{run}/events?limit=200");
        return events.GetProperty("items").EnumerateArray().Count(e => e.GetProperty("type").GetString() == type);
    }
}
