using System.IO.Compression;
using System.Net;
using System.Text;
using RootMas.Tests.Support;

namespace RootMas.Tests.Web;

/// <summary>How the server serves the web app, seen from outside. The app is a stand-in here, so that Node is not needed.</summary>
public sealed class WebPagesTests : IAsyncLifetime
{
    private const string Html = "<!doctype html><title>app</title><script src=\"/assets/index-1a2b.js\"></script>";
    private const string Script = "console.log('the script, long enough to be worth a copy that is compressed')";
    private readonly TempFolder _folder = new();
    private TestApp _app = null!;
    private HttpClient _nobody = null!;

    public async Task InitializeAsync()
    {
        Build(_folder.Path, Html);
        _app = await TestApp.StartAsync(o => o.Web = _folder.Path);
        _nobody = _app.NewClient(null);
    }

    public async Task DisposeAsync()
    {
        _nobody.Dispose();
        await _app.DisposeAsync();
        _folder.Dispose();
    }

    [Theory]
    [InlineData("/")]
    [InlineData("/c/some-conversation")]
    [InlineData("/runs")]
    [InlineData("/runs/some-run")]
    [InlineData("/team")]
    [InlineData("/team/agents/meta")]
    [InlineData("/approvals")]
    [InlineData("/dashboard")]
    [InlineData("/admin")]
    [InlineData("/admin/users")]
    [InlineData("/profile")]
    [InlineData("/profile/memory")]
    public async Task Each_address_of_the_app_answers_with_its_page_and_its_policy(string path)
    {
        using var response = await GetAsync(path);
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Equal("text/html; charset=utf-8", response.Content.Headers.ContentType!.ToString());
        Assert.Equal(Html, await response.Content.ReadAsStringAsync());
        Assert.Equal("no-cache", response.Headers.CacheControl!.ToString());
        var policy = Assert.Single(response.Headers.GetValues("Content-Security-Policy"));
        Assert.All(["default-src 'none'", "script-src 'self'", "img-src 'self' data: blob:", "connect-src 'self'", "frame-ancestors 'none'", "base-uri 'none'"], part => Assert.Contains(part, policy, StringComparison.Ordinal));
        Assert.DoesNotContain("unsafe-eval", policy, StringComparison.Ordinal);
        Assert.DoesNotContain("script-src 'self' 'unsafe-inline'", policy, StringComparison.Ordinal);
        Assert.Equal("nosniff", Assert.Single(response.Headers.GetValues("X-Content-Type-Options")));
    }

