using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using RootMas.Tests.Support;

namespace RootMas.Tests.Identity.Machines;

/// <summary>What API keys and service tokens may do to accounts: an account is more lasting than a key (decision 62).</summary>
public sealed class UserRightsOfKeysTests
{
    private const string Users = "/api/v1/users";
    private const string OfUser = "\"chat:read\",\"chat:write\",\"agents:read\",\"metrics:read\",\"projects:read\",\"projects:write\",\"knowledge:read\",\"knowledge:write\",\"memory:read\",\"memory:write\",\"approvals:decide\"";

    [Theory]
    [InlineData("\"users:read\",\"users:write\"", HttpStatusCode.Forbidden)]
    [InlineData("\"users:read\",\"users:write\"," + OfUser, HttpStatusCode.OK)]
    public async Task A_key_that_is_cut_down_neither_makes_nor_takes_over_an_account_that_may_do_more(string scopes, HttpStatusCode toUsers)
    {
        await using var app = await TestApp.StartAsync();
        var (ann, boss) = (await app.AddUserAsync("ann"), await app.AddUserAsync("boss", "admin"));
        using var root = await app.AsAsync("root", "admin");
        using var key = app.NewClient((await ApiKeysTests.CreateAsync(root, $$"""{"name":"desk","scopes":[{{scopes}}]}""")).GetProperty("secret").GetString());
        using var token = app.NewClient((await root.PostAsync("/api/v1/auth/token", new { user_id = "root", role = "admin", scopes = JsonElement.Parse($"[{scopes}]") })).GetProperty("access_token").GetString());
        foreach (var (index, client) in ((HttpClient[])[key, token]).Index())
        {
            await RefusedAsync(await AddAsync(client, $"eve{index}", "admin"));
            await RefusedAsync(await SetPasswordAsync(client, boss));
            foreach (var id in (string[])[boss, root.Id])
            {
                foreach (var change in (object[])[new { username = "other" }, new { role = "user" }, new { disabled = false }, new { acts_for = new[] { "ann" } }, new { grants = new[] { "content:read" } }])
                {
                    await RefusedAsync(await ChangeAsync(client, id, change));
                }
            }

            await RefusedAsync(await ChangeAsync(client, ann, new { role = "admin" }));
            await RefusedAsync(await ChangeAsync(client, ann, new { grants = new[] { "content:read" } }));

            // What is no more than itself it may hand out, and what takes away it may do to anybody.
            Assert.Equal(toUsers == HttpStatusCode.OK ? HttpStatusCode.Created : toUsers, (await AddAsync(client, $"user{index}", "user")).StatusCode);
            Assert.Equal(toUsers == HttpStatusCode.OK ? HttpStatusCode.NoContent : toUsers, (await SetPasswordAsync(client, ann)).StatusCode);
            Assert.Equal(toUsers, (await ChangeAsync(client, ann, new { role = "readonly" })).StatusCode);
            Assert.Equal(toUsers, (await ChangeAsync(client, ann, new { role = "user" })).StatusCode);
            Assert.Equal(HttpStatusCode.OK, (await ChangeAsync(client, ann, new { limits = new { runs = 5 } })).StatusCode);
            Assert.Equal(HttpStatusCode.OK, (await ChangeAsync(client, boss, new { disabled = true })).StatusCode);
        }

        Assert.Equal("admin", (await app.GetJsonAsync($"{Users}/{boss}")).GetProperty("role").GetString());
        Assert.DoesNotContain(await app.AuditAsync(), r => r.Action == "user.password" && r.Target == boss);
    }

    [Fact]
    public async Task A_key_with_all_that_an_administrator_may_does_what_an_administrator_does()
    {
        await using var app = await TestApp.StartAsync();
        var ann = await app.AddUserAsync("ann");
        using var root = await app.AsAsync("root", "admin");
        using var key = app.NewClient((await ApiKeysTests.CreateAsync(root, """{"name":"whole"}""")).GetProperty("secret").GetString());
        Assert.Equal(HttpStatusCode.Created, (await AddAsync(key, "eve", "admin")).StatusCode);
        Assert.Equal(HttpStatusCode.OK, (await ChangeAsync(key, ann, new { role = "admin", grants = new[] { "content:read" } })).StatusCode);
        Assert.Equal(HttpStatusCode.NoContent, (await SetPasswordAsync(key, ann)).StatusCode);
    }

    private static Task<HttpResponseMessage> AddAsync(HttpClient client, string username, string role) => client.PostAsJsonAsync(Users, new { username, password = TestUsers.Password, role });

    private static Task<HttpResponseMessage> SetPasswordAsync(HttpClient client, string id) => client.PostAsJsonAsync($"{Users}/{id}/password", new { password = "another horse, 9 batteries" });

    private static async Task<HttpResponseMessage> ChangeAsync(HttpClient client, string id, object change)
    {
        using var read = await client.GetAsync($"{Users}/{id}");
        using var request = new HttpRequestMessage(HttpMethod.Patch, $"{Users}/{id}") { Content = JsonContent.Create(change) };
        request.Headers.TryAddWithoutValidation("If-Match", read.Headers.ETag!.ToString());
        return await client.SendAsync(request);
    }

    private static async Task RefusedAsync(HttpResponseMessage answer) =>
        Assert.Equal("scope_not_allowed", (await TestUser.JsonAsync(answer, HttpStatusCode.Forbidden)).GetProperty("code").GetString());
}
