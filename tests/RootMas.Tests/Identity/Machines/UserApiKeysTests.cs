using System.Net;
using RootMas.Server.Identity.Access;
using RootMas.Tests.Identity.Audit;
using RootMas.Tests.Support;

namespace RootMas.Tests.Identity.Machines;

/// <summary>Administrators see which API keys users have, and revoke them.</summary>
public sealed class UserApiKeysTests
{
    [Fact]
    public async Task An_administrator_sees_a_users_keys_without_secrets_and_revokes_one_with_what_listens_to_it()
    {
        await using var app = await TestApp.StartAsync();
        using var admin = await app.AsAsync("root", "admin");
        using var alice = await app.AsAsync("alice");
        var made = await alice.PostAsync("/api/v1/api-keys", new { name = "nightly" }, HttpStatusCode.Created);
        await alice.PostAsync("/api/v1/api-keys", new { name = "other" }, HttpStatusCode.Created);
        var path = $"/api/v1/users/{alice.Id}/api-keys";
        var listed = await admin.GetAsync(path);
        Assert.Equal((await alice.GetAsync("/api/v1/api-keys")).GetRawText(), listed.GetRawText());
        Assert.DoesNotContain(made.Text("secret"), listed.GetRawText(), StringComparison.Ordinal);

        using var program = app.NewClient(made.Text("secret"));
        Assert.Equal(HttpStatusCode.OK, (await program.GetAsync("/api/v1/auth/me")).StatusCode);
        var listens = app.Get<LiveSessions>().Token(alice.Id, made.Text("id"));
        Assert.Equal(HttpStatusCode.NoContent, (await admin.Client.DeleteAsync($"{path}/{made.Text("id")}")).StatusCode);
        Assert.True(listens.IsCancellationRequested);
        Assert.Equal(HttpStatusCode.Unauthorized, (await program.GetAsync("/api/v1/auth/me")).StatusCode);
        Assert.Equal("other", Assert.Single((await admin.GetAsync(path)).GetProperty("items").EnumerateArray()).Text("name"));
        var row = Assert.Single(await app.AuditAsync(), static r => r.Action == "user.api_key_revoke");
        Assert.Equal(("root", made.Text("id"), "done"), (row.Actor, row.Target, row.Outcome));
    }

    [Fact]
    public async Task Keys_of_others_are_for_administrators_and_a_key_is_found_at_its_own_user_only()
    {
        await using var app = await TestApp.StartAsync();
        using var admin = await app.AsAsync("root", "admin");
        using var alice = await app.AsAsync("alice");
        using var bob = await app.AsAsync("bob");
        var his = (await bob.PostAsync("/api/v1/api-keys", new { name = "his" }, HttpStatusCode.Created)).Text("id");
        await alice.GetAsync($"/api/v1/users/{bob.Id}/api-keys", HttpStatusCode.Forbidden);
        Assert.Equal(HttpStatusCode.Forbidden, (await alice.Client.DeleteAsync($"/api/v1/users/{bob.Id}/api-keys/{his}")).StatusCode);
        await RefusedAsync(admin, $"/api/v1/users/{alice.Id}/api-keys/{his}", "api_key_not_found");
        await RefusedAsync(admin, $"/api/v1/users/{Guid.CreateVersion7()}/api-keys/{his}", "user_not_found");
        await admin.GetAsync($"/api/v1/users/{Guid.CreateVersion7()}/api-keys", HttpStatusCode.NotFound);
        Assert.Single((await bob.GetAsync("/api/v1/api-keys")).GetProperty("items").EnumerateArray());
    }

    private static async Task RefusedAsync(TestUser user, string path, string code) =>
        Assert.Equal(code, (await TestUser.JsonAsync(await user.Client.DeleteAsync(path), HttpStatusCode.NotFound)).Text("code"));
}
