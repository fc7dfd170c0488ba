namespace RootMas.LlmSimulator;

/// <summary><c>rootmas-llmsim [--urls http://127.0.0.1:0] [--script FILE]</c>: prints its URL and serves until it is stopped.</summary>
internal static class SimulatorProgram
{
    private static async Task<int> Main(string[] args)
    {
        var url = "http://127.0.0.1:0";
        SimScript script = SimScript.Empty;
        for (var i = 0; i < args.Length; i += 2)
        {
            if (i + 1 >= args.Length)
            {
                return await UsageAsync($"{args[i]} needs a value");
            }

            switch (args[i])
            {
                case "--urls": url = args[i + 1]; break;
                case "--script":
                    try
                    {
                        script = ScriptReader.Read(await File.ReadAllTextAsync(args[i + 1]));
                    }
                    catch (Exception e) when (e is IOException or UnauthorizedAccessException or ScriptException)
                    {
                        return await UsageAsync($"{args[i + 1]}: {e.Message}");
                    }

                    break;
                default: return await UsageAsync($"unknown option {args[i]}");
            }
        }

        await using var simulator = await Simulator.StartAsync(script, url);
        await Console.Out.WriteLineAsync(simulator.BaseUrl);
        await Console.Out.FlushAsync();
        await simulator.WaitForShutdownAsync();
        return 0;
    }

    private static async Task<int> UsageAsync(string problem)
    {
        await Console.Error.WriteLineAsync($"rootmas-llmsim: {problem}\nusage: rootmas-llmsim [--urls http://127.0.0.1:0] [--script FILE]");
        return 2;
    }
}
