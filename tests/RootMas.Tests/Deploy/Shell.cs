using System.Diagnostics;

namespace RootMas.Tests.Deploy;

/// <summary>Another program, run to its end.</summary>
internal sealed record Shell(int ExitCode, string Stdout, string Stderr)
{
    public string Said => Stdout + Stderr;

    public static async Task<Shell> RunAsync(string program, IReadOnlyList<string> arguments, IReadOnlyDictionary<string, string>? environment = null, string? folder = null)
    {
        var start = new ProcessStartInfo(program, arguments)
        {
            UseShellExecute = false, RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true, WorkingDirectory = folder ?? Path.GetTempPath(),
        };
        foreach (var name in start.Environment.Keys.Where(n => n.StartsWith("ROOTMAS", StringComparison.Ordinal) || n.StartsWith("OPEN", StringComparison.Ordinal)).ToArray())
        {
            start.Environment.Remove(name);
        }

        foreach (var (name, value) in environment ?? new Dictionary<string, string>())
        {
            start.Environment[name] = value;
        }

        using var process = Process.Start(start)!;
        process.StandardInput.Close();
        var (stdout, stderr) = (process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
        using var limit = new CancellationTokenSource(TimeSpan.FromMinutes(5));
        try
        {
            await process.WaitForExitAsync(limit.Token);
        }
        catch (OperationCanceledException e)
        {
            process.Kill(entireProcessTree: true);
            throw new TimeoutException($"{program} {string.Join(' ', arguments)} did not end", e);
        }

        return new(process.ExitCode, await stdout, await stderr);
    }

    /// <summary>Runs it and expects success.</summary>
    public static async Task<string> DoAsync(string program, IReadOnlyList<string> arguments, IReadOnlyDictionary<string, string>? environment = null, string? folder = null)
    {
        var done = await RunAsync(program, arguments, environment, folder);
        Assert.True(done.ExitCode == 0, $"{program} {string.Join(' ', arguments)} ended with {done.ExitCode}\n{done.Said}");
        return done.Stdout;
    }
}

/// <summary>Runs where all these programs are installed, and is skipped by name elsewhere.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class InstalledFactAttribute : FactAttribute
{
    public InstalledFactAttribute(params string[] programs)
    {
        Programs = programs;
        if (programs.FirstOrDefault(p => Find(p) is null) is { } missing)
        {
            Skip = $"{missing} is not installed";
        }
    }

    public IReadOnlyList<string> Programs { get; }

    public static string? Find(string program) =>
        $"{Environment.GetEnvironmentVariable("PATH")}:/usr/sbin:/sbin".Split(':').Select(f => Path.Combine(f, program)).FirstOrDefault(File.Exists);
}

/// <summary>The same for a test with several cases.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class InstalledTheoryAttribute : TheoryAttribute
{
    public InstalledTheoryAttribute(params string[] programs)
    {
        Programs = programs;
        Skip = new InstalledFactAttribute(programs).Skip;
    }

    public IReadOnlyList<string> Programs { get; }
}
