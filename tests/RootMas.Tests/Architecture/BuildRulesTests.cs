using System.Diagnostics;
using System.Text.RegularExpressions;
using System.Xml.Linq;
using RootMas.Tests.Support;

namespace RootMas.Tests.Architecture;

/// <summary>What the build itself sees to.</summary>
public sealed partial class BuildRulesTests
{
    [Fact]
    public void Null_is_checked_and_warnings_are_errors()
    {
        var properties = Properties();
        Assert.Equal("enable", properties["Nullable"]);
        Assert.Equal("true", properties["TreatWarningsAsErrors"]);
        Assert.Equal("latest-recommended", properties["AnalysisLevel"]);
        Assert.DoesNotContain(Sources.Product, f => f.Root.DescendantTrivia(descendIntoTrivia: true).Any(t => t.ToString().StartsWith("#nullable disable", StringComparison.Ordinal)));
    }

    [Fact]
    public void The_framework_is_the_current_one() => Assert.Equal("net10.0", Properties()["TargetFramework"]);

    [Fact]
    public void Blocking_calls_do_not_compile()
    {
        var banned = File.ReadAllText(Repository.PathOf("BannedSymbols.txt"));
        string[] blocking = ["Task.Wait", "Task`1.Result", "TaskAwaiter.GetResult", "Thread.Sleep", "DateTime.UtcNow", "GetEnvironmentVariable", "HttpClient.#ctor"];
        Assert.All(blocking, name => Assert.Contains(name, banned, StringComparison.Ordinal));

        // A rule can be switched off for a line; each such place says why, and there are few of them.
        var exceptions = Sources.Product.Where(f => f.Root.DescendantTrivia(descendIntoTrivia: true).Any(t => t.ToString().StartsWith("#pragma warning disable RS0030", StringComparison.Ordinal))).Select(f => f.Path).ToList();
        Assert.True(exceptions.Count <= 6, $"banned symbols are used in {string.Join(", ", exceptions)}");
    }

    [Fact]
    public void The_test_command_fails_below_the_coverage_that_is_promised()
    {
        Assert.Contains("tests/run.sh", File.ReadAllText(Repository.PathOf("rootmas")), StringComparison.Ordinal);
        Assert.Contains("tests/coverage.sh", File.ReadAllText(Repository.PathOf("tests", "run.sh")), StringComparison.Ordinal);
        var gate = File.ReadAllText(Repository.PathOf("tests", "coverage.sh"));
        Assert.Matches(@"p < 85\b", gate);
        Assert.Matches(@"p < 70\b", gate);
    }

    /// <summary>The test command installs the linter; without npm this test says that it did not run.</summary>
    [RedoclyFact]
    public async Task The_api_description_lints_clean()
    {
        using var process = Process.Start(new ProcessStartInfo(RedoclyFactAttribute.Program!, ["lint", Repository.PathOf("docs", "openapi.json")])
        {
            RedirectStandardOutput = true, RedirectStandardError = true, UseShellExecute = false, Environment = { ["REDOCLY_TELEMETRY"] = "off" },
        })!;
        var said = await Task.WhenAll(process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
        await process.WaitForExitAsync();
        Assert.True(process.ExitCode == 0, string.Concat(said));
        Assert.DoesNotMatch(Warnings(), string.Concat(said));
    }

    private static Dictionary<string, string> Properties() =>
        XDocument.Load(Repository.PathOf("Directory.Build.props")).Descendants("PropertyGroup").Elements().GroupBy(e => e.Name.LocalName, StringComparer.Ordinal).ToDictionary(g => g.Key, g => g.Last().Value, StringComparer.Ordinal);

    [GeneratedRegex(@"\b[1-9]\d* (warning|error)", RegexOptions.ExplicitCapture, 1_000)]
    private static partial Regex Warnings();
}

/// <summary>Runs where the linter is installed, and is skipped by name elsewhere.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class RedoclyFactAttribute : FactAttribute
{
    public RedoclyFactAttribute()
    {
        if (Program is null)
        {
            Skip = "the linter is not installed: ./rootmas test installs it with npm, unless it is called with --no-setup";
        }
    }

    public static string? Program { get; } =
        Repository.PathOf("tests", "RootMas.Tests", "Conformance", "openapi-lint", "node_modules", ".bin", "redocly") is var program && File.Exists(program) ? program : null;
}
