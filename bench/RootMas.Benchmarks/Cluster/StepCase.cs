using RootMas.Benchmarks.Load;
using RootMas.Benchmarks.Targets;

namespace RootMas.Benchmarks.Cluster;

/// <summary>B11: runs of five model calls, one after the other and 32 at a time.</summary>
internal static class StepCase
{
    public const string Script = """
        record: counts
        rules:
          - { match: { agent: stepper, last_role: user }, answer: { tool_calls: [ { name: calculator, arguments: { expression: "1000+1" } } ] } }
          - { match: { agent: stepper, tool_result: "1001" }, answer: { tool_calls: [ { name: calculator, arguments: { expression: "2000+2" } } ] } }
          - { match: { agent: stepper, tool_result: "2002" }, answer: { tool_calls: [ { name: calculator, arguments: { expression: "3000+3" } } ] } }
          - { match: { agent: stepper, tool_result: "3003" }, answer: { tool_calls: [ { name: calculator, arguments: { expression: "4000+4" } } ] } }
          - { match: { agent: stepper, tool_result: "4004" }, answer: { text: "Five steps done." } }
        default: { text: "Simulated answer." }
        """;

    private const string Row = "run of five steps";
    private const string Alone = "one step, one run at a time, p50";
    private const int Steps = 5;
    private const int Parallel = 32;

    public static async Task RunAsync(BenchContext context, Installation installation)
    {
        await context.Model.UseAsync(Script);
        List<(PeerProcess Peer, string Scenario)> peers = [];
        try
        {
            if (context.Options.Peers)
            {
                await StartPeersAsync(context, installation, peers);
            }

            for (var round = -1; round < context.Options.Rounds; round++)
            {
                await context.RoundAsync(() => RoundAsync(context, peers, round));
            }
        }
        finally
        {
            foreach (var (peer, _) in peers)
            {
                await peer.DisposeAsync();
            }
        }
    }

    private static async Task StartPeersAsync(BenchContext context, Installation installation, List<(PeerProcess Peer, string Scenario)> peers)
    {
        var (langgraph, _) = await installation.Postgres.MakeDatabaseAsync("langgraph");
        var (dbos, _) = await installation.Postgres.MakeDatabaseAsync("dbos");
        var url = context.Model.Url;
        peers.Add((await PeerProcess.StartAsync("LangGraph + PostgreSQL", "langgraph", context.Peers, url, langgraph, core: null), "loop"));
        peers.Add((await PeerProcess.StartAsync("Restate", "restate", context.Peers, url, null, core: null), "steps"));
        peers.Add((await PeerProcess.StartAsync("DBOS + PostgreSQL", "dbos", context.Peers, url, dbos, core: null), "steps"));
        foreach (var (peer, _) in peers)
        {
            context.Report.Versions[peer.Name] = peer.Missing ?? peer.Versions;
            context.Note($"{peer.Name}: {peer.Missing ?? "ready"}");
        }
    }

    /// <summary>Round -1 warms up.</summary>
    private static async Task RoundAsync(BenchContext context, List<(PeerProcess Peer, string Scenario)> peers, int round)
    {
        var seconds = context.Options.Quick ? 3 : 6;
        foreach (var server in context.Servers)
        {
            if (server.Target.Missing is { } reason)
            {
                Lost(context, server.Target.Name, round, reason);
                continue;
            }

            var request = server.Chat("steps", "go");
            Add(context, server.Target.Name, round,
                RequestLoad.Sequential(server.Target.Address!, _ => request, round < 0 ? 1_000 : 200, TimeSpan.FromSeconds(seconds), "Five steps done."),
                await RequestLoad.ParallelAsync(server.Target.Address!, _ => request, Parallel, TimeSpan.FromSeconds(0.5), TimeSpan.FromSeconds(seconds), "Five steps done."));
        }

        foreach (var (peer, scenario) in peers)
        {
            if (peer.IsAbsent)
            {
                context.Report.Absent("B11", Row, peer.Name, Alone, "ms", peer.Missing!);
            }
            else if (await peer.MeasureAsync(scenario, 60, round < 0 ? 60 : 10, 1) is { } alone && await peer.MeasureAsync(scenario, round < 0 ? 300 : 500, 32, Parallel) is { } together)
            {
                Add(context, peer.Name, round, alone, together);
            }
            else
            {
                Lost(context, peer.Name, round, peer.Missing ?? "no result");
            }
        }

        context.Note($"b11 round {round + 1} of {context.Options.Rounds}");
    }

    private static void Add(BenchContext context, string target, int round, Samples alone, Samples together)
    {
        if (alone.Failed || together.Failed)
        {
            Lost(context, target, round, alone.Error ?? together.Error ?? "no run ended");
        }
        else if (round >= 0)
        {
            context.Report.Add("B11", Row, target, Alone, "ms", alone.P50 / Steps);
            context.Report.Add("B11", Row, target, $"steps a second, {Parallel} runs at a time", "1/s", together.PerSecond * Steps);
        }
    }

    private static void Lost(BenchContext context, string target, int round, string reason)
    {
        if (round < 0)
        {
            context.Note($"b11 warm-up, {target}: {reason}");
        }
        else
        {
            context.Report.Missing("B11", Row, target, Alone, "ms", reason);
        }
    }
}