    [Theory]
    [InlineData("/api")]
    [InlineData("/api/v1/nothing")]
    [InlineData("/v1/nothing")]
    [InlineData("/ws/nothing")]
    [InlineData("/health/nothing")]
    [InlineData("/docs/nothing")]
    [InlineData("/openapi/nothing")]
    [InlineData("/assets")]
    [InlineData("/assets/none.js")]
    [InlineData("/assets/index-1a2b.js.br")]
    [InlineData("/assets/..%2findex.html")]
    [InlineData("/assets/..%2f..%2fappsettings.json")]
    [InlineData("/assets/%2e%2e%2findex.html")]
    [InlineData("/assets/..%5cindex.html")]
    [InlineData("/assets/%2fetc%2fpasswd")]
    [InlineData("/assets/secret.txt")]
    public async Task Everything_else_is_a_problem_and_never_the_page(string path)
    {
        using var response = await GetAsync(path);
        Assert.True(response.StatusCode is HttpStatusCode.NotFound or HttpStatusCode.Unauthorized or HttpStatusCode.BadRequest, $"{path}: {(int)response.StatusCode}");
        var text = await response.Content.ReadAsStringAsync();
        Assert.DoesNotContain("<!doctype", text, StringComparison.OrdinalIgnoreCase);
        Assert.DoesNotContain("what nobody may see", text, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("/nothing")]
    [InlineData("/c/a/b")]
    [InlineData("/apinothing")]
    [InlineData("/index.html")]
    [InlineData("/index.html.br")]
    [InlineData("/assets/../index.html")]
    public async Task Browsers_get_the_page_where_there_is_nothing_and_clients_the_problem(string path)
    {
        foreach (var known in (string[])["\"other\"", "*"])
        {
            using var response = await GetAsync(path, ("If-None-Match", known));
            Assert.Equal(HttpStatusCode.NotFound, response.StatusCode);
            Assert.Equal(Html, await response.Content.ReadAsStringAsync());
            Assert.Equal("no-cache", response.Headers.CacheControl!.ToString());
            Assert.Contains("default-src 'none'", Assert.Single(response.Headers.GetValues("Content-Security-Policy")), StringComparison.Ordinal);
        }

        foreach (var accept in (string[])["*/*", "application/json"])
        {
            using var problem = await GetAsync(path, ("Accept", accept));
            Assert.Equal(HttpStatusCode.NotFound, problem.StatusCode);
            Assert.Equal("application/problem+json", problem.Content.Headers.ContentType!.MediaType);
        }

        using var posted = new HttpRequestMessage(HttpMethod.Post, _app.Url + path[1..]);
        posted.Headers.TryAddWithoutValidation("Accept", "text/html");
        using var refused = await _nobody.SendAsync(posted);
        Assert.Equal("application/problem+json", refused.Content.Headers.ContentType!.MediaType);
    }

    [Fact]
    public async Task Whoever_does_not_ask_for_html_gets_name_and_links_at_the_root()
    {
        using var response = await GetAsync("/", ("Accept", "application/json"));
        Assert.Equal("application/json", response.Content.Headers.ContentType!.MediaType);
        Assert.Contains("Accept", response.Headers.Vary);
    }

    [Theory]
    [InlineData("gzip, deflate, br", "br")]
    [InlineData("gzip", "gzip")]
    [InlineData("br;q=0, gzip;q=0.5", "gzip")]
    [InlineData("identity", null)]
    [InlineData("", null)]
    public async Task A_script_comes_as_the_best_copy_that_the_client_understands(string accepted, string? encoding)
    {
        using var response = await GetAsync("/assets/index-1a2b.js", ("Accept-Encoding", accepted));
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Equal("text/javascript; charset=utf-8", response.Content.Headers.ContentType!.ToString());
        Assert.Equal("public, max-age=31536000, immutable", string.Join(", ", response.Headers.GetValues("Cache-Control")));
        Assert.Equal(encoding is null ? [] : [encoding], response.Content.Headers.ContentEncoding);
        Assert.Contains("Accept-Encoding", response.Headers.Vary);
        var bytes = await response.Content.ReadAsByteArrayAsync();
        Assert.Equal(bytes.Length, response.Content.Headers.ContentLength);
        Assert.Equal(Script, Unpacked(bytes, encoding));
    }

    [Theory]
    [InlineData("{0}")]
    [InlineData("W/{0}")]
    [InlineData("\"other\", {0}")]
    [InlineData("*")]
    public async Task What_the_client_has_is_not_sent_again(string known)
    {
        using var first = await GetAsync("/runs");
        var etag = first.Headers.ETag!.Tag;
        using var again = await GetAsync("/runs", ("If-None-Match", string.Format(System.Globalization.CultureInfo.InvariantCulture, known, etag)));
        Assert.Equal(HttpStatusCode.NotModified, again.StatusCode);
        Assert.Equal(etag, again.Headers.ETag!.Tag);
        Assert.Contains("Content-Security-Policy", again.Headers.Select(static h => h.Key));
        using var other = await GetAsync("/runs", ("If-None-Match", "\"other\""));
        Assert.Equal(HttpStatusCode.OK, other.StatusCode);
    }

    [Fact]
    public async Task The_worker_may_ask_this_server_and_nobody_else()
    {
        using var response = await GetAsync("/sw.js");
        Assert.Equal("default-src 'none'; connect-src 'self'", Assert.Single(response.Headers.GetValues("Content-Security-Policy")));
        Assert.Equal("no-cache", response.Headers.CacheControl!.ToString());
    }

    [Fact]
    public async Task An_icon_is_a_picture()
    {
        using var response = await GetAsync("/icon-192.png");
        Assert.Equal("image/png", response.Content.Headers.ContentType!.ToString());
        Assert.Equal("no-cache", response.Headers.CacheControl!.ToString());
    }

    [Fact]
    public async Task Each_copy_has_a_tag_of_its_own()
    {
        using var packed = await GetAsync("/assets/index-1a2b.js", ("Accept-Encoding", "br"));
        using var plain = await GetAsync("/assets/index-1a2b.js");
        Assert.NotEqual(packed.Headers.ETag!.Tag, plain.Headers.ETag!.Tag);
    }

    [Fact]
    public async Task A_page_of_another_release_with_the_same_length_and_time_has_another_tag()
    {
        using var folder = new TempFolder();
        Build(folder.Path, Html.Replace("1a2b", "3c4d", StringComparison.Ordinal));
        File.SetLastWriteTimeUtc(Path.Combine(folder.Path, "index.html"), File.GetLastWriteTimeUtc(Path.Combine(_folder.Path, "index.html")));
        await using var upgraded = await TestApp.StartAsync(o => o.Web = folder.Path);
        using var before = await GetAsync("/runs");
        using var after = await upgraded.SendAsync(HttpMethod.Get, "/runs", null, ("If-None-Match", before.Headers.ETag!.Tag));
        Assert.Equal(HttpStatusCode.OK, after.StatusCode);
    }

    [Theory]
    [InlineData("/runs")]
    [InlineData("/assets/index-1a2b.js")]
    public async Task Head_tells_the_same_without_the_content(string path)
    {
        using var get = await GetAsync(path);
        using var request = new HttpRequestMessage(HttpMethod.Head, path);
        using var head = await _nobody.SendAsync(request);
        Assert.Equal(HttpStatusCode.OK, head.StatusCode);
        Assert.Equal(get.Headers.ETag, head.Headers.ETag);
        Assert.Equal(get.Content.Headers.ContentLength, head.Content.Headers.ContentLength);
        Assert.Empty(await head.Content.ReadAsByteArrayAsync());
    }

    [Fact]
    public async Task Pages_and_files_are_read_only()
    {
        using var posted = await _nobody.PostAsync("/runs", null);
        Assert.Equal(HttpStatusCode.MethodNotAllowed, posted.StatusCode);
    }

    [Fact]
    public async Task Without_a_built_app_there_is_no_page_and_the_answer_says_why()
    {
        using var empty = new TempFolder();
        await using var app = await TestApp.StartAsync(o => o.Web = Path.Combine(empty.Path, "none"));
        using var page = await app.SendAsync(HttpMethod.Get, "/runs", null, ("Accept", "text/html"));
        Assert.Equal(HttpStatusCode.NotFound, page.StatusCode);
        Assert.Contains("web app was not built", await page.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        using var root = await app.SendAsync(HttpMethod.Get, "/", null, ("Accept", "text/html"));
        Assert.Equal("application/json", root.Content.Headers.ContentType!.MediaType);
    }

    private static void Build(string folder, string html)
    {
        Directory.CreateDirectory(Path.Combine(folder, "assets"));
        File.WriteAllText(Path.Combine(folder, "index.html"), html);
        var script = Path.Combine(folder, "assets", "index-1a2b.js");
        File.WriteAllText(script, Script);
        using (var brotli = new BrotliStream(File.Create(script + ".br"), CompressionLevel.Optimal))
        {
            brotli.Write(Encoding.UTF8.GetBytes(Script));
        }

        using (var gzip = new GZipStream(File.Create(script + ".gz"), CompressionLevel.Optimal))
        {
            gzip.Write(Encoding.UTF8.GetBytes(Script));
        }

        File.WriteAllText(Path.Combine(folder, "sw.js"), "// worker");
        File.WriteAllText(Path.Combine(folder, "icon-192.png"), "a picture");
        File.WriteAllText(Path.Combine(folder, "assets", "secret.txt"), "what nobody may see");
    }

    private static string Unpacked(byte[] bytes, string? encoding)
    {
        using var stream = new MemoryStream(bytes);
        using Stream plain = encoding switch { "br" => new BrotliStream(stream, CompressionMode.Decompress), "gzip" => new GZipStream(stream, CompressionMode.Decompress), _ => stream };
        using var reader = new StreamReader(plain);
        return reader.ReadToEnd();
    }

    /// <summary>As nobody, with a browser's wish for a page.</summary>
    private async Task<HttpResponseMessage> GetAsync(string path, params (string Name, string Value)[] headers)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, new Uri(_app.Url + path[1..], new UriCreationOptions { DangerousDisablePathAndQueryCanonicalization = true }));
        if (!headers.Any(static h => h.Name == "Accept"))
        {
            request.Headers.TryAddWithoutValidation("Accept", "text/html,*/*;q=0.8");
        }

        foreach (var (name, value) in headers)
        {
            request.Headers.TryAddWithoutValidation(name, value);
        }

        return await _nobody.SendAsync(request);
    }
}
