using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using RootMas.Server.Identity.Tokens;
using RootMas.Tests.Support;

namespace RootMas.Tests.Identity;

public sealed class RefreshTests
{
    [Fact]
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

    [Fact]
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

    [Fact]
    public async Task A_spent_token_gives_its_successor_for_thirty_seconds_and_then_ends_the_family()
    {
        var clock = new SteppedClock();
        await using var app = await TestApp.StartAsync(o => o.Clock = clock);
        using var alice = await app.AsAsync("alice");
        using var elsewhere = await app.LogInAsync("alice", TestUsers.Password);
        var next = await RefreshAsync(app, alice.RefreshToken);
        clock.Advance(RefreshTokens.Grace);
        Assert.Equal(next.RefreshToken, (await RefreshAsync(app, alice.RefreshToken)).RefreshToken);
        await alice.GetAsync("/api/v1/auth/me");

        clock.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal(HttpStatusCode.Unauthorized, (await RefreshAsync(app, alice.RefreshToken)).Status);
        Assert.Equal(HttpStatusCode.Unauthorized, (await RefreshAsync(app, next.RefreshToken!)).Status);
        await alice.GetAsync("/api/v1/auth/me", HttpStatusCode.Unauthorized);
        await elsewhere.GetAsync("/api/v1/auth/me");
        var row = Assert.Single(await app.AuditAsync(), r => r.Action == "auth.refresh_reused");
        Assert.Equal("denied", row.Outcome);
    }

    [Fact]
    public async Task A_token_lives_a_week_and_a_session_a_month_however_often_it_is_refreshed()
    {
        var clock = new SteppedClock();
        await using var app = await TestApp.StartAsync(o => o.Clock = clock);
        using var alice = await app.AsAsync("alice");
        clock.Advance(TimeSpan.FromDays(7) - TimeSpan.FromSeconds(1));
        var token = (await RefreshAsync(app, alice.RefreshToken)).RefreshToken!;
        clock.Advance(TimeSpan.FromDays(7) + TimeSpan.FromSeconds(1));
        Assert.Equal(HttpStatusCode.Unauthorized, (await RefreshAsync(app, token)).Status);

        using var again = await app.LogInAsync("alice", TestUsers.Password);
        token = again.RefreshToken;
        for (var day = 0; day < 30; day += 6)
        {
            Assert.NotNull(token);
            clock.Advance(TimeSpan.FromDays(6));
            token = (await RefreshAsync(app, token)).RefreshToken;
        }

        Assert.Null(token);
    }

    [Fact]
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

    [Fact]
    public async Task Nothing_that_was_handed_out_stands_in_the_database()
    {
        await using var app = await TestApp.StartAsync();
        using var alice = await app.AsAsync("alice");
        var next = await RefreshAsync(app, alice.RefreshToken);
        await app.StopAsync();
        var all = string.Concat(((string[])["users", "sessions", "refresh_tokens", "audit", "signing_keys"]).Select(t => TestDatabaseDump.Of(app.Data, t)));
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
