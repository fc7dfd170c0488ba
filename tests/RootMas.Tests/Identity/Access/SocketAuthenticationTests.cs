using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using RootMas.Tests.Support;

namespace RootMas.Tests.Identity.Access;

public sealed class SocketAuthenticationTests
{
    [Theory]
    [InlineData("/ws")]
    [InlineData("/ws/visualization")]
    public async Task The_first_frame_may_say_who_it_is_and_a_later_one_the_same(string path)
    {
        await using var app = await TestApp.StartAsync(static o => o.Clock = new ManualTimeProvider()); // a socket that says nothing yet is closed after five seconds
        using var ann = await app.AsAsync("ann");
        using var bob = await app.AsAsync("bob");
        using var socket = await TestSocket.ConnectAsync(app, path);
        await socket.SendAsync(new { type = "auth", token = ann.AccessToken });
        Assert.Equal(ann.Id, (await socket.UntilAsync("authenticated")).GetProperty("user_id").GetString());
        using var again = await app.LogInAsync("ann", TestUsers.Password);
        await socket.SendAsync(new { type = "auth", token = again.AccessToken });
        Assert.Equal(ann.Id, (await socket.UntilAsync("authenticated")).GetProperty("user_id").GetString());
        await socket.SendAsync(new { type = "auth", token = bob.AccessToken });
        Assert.Equal("other_user", await socket.ProblemAsync());
        await socket.SendAsync(new { type = "auth", token = "nonsense" });
        Assert.Equal("token_invalid", await socket.ProblemAsync());

        // The socket now lives and ends with the session that it named last.
        await ann.PostAsync("/api/v1/auth/logout", new { });
        await socket.SendAsync(new { type = "ping" });
        Assert.Equal("pong", (await socket.ReceiveAsync()).GetProperty("type").GetString());
        await again.PostAsync("/api/v1/auth/logout", new { });
        Assert.Equal(1008, await socket.ClosedAsync());
    }

    [Theory]
    [InlineData("""{"type":"ping"}""", "authentication_required")]
    [InlineData("""{"type":"message","message":"Hi"}""", "authentication_required")]
    [InlineData("""{"type":"auth","token":"nonsense"}""", "token_invalid")]
    [InlineData("""{"type":"auth"}""", "validation_failed")]
    [InlineData("""{"type":"auth","token":7}""", "validation_failed")]
    public async Task Whatever_else_comes_first_is_refused_and_the_socket_closed(string frame, string code)
    {
        await using var app = await TestApp.StartAsync(static o => o.Clock = new ManualTimeProvider());
        using var socket = await TestSocket.ConnectAsync(app);
        await socket.SendAsync(System.Text.Json.JsonElement.Parse(frame));
        Assert.Equal(code, await socket.ProblemAsync());
        Assert.Equal(1008, await socket.ClosedAsync());
        Assert.Equal(code == "token_invalid" ? 1 : 0, (await app.AuditAsync()).Count(static r => r.Action == "access.denied"));
    }

    [Fact]
    public async Task Who_says_nothing_is_closed_after_five_seconds()
    {
        var clock = new ManualTimeProvider();
        await using var app = await TestApp.StartAsync(o => o.Clock = clock);
        using var socket = await TestSocket.ConnectAsync(app);
        var closed = socket.ClosedAsync();
        while (!closed.IsCompleted)
        {
            // The timer begins when the server has taken the socket over, which is after the client knows of it.
            clock.Advance(TimeSpan.FromSeconds(5));
            await Task.WhenAny(closed, Task.Run(static () => Thread.Yield()));
        }

        Assert.Equal(1008, await closed);
    }

    [Fact]
    public async Task Bad_credentials_and_tokens_in_the_address_do_not_open_a_socket()
    {
        await using var app = await TestApp.StartAsync(static o => o.Clock = new ManualTimeProvider());
        using var ann = await app.AsAsync("ann");
        Assert.Equal(401, await SocketRefused.OfAsync(() => TestSocket.ConnectAsync(app, "/ws", ("Authorization", "Bearer nonsense"))));
        using var socket = await TestSocket.ConnectAsync(app, $"/ws?access_token={ann.AccessToken}&token={ann.AccessToken}");
        await socket.SendAsync(new { type = "ping" });
        Assert.Equal("authentication_required", await socket.ProblemAsync());
    }

