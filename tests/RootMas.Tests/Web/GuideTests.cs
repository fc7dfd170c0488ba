using System.Text.RegularExpressions;
using RootMas.Tests.Support;

namespace RootMas.Tests.Web;

/// <summary>The user guide shows what the test run saw, in both languages, and stays small.</summary>
public sealed partial class GuideTests
{
    private const long MostBytes = 1_700_000;

    private static readonly string[] Pages = ["docs/user-guide.md", "docs/user-guide.ru.md", "README.md"];

    public static string Pictures { get; } = Repository.PathOf("docs", "pictures");

    /// <summary>Files of pictures that the guides and the README show.</summary>
    public static HashSet<string> Shown() => [.. Pages.SelectMany(static page => Picture().Matches(File.ReadAllText(Repository.PathOf(page))).Select(static m => m.Groups["file"].Value))];

    [Fact]
    public void Every_picture_that_is_shown_is_there_none_is_kept_for_nothing_and_all_are_small()
    {
        var kept = new DirectoryInfo(Pictures).GetFiles("*.webp");
        Assert.Equal(Shown().Order(StringComparer.Ordinal), kept.Select(static f => f.Name).Order(StringComparer.Ordinal));
        Assert.InRange(kept.Sum(static f => f.Length), 1, MostBytes);
    }

    [Fact]
    public void Both_languages_tell_the_same_chapters_and_every_page_is_shown()
    {
        var guides = Pages.Take(2).Select(static page => File.ReadAllText(Repository.PathOf(page))).ToList();
        Assert.Equal(Heading().Count(guides[0]), Heading().Count(guides[1]));
        foreach (var (guide, language) in guides.Zip((string[])["en", "ru"]))
        {
            foreach (var page in (string[])["sign-in", "setup", "first-model", "welcome", "chat", "approval", "runs", "run", "team", "agent", "team-detail", "documents", "document", "approvals", "dashboard", "admin-users", "admin-roles", "admin-models", "admin-settings", "admin-secrets", "admin-keys", "admin-audit", "admin-backups", "admin-queue", "admin-logs", "profile", "memory"])
            {
                Assert.Matches($"pictures/{page}-{language}-(light|dark)\\.webp", guide);
            }

            Assert.All(Picture().Matches(guide), m => Assert.NotEqual("", m.Groups["words"].Value));
        }
    }

    [GeneratedRegex(@"!\[(?<words>[^\]]*)\]\((?:docs/)?pictures/(?<file>[\w.-]+\.webp)\)", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Picture();

    [GeneratedRegex("^#+ ", RegexOptions.Multiline, 1000)]
    private static partial Regex Heading();
}
