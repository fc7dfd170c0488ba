using System.Net;
using System.Net.Http.Json;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using RootMas.Server.Platform.Http;
using RootMas.Server.Platform.Settings;
using RootMas.Tests.Support;

namespace RootMas.Tests.Platform.Http;

/// <summary>What pages of other origins may do, and what every answer forbids.</summary>
public sealed class EdgeTests
{
    private const string Allowed = "https://app.example.org";

    [Fact]
    public async Task A_preflight_of_an_allowed_origin_is_answered_for_exactly_that_origin()
    {
        await using var app = await StartAsync();
        using var response = await PreflightAsync(app, Allowed);
        Assert.Equal(HttpStatusCode.NoContent, response.StatusCode);
        Assert.Equal(Allowed, Header(response, "Access-Control-Allow-Origin"));
        Assert.Equal("true", Header(response, "Access-Control-Allow-Credentials"));
        Assert.Contains("PATCH", Header(response, "Access-Control-Allow-Methods"), StringComparison.Ordinal);
        foreach (var name in (string[])["Authorization", "Content-Type", "If-Match", "Idempotency-Key", "Last-Event-ID", "X-RootMas-Csrf"])
        {
            Assert.Contains(name, Header(response, "Access-Control-Allow-Headers"), StringComparison.Ordinal);
        }

        Assert.Contains("Origin", Header(response, "Vary"), StringComparison.Ordinal);
    }

    /// <summary>The official JavaScript client of OpenAI says in headers of its own what it is and what it tries.</summary>
    [Fact]
    public async Task An_allowed_page_may_send_the_headers_that_it_asks_for()
    {
        const string Stainless = "x-stainless-lang,x-stainless-package-version,x-stainless-retry-count,x-stainless-timeout";
        await using var app = await StartAsync();
        using var response = await PreflightAsync(app, Allowed, $"authorization,cache-control,content-type,{Stainless}");
        Assert.Equal(HttpStatusCode.NoContent, response.StatusCode);
        var allowed = Header(response, "Access-Control-Allow-Headers").Split(',', StringSplitOptions.TrimEntries);
        foreach (var name in (string[])["authorization", "cache-control", .. Stainless.Split(','), "Idempotency-Key"])
        {
            Assert.Contains(name, allowed);
        }

        Assert.Contains("Access-Control-Request-Headers", Header(response, "Vary"), StringComparison.Ordinal);
        Assert.Contains("Origin", Header(response, "Vary"), StringComparison.Ordinal);
        foreach (var odd in (string[])["*", "x-evil: 1", "x-evil;x", $"x-evil-{new string('x', 3_000)}"])
        {
            using var answer = await PreflightAsync(app, Allowed, odd);
            Assert.Equal((HttpStatusCode.NoContent, false), (answer.StatusCode, Header(answer, "Access-Control-Allow-Headers").Contains(odd, StringComparison.Ordinal)));
        }
    }

    [Theory]
    [InlineData("https://app.example.org:443", "https://app.example.org")]
    [InlineData("https://App.Example.ORG/", "https://app.example.org")]
    [InlineData("https://bücher.example:8443", "https://xn--bcher-kva.example:8443")]
    [InlineData("https://[2001:db8:0::1]", "https://[2001:db8::1]")]
    public async Task An_origin_is_allowed_however_it_is_written_in_the_settings(string written, string sent)
    {
        await using var app = await TestApp.StartAsync(o => o.Settings["Server:AllowedOrigins"] = written);
        using var response = await PreflightAsync(app, sent);
        Assert.Equal((HttpStatusCode.NoContent, sent), (response.StatusCode, Header(response, "Access-Control-Allow-Origin")));
        using var other = await PreflightAsync(app, $"{sent}0");
        await ProblemAssert.IsProblemAsync(other, 403, "foreign_origin");
    }

    /// <summary>Some proxies write the port of https into Host; a browser writes it into no Origin.</summary>
    [Theory]
    [InlineData("mas.test", "https://mas.test", true)]
    [InlineData("mas.test:443", "https://mas.test", true)]
    [InlineData("MAS.test:443", "https://mas.test", true)]
    [InlineData("mas.test:8443", "https://mas.test:8443", true)]
    [InlineData("mas.test:443", "http://mas.test", false)]
    [InlineData("mas.test:80", "https://mas.test", false)]
    [InlineData("mas.test:8443", "https://mas.test", false)]
    [InlineData("mas.test:443", "https://mas.test.evil.example", false)]
    [InlineData("mas.test:443", "https://mas.test:443/page", false)]
    public async Task Our_own_page_behind_a_proxy_is_known_with_and_without_the_port(string host, string origin, bool isOwn)
    {
        await using var app = await TestApp.StartAsync(static o =>
        {
            o.Settings["Server:AllowedHosts"] = "mas.test";
            o.Settings["Server:TrustedProxies"] = "127.0.0.1";
        });
        using var response = await app.SendAsync(HttpMethod.Get, "/health/live", null, ("Host", host), ("X-Forwarded-Proto", "https"), ("Origin", origin));
        Assert.Equal(isOwn ? HttpStatusCode.OK : HttpStatusCode.Forbidden, response.StatusCode);
    }