    [Fact]
    public async Task A_cookie_opens_a_socket_from_the_servers_own_pages_only()
    {
        await using var app = await TestApp.StartAsync(static o => o.Settings["Server:AllowedOrigins"] = "https://friend.example");
        await app.AddUserAsync("ann");
        using var browser = app.NewClient(null);
        browser.DefaultRequestHeaders.Add("X-RootMas-Csrf", "1");
        using var login = await browser.PostAsJsonAsync("/api/v1/auth/login", new { username = "ann", password = TestUsers.Password });
        Assert.Equal(HttpStatusCode.OK, login.StatusCode);
        var cookie = Assert.Single(login.Headers.GetValues("Set-Cookie")).Split(';')[0];
        using var own = await TestSocket.ConnectAsync(app, "/ws", ("Cookie", cookie), ("Origin", $"http://{app.Url.Authority}"));
        await own.SendAsync(new { type = "ping" });
        Assert.Equal("pong", (await own.ReceiveAsync()).GetProperty("type").GetString());
        foreach (var origin in (string[])["https://evil.example", "https://friend.example", "null", "http://127.0.0.1:1"])
        {
            Assert.Equal(403, await SocketRefused.OfAsync(() => TestSocket.ConnectAsync(app, "/ws", ("Cookie", cookie), ("Origin", origin))));
        }

        Assert.Equal(403, await SocketRefused.OfAsync(() => TestSocket.ConnectAsync(app, "/ws", ("Cookie", cookie))));
    }

    [Fact]
    public async Task A_page_behind_a_proxy_that_writes_the_port_of_https_into_host_is_the_servers_own()
    {
        await using var app = await TestApp.StartAsync(static o =>
        {
            o.Settings["Server:AllowedHosts"] = "mas.test";
            o.Settings["Server:TrustedProxies"] = "127.0.0.1";
        });
        await app.AddUserAsync("ann");
        (string, string)[] proxied = [("Host", "mas.test:443"), ("X-Forwarded-Proto", "https"), ("Origin", "https://mas.test")];
        using var login = await app.SendAsync(
            HttpMethod.Post, "/api/v1/auth/login", JsonSerializer.Serialize(new { username = "ann", password = TestUsers.Password }), [.. proxied, ("X-RootMas-Csrf", "1")]);
        Assert.Equal(HttpStatusCode.OK, login.StatusCode);
        using var own = await TestSocket.ConnectAsync(app, "/ws", [.. proxied, ("Cookie", Assert.Single(login.Headers.GetValues("Set-Cookie")).Split(';')[0])]);
        await own.SendAsync(new { type = "ping" });
        Assert.Equal("pong", (await own.ReceiveAsync()).GetProperty("type").GetString());
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_wrong_token_costs_its_address_ten_requests_in_a_frame_too(bool isKnown)
    {
        await using var app = await TestApp.StartAsync(o => (o.Clock, o.Settings["Limits:Address"]) = (new ManualTimeProvider(), "10/1h"));
        using var nobody = app.NewClient(null);
        (string, string)[] credential = isKnown ? [("Authorization", $"Bearer {app.LocalToken}")] : [];
        using var socket = await TestSocket.ConnectAsync(app, "/ws", credential);
        await socket.SendAsync(new { type = "auth", token = "nonsense" });
        Assert.Equal("token_invalid", await socket.ProblemAsync());

        // By HTTP it would be ten of ten; whoever came with a credential had no upgrade counted, so one is left.
        using var last = await nobody.GetAsync("/api/v1/runs");
        using var refused = isKnown ? await nobody.GetAsync("/api/v1/runs") : last;
        await ProblemAssert.IsProblemAsync(refused, 429, "rate_limited");
    }
}
