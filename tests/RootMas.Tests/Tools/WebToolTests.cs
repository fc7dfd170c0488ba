using System.Text;
using Microsoft.AspNetCore.Http;
using RootMas.Runtime.Tools;
using RootMas.Server.Tools;
using RootMas.Server.Tools.Outbound;
using RootMas.Tests.Support;

namespace RootMas.Tests.Tools;

public sealed class WebToolTests
{
    private static Task<LoopbackServer> ServeAsync(string body, string? type = "text/html; charset=utf-8", int status = 200) => LoopbackServer.StartAsync(context =>
    {
        context.Response.StatusCode = status;
        context.Response.ContentType = type;
        return context.Response.WriteAsync(body);
    });

    [Fact]
    public async Task A_page_is_read_as_text_with_title_links_and_a_citation_and_taints()
    {
        await using var server = await ServeAsync("<html><head><title>Kazan</title></head><body><h1>Three days</h1><p>See the <a href='/kremlin'>Kremlin</a>.</p></body></html>");
        using var bench = new ToolBench();
        var result = await ToolBench.RunAsync(bench.Fetch, new { url = $"{server.Url}trip" });
        Assert.Equal($"[3] Kazan\nURL: {server.Url}trip\n\n# Three days\n\nSee the Kremlin.\n\nLinks:\n- Kremlin: {server.Url}kremlin", result.Text);
        Assert.True(result.Tainted);
        var citation = Assert.Single(result.Citations!);
        Assert.Equal(("3", "Kazan", $"{server.Url}trip"), (citation.Id, citation.Title, citation.Url));
        Assert.Null(result.Urls); // links of a page are not known URLs: a hostile page must not grant itself requests
    }

