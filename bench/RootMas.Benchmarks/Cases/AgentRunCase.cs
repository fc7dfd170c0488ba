using RootMas.Benchmarks.Load;
using RootMas.Benchmarks.Targets;

namespace RootMas.Benchmarks.Cases;

/// <summary>
/// B6: whole agent runs, one after the other. Ours go through the server's API with every step on disk; the peers run inside their own process without a
/// server and, but for LangGraph with its checkpointer, without any durability.
/// </summary>
internal static class AgentRunCase
{
    private static readonly (string Scenario, string Row, string Team, string Expect)[] Scenarios =
    [
        ("one", "one model call", "one", "Simulated answer."),
        ("tool", "with one tool", "tool", "The sum is 5."),
        ("handoff", "handoff through five agents", "chain", "Handed over five times."),
        ("fanout", "fan-out of eight", "fan", "Eight results."),
    ];

    public static async Task RunAsync(BenchContext context)
    {
        await context.Model.UseAsync(await File.ReadAllTextAsync(Path.Combine(context.Options.Repository, "bench", "peers", "bench.yaml")));
        await using var postgres = context.Options.Peers ? await Postgres.StartAsync(Directory.CreateDirectory(Path.Combine(context.Folder, "peers")).FullName, context.Core) : null;
        var peers = new List<PeerProcess>();
        try
        {
            if (context.Options.Peers)
            {
                peers.AddRange(await StartPeersAsync(context, postgres!));
            }

            for (var round = -1; round < context.Options.Rounds; round++)
            {
                await context.RoundAsync(() => RoundAsync(context, peers, round));
                context.Note($"b6 round {round + 1} of {context.Options.Rounds}");
            }
        }
        finally
        {
            foreach (var peer in peers)
            {
                await peer.DisposeAsync();
            }
        }
    }

    private static async Task<List<PeerProcess>> StartPeersAsync(BenchContext context, Postgres postgres)
    {
        var url = context.Model.Url;
        List<PeerProcess> peers = context.OnlyDurablePeers ? [] :
        [
            await PeerProcess.StartAsync("Vercel AI SDK", "vercel-ai", context.Peers, url, null, context.Core),
            await PeerProcess.StartAsync("Google ADK", "google-adk", context.Peers, url, null, context.Core),
            await PeerProcess.StartAsync("OpenAI Agents", "openai-agents", context.Peers, url, null, context.Core),
            await PeerProcess.StartAsync("LangGraph", "langgraph", context.Peers, url, null, context.Core),
        ];
        if (postgres.Url is null)
        {
            foreach (var scenario in Scenarios)
            {
                context.Report.Absent("B6", scenario.Row, "LangGraph + PostgreSQL", "run p50", "ms", postgres.Missing!);
            }
        }
        else
        {
            peers.Add(await PeerProcess.StartAsync("LangGraph + PostgreSQL", "langgraph", context.Peers, url, postgres.Url, context.Core, postgres.Process));
        }

        foreach (var peer in peers)
        {
            context.Report.Versions[peer.Name] = peer.Missing ?? peer.Versions;
            context.Note($"{peer.Name}: {peer.Missing ?? "ready"}");
        }

        return peers;
    }

    /// <summary>Round -1 warms up: more runs, nothing kept.</summary>
    private static async Task RoundAsync(BenchContext context, List<PeerProcess> peers, int round)
    {
        var runs = context.Options.Quick ? 100 : 300;
        foreach (var (scenario, row, team, expect) in Scenarios)
        {
            var count = scenario is "one" or "tool" ? runs : runs / 3;
            foreach (var server in context.Servers)
            {
                if (server.Target.Missing is not null)
                {
                    context.Report.Missing("B6", row, server.Target, "run p50", "ms");
                    continue;
                }

                var request = server.Chat(team, "go");
                var cpu = server.Target.Cpu;
                var samples = RequestLoad.Sequential(server.Target.Address!, _ => request, round < 0 ? 40 * count : count, TimeSpan.FromSeconds(round < 0 ? 6 : 20), expect);
                Add(context, row, server.Target.Name, samples with { CpuMs = (server.Target.Cpu - cpu).TotalMilliseconds / Math.Max(1, samples.Count) }, round);
            }

            foreach (var peer in peers)
            {
                if (peer.IsAbsent)
                {
                    context.Report.Absent("B6", row, peer.Name, "run p50", "ms", peer.Missing!);
                }
                else if (await peer.MeasureAsync(scenario, round < 0 ? count : count / 2, round < 0 ? 5 * count : 10, 1) is { } samples)
                {
                    Add(context, row, peer.Name, samples, round);
                }
                else if (round >= 0)
                {
                    context.Report.Missing("B6", row, peer.Name, "run p50", "ms", peer.Missing ?? "no result");
                }
            }
        }
    }

    private static void Add(BenchContext context, string row, string target, Samples samples, int round)
    {
        if (round < 0)
        {
            context.Note($"{target}, {row}: {(samples.Failed ? samples.Error ?? "no run ended" : "warm")}");
        }
        else if (samples.Failed)
        {
            context.Report.Missing("B6", row, target, "run p50", "ms", samples.Error ?? "no run ended");
        }
        else
        {
            context.Report.Add("B6", row, target, "run p50", "ms", samples.P50);
            context.Report.Add("B6", row, target, "run p99", "ms", samples.P99);
            context.Report.Add("B6", row, target, "processor time per run", "ms", samples.CpuMs);
        }
    }
}
