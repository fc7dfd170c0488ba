using RootMas.Runtime.Tools;

namespace RootMas.Tests.Runtime.Tools;

public sealed class KnownUrlsTests
{
    [Theory]
    [InlineData("Read https://example.org/a?b=c#d please", "https://example.org/a?b=c#d")]
    [InlineData("Смотри https://пример.рф/страница, спасибо", "https://пример.рф/страница")]
    [InlineData("(https://example.org/a_(b)).", "https://example.org/a_(b)")]
    [InlineData("<https://example.org/>", "https://example.org/")]
    [InlineData("HTTP://Example.ORG/X", "HTTP://Example.ORG/X")]
    [InlineData("[text](http://127.0.0.1:8080/x)", "http://127.0.0.1:8080/x")]
    public void What_the_user_typed_is_known(string text, string url) => Assert.True(KnownUrls.FromText(text).Contains(url));

    [Theory]
    [InlineData("https://example.org/a?b=c&secret=1")]
    [InlineData("https://EXAMPLE.org/a?b=c")]
    [InlineData("https://example.org/a?b=c/")]
    [InlineData("https://example.org/a%3Fb=c")]
    [InlineData("https://example.org/a?b")]
    [InlineData("https://example.org:443/a?b=c")]
    public void What_merely_resembles_it_is_not(string url) => Assert.False(KnownUrls.FromText("Read https://example.org/a?b=c now").Contains(url));

    [Theory]
    [InlineData("The public one (https://example.org/a?d=secret)")]
    [InlineData("https://example.org/a?d=secret")]
    [InlineData("this: https://example.org/a?d=secret.")]
    public void What_was_offered_is_not_typed_by_whoever_repeats_it(string answer)
    {
        string[] shown = ["Which one?", "The public one (https://example.org/a?d=secret)", "None"];
        var known = new KnownUrls();
        Assert.True(known.IsOffered(answer, shown));
        known.AddFrom($"{answer} or https://example.org/typed", shown);
        Assert.Equal(["https://example.org/typed"], known.In($"{answer} https://example.org/a?d=secret. https://example.org/typed"));
        Assert.False(known.IsOffered("https://example.org/typed", ["Is it https://example.org/typed?"])); // it was known before
    }

    [Theory]
    [InlineData("Is it https://example.org/a?d=1 or https://example.org/a.html?")]
    [InlineData("https://example.org/a/b")]
    [InlineData("(https://example.org/ab)")]
    public void What_merely_begins_like_an_offered_one_is_typed(string question)
    {
        var known = new KnownUrls();
        Assert.False(known.IsOffered("No, take https://example.org/a.", [question]));
        known.AddFrom("No, take https://example.org/a.", [question]);
        Assert.True(known.Contains("https://example.org/a"));
    }

    [Theory]
    [InlineData("https://example.org/a,https://example.org/b")]
    [InlineData("**https://example.org/a**; or none")]
    [InlineData("https://example.org/a,or none")]
    [InlineData("see https://example.net/?u=https://example.org/a.")]
    public void What_is_offered_in_a_row_with_others_is_not_typed(string question)
    {
        var known = new KnownUrls();
        Assert.True(known.IsOffered("https://example.org/a", [question]));
        known.AddFrom("https://example.org/a", [question]);
        Assert.False(known.Contains("https://example.org/a"));
    }

    [Fact]
    public void Of_a_url_that_is_too_long_the_beginning_is_not_typed()
    {
        var url = "https://example.org/" + new string('a', 5_000);
        var known = new KnownUrls();
        known.AddFrom(url, [url]);
        Assert.True(new KnownUrls().IsOffered(url, [url]));
        Assert.Null(known.In(url));
    }

    [Fact]
    public void Search_results_become_known()
    {
        var known = new KnownUrls();
        known.AddRange(["https://example.org/found"]);
        Assert.True(known.Contains("https://example.org/found"));
    }

    [Fact]
    public void A_hostile_text_costs_linear_time_and_bounded_memory()
    {
        var known = KnownUrls.FromText(string.Concat(Enumerable.Repeat("http://a.b/", 50_000)) + new string('.', 100_000));
        Assert.False(known.Contains("http://x"));
    }
}
