using System.Text;
using System.Text.RegularExpressions;
using RootMas.Server.Platform.Settings;
using RootMas.Tests.Support;

namespace RootMas.Tests.Docs;

/// <summary>docs/security.md promises nothing without a test, and the table of the two environments is the code's.</summary>
public sealed partial class SecurityDocTests
{
    [Fact]
    public void Every_test_that_proves_a_promise_exists()
    {
        var named = Test().Matches(File.ReadAllText(Repository.PathOf("docs/security.md"))).Select(static m => m.Groups["test"].Value).Distinct(StringComparer.Ordinal).ToList();
        Assert.True(named.Count > 25, $"only {named.Count} tests are named");
        var missing = named.Where(static n => !Exists(n)).ToList();
        Assert.True(missing.Count == 0, "docs/security.md names tests that do not exist: " + string.Join(", ", missing));
    }

    [Fact]
    public void Every_promise_names_a_test()
    {
        var bare = File.ReadLines(Repository.PathOf("docs/security.md")).SkipWhile(static l => !l.StartsWith("## What is promised", StringComparison.Ordinal)).Skip(1)
            .TakeWhile(static l => !l.StartsWith("## ", StringComparison.Ordinal)).Where(static l => l.StartsWith("| ", StringComparison.Ordinal) && !l.StartsWith("| promise", StringComparison.Ordinal))
            .Where(static l => !Test().IsMatch(l)).ToList();
        Assert.True(bare.Count == 0, string.Join('\n', bare));
    }

    [Fact]
    public void The_refused_settings_are_those_of_the_code()
    {
        var table = new StringBuilder("| refused in | setting | what, and what to do |\n|---|---|---|\n");
        foreach (var rule in UnsafeSettings.Rules)
        {
            table.Append(System.Globalization.CultureInfo.InvariantCulture, $"| {rule.Environment} | `{rule.Key}` | {rule.What} |\n");
        }

        Approved.MatchesBlock("docs/configuration.md", "unsafe", table.ToString());
    }

    private static bool Exists(string name) =>
        name.Split('.') is [var type, var method] && typeof(SecurityDocTests).Assembly.GetTypes().Any(t => t.Name == type && t.GetMethod(method)?.GetCustomAttributes(typeof(FactAttribute), inherit: true).Length > 0);

    [GeneratedRegex("`(?<test>[A-Z][A-Za-z0-9]*Tests\\.[A-Z][A-Za-z0-9_]*)`", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture)]
    private static partial Regex Test();
}