    [Theory]
    [InlineData("https://evil.example.org")]
    [InlineData("http://app.example.org")]
    [InlineData("https://app.example.org:8443")]
    [InlineData("https://app.example.org.evil.net")]
    [InlineData("null")]
    [InlineData("*")]
    public async Task Any_other_origin_is_refused_and_told_nothing(string origin)
    {
        await using var app = await StartAsync();
        using var preflight = await PreflightAsync(app, origin);
        await ProblemAssert.IsProblemAsync(preflight, 403, "foreign_origin");
        using var call = await app.SendAsync(HttpMethod.Get, "/health", null, ("Origin", origin));
        await ProblemAssert.IsProblemAsync(call, 403, "foreign_origin");
        Assert.False(preflight.Headers.Contains("Access-Control-Allow-Origin") || call.Headers.Contains("Access-Control-Allow-Origin"));
    }

    [Theory]
    [InlineData("GET", "/", "navigate", "document", true)]
    [InlineData("HEAD", "/", "navigate", "document", true)]
    [InlineData("GET", "/c/0198f2c4-7a13-7d10-8f00-6d1f5a2b6c70", "navigate", "document", true)]
    [InlineData("GET", "/nowhere", "navigate", "document", true)]
    [InlineData("GET", "/api/v1/runs", "navigate", "document", false)]
    [InlineData("GET", "/API/v1/runs", "navigate", "document", false)]
    [InlineData("GET", "/v1/models", "navigate", "document", false)]
    [InlineData("GET", "/docs", "navigate", "document", false)]
    [InlineData("GET", "/health", "navigate", "document", false)]
    [InlineData("POST", "/", "navigate", "document", false)]
    [InlineData("GET", "/", "navigate", "iframe", false)]
    [InlineData("GET", "/", "no-cors", "image", false)]
    [InlineData("GET", "/", "cors", "empty", false)]
    public async Task A_link_on_another_site_opens_pages_of_the_web_app_and_nothing_else(string method, string path, string mode, string destination, bool opens)
    {
        await using var app = await StartAsync();
        (string, string)[] link = [("Sec-Fetch-Site", "cross-site"), ("Sec-Fetch-Mode", mode), ("Sec-Fetch-Dest", destination)];
        using var response = await app.SendAsync(HttpMethod.Parse(method), path, null, link);
        Assert.Equal(opens, response.StatusCode != HttpStatusCode.Forbidden);
        using var posted = await app.SendAsync(HttpMethod.Parse(method), path, null, [.. link, ("Origin", "https://evil.example.org")]);
        Assert.Equal(HttpStatusCode.Forbidden, posted.StatusCode);
    }

    [Fact]
    public async Task An_allowed_page_may_read_the_answer_and_its_headers_also_of_a_refusal()
    {
        await using var app = await StartAsync();
        using var good = await app.SendAsync(HttpMethod.Get, "/api/v1/agents", null, ("Origin", Allowed), ("Sec-Fetch-Site", "cross-site"));
        using var bad = await app.SendAsync(HttpMethod.Get, "/api/v1/nothing", null, ("Origin", Allowed), ("Sec-Fetch-Site", "cross-site"));
        Assert.Equal((HttpStatusCode.OK, HttpStatusCode.NotFound), (good.StatusCode, bad.StatusCode));
        foreach (var response in (HttpResponseMessage[])[good, bad])
        {
            Assert.Equal(Allowed, Header(response, "Access-Control-Allow-Origin"));
            foreach (var name in (string[])["ETag", "Location", "Retry-After", "RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset", "X-Request-Id", "X-Process-Time", "X-Cache", "x-should-retry"])
            {
                Assert.Contains(name, Header(response, "Access-Control-Expose-Headers"), StringComparison.Ordinal);
            }
        }
    }

    [Fact]
    public async Task Without_an_origin_the_answer_still_varies_by_it()
    {
        await using var app = await StartAsync();
        using var response = await app.Client.GetAsync("/health");
        Assert.Contains("Origin", Header(response, "Vary"), StringComparison.Ordinal);
        Assert.False(response.Headers.Contains("Access-Control-Allow-Origin"));
    }

    [Theory]
    [InlineData("Development", 204)]
    [InlineData("Production", 403)]
    public async Task Pages_on_localhost_may_call_in_development_only(string environment, int status)
    {
        await using var app = await TestApp.StartAsync(o => o.Settings["Server:Environment"] = environment);
        using var response = await PreflightAsync(app, "http://localhost:5173");
        Assert.Equal(status, (int)response.StatusCode);
    }

