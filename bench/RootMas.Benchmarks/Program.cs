using RootMas.Benchmarks.Targets;

namespace RootMas.Benchmarks;

/// <summary><c>rootmas bench</c>: the load comparison; <c>rootmas bench micro</c>: BenchmarkDotNet; <c>hop</c> is the comparison's own .NET floor.</summary>
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

        if (BenchOptions.Parse(args, out var problem) is not { } options)
        {
            await Console.Error.WriteLineAsync(problem);
            return 2;
        }

        return await new Bench(options).RunAsync();
    }
}
