using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using RootMas.Server.Identity.Tokens;
using RootMas.Server.Platform.Data;
using RootMas.Tests.Support;

namespace RootMas.Tests.Identity;

public sealed class RefreshOnSqliteTests() : RefreshTests(DatabaseKind.Sqlite);

public sealed class RefreshOnPostgresTests() : RefreshTests(DatabaseKind.Postgres), IOnPostgres;

public abstract class RefreshTests(DatabaseKind kind) : OnDatabase(kind)
{
    [DatabaseFact]
    public async Task A_refresh_gives_a_new_pair_and_the_session_goes_on()
    {
        await using var app = await TestApp.StartAsync();
        using var alice = await app.AsAsync("alice");
        var first = await RefreshAsync(app, alice.RefreshToken);
        Assert.NotEqual(alice.RefreshToken, first.RefreshToken);
        using var again = app.NewClient(first.AccessToken);
        Assert.Equal(HttpStatusCode.OK, (await again.GetAsync("/api/v1/auth/me")).StatusCode);
        Assert.Equal(HttpStatusCode.OK, (await RefreshAsync(app, first.RefreshToken!)).Status);
        Assert.Single((await alice.GetAsync("/api/v1/auth/sessions")).GetProperty("items").EnumerateArray());
    }

    [DatabaseFact]
    public async Task Twenty_tabs_that_refresh_at_once_get_the_same_successor()
    {
        await using var app = await TestApp.StartAsync();
        using var alice = await app.AsAsync("alice");
        var token = alice.RefreshToken;
        for (var round = 0; round < 5; round++)
        {
            var now = token;
            var all = await Task.WhenAll(Enumerable.Range(0, 20).Select(_ => RefreshAsync(app, now)));
            Assert.All(all, r => Assert.Equal(HttpStatusCode.OK, r.Status));
            token = Assert.Single(all.Select(r => r.RefreshToken!).Distinct());
        }

        await alice.GetAsync("/api/v1/auth/me");
    }

    [DatabaseFact]
    public async Task Tokens_of_one_kind_are_not_tokens_of_another()
    {
        await using var app = await TestApp.StartAsync();
        using var alice = await app.AsAsync("alice");
        foreach (var wrong in (string[])[alice.AccessToken, app.LocalToken, "rmr_", "rmr_" + new string('A', 43), "rmk_x", new string('x', 4_000), alice.RefreshToken + "A", alice.RefreshToken[..^1]])
        {
            Assert.Equal(HttpStatusCode.Unauthorized, (await RefreshAsync(app, wrong)).Status);
        }

        using var client = app.NewClient(alice.RefreshToken);
        Assert.Equal(HttpStatusCode.Unauthorized, (await client.GetAsync("/api/v1/auth/me")).StatusCode);
        await alice.GetAsync("/api/v1/auth/me");
    }

    [DatabaseFact]
    public async Task Nothing_that_was_handed_out_stands_in_the_database()
    {
        await using var app = await TestApp.StartAsync();
        using var alice = await app.AsAsync("alice");
        var next = await RefreshAsync(app, alice.RefreshToken);
        await app.StopAsync();
        var all = string.Concat(((string[])["users", "sessions", "refresh_tokens", "audit", "signing_keys"]).Select(t => TestDatabaseDump.Of(app, t)));
        foreach (var secret in (string[])[alice.RefreshToken, next.RefreshToken!, alice.AccessToken, next.AccessToken!, TestUsers.Password])
        {
            Assert.DoesNotContain(secret, all, StringComparison.Ordinal);
        }
    }

    internal static async Task<Pair> RefreshAsync(TestApp app, string token)
    {
        using var nobody = app.NewClient(null);
        using var answer = await nobody.PostAsJsonAsync("/api/v1/auth/refresh", new { refresh_token = token });
        var json = JsonElement.Parse(await answer.Content.ReadAsStringAsync());
        return answer.IsSuccessStatusCode
            ? new Pair(answer.StatusCode, json.GetProperty("access_token").GetString(), json.GetProperty("refresh_token").GetString())
            : new Pair(answer.StatusCode, null, null);
    }

    internal sealed record Pair(HttpStatusCode Status, string? AccessToken, string? RefreshToken);
}
