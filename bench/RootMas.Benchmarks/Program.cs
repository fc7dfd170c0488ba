using RootMas.Benchmarks.Results;
using RootMas.Benchmarks.Targets;

namespace RootMas.Benchmarks;

/// <summary><c>rootmas bench</c>: the load comparison; <c>rootmas bench micro</c>: BenchmarkDotNet; <c>rootmas bench cluster</c>: the larger installations; <c>hop</c> is the comparison's own .NET floor.</summary>
internal static class BenchProgram
{
    private static async Task<int> Main(string[] args)
    {
        var code = 1;
        try
        {
            code = await RunAsync(args);
        }
        catch (Exception) when (Session.IsInterrupted)
        {
            // What was ended under it.
        }

        if (Session.IsInterrupted)
        {
            await Task.Delay(Timeout.Infinite); // the signal's own flow ends the program when everything is tidied up
        }

        return code;
    }

    internal static async Task<int> RunAsync(string[] args)
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

        if (args is ["show", ..])
        {
            return await ShowAsync(args[1..]);
        }

        var isCluster = args is ["cluster", ..];
        if (BenchOptions.Parse(isCluster ? args[1..] : args, isCluster, out var problem) is not { } options)
        {
            await Console.Error.WriteLineAsync(problem);
            return 2;
        }

        return await (isCluster ? new Cluster.ClusterBench(options with { FullRounds = 3 }).RunAsync() : new Bench(options).RunAsync());
    }

    /// <summary>Tables of saved results, without measuring anything.</summary>
    private static async Task<int> ShowAsync(string[] args)
    {
        string[] files = [.. args.Where(static a => a != "--publish").Select(static f => Path.IsPathRooted(f) ? f : Path.Combine(BenchOptions.FindRepository(), f))];
        if (files.Length == 0 || Array.Find(files, static f => !File.Exists(f)) is not null)
        {
            await Console.Error.WriteLineAsync($"{(files.Length == 0 ? "no file named" : $"no such file: {Array.Find(files, static f => !File.Exists(f))}")}\nusage: rootmas bench show FILE [FILE…] [--publish]   (raw results are in artifacts/bench)");
            return 2;
        }

        try
        {
            var report = await Report.LoadAsync(files);
            var options = new BenchOptions { Repository = BenchOptions.FindRepository(), Publish = args.Contains("--publish") };
            return await Bench.ShowAsync(options, report, string.Join(", ", files));
        }
        catch (InvalidDataException e)
        {
            await Console.Error.WriteLineAsync(e.Message);
            return 2;
        }
    }
}
