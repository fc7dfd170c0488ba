using System.Net;
using System.Net.Http.Json;
using System.Net.WebSockets;
using System.Text.Json;
using RootMas.Server.Identity.Access;
using RootMas.Server.Identity.Sessions;
using RootMas.Server.Platform.Data;
using RootMas.Tests.Support;

namespace RootMas.Tests.Identity;

public sealed class SessionOnSqliteTests() : SessionTests(DatabaseKind.Sqlite);

public sealed class SessionOnPostgresTests() : SessionTests(DatabaseKind.Postgres), IOnPostgres;

[Covers(typeof(SessionStore))]
public abstract class SessionTests(DatabaseKind kind) : OnDatabase(kind)
{
    [DatabaseFact]
    public async Task A_login_says_who_one_is_and_what_one_may()
    {
        await using var app = await TestApp.StartAsync();
        using var alice = await app.AsAsync("alice");
        var me = await alice.GetAsync("/api/v1/auth/me");
        Assert.Equal((alice.Id, "alice", "user"), (me.GetProperty("user").GetProperty("id").GetString(), me.GetProperty("user").GetProperty("username").GetString(), me.GetProperty("user").GetProperty("role").GetString()));
        Assert.Equal(Permissions.OfRole("user").Order(StringComparer.Ordinal), me.GetProperty("permissions").EnumerateArray().Select(p => p.GetString()!));
        Assert.Equal("access_token", me.GetProperty("credential").GetString());
        Assert.Equal("local", (await app.GetJsonAsync("/api/v1/auth/me")).GetProperty("credential").GetString());
    }

    [DatabaseFact]
    public async Task Without_a_credential_nobody_gets_in_also_on_loopback()
    {
        await using var app = await TestApp.StartAsync();
        using var nobody = app.NewClient(null);
        using var refused = await nobody.GetAsync("/api/v1/conversations");
        var problem = await TestUser.JsonAsync(refused, HttpStatusCode.Unauthorized);
        Assert.Equal("authentication_required", problem.GetProperty("code").GetString());
        Assert.Contains("setup-token", problem.GetProperty("detail").GetString(), StringComparison.Ordinal);
        Assert.Equal("Bearer", refused.Headers.WwwAuthenticate.ToString());

        await app.AddUserAsync("alice");
        problem = await TestUser.JsonAsync(await nobody.GetAsync("/api/v1/conversations"), HttpStatusCode.Unauthorized);
        Assert.DoesNotContain("setup-token", problem.GetProperty("detail").GetString(), StringComparison.Ordinal);
        Assert.Equal(HttpStatusCode.OK, (await nobody.GetAsync("/health")).StatusCode);
    }

    [DatabaseFact]
    public async Task The_token_of_the_data_directory_is_not_taken_through_a_proxy()
    {
        await using var app = await TestApp.StartAsync();
        Assert.Equal(HttpStatusCode.OK, (await app.SendAsync(HttpMethod.Get, "/api/v1/auth/me")).StatusCode);
        foreach (var (header, value) in ((string, string)[])
        [
            ("X-Forwarded-For", "127.0.0.1"),
            ("Forwarded", "for=192.0.2.1"),
            ("X-Real-IP", "192.0.2.1"),
            ("Via", "1.1 proxy"),
        ])
        {
            using var refused = await app.SendAsync(HttpMethod.Get, "/api/v1/auth/me", null, (header, value));
            Assert.True(refused.StatusCode is HttpStatusCode.Forbidden or HttpStatusCode.Unauthorized, $"{header}: {refused.StatusCode}");
        }
    }

    [DatabaseFact]
    public async Task The_token_of_the_data_directory_changes_with_each_start_and_only_its_owner_may_read_it()
    {
        using var data = new TempFolder();
        string old;
        await using (var app = await TestApp.StartAsync(o => o.Data = data.Path))
        {
            old = app.LocalToken;
            Assert.Equal(FileModes.Private, FileModes.Of(Path.Combine(data.Path, "local-token")));
            await app.GetJsonAsync("/api/v1/auth/me");
            await app.GetJsonAsync("/api/v1/auth/me");
            Assert.Single(await app.AuditAsync(), r => r.Action == "auth.local");
        }

        await using var again = await TestApp.StartAsync(o => o.Data = data.Path);
        Assert.NotEqual(old, again.LocalToken);
        using var client = again.NewClient(old);
        Assert.Equal(HttpStatusCode.Unauthorized, (await client.GetAsync("/api/v1/auth/me")).StatusCode);
    }

