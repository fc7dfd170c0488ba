using System.Net;
using System.Text.Json;
using RootMas.Server.Identity.Access;
using RootMas.Tests.Support;

namespace RootMas.Tests.Identity;

/// <summary>Administrators see where users are signed in, and end that.</summary>
public sealed class UserSessionsTests
{
    [Fact]
    public async Task An_administrator_sees_a_users_sessions_and_ends_one_of_them_with_what_listens_to_it()
    {
        await using var app = await TestApp.StartAsync();
        using var admin = await app.AsAsync("root", "admin");
        using var alice = await app.AsAsync("alice");
        using var phone = await app.LogInAsync("alice", TestUsers.Password);
        var path = $"/api/v1/users/{alice.Id}/sessions";
        var listed = await IdsAsync(admin, path);
        Assert.Equal(2, listed.Count);
        Assert.Equal(listed, await IdsAsync(alice, "/api/v1/auth/sessions"));
        var page = await admin.GetAsync(path + "?limit=1");
        Assert.Equal([listed[0]], Ids(page));
        Assert.Equal([listed[1]], await IdsAsync(admin, $"{path}?limit=1&cursor={page.GetProperty("next_cursor").GetString()}"));

        var tab = await SessionOfAsync(phone);
        var listens = app.Get<LiveSessions>().Token(alice.Id, tab);
        Assert.Equal(HttpStatusCode.NoContent, (await admin.Client.DeleteAsync($"{path}/{tab}")).StatusCode);
        Assert.True(listens.IsCancellationRequested);
        await phone.GetAsync("/api/v1/auth/me", HttpStatusCode.Unauthorized);
        await alice.GetAsync("/api/v1/auth/me");
        await RefusedAsync(admin, $"{path}/{tab}", "session_not_found");
        var row = Assert.Single(await app.AuditAsync(), r => r.Action == "user.session_end");
        Assert.Equal(("root", tab, "done"), (row.Actor, row.Target, row.Outcome));
    }

    [Fact]
    public async Task Ending_all_leaves_other_users_alone_and_of_ones_own_the_session_that_asks()
    {
        await using var app = await TestApp.StartAsync();
        using var admin = await app.AsAsync("root", "admin");
        using var elsewhere = await app.LogInAsync("root", TestUsers.Password);
        using var alice = await app.AsAsync("alice");
        using var phone = await app.LogInAsync("alice", TestUsers.Password);
        using var bob = await app.AsAsync("bob");
        Assert.Equal(HttpStatusCode.NoContent, (await admin.Client.DeleteAsync($"/api/v1/users/{alice.Id}/sessions")).StatusCode);
        await alice.GetAsync("/api/v1/auth/me", HttpStatusCode.Unauthorized);
        await phone.GetAsync("/api/v1/auth/me", HttpStatusCode.Unauthorized);
        Assert.Equal(HttpStatusCode.Unauthorized, (await RefreshTests.RefreshAsync(app, alice.RefreshToken)).Status);
        await bob.GetAsync("/api/v1/auth/me");
        Assert.Empty(await IdsAsync(admin, $"/api/v1/users/{alice.Id}/sessions"));

        Assert.Equal(HttpStatusCode.NoContent, (await admin.Client.DeleteAsync($"/api/v1/users/{admin.Id}/sessions")).StatusCode);
        await elsewhere.GetAsync("/api/v1/auth/me", HttpStatusCode.Unauthorized);
        Assert.True((await admin.GetAsync($"/api/v1/users/{admin.Id}/sessions")).GetProperty("items")[0].GetProperty("is_current").GetBoolean());
        Assert.Equal(["""{"sessions":2}""", """{"sessions":1}"""], (await app.AuditAsync()).Where(static r => r.Action == "user.sessions_end").Select(static r => r.After));
        using var again = await app.LogInAsync("alice", TestUsers.Password);
    }

    [Fact]
    public async Task Sessions_of_others_are_for_administrators_and_a_session_is_found_at_its_own_user_only()
    {
        await using var app = await TestApp.StartAsync();
        using var admin = await app.AsAsync("root", "admin");
        using var alice = await app.AsAsync("alice");
        using var bob = await app.AsAsync("bob");
        var his = await SessionOfAsync(bob);
        await alice.GetAsync($"/api/v1/users/{bob.Id}/sessions", HttpStatusCode.Forbidden);
        await alice.GetAsync($"/api/v1/users/{alice.Id}/sessions", HttpStatusCode.Forbidden);
        Assert.Equal(HttpStatusCode.Forbidden, (await alice.Client.DeleteAsync($"/api/v1/users/{bob.Id}/sessions")).StatusCode);
        Assert.Equal(HttpStatusCode.Forbidden, (await alice.Client.DeleteAsync($"/api/v1/users/{bob.Id}/sessions/{his}")).StatusCode);
        await RefusedAsync(admin, $"/api/v1/users/{alice.Id}/sessions/{his}", "session_not_found");
        await RefusedAsync(admin, $"/api/v1/users/{Guid.CreateVersion7()}/sessions/{his}", "user_not_found");
        await RefusedAsync(admin, $"/api/v1/users/{Guid.CreateVersion7()}/sessions", "user_not_found");
        await admin.GetAsync($"/api/v1/users/{Guid.CreateVersion7()}/sessions", HttpStatusCode.NotFound);
        await bob.GetAsync("/api/v1/auth/me");
        Assert.DoesNotContain(await app.AuditAsync(), static r => r.Action is "user.session_end" or "user.sessions_end" && r.Outcome == "done");
    }

    private static async Task RefusedAsync(TestUser user, string path, string code) =>
        Assert.Equal(code, (await TestUser.JsonAsync(await user.Client.DeleteAsync(path), HttpStatusCode.NotFound)).GetProperty("code").GetString());

    private static async Task<string> SessionOfAsync(TestUser user) => (await user.GetAsync("/api/v1/auth/me")).GetProperty("session_id").GetString()!;

    private static async Task<List<string>> IdsAsync(TestUser user, string path) => Ids(await user.GetAsync(path));

    private static List<string> Ids(JsonElement page) => [.. page.GetProperty("items").EnumerateArray().Select(static s => s.GetProperty("id").GetString()!)];
}
