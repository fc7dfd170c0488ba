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
    public void Both_languages_tell_the_same_chapters_and_show_the_same_pages()
    {
        var (english, russian) = (File.ReadAllText(Repository.PathOf(Pages[0])), File.ReadAllText(Repository.PathOf(Pages[1])));
        Assert.Equal(Told(english, "en"), Told(russian, "ru"));
        Assert.All(Picture().Matches(english).Concat(Picture().Matches(russian)), static m => Assert.NotEqual("", m.Groups["words"].Value));
    }

    [Theory]
    [InlineData("docs/user-guide.md", "en")]
    [InlineData("docs/user-guide.ru.md", "ru")]
    public void Every_page_of_the_app_is_shown(string guide, string language)
    {
        var shown = Told(File.ReadAllText(Repository.PathOf(guide)), language).ToHashSet(StringComparer.Ordinal);
        // A page that stands at several addresses of the same kind is shown at one of them.
        var pages = PagesTests.Addresses.Select(static row => (Name: (string)row[0], Route: Place().Replace(((string)row[1]).Split('?')[0], "ID")))
            .Concat(new[] { "sign-in", "setup", "first-model" }.Select(static name => (Name: name, Route: name))).GroupBy(static a => a.Route, static a => a.Name, StringComparer.Ordinal);
        Assert.All(pages, names => Assert.True(names.Any(shown.Contains), $"{guide} shows none of {string.Join(", ", names)}"));
    }

    /// <summary>Depths of headings and pages of pictures, in their order.</summary>
    private static IEnumerable<string> Told(string guide, string language) =>
        Heading().Matches(guide).Select(static m => (m.Index, What: m.Value))
            .Concat(Picture().Matches(guide).Select(m => (m.Index, What: PageOf(m.Groups["file"].Value, language))))
            .OrderBy(static told => told.Index).Select(static told => told.What);

    private static string PageOf(string file, string language)
    {
        var end = file.LastIndexOf($"-{language}-", StringComparison.Ordinal);
        Assert.True(end > 0, $"{file} is not of the language {language}");
        return file[..end];
    }

    [GeneratedRegex(@"!\[(?<words>[^\]]*)\]\((?:docs/)?pictures/(?<file>[\w.-]+\.webp)\)", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Picture();

    [GeneratedRegex("^#+ ", RegexOptions.Multiline, 1000)]
    private static partial Regex Heading();

    [GeneratedRegex("[A-Z]{3,}|none", RegexOptions.None, 1000)]
    private static partial Regex Place();
}
