using RootMas.Benchmarks.Targets;

namespace RootMas.Benchmarks;

/// <summary><c>rootmas bench</c>: the load comparison; <c>rootmas bench micro</c>: BenchmarkDotNet; <c>rootmas bench cluster</c>: the larger installations; <c>hop</c> is the comparison's own .NET floor.</summary>
internal static class BenchProgram
{
    private static async Task<int> Main(string[] args)
    {
        if (args is ["hop", "--upstream", var upstream])
        {
            return await Hop.RunAsync(upstream);
        }

        if (args is ["micro", ..])
        {
            await using var server = await Micro.AccessBenchmarks.StartAsync();
            return Micro.MicroBenchmarks.Run(args[1..]);
        }

        if (args is ["cluster", ..])
        {
            if (BenchOptions.Parse(args[1..], out var misunderstood) is not { } cluster)
            {
                await Console.Error.WriteLineAsync(misunderstood);
                return 2;
            }

            return await new Cluster.ClusterBench(cluster with { FullRounds = 3 }).RunAsync();
        }

        if (BenchOptions.Parse(args, out var problem) is not { } options)
        {
            await Console.Error.WriteLineAsync(problem);
            return 2;
        }

        return await new Bench(options).RunAsync();
    }
}
