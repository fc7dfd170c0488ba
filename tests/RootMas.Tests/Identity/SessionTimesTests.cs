using System.Net;
using RootMas.Server.Identity.Tokens;
using RootMas.Tests.Support;

namespace RootMas.Tests.Identity;

/// <summary>How long sessions, tokens and keys last. On the embedded database, whose clock is the process's and so the test's; that of PostgreSQL is its server's.</summary>
public sealed class SessionTimesTests
{
    [Fact]
    public async Task A_cookie_lasts_a_week()
    {
        var clock = new SteppedClock();
        await using var app = await TestApp.StartAsync(o => o.Clock = clock);
        await app.AddUserAsync("alice");
        var (cookie, answer, _) = await SessionTests.BrowserAsync(app);
        Assert.Equal(7 * 86_400, answer.GetProperty("expires_in").GetInt64());
        using var nobody = app.NewClient(null);
        clock.Advance(TimeSpan.FromDays(7) - TimeSpan.FromSeconds(1));
        Assert.Equal(HttpStatusCode.OK, await SessionTests.SendAsync(nobody, HttpMethod.Get, "/api/v1/auth/me", cookie));
        clock.Advance(TimeSpan.FromSeconds(2)); // writes that share a commit lie a microsecond apart, so the session may have begun that much later
        Assert.Equal(HttpStatusCode.Unauthorized, await SessionTests.SendAsync(nobody, HttpMethod.Get, "/api/v1/auth/me", cookie));
    }

    [Fact]
    public async Task A_spent_token_gives_its_successor_for_thirty_seconds_and_then_ends_the_family()
    {
        var clock = new SteppedClock();
        await using var app = await TestApp.StartAsync(o => o.Clock = clock);
        using var alice = await app.AsAsync("alice");
        using var elsewhere = await app.LogInAsync("alice", TestUsers.Password);
        var next = await RefreshTests.RefreshAsync(app, alice.RefreshToken);
        clock.Advance(RefreshTokens.Grace);
        Assert.Equal(next.RefreshToken, (await RefreshTests.RefreshAsync(app, alice.RefreshToken)).RefreshToken);
        await alice.GetAsync("/api/v1/auth/me");

        clock.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal(HttpStatusCode.Unauthorized, (await RefreshTests.RefreshAsync(app, alice.RefreshToken)).Status);
        Assert.Equal(HttpStatusCode.Unauthorized, (await RefreshTests.RefreshAsync(app, next.RefreshToken!)).Status);
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
        var token = (await RefreshTests.RefreshAsync(app, alice.RefreshToken)).RefreshToken!;
        clock.Advance(TimeSpan.FromDays(7) + TimeSpan.FromSeconds(1));
        Assert.Equal(HttpStatusCode.Unauthorized, (await RefreshTests.RefreshAsync(app, token)).Status);

        using var again = await app.LogInAsync("alice", TestUsers.Password);
        token = again.RefreshToken;
        for (var day = 0; day < 30; day += 6)
        {
            Assert.NotNull(token);
            clock.Advance(TimeSpan.FromDays(6) + TimeSpan.FromSeconds(1));
            token = (await RefreshTests.RefreshAsync(app, token)).RefreshToken;
        }

        Assert.Null(token);
    }

    [Fact]
    public async Task A_new_key_signs_while_the_old_one_verifies_until_its_tokens_are_over()
    {
        var clock = new SteppedClock();
        await using var app = await TestApp.StartAsync(o => o.Clock = clock);
        using var alice = await app.AsAsync("alice");
        var before = await SigningKeyTests.KidsAsync(app);
        await SigningKeyTests.RotateAsync(app);
        var after = await SigningKeyTests.KidsAsync(app);
        Assert.Equal((1, 2), (before.Count, after.Count));
        Assert.Contains(before[0], after);
        Assert.NotEqual(before[0], after[0]);

        await alice.GetAsync("/api/v1/auth/me");
        using var fresh = await app.LogInAsync("alice", TestUsers.Password);
        await fresh.GetAsync("/api/v1/auth/me");

        // What the old key signs now, with a thief's hand, is over with it.
        clock.Advance(TimeSpan.FromMinutes(15) + AccessTokens.ClockSkew + TimeSpan.FromSeconds(1));
        Assert.Null(app.Get<SigningKeys>().Find(before[0]));
        Assert.NotNull(app.Get<SigningKeys>().Find(after[0]));
        var row = Assert.Single(await app.AuditAsync(), r => r.Action == "keys.rotate");
        Assert.Equal(after[0], row.Target);
    }
}
