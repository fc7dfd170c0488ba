using RootMas.Tests.Deploy;
using RootMas.Tests.Support;

namespace RootMas.Tests.Benchmarks;

/// <summary><c>./rootmas bench</c> builds what it measures with, in a tree of empty files and with a compiler that only notes what it is asked for.</summary>
public sealed class RootmasScriptTests : IDisposable
{
    private static readonly DateTime Long = new(2020, 1, 1, 0, 0, 0, DateTimeKind.Utc);
    private static readonly string[] Sources = ["src/RootMas.Server/A.cs", "bench/RootMas.Benchmarks/A.cs", "tests/RootMas.LlmSimulator/A.cs", "tests/RootMas.Tests/A.cs", "Directory.Build.props", "global.json"];
    private static readonly string[] Built = ["artifacts/program/rootmas.dll", "bench/RootMas.Benchmarks/bin/Release/net10.0/RootMas.Benchmarks.dll"];
    private readonly TempFolder _tree = new();

    public RootmasScriptTests()
    {
        foreach (var (files, time) in new[] { (Sources, Long), (Built, Long.AddDays(1)) })
        {
            foreach (var file in files)
            {
                Directory.CreateDirectory(Path.GetDirectoryName(In(file))!);
                File.WriteAllText(In(file), "");
                File.SetLastWriteTimeUtc(In(file), time);
            }
        }

        File.Copy(Repository.PathOf("rootmas"), In("rootmas"));
        Directory.CreateDirectory(In("compiler"));
        File.WriteAllText(In("compiler/dotnet"), $"#!/bin/sh\necho \"$@\" >>'{In("asked")}'\n");
        FileModes.Set(In("compiler/dotnet"), UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
    }

    [Theory]
    [InlineData("bench/RootMas.Benchmarks/A.cs", true)]
    [InlineData("tests/RootMas.LlmSimulator/A.cs", true)] // the model that it measures with
    [InlineData("tests/RootMas.Tests/A.cs", false)]
    public async Task The_bench_is_built_when_something_of_it_has_changed(string changed, bool builds)
    {
        Assert.Equal([$"{In(Built[1])} --quick"], await BenchAsync());
        File.SetLastWriteTimeUtc(In(changed), Long.AddDays(2));
        var asked = await BenchAsync();
        Assert.Equal(builds, asked.Any(a => a.StartsWith($"build {In("bench/RootMas.Benchmarks")} ", StringComparison.Ordinal)));
        Assert.Equal($"{In(Built[1])} --quick", asked[^1]);
    }

    public void Dispose() => _tree.Dispose();

    private string In(string file) => Path.Combine(_tree.Path, file);

    private async Task<string[]> BenchAsync()
    {
        File.Delete(In("asked"));
        await Shell.DoAsync("bash", [In("rootmas"), "bench", "--quick"], new Dictionary<string, string> { ["PATH"] = $"{In("compiler")}:/usr/local/bin:/usr/bin:/bin" });
        return await File.ReadAllLinesAsync(In("asked"));
    }
}
