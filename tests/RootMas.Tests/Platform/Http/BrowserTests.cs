using System.Net;
using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Microsoft.Playwright;
using RootMas.Tests.Support;

namespace RootMas.Tests.Platform.Http;

/// <summary>A test that needs Debian's Chromium.</summary>
public sealed class ChromiumFactAttribute : FactAttribute
{
    public const string Path = "/usr/bin/chromium";

    public ChromiumFactAttribute() => base.Skip = File.Exists(Path) ? null : "chromium is not installed";
}

/// <summary>What pages can do with a signed-in browser: ours everything, those of others nothing. In a real Chromium, because only a browser knows what browsers do.</summary>
public sealed class BrowserTests : IAsyncLifetime
{
    private const string Password = "correct horse battery 7";
    private TestApp _app = null!;
    private LoopbackServer _foreign = null!;
    private IPlaywright _playwright = null!;
    private IBrowser _browser = null!;

    public async Task InitializeAsync()
    {
        if (!File.Exists(ChromiumFactAttribute.Path))
        {
            return;
        }

        _app = await TestApp.StartAsync();
        _foreign = await LoopbackServer.StartAsync(static async context =>
        {
            context.Response.ContentType = "text/html";
            await context.Response.WriteAsync("<!DOCTYPE html><title>foreign</title><form id=f method=post enctype=text/plain><input name=title value=x></form>");
        });
        _playwright = await PlaywrightStart.CreateAsync();
        _browser = await _playwright.Chromium.LaunchAsync(new BrowserTypeLaunchOptions
        {
            ExecutablePath = ChromiumFactAttribute.Path,
            Headless = true,
            Timeout = 120_000,
            Args = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
        });
    }

    public async Task DisposeAsync()
    {
        if (_browser is null)
        {
            return;
        }

        await _browser.DisposeAsync();
        _playwright.Dispose();
        await _foreign.DisposeAsync();
        await _app.DisposeAsync();
    }

    [ChromiumFact]
    public async Task Our_own_page_works_with_the_cookie_and_under_its_policy()
    {
        var page = await SignedInPageAsync();
        List<string> errors = [];
        page.Console += (_, message) => errors.AddRange(message.Type == "error" ? [message.Text] : Array.Empty<string>());
        var answer = await page.GotoAsync(new Uri(_app.Url, "/docs").ToString());
        Assert.Equal(200, answer!.Status);
        await page.WaitForSelectorAsync(".swagger-ui .opblock");
        Assert.DoesNotContain(errors, static e => e.Contains("Content Security Policy", StringComparison.Ordinal) && !e.Contains("style", StringComparison.Ordinal));
        Assert.Equal("200", await FetchAsync(page, "/api/v1/auth/me", "{ credentials: 'include' }"));
        Assert.Equal("403", await FetchAsync(page, "/api/v1/conversations", Post("")));
        Assert.Equal("201", await FetchAsync(page, "/api/v1/conversations", Post("'X-RootMas-Csrf': '1',")));
        Assert.Equal("message:pong", await SocketAsync(page));
    }

    [ChromiumFact]
    public async Task Without_a_login_the_page_of_the_api_is_not_shown()
    {
        var page = await _browser.NewPageAsync();
        Assert.Equal(401, (await page.GotoAsync(new Uri(_app.Url, "/docs").ToString()))!.Status);
    }

    [ChromiumFact]
    public async Task A_page_of_another_site_can_do_nothing() => await AttackAsync($"http://localhost:{_foreign.Url.Port}/");

    [ChromiumFact]
    public async Task A_link_on_another_site_opens_the_web_app_and_nothing_of_the_api()
    {
        var signedIn = await SignedInPageAsync();
        var target = _app.Url.ToString().TrimEnd('/');
        foreach (var (path, status) in ((string, int)[])[("/", 200), ("/api/v1/auth/me", 403)])
        {
            var page = await signedIn.Context.NewPageAsync();
            await page.GotoAsync($"http://localhost:{_foreign.Url.Port}/");
            var opened = page.WaitForResponseAsync(r => r.Url == target + path);
            await page.EvaluateAsync("url => { const a = document.createElement('a'); a.href = url; document.body.append(a); a.click(); }", target + path);
            Assert.Equal(status, (await opened).Status);
        }
    }

    /// <summary>For a browser another port is the same site: the cookie is sent along, and only the server stands in between.</summary>
    [ChromiumFact]
    public async Task A_page_of_another_port_of_this_host_can_do_nothing() => await AttackAsync($"http://127.0.0.1:{_foreign.Url.Port}/");