    [Theory]
    [InlineData("/health", 200)]
    [InlineData("/api/v1/agents", 200)]
    [InlineData("/api/v1/nothing", 404)]
    [InlineData("/docs", 200)]
    [InlineData("/v1/models", 200)]
    [InlineData("/metrics", 200)]
    public async Task Every_answer_forbids_what_it_does_not_need(string path, int status)
    {
        await using var app = await TestApp.StartAsync();
        using var response = await app.Client.GetAsync(path);
        Assert.Equal(status, (int)response.StatusCode);
        var policy = Header(response, "Content-Security-Policy");
        Assert.Contains("default-src 'none'", policy, StringComparison.Ordinal);
        Assert.Contains("frame-ancestors 'none'", policy, StringComparison.Ordinal);
        Assert.DoesNotContain("script-src 'unsafe", policy, StringComparison.Ordinal);
        Assert.Equal(("nosniff", "DENY", "no-referrer", "same-origin", "same-origin"),
            (Header(response, "X-Content-Type-Options"), Header(response, "X-Frame-Options"), Header(response, "Referrer-Policy"), Header(response, "Cross-Origin-Opener-Policy"), Header(response, "Cross-Origin-Resource-Policy")));
        Assert.NotEqual("", Header(response, "Permissions-Policy"));
        Assert.False(response.Headers.Contains("Server") || response.Headers.Contains("X-Powered-By"));
        Assert.False(response.Headers.Contains("Strict-Transport-Security"), "plain http must not promise https");
    }

    [Fact]
    public async Task The_page_of_the_api_has_no_inline_script_and_its_parts_are_there()
    {
        await using var app = await TestApp.StartAsync();
        var page = await app.Client.GetStringAsync("/docs");
        Assert.DoesNotContain("<script>", page, StringComparison.Ordinal);
        foreach (var part in (string[])["/docs/swagger-ui.css", "/docs/swagger-ui-bundle.js", "/docs/start.js", "/openapi/v1.json"])
        {
            using var response = await app.Client.GetAsync(part);
            Assert.True(response.IsSuccessStatusCode, part);
        }
    }

    [Fact]
    public async Task Answers_for_one_caller_are_kept_by_nobody_else()
    {
        await using var app = await TestApp.StartAsync();
        using var ann = await app.AsAsync("ann");
        using var key = await ann.Client.PostAsJsonAsync("/api/v1/api-keys", new { name = "mine" });
        Assert.Equal(HttpStatusCode.Created, key.StatusCode);
        using var listed = await app.Client.GetAsync("/api/v1/api-keys");
        using var refused = await app.Client.GetAsync("/api/v1/runs?limit=0");
        using var metrics = await app.Client.GetAsync("/metrics");
        foreach (var answer in (HttpResponseMessage[])[key, listed, refused, metrics])
        {
            Assert.Equal("no-store", Header(answer, "Cache-Control"));
        }

        // What has a version may stay with its reader, who asks whether it still holds.
        using var agent = await app.Client.GetAsync("/api/v1/agents/communicator");
        Assert.NotNull(agent.Headers.ETag);
        Assert.True(agent.Headers.CacheControl is { Private: true, NoCache: true, NoStore: false });
        using var open = await app.Client.GetAsync("/openapi/v1.json");
        Assert.Null(open.Headers.CacheControl);
    }

    [Theory]
    [InlineData("GET", null, 308)]
    [InlineData("HEAD", null, 308)]
    [InlineData("GET", "Bearer x", 403)]
    [InlineData("POST", null, 403)]
    public async Task Plain_http_from_elsewhere_leads_to_https_and_does_nothing(string method, string? authorization, int status)
    {
        var policy = new HttpsPolicy(new ServerOptions { Urls = "http://0.0.0.0:8000;https://0.0.0.0:8443" });
        var context = Request(method, authorization, IPAddress.Parse("192.0.2.1"));
        Assert.True(await policy.AnswerAsync(context));
        Assert.Equal(status, context.Response.StatusCode);
        if (status == 308)
        {
            Assert.Equal("https://mas.example.org:8443/docs?a=1", context.Response.Headers.Location);
        }
    }

    [Fact]
    public async Task Plain_http_on_this_machine_stays()
    {
        var policy = new HttpsPolicy(new ServerOptions { Urls = "http://127.0.0.1:8000;https://0.0.0.0:8443" });
        Assert.False(await policy.AnswerAsync(Request("POST", null, IPAddress.Loopback)));
    }

    private static DefaultHttpContext Request(string method, string? authorization, IPAddress local)
    {
        var context = new DefaultHttpContext { RequestServices = new ServiceCollection().BuildServiceProvider() };
        context.Request.Method = method;
        context.Request.Scheme = "http";
        context.Request.Host = new HostString("mas.example.org", 8000);
        context.Request.Path = "/docs";
        context.Request.QueryString = new QueryString("?a=1");
        context.Connection.LocalIpAddress = local;
        if (authorization is not null)
        {
            context.Request.Headers.Authorization = authorization;
        }

        return context;
    }

    private static Task<TestApp> StartAsync() => TestApp.StartAsync(o => o.Settings["Server:AllowedOrigins"] = Allowed);

    private static Task<HttpResponseMessage> PreflightAsync(TestApp app, string origin, string headers = "authorization,content-type") =>
        app.SendAsync(HttpMethod.Options, "/api/v1/agents", null, ("Origin", origin), ("Access-Control-Request-Method", "POST"), ("Access-Control-Request-Headers", headers));

    private static string Header(HttpResponseMessage response, string name) => response.Headers.TryGetValues(name, out var values) ? string.Join(", ", values) : "";
}
