using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using RootMas.Server.Platform.Settings;
using RootMas.Tests.Support;

namespace RootMas.Tests.Identity.Machines;

public sealed class ServiceTokensTests
{
    private const string Secret = "an admin secret of more than 32 bytes";
    private const string Route = "/api/v1/auth/token";

    [Fact]
    public async Task A_token_works_as_its_user_is_listed_and_ends_at_once()
    {
        await using var app = await StartAsync();
        using var ann = await app.AsAsync("ann");
        var made = await app.PostJsonAsync(Route, new { user_id = "ann", expires_minutes = 10 });
        Assert.Equal("bearer", made.GetProperty("token_type").GetString());
        using var service = app.NewClient(made.GetProperty("access_token").GetString());
        var me = await TestUser.JsonAsync(await service.GetAsync("/api/v1/auth/me"), HttpStatusCode.OK);
        Assert.Equal((ann.Id, "user", "service_token"), (me.GetProperty("user").GetProperty("id").GetString(), me.GetProperty("user").GetProperty("role").GetString(), me.GetProperty("credential").GetString()));

        var session = Assert.Single((await ann.GetAsync("/api/v1/auth/sessions")).GetProperty("items").EnumerateArray(), s => s.GetProperty("id").GetString() == made.GetProperty("session_id").GetString());
        using var ended = await ann.Client.DeleteAsync($"/api/v1/auth/sessions/{session.GetProperty("id").GetString()}");
        Assert.True(ended.IsSuccessStatusCode);
        Assert.Equal(HttpStatusCode.Unauthorized, (await service.GetAsync("/api/v1/auth/me")).StatusCode);
        Assert.Contains(await app.AuditAsync(), r => r is { Action: "auth.token", Outcome: "done" } && r.Target == ann.Id);
    }

    [Theory]
    [InlineData("ann", "admin", null, "role_not_allowed")]
    [InlineData("ann", "agent", null, "role_not_allowed")]
    [InlineData("ann", "user", "users:write", "scope_not_allowed")]
    [InlineData("ann", "readonly", "chat:write", "scope_not_allowed")]
    [InlineData("rex", "user", null, "role_not_allowed")]
    [InlineData("rex", null, "chat:write", "scope_not_allowed")]
    [InlineData("root", "admin", "content:read", "scope_not_allowed")]
    public async Task A_token_is_never_more_than_its_user(string user, string? role, string? scope, string code)
    {
        await using var app = await StartAsync();
        await app.AddUserAsync("ann");
        await app.AddUserAsync("rex", "readonly");
        await app.AddUserAsync("root", "admin");
        var refused = await app.PostJsonAsync(Route, new { user_id = user, role, scopes = scope is null ? Array.Empty<string>() : [scope] }, HttpStatusCode.Forbidden);
        Assert.Equal(code, refused.GetProperty("code").GetString());
    }

    [Fact]
    public async Task Without_a_role_it_is_a_user_or_what_its_user_is_if_that_is_less()
    {
        await using var app = await StartAsync();
        await app.AddUserAsync("rex", "readonly");
        await app.AddUserAsync("root", "admin");
        Assert.Equal("readonly", (await app.PostJsonAsync(Route, new { user_id = "rex" })).GetProperty("role").GetString());
        Assert.Equal("user", (await app.PostJsonAsync(Route, new { user_id = "root" })).GetProperty("role").GetString());
        using var scoped = app.NewClient((await app.PostJsonAsync(Route, new { user_id = "rex", scopes = new[] { "chat:read" } })).GetProperty("access_token").GetString());
        Assert.Equal(HttpStatusCode.OK, (await scoped.GetAsync("/api/v1/runs")).StatusCode);
        Assert.Equal(HttpStatusCode.Forbidden, (await scoped.GetAsync("/api/v1/agents")).StatusCode);
    }