    [DatabaseFact]
    public async Task Sessions_are_listed_and_ended_by_those_they_belong_to()
    {
        await using var app = await TestApp.StartAsync();
        using var alice = await app.AsAsync("alice");
        using var phone = await app.LogInAsync("alice", TestUsers.Password);
        using var bob = await app.AsAsync("bob");
        var sessions = (await alice.GetAsync("/api/v1/auth/sessions")).GetProperty("items").EnumerateArray().ToList();
        Assert.Equal(2, sessions.Count);
        var current = Assert.Single(sessions, s => s.GetProperty("is_current").GetBoolean()).GetProperty("id").GetString();
        var other = Assert.Single(sessions, s => !s.GetProperty("is_current").GetBoolean()).GetProperty("id").GetString();

        Assert.Equal(HttpStatusCode.NotFound, (await bob.Client.DeleteAsync($"/api/v1/auth/sessions/{other}")).StatusCode);
        Assert.Equal(HttpStatusCode.NoContent, (await alice.Client.DeleteAsync($"/api/v1/auth/sessions/{other}")).StatusCode);
        Assert.Equal(HttpStatusCode.NotFound, (await alice.Client.DeleteAsync($"/api/v1/auth/sessions/{other}")).StatusCode);
        await phone.GetAsync("/api/v1/auth/me", HttpStatusCode.Unauthorized);
        await alice.GetAsync("/api/v1/auth/me");

        Assert.Equal("revoked", (await alice.PostAsync("/api/v1/auth/logout", new { })).GetProperty("status").GetString());
        await alice.GetAsync("/api/v1/auth/me", HttpStatusCode.Unauthorized);
        Assert.Equal(HttpStatusCode.Unauthorized, (await RefreshTests.RefreshAsync(app, alice.RefreshToken)).Status);
        await bob.GetAsync("/api/v1/auth/me");
        Assert.Equal([current], (await app.AuditAsync()).Where(r => r.Action == "auth.logout").Select(r => r.Target));
    }

    [DatabaseFact]
    public async Task All_other_sessions_of_ones_own_are_ended_at_once_and_each_can_be_read_by_its_id()
    {
        await using var app = await TestApp.StartAsync();
        using var alice = await app.AsAsync("alice");
        using var phone = await app.LogInAsync("alice", TestUsers.Password);
        using var tablet = await app.LogInAsync("alice", TestUsers.Password);
        using var bob = await app.AsAsync("bob");
        var listed = (await alice.GetAsync("/api/v1/auth/sessions")).GetProperty("items").EnumerateArray().ToList();
        Assert.Equal(3, listed.Count);
        foreach (var session in listed)
        {
            var path = $"/api/v1/auth/sessions/{session.GetProperty("id").GetString()}";
            var read = await alice.GetAsync(path);
            foreach (var member in (string[])["id", "kind", "created_at", "expires_at", "is_current"])
            {
                Assert.Equal(session.GetProperty(member).GetRawText(), read.GetProperty(member).GetRawText());
            }

            Assert.Equal("session_not_found", (await bob.GetAsync(path, HttpStatusCode.NotFound)).GetProperty("code").GetString());
        }

        var listens = await EndedAsync(app, phone);
        using var ended = await alice.Client.DeleteAsync("/api/v1/auth/sessions");
        Assert.Equal(2, (await TestUser.JsonAsync(ended, HttpStatusCode.OK)).GetProperty("ended").GetInt32());
        Assert.True(listens.IsCancellationRequested);
        await phone.GetAsync("/api/v1/auth/me", HttpStatusCode.Unauthorized);
        await tablet.GetAsync("/api/v1/auth/me", HttpStatusCode.Unauthorized);
        await bob.GetAsync("/api/v1/auth/me");
        var left = Assert.Single((await alice.GetAsync("/api/v1/auth/sessions")).GetProperty("items").EnumerateArray());
        Assert.True(left.GetProperty("is_current").GetBoolean());
        foreach (var gone in listed.Select(static s => s.GetProperty("id").GetString()).Where(id => id != left.GetProperty("id").GetString()))
        {
            await alice.GetAsync($"/api/v1/auth/sessions/{gone}", HttpStatusCode.NotFound);
        }

        using var none = await alice.Client.DeleteAsync("/api/v1/auth/sessions");
        Assert.Equal(0, (await TestUser.JsonAsync(none, HttpStatusCode.OK)).GetProperty("ended").GetInt32());
        Assert.Equal([("alice", """{"sessions":2}"""), ("alice", """{"sessions":0}""")], (await app.AuditAsync()).Where(static r => r.Action == "auth.sessions_end").Select(static r => (r.Actor!, r.After!)));
    }

