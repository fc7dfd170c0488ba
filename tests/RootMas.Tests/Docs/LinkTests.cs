using System.Text.RegularExpressions;
using RootMas.Tests.Support;

namespace RootMas.Tests.Docs;

/// <summary>What a page points at is there.</summary>
public sealed partial class LinkTests
{
    private static readonly string[] Hidden = [".git", "bin", "obj", "node_modules", "artifacts", "data", "config"]; // prompts show formats, not links

    [Fact]
    public void Every_link_to_a_file_of_the_repository_leads_somewhere()
    {
        var broken = from page in Pages(Repository.Root)
                     from Match link in Link().Matches(File.ReadAllText(page))
                     let target = link.Groups["target"].Value
                     where !target.Contains(':', StringComparison.Ordinal)
                     let path = Path.Combine(Path.GetDirectoryName(page)!, Uri.UnescapeDataString(target))
                     where !File.Exists(path) && !Directory.Exists(path)
                     select $"{Path.GetRelativePath(Repository.Root, page)} → {target}";
        Assert.Empty(broken);
    }

    private static IEnumerable<string> Pages(string directory) =>
        Directory.EnumerateFiles(directory, "*.md").Concat(
            Directory.EnumerateDirectories(directory).Where(d => !Hidden.Contains(Path.GetFileName(d), StringComparer.Ordinal)).SelectMany(Pages));

    // [text](target), without anchors and code.
    [GeneratedRegex(@"\]\((?<target>[^)\s#`]+)(#[^)]*)?\)", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Link();
}