    [Fact]
    public async Task What_an_administrators_key_makes_is_no_more_than_the_key_and_ends_with_it()
    {
        var clock = new SteppedClock();
        await using var app = await StartAsync(o => o.Clock = clock);
        await app.AddUserAsync("ann");
        using var root = await app.AsAsync("root", "admin");
        var until = clock.GetUtcNow().AddMinutes(30).ToString("O", System.Globalization.CultureInfo.InvariantCulture);
        using var minter = app.NewClient((await ApiKeysTests.CreateAsync(root, """{"name":"minter","scopes":["tokens:write"]}""")).GetProperty("secret").GetString());
        await RefusedAsync(await minter.PostAsJsonAsync(Route, new { user_id = "ann" }), HttpStatusCode.Forbidden, "scope_not_allowed");
        var admins = await TestUser.JsonAsync(await minter.PostAsJsonAsync(Route, new { user_id = "root", role = "admin" }), HttpStatusCode.OK);
        using var forRoot = app.NewClient(admins.GetProperty("access_token").GetString());
        Assert.Equal(HttpStatusCode.Forbidden, (await forRoot.GetAsync("/api/v1/users")).StatusCode);

        using var narrow = app.NewClient((await ApiKeysTests.CreateAsync(root, """{"name":"narrow","scopes":["tokens:write","chat:read"]}""")).GetProperty("secret").GetString());
        await RefusedAsync(await narrow.PostAsJsonAsync(Route, new { user_id = "ann", scopes = new[] { "chat:write" } }), HttpStatusCode.Forbidden, "scope_not_allowed");
        using var forAnn = app.NewClient((await TestUser.JsonAsync(await narrow.PostAsJsonAsync(Route, new { user_id = "ann" }), HttpStatusCode.OK)).GetProperty("access_token").GetString());
        Assert.Equal(HttpStatusCode.OK, (await forAnn.GetAsync("/api/v1/runs")).StatusCode);
        Assert.Equal(HttpStatusCode.Forbidden, (await forAnn.GetAsync("/api/v1/agents")).StatusCode);

        var whole = await ApiKeysTests.CreateAsync(root, $$"""{"name":"whole","expires_at":"{{until}}"}""");
        using var all = app.NewClient(whole.GetProperty("secret").GetString());
        var made = await TestUser.JsonAsync(await all.PostAsJsonAsync(Route, new { user_id = "ann", expires_minutes = 60 }), HttpStatusCode.OK);
        Assert.InRange(made.GetProperty("expires_in").GetInt64(), 1_700, 1_800);
        using var service = app.NewClient(made.GetProperty("access_token").GetString());
        Assert.Equal(HttpStatusCode.OK, (await service.GetAsync("/api/v1/agents")).StatusCode);
        Assert.Equal(HttpStatusCode.NoContent, (await root.Client.DeleteAsync($"/api/v1/api-keys/{whole.GetProperty("id").GetString()}")).StatusCode);
        Assert.Equal(HttpStatusCode.Unauthorized, (await service.GetAsync("/api/v1/agents")).StatusCode);
        Assert.Equal(HttpStatusCode.OK, (await forAnn.GetAsync("/api/v1/runs")).StatusCode);
    }

    [Fact]
    public async Task A_socket_ends_with_the_time_of_the_key_that_opened_it()
    {
        var clock = new SteppedClock();
        await using var app = await TestApp.StartAsync(o => o.Clock = clock);
        using var ann = await app.AsAsync("ann");
        var until = clock.GetUtcNow().AddMinutes(5).ToString("O", System.Globalization.CultureInfo.InvariantCulture);
        var key = await ApiKeysTests.CreateAsync(ann, $$"""{"name":"short","expires_at":"{{until}}"}""");
        var longer = await ApiKeysTests.CreateAsync(ann, """{"name":"long"}""");
        using var socket = await TestSocket.ConnectAsync(app, "/ws", ("Authorization", $"Bearer {key.GetProperty("secret").GetString()}"));
        using var other = await TestSocket.ConnectAsync(app, "/ws", ("Authorization", $"Bearer {longer.GetProperty("secret").GetString()}"));
        clock.Advance(TimeSpan.FromMinutes(6));
        Assert.Equal(1008, await socket.ClosedAsync());
        await other.SendAsync(new { type = "ping" });
        Assert.Equal("pong", (await other.ReceiveAsync()).GetProperty("type").GetString());
    }