    [DatabaseFact]
    public async Task The_end_of_a_session_cancels_what_listens_to_it_and_no_other()
    {
        await using var app = await TestApp.StartAsync();
        using var alice = await app.AsAsync("alice");
        using var bob = await app.AsAsync("bob");
        await alice.GetAsync("/api/v1/auth/me");
        var (hers, his) = (await EndedAsync(app, alice), await EndedAsync(app, bob));
        Assert.False(hers.IsCancellationRequested);
        await alice.PostAsync("/api/v1/auth/logout", new { });
        Assert.True(hers.IsCancellationRequested);
        Assert.False(his.IsCancellationRequested);
    }

    [DatabaseFact]
    public async Task A_browser_gets_a_cookie_and_no_tokens()
    {
        await using var app = await TestApp.StartAsync();
        await app.AddUserAsync("alice");
        var (cookie, answer, header) = await BrowserAsync(app);
        Assert.Equal(["expires_in", "user"], answer.EnumerateObject().Select(p => p.Name).Order());
        Assert.Contains("httponly", header, StringComparison.OrdinalIgnoreCase);
        Assert.Contains("samesite=strict", header, StringComparison.OrdinalIgnoreCase);
        Assert.Contains("path=/", header, StringComparison.OrdinalIgnoreCase);
        using var nobody = app.NewClient(null);
        Assert.Equal(HttpStatusCode.OK, await SendAsync(nobody, HttpMethod.Get, "/api/v1/auth/me", cookie));

        // What is stored is a hash, and a cookie is not a token.
        Assert.DoesNotContain(cookie[(cookie.IndexOf('=', StringComparison.Ordinal) + 1)..], TestDatabaseDump.Of(app, "sessions"), StringComparison.Ordinal);
        using var bearer = app.NewClient(cookie[(cookie.IndexOf('=', StringComparison.Ordinal) + 1)..]);
        Assert.Equal(HttpStatusCode.Unauthorized, (await bearer.GetAsync("/api/v1/auth/me")).StatusCode);
    }

    [DatabaseFact]
    public async Task A_cookie_changes_something_only_with_the_header_that_other_sites_cannot_send()
    {
        await using var app = await TestApp.StartAsync();
        await app.AddUserAsync("alice");
        var (cookie, _, _) = await BrowserAsync(app);
        using var nobody = app.NewClient(null);
        Assert.Equal(HttpStatusCode.Forbidden, await SendAsync(nobody, HttpMethod.Post, "/api/v1/conversations", cookie));
        Assert.Equal(HttpStatusCode.Forbidden, await SendAsync(nobody, HttpMethod.Delete, "/api/v1/auth/sessions/x", cookie));
        Assert.Equal(HttpStatusCode.Forbidden, await SendAsync(nobody, HttpMethod.Post, "/api/v1/conversations", cookie, ("X-RootMas-Csrf", "0")));
        Assert.Equal(HttpStatusCode.Forbidden, await SendAsync(nobody, HttpMethod.Post, "/api/v1/conversations", cookie, ("X-RootMas-Csrf", "1"), ("Origin", "https://evil.example")));
        Assert.Equal(HttpStatusCode.Created, await SendAsync(nobody, HttpMethod.Post, "/api/v1/conversations", cookie, ("X-RootMas-Csrf", "1")));
        Assert.Equal(HttpStatusCode.OK, await SendAsync(nobody, HttpMethod.Post, "/api/v1/auth/logout", cookie, ("X-RootMas-Csrf", "1")));
        Assert.Equal(HttpStatusCode.Unauthorized, await SendAsync(nobody, HttpMethod.Get, "/api/v1/auth/me", cookie));
    }

    [DatabaseFact]
    public async Task Over_https_the_cookie_is_one_that_no_other_host_can_plant()
    {
        await using var app = await TestApp.StartAsync(o => o.Settings["Server:TrustedProxies:0"] = "127.0.0.1");
        await app.AddUserAsync("alice");
        var (cookie, _, header) = await BrowserAsync(app, ("X-Forwarded-Proto", "https"), ("X-Forwarded-For", "192.0.2.7"));
        Assert.StartsWith("__Host-", cookie, StringComparison.Ordinal);
        Assert.Contains("secure", header, StringComparison.OrdinalIgnoreCase);
        using var nobody = app.NewClient(null);
        Assert.Equal(HttpStatusCode.OK, await SendAsync(nobody, HttpMethod.Get, "/api/v1/auth/me", cookie, ("X-Forwarded-Proto", "https"), ("X-Forwarded-For", "192.0.2.7")));
        Assert.Equal(HttpStatusCode.Unauthorized, await SendAsync(nobody, HttpMethod.Get, "/api/v1/auth/me", cookie));
    }

