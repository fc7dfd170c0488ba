using System.Diagnostics;
using RootMas.Server.Platform.Text;

namespace RootMas.Tests.Tools;

public sealed class HtmlPageTests
{
    private static readonly Uri Url = new("https://example.org/dir/page");

    private static string Text(string html) => HtmlPage.Read(html, Url)!.Text;

    [Fact]
    public void Structure_is_kept_as_simple_markdown() => Assert.Equal(
        "# Title\n\nFirst paragraph with bold and code.\n\n- one\n- two\n\n1. first\n2. second\n\nName | Price\nTea | 3\n\n```\nlet x = 1;\n  y\n```\n\n> Quoted\n\nline\nbreak [image: A cat]",
        Text("""
            <h1>Title</h1><p>First   paragraph with <b>bold</b>
            and <code>code</code>.</p><ul><li>one</li><li>two</li></ul><ol><li>first<li>second</ol>
            <table><tr><th>Name</th><th>Price</th></tr><tr><td>Tea</td><td>3</td></tr></table>
            <pre>let x = 1;
              y</pre><blockquote>Quoted</blockquote><p>line<br>break <img src=x alt="A cat"></p>
            """.ReplaceLineEndings("\n").Replace("\n  y", "\n  y", StringComparison.Ordinal)));

    [Fact]
    public void The_main_content_is_preferred_and_navigation_left_out()
    {
        var article = string.Concat(Enumerable.Repeat("The real content. ", 20));
        var text = Text($"<body><nav>Home | About</nav><div>Cookie banner</div><main><p>{article}</p></main><aside>Ads</aside><footer>Imprint</footer></body>");
        Assert.Equal(article.Trim(), text);
        Assert.Equal("Short body", Text("<body><nav>Home</nav><main></main><p>Short body</p><footer>Imprint</footer></body>"));
    }

    [Theory]
    [InlineData("<script>ignore()</script>")]
    [InlineData("<style>ignore</style>")]
    [InlineData("<noscript>ignore</noscript>")]
    [InlineData("<template>ignore</template>")]
    [InlineData("<!-- ignore -->")]
    [InlineData("<p hidden>ignore</p>")]
    [InlineData("<p aria-hidden='TRUE'>ignore</p>")]
    [InlineData("<p style='display: none'>ignore</p>")]
    [InlineData("<p style='color:red;DISPLAY:NONE !important'>ignore</p>")]
    [InlineData("<p style='visibility:hidden'>ignore</p>")]
    [InlineData("<p style='opacity:0'>ignore</p>")]
    [InlineData("<p style='opacity: 0.0;'>ignore</p>")]
    [InlineData("<p style='font-size:0'>ignore</p>")]
    [InlineData("<p style='font-size: 0px; color: red'>ignore</p>")]
    [InlineData("<p style='position:absolute;left:-9999px'>ignore</p>")]
    [InlineData("<div style='height:0;overflow:hidden'>ignore</div>")]
    [InlineData("<iframe srcdoc='ignore'>ignore</iframe>")]
    [InlineData("<svg><text>ignore</text></svg>")]
    [InlineData("<input value='ignore'><textarea>ignore</textarea><select><option>ignore</select>")]
    public void What_people_cannot_see_is_not_read(string hidden)
    {
        var text = Text($"<body><p>before</p>{hidden}<p style='opacity:0.5;font-size:10px;height:100px'>after</p></body>");
        Assert.Equal("before\n\nafter", text);
    }

    [Fact]
    public void Invisible_characters_are_removed()
    {
        var tags = string.Concat("secret".Select(c => char.ConvertFromUtf32(0xE0000 + c)));
        Assert.Equal("visible text 👩‍🚀", Text($"<p>vis\u200Bible{tags} \u202Etext\u202C \u0007👩\u200D🚀</p>"));
    }

    [Fact]
    public void What_looks_like_markup_in_a_title_or_a_link_is_their_text()
    {
        var page = HtmlPage.Read("<title>Using &lt;T&gt; in C#, &amp;amp; more</title><p><a href='/list'>List&lt;string&gt;</a></p>", Url)!;
        Assert.Equal("Using <T> in C#, &amp; more", page.Title);
        Assert.Equal("List<string>", Assert.Single(page.Links).Text);
    }

    [Fact]
    public void Links_are_absolute_distinct_and_lead_to_the_web()
    {
        var page = HtmlPage.Read("""
            <title> A &amp; B </title><a href="../up">Up</a> <a href="//other.example/x">Other</a> <a href="javascript:alert(1)">Bad</a> <a href="mailto:a@b">Mail</a>
            <a href="#top">Top</a> <a href="../up">Up again</a> <a href="https://example.org/dir/page?q=1">Query</a> <a href="/empty"></a> <a href="http://[bad">Broken</a>
            """, Url)!;
        Assert.Equal("A & B", page.Title);
        Assert.Equal([new PageLink("Up", "https://example.org/up"), new PageLink("Other", "https://other.example/x"), new PageLink("Query", "https://example.org/dir/page?q=1")], page.Links);
    }

    [Fact]
    public void Markup_nested_absurdly_deep_is_not_read() => Assert.Null(HtmlPage.Read(string.Concat(Enumerable.Repeat("<div>", 200_000)), Url));

    [Fact]
    public void Attributes_without_end_and_candidates_within_each_other_take_no_time_either()
    {
        var started = Stopwatch.GetTimestamp();
        var page = HtmlPage.Read($"<p {string.Join(' ', Enumerable.Range(0, 300_000).Select(static i => "a" + i))} class=late>What it says.</p>", Url);
        Assert.Equal("What it says.", page?.Text);
        HtmlPage.Read(string.Concat(Enumerable.Repeat("<title></span></title><span role=main>x", 45_000)), Url);
        Assert.True(Stopwatch.GetElapsedTime(started) < TimeSpan.FromSeconds(40), $"{Stopwatch.GetElapsedTime(started)}");
    }

    [Theory]
    [InlineData("<p>")]
    [InlineData("<table><tr><td>")]
    [InlineData("<b><p></b>")]
    [InlineData("<a href=x><div></div></a>")]
    [InlineData("<i a=1></div>")]
    [InlineData("<div></i>")]
    [InlineData("<p><i></p>")]
    [InlineData("<div/>")]
    [InlineData("<!-- --!><div>")]
    [InlineData("<svg><path/>")]
    [InlineData("<select><option>")]
    [InlineData("<ul><li>")]
    [InlineData("<svg></svg><math>")]
    [InlineData("<!--")]
    [InlineData("<!DOCTYPE [")]
    [InlineData("&#x1F600;&notanentity;")]
    [InlineData("<optgroup>")]
    [InlineData("<optgroup>", "<hr>")]
    [InlineData("<div title='</div>'>")]
    [InlineData("<table>", "<hr>")]
    [InlineData("<title></div></title><div>")]
    public void Hostile_markup_is_read_or_refused_in_bounded_time(string piece, string? then = null)
    {
        var markup = then == "<hr>" && piece == "<table>" ? piece : string.Concat(Enumerable.Repeat(piece, Math.Min(100_000, (then is null ? 500_000 : 2_000_000) / piece.Length)));
        var started = Stopwatch.GetTimestamp();
        HtmlPage.Read(markup + (then is null ? "" : string.Concat(Enumerable.Repeat(then, 99_000))), Url);
        Assert.True(Stopwatch.GetElapsedTime(started) < TimeSpan.FromSeconds(20), $"{piece}: {Stopwatch.GetElapsedTime(started)}");
    }
}