    [Fact]
    public async Task Who_may_have_one_made_is_an_administrator_or_holds_the_secret()
    {
        await using var app = await StartAsync();
        using var ann = await app.AsAsync("ann");
        using var root = await app.AsAsync("root", "admin");
        using var nobody = app.NewClient(null);
        await RefusedAsync(await nobody.PostAsJsonAsync(Route, new { user_id = "ann" }), HttpStatusCode.Unauthorized, "authentication_required");
        await RefusedAsync(await ann.Client.PostAsJsonAsync(Route, new { user_id = "ann" }), HttpStatusCode.Forbidden, "permission_missing");
        await RefusedAsync(await WithSecretAsync(nobody, "ann", null, Secret + "!"), HttpStatusCode.Unauthorized, "admin_secret_invalid");
        var byRoot = await root.PostAsync(Route, new { user_id = "root", role = "admin" });
        using var service = app.NewClient(byRoot.GetProperty("access_token").GetString());
        await RefusedAsync(await service.PostAsJsonAsync(Route, new { user_id = "ann" }), HttpStatusCode.Forbidden, "permission_missing");

        await TestUser.JsonAsync(await WithSecretAsync(nobody, "ann", null, Secret), HttpStatusCode.OK);
        await RefusedAsync(await WithSecretAsync(nobody, "root", "admin", Secret), HttpStatusCode.Forbidden, "role_not_allowed");
        await RefusedAsync(await WithSecretAsync(nobody, "nobody", null, Secret), HttpStatusCode.NotFound, "user_not_found");
        Assert.Single(await app.AuditAsync(), r => r is { Action: "auth.token", Outcome: "denied" });
    }

    [Fact]
    public async Task Without_a_secret_in_the_settings_no_header_is_good()
    {
        await using var app = await TestApp.StartAsync();
        await app.AddUserAsync("ann");
        using var nobody = app.NewClient(null);
        await RefusedAsync(await WithSecretAsync(nobody, "ann", null, ""), HttpStatusCode.Unauthorized, "admin_secret_invalid");
        await RefusedAsync(await WithSecretAsync(nobody, "ann", null, Secret), HttpStatusCode.Unauthorized, "admin_secret_invalid");
    }

    [Theory]
    [InlineData(0)]
    [InlineData(10_081)]
    public async Task It_lives_for_a_week_at_most(int minutes)
    {
        await using var app = await StartAsync();
        await app.AddUserAsync("ann");
        var refused = await app.PostJsonAsync(Route, new { user_id = "ann", expires_minutes = minutes }, HttpStatusCode.BadRequest);
        Assert.Contains("expires_minutes", refused.GetRawText(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_short_secret_stops_the_start()
    {
        var refused = await Assert.ThrowsAsync<SettingsException>(() => TestApp.StartAsync(static o => o.Environment["ROOTMAS_ADMIN_SECRET"] = "too short"));
        Assert.Contains("ROOTMAS_ADMIN_SECRET", refused.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("too short\"", refused.Message, StringComparison.Ordinal);
    }

    private static Task<TestApp> StartAsync(Action<TestAppOptions>? configure = null) => TestApp.StartAsync(o =>
    {
        o.Environment["ROOTMAS_ADMIN_SECRET"] = Secret;
        configure?.Invoke(o);
    });

    private static async Task<HttpResponseMessage> WithSecretAsync(HttpClient client, string user, string? role, string secret)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, Route) { Content = JsonContent.Create(new { user_id = user, role }) };
        request.Headers.TryAddWithoutValidation("X-Admin-Secret", secret);
        return await client.SendAsync(request);
    }

    private static async Task RefusedAsync(HttpResponseMessage answer, HttpStatusCode status, string code) =>
        Assert.Equal(code, (await TestUser.JsonAsync(answer, status)).GetProperty("code").GetString());
}