    [DatabaseFact]
    public async Task A_socket_with_a_cookie_needs_the_origin_of_our_own_pages()
    {
        await using var app = await TestApp.StartAsync();
        await app.AddUserAsync("alice");
        var (cookie, _, _) = await BrowserAsync(app);
        foreach (var (origin, status) in ((string?, int)[])[(null, 403), ("https://evil.example", 403), ($"http://{app.Url.Authority}", 101)])
        {
            using var socket = new ClientWebSocket();
            socket.Options.CollectHttpResponseDetails = true;
            socket.Options.SetRequestHeader("Cookie", cookie);
            if (origin is not null)
            {
                socket.Options.SetRequestHeader("Origin", origin);
            }

            var connecting = socket.ConnectAsync(new Uri($"ws://{app.Url.Authority}/ws"), default);
            await (status == 101 ? connecting : Assert.ThrowsAsync<WebSocketException>(() => connecting));
            Assert.Equal(status, (int)socket.HttpStatusCode);
        }
    }

    [DatabaseFact]
    public async Task An_authorization_that_is_none_of_ours_is_refused_where_one_is_needed_and_ignored_elsewhere()
    {
        await using var app = await TestApp.StartAsync();
        foreach (var header in (string[])
        [
            "Basic YWxpY2U6eA==",
            "Bearer",
            "Bearer ",
            "bearer rml_x",
            "rml_x",
            "Bearer rmk_x",
        ])
        {
            using var nobody = app.NewClient(null);
            nobody.DefaultRequestHeaders.TryAddWithoutValidation("Authorization", header);
            Assert.Equal((header, HttpStatusCode.Unauthorized), (header, (await nobody.GetAsync("/api/v1/auth/me")).StatusCode));
            Assert.Equal((header, HttpStatusCode.OK), (header, (await nobody.GetAsync("/health")).StatusCode));
        }
    }

    [DatabaseFact]
    public void Callers_that_are_remembered_are_bounded_and_forgotten_when_over()
    {
        var clock = new ManualTimeProvider();
        var cache = new CallerCache(clock, static () => true);
        using var end = new CancellationTokenSource();
        var caller = new Caller { UserId = "u", Username = "u", Role = "user", Permissions = Permissions.OfRole("user"), Credential = CredentialKind.AccessToken, Ended = end.Token };
        var key = CallerKey.Of('b', "x");
        cache.Keep(key, caller, clock.GetUtcNow().AddSeconds(10), cache.Generation);
        Assert.Same(caller, cache.Find(key));
        Assert.Null(cache.Find(CallerKey.Of('c', "x")));
        clock.Advance(TimeSpan.FromSeconds(10));
        Assert.Null(cache.Find(key));

        cache.Keep(key, caller, clock.GetUtcNow().AddDays(1), cache.Generation);
        clock.Advance(TimeSpan.FromSeconds(59));
        Assert.NotNull(cache.Find(key));
        end.Cancel();
        Assert.Null(cache.Find(key));

        for (var i = 0; i < 3 * CallerCache.Capacity; i++)
        {
            cache.Keep(CallerKey.Of('b', $"{i}"), caller with { Ended = default }, clock.GetUtcNow().AddDays(1), cache.Generation);
            Assert.InRange(cache.Count, 0, CallerCache.Capacity);
        }
    }

    private static async Task<CancellationToken> EndedAsync(TestApp app, TestUser user)
    {
        var id = (await user.GetAsync("/api/v1/auth/me")).GetProperty("session_id").GetString()!;
        return app.Get<LiveSessions>().Token(user.Id, id);
    }

    internal static async Task<(string Cookie, JsonElement Answer, string Header)> BrowserAsync(TestApp app, params (string Name, string Value)[] headers)
    {
        using var nobody = app.NewClient(null);
        using var request = new HttpRequestMessage(HttpMethod.Post, "/api/v1/auth/login") { Content = JsonContent.Create(new { username = "alice", password = TestUsers.Password }) };
        request.Headers.Add("X-RootMas-Csrf", "1");
        foreach (var (name, value) in headers)
        {
            request.Headers.Add(name, value);
        }

        using var response = await nobody.SendAsync(request);
        var header = Assert.Single(response.Headers.GetValues("Set-Cookie"));
        return (header[..header.IndexOf(';', StringComparison.Ordinal)], JsonElement.Parse(await response.Content.ReadAsStringAsync()), header);
    }

    internal static async Task<HttpStatusCode> SendAsync(HttpClient client, HttpMethod method, string path, string cookie, params (string Name, string Value)[] headers)
    {
        using var request = new HttpRequestMessage(method, path);
        if (method == HttpMethod.Post)
        {
            request.Content = JsonContent.Create(new { });
        }

        request.Headers.Add("Cookie", cookie);
        foreach (var (name, value) in headers)
        {
            request.Headers.Add(name, value);
        }

        using var response = await client.SendAsync(request);
        return response.StatusCode;
    }
}