    [Fact]
    public async Task Long_pages_come_in_parts()
    {
        var text = string.Concat(Enumerable.Range(0, 4_000).Select(i => $"word{i} "));
        await using var server = await ServeAsync(text, "text/plain");
        using var bench = new ToolBench();
        var first = await ToolBench.RunAsync(bench.Fetch, new { url = server.Url.AbsoluteUri });
        Assert.Contains("call again with start=15000", first.Text, StringComparison.Ordinal);
        var second = await ToolBench.RunAsync(bench.Fetch, new { url = server.Url.AbsoluteUri, start = 15_000 });
        Assert.Contains(text.Substring(15_000, 100), second.Text, StringComparison.Ordinal);
        Assert.Contains("start must be smaller", (await ToolBench.FailAsync(bench.Fetch, new { url = server.Url.AbsoluteUri, start = 1_000_000 })).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("windows-1251", "text/html; charset=windows-1251")]
    [InlineData("koi8-r", "text/html; charset=\"koi8-r\"")]
    [InlineData("windows-1251", "text/html")]
    [InlineData("utf-16", "text/plain")]
    [InlineData("utf-8", "text/html; charset=no-such-charset")]
    public async Task Text_is_decoded_by_what_header_mark_or_page_say(string charset, string type)
    {
        Encoding.RegisterProvider(CodePagesEncodingProvider.Instance);
        var encoding = Encoding.GetEncoding(charset);
        var bytes = encoding.GetPreamble().Concat(encoding.GetBytes($"<html><head><meta charset={charset}></head><body><p>Привет, Казань</p></body></html>")).ToArray();
        await using var server = await LoopbackServer.StartAsync(context =>
        {
            context.Response.ContentType = type;
            return context.Response.Body.WriteAsync(bytes).AsTask();
        });
        using var bench = new ToolBench();
        Assert.Contains("Привет, Казань", (await ToolBench.RunAsync(bench.Fetch, new { url = server.Url.AbsoluteUri })).Text, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("application/pdf", 200, "application/pdf, which is not read")]
    [InlineData("image/png", 200, "image/png, which is not read")]
    [InlineData("text/html", 404, "answered 404")]
    public async Task What_cannot_be_read_is_told(string type, int status, string expected)
    {
        await using var server = await ServeAsync("x", type, status);
        using var bench = new ToolBench();
        Assert.Contains(expected, (await ToolBench.FailAsync(bench.Fetch, new { url = server.Url.AbsoluteUri })).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_refused_address_is_told_without_a_try()
    {
        using var bench = new ToolBench(new OutboundOptions());
        Assert.Contains("Outbound:Allow", (await ToolBench.FailAsync(bench.Fetch, new { url = "http://169.254.169.254/" })).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Only_urls_that_the_user_or_a_search_gave_are_exempt_from_approval()
    {
        using var bench = new ToolBench();
        var known = KnownUrls.FromText("read https://example.org/a?b=1");
        Assert.Equal(ApprovalRule.WhenTainted, bench.Fetch.ApprovalOf(ToolBench.Json(new { url = "https://example.org" })));
        Assert.True(bench.Fetch.IsExempt(ToolBench.Json(new { url = "https://example.org/a?b=1", start = 10 }), known));
        Assert.False(bench.Fetch.IsExempt(ToolBench.Json(new { url = "https://example.org/a?b=1&leak=secret" }), known));
        Assert.Equal("https://example.org:443", bench.Fetch.TargetOrigin(ToolBench.Json(new { url = "https://EXAMPLE.org/a" })));
    }

    [Fact]
    public async Task A_reading_call_is_tried_three_times()
    {
        var calls = 0;
        await using var server = await LoopbackServer.StartAsync(context =>
        {
            context.Response.StatusCode = ++calls < 3 ? 503 : 200;
            context.Response.ContentType = "text/plain";
            return context.Response.WriteAsync("at last");
        });
        using var bench = new ToolBench();
        Assert.Contains("at last", (await ToolBench.RunAsync(bench.Fetch, new { url = server.Url.AbsoluteUri })).Text, StringComparison.Ordinal);
        Assert.Equal(3, calls);
    }

    [Fact]
    public async Task A_server_that_asks_for_more_patience_than_we_have_is_left_alone()
    {
        await using var server = await LoopbackServer.StartAsync(context =>
        {
            context.Response.StatusCode = 429;
            context.Response.Headers.RetryAfter = "3600";
            return Task.CompletedTask;
        });
        using var bench = new ToolBench();
        await ToolBench.FailAsync(bench.Fetch, new { url = server.Url.AbsoluteUri });
        Assert.Single(server.Requests);
    }

    // ---- web_search ----

    private static ToolBench SearchBench(string kind, Uri url, bool trusted = false) =>
        new(tools: new ToolsOptions { Search = new SearchOptions { Kind = kind, BaseUrl = url, ApiKey = "key-1", Trusted = trusted } });

    [Fact]
    public async Task SearXNG_is_asked_and_its_urls_become_known()
    {
        await using var server = await ServeAsync("""
            {"query":"q","results":[
              {"title":"<b>One</b> &amp; only","url":"https://one.example/a?b=c","content":"First\n  snippet","publishedDate":"2026-01-02"},
              {"title":"Script","url":"javascript:alert(1)","content":"x"},
              {"title":"Two","url":"https://two.example/","content":"Second"}]}
            """, "application/json");
        using var bench = SearchBench("searxng", server.Url);
        var result = await ToolBench.RunAsync(bench.Search, new { query = "Казань & budget", language = "ru" });
        Assert.Equal("[3.1] One & only\nhttps://one.example/a?b=c\n(2026-01-02) First snippet\n\n[3.2] Two\nhttps://two.example/\nSecond", result.Text);
        Assert.Equal(["https://one.example/a?b=c", "https://two.example/"], result.Urls);
        Assert.True(result.Tainted);
        Assert.Equal(["3.1", "3.2"], result.Citations!.Select(c => c.Id));
        var request = server.Requests.Single();
        Assert.Equal("/search?q=%D0%9A%D0%B0%D0%B7%D0%B0%D0%BD%D1%8C%20%26%20budget&format=json&language=ru", request.Path);
        Assert.Equal("Bearer key-1", request.Headers.Authorization);
    }

    [Fact]
    public async Task A_hit_whose_text_is_no_Unicode_is_left_out_and_the_others_are_told()
    {
        await using var server = await ServeAsync("""{"results":[{"title":"Half","url":"https://half.example/","content":"cut in an emoji \ud83d"},{"title":"Two","url":"https://two.example/","content":"Second"}]}""", "application/json");
        using var bench = SearchBench("searxng", server.Url);
        Assert.Equal("[3.1] Two\nhttps://two.example/\nSecond", (await ToolBench.RunAsync(bench.Search, new { query = "emoji" })).Text);
    }

    [Fact]
    public async Task Brave_is_asked_with_its_key()
    {
        await using var server = await ServeAsync("""{"web":{"results":[{"title":"T","url":"https://t.example/","description":"<strong>D</strong>","age":"2 days ago"}]}}""", "application/json");
        using var bench = SearchBench("brave", server.Url);
        var result = await ToolBench.RunAsync(bench.Search, new { query = "x", count = 3 });
        Assert.Equal("[3.1] T\nhttps://t.example/\n(2 days ago) D", result.Text);
        Assert.Equal("/res/v1/web/search?q=x&count=3", server.Requests.Single().Path);
        Assert.Equal("key-1", server.Requests.Single().Headers["X-Subscription-Token"]);
        Assert.Equal("Tools:Search:ApiKey", bench.Search.CredentialReference(default));
    }

    [Theory]
    [InlineData("{\"results\":[]}", 200, null)]
    [InlineData("<html>", 200, "formats")]
    [InlineData("{}", 403, "key is missing")]
    [InlineData("{}", 302, "redirects elsewhere")]
    [InlineData("{}", 500, "answered 500")]
    public async Task A_search_without_results_is_told(string body, int status, string? error)
    {
        await using var server = await ServeAsync(body, "application/json", status);
        using var bench = SearchBench("searxng", server.Url);
        if (error is null)
        {
            Assert.Contains("No results", (await ToolBench.RunAsync(bench.Search, new { query = "x" })).Text, StringComparison.Ordinal);
        }
        else
        {
            Assert.Contains(error, (await ToolBench.FailAsync(bench.Search, new { query = "x" })).Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task Without_a_search_engine_the_tool_says_what_to_set()
    {
        using var bench = new ToolBench();
        Assert.False(bench.Search.IsConfigured);
        Assert.Contains("Tools:Search:Kind", bench.Search.NotConfigured, StringComparison.Ordinal);
        Assert.Contains("Tools:Search:Kind", (await ToolBench.FailAsync(bench.Search, new { query = "x" })).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_tainted_run_may_search_without_approval_only_where_the_operator_trusts_the_engine(bool trusted)
    {
        using var bench = SearchBench("searxng", new Uri("https://search.example"), trusted);
        Assert.Equal(trusted, bench.Search.IsExempt(ToolBench.Json(new { query = "x" }), new KnownUrls()));
    }
}