    private async Task AttackAsync(string origin)
    {
        var page = await SignedInPageAsync();
        await page.GotoAsync(origin);
        var target = _app.Url.ToString().TrimEnd('/');
        var before = await ConversationsAsync();
        Assert.Equal("TypeError", await FetchAsync(page, target + "/api/v1/auth/me", "{ credentials: 'include' }"));
        Assert.Equal("TypeError", await FetchAsync(page, target + "/api/v1/conversations", Post("'X-RootMas-Csrf': '1',")));
        Assert.Equal("TypeError", await FetchAsync(page, target + "/api/v1/conversations", "{ credentials: 'include', method: 'POST', headers: { 'Content-Type': 'text/plain' }, body: '{\"title\":\"x\"}' }"));
        await FetchAsync(page, target + "/api/v1/conversations", "{ credentials: 'include', mode: 'no-cors', method: 'POST', body: '{\"title\":\"x\"}' }");
        Assert.Equal("error", await SocketAsync(page, target.Replace("http", "ws", StringComparison.Ordinal) + "/ws"));
        Assert.Equal("error", await page.EvaluateAsync<string>("url => new Promise(done => { const s = new EventSource(url, { withCredentials: true }); s.onerror = () => { s.close(); done('error'); }; s.onopen = () => done('open'); })",
            target + "/api/v1/runs/x/events"));
        var form = page.WaitForResponseAsync(r => r.Url.Contains("/api/v1/conversations", StringComparison.Ordinal) && r.Request.Method == "POST");
        await page.EvaluateAsync("url => { const f = document.getElementById('f'); f.action = url; f.submit(); }", target + "/api/v1/conversations");
        Assert.Equal(403, (await form).Status);
        Assert.Equal(before, await ConversationsAsync());
    }

    /// <summary>As many as the user has: what an attack would add to.</summary>
    private async Task<int> ConversationsAsync()
    {
        var tokens = await _app.PostJsonAsync("/api/v1/auth/login", new { username = "alice", password = Password });
        using var response = await _app.SendAsync(HttpMethod.Get, "/api/v1/conversations", null, ("Authorization", "Bearer " + tokens.GetProperty("access_token").GetString()));
        return JsonElement.Parse(await response.Content.ReadAsStringAsync()).GetProperty("items").GetArrayLength();
    }

    private async Task<IPage> SignedInPageAsync()
    {
        await _app.PostJsonAsync("/api/v1/users", new { username = "alice", role = "user", password = Password }, HttpStatusCode.Created);
        using var client = _app.NewClient(null);
        using var request = new HttpRequestMessage(HttpMethod.Post, "/api/v1/auth/login") { Content = System.Net.Http.Json.JsonContent.Create(new { username = "alice", password = Password }) };
        request.Headers.Add("X-RootMas-Csrf", "1");
        using var response = await client.SendAsync(request);
        var cookie = Assert.Single(response.Headers.GetValues("Set-Cookie")).Split(';')[0].Split('=', 2);
        var context = await _browser.NewContextAsync();
        await context.AddCookiesAsync([new Microsoft.Playwright.Cookie { Name = cookie[0], Value = cookie[1], Domain = "127.0.0.1", Path = "/", HttpOnly = true, SameSite = SameSiteAttribute.Strict }]);
        context.SetDefaultTimeout(120_000);
        return await context.NewPageAsync();
    }

    private static string Post(string headers) => $"{{ credentials: 'include', method: 'POST', headers: {{ {headers} 'Content-Type': 'application/json' }}, body: '{{\"title\":\"x\"}}' }}";

    /// <summary>The status, or the name of the error that a page sees when it may not know.</summary>
    private static Task<string> FetchAsync(IPage page, string url, string options) =>
        page.EvaluateAsync<string>($"url => fetch(url, {options}).then(r => String(r.status), e => e.name)", url);

    private static Task<string> SocketAsync(IPage page, string? url = null) => page.EvaluateAsync<string>(
        """
        url => new Promise(done => {
          const s = new WebSocket(url ?? `ws://${location.host}/ws`);
          s.onopen = () => s.send(JSON.stringify({ type: 'ping' }));
          s.onmessage = e => { s.close(); done('message:' + JSON.parse(e.data).type); };
          s.onerror = () => done('error');
        })
        """, url);
}
