using System.Net;
using System.Net.Http.Json;
using System.Security.Cryptography;
using System.Text.Json;
using RootMas.Server.Identity.Tokens;
using RootMas.Tests.Support;

namespace RootMas.Tests.Identity;

public sealed class SigningKeyTests
{
    [Fact]
    public async Task A_new_key_signs_while_the_old_one_verifies_until_its_tokens_are_over()
    {
        var clock = new SteppedClock();
        await using var app = await TestApp.StartAsync(o => o.Clock = clock);
        using var alice = await app.AsAsync("alice");
        var before = await KidsAsync(app);
        await RotateAsync(app);
        var after = await KidsAsync(app);
        Assert.Equal((1, 2), (before.Count, after.Count));
        Assert.Contains(before[0], after);
        Assert.NotEqual(before[0], after[0]);

        await alice.GetAsync("/api/v1/auth/me");
        using var fresh = await app.LogInAsync("alice", TestUsers.Password);
        await fresh.GetAsync("/api/v1/auth/me");

        // What the old key signs now, with a thief's hand, is over with it.
        clock.Advance(TimeSpan.FromMinutes(15) + AccessTokens.ClockSkew);
        Assert.Null(app.Get<SigningKeys>().Find(before[0]));
        Assert.NotNull(app.Get<SigningKeys>().Find(after[0]));
        var row = Assert.Single(await app.AuditAsync(), r => r.Action == "keys.rotate");
        Assert.Equal(after[0], row.Target);
    }

    [Fact]
    public async Task Old_keys_can_be_void_at_once_and_everybody_refreshes()
    {
        await using var app = await TestApp.StartAsync();
        using var alice = await app.AsAsync("alice");
        using var stranger = await app.AsAsync("bob");
        await alice.GetAsync("/api/v1/auth/me"); // also a token that was checked a moment ago
        await app.PostJsonAsync("/api/v1/auth/keys/rotate?void_old=true", new { });
        Assert.Single(await KidsAsync(app));
        await alice.GetAsync("/api/v1/auth/me", HttpStatusCode.Unauthorized);
        var pair = await RefreshTests.RefreshAsync(app, alice.RefreshToken);
        using var again = app.NewClient(pair.AccessToken);
        Assert.Equal(HttpStatusCode.OK, (await again.GetAsync("/api/v1/auth/me")).StatusCode);
    }

    [Fact]
    public async Task Keys_survive_a_restart_and_only_their_owner_may_read_them()
    {
        using var data = new TempFolder();
        string token;
        await using (var app = await TestApp.StartAsync(o => o.Data = data.Path))
        {
            using var alice = await app.AsAsync("alice");
            await RotateAsync(app);
            token = alice.AccessToken;
            foreach (var file in Directory.EnumerateFiles(Path.Combine(data.Path, "keys")))
            {
                Assert.Equal(FileModes.Private, FileModes.Of(file));
            }
        }

        await using var again = await TestApp.StartAsync(o => o.Data = data.Path);
        using var client = again.NewClient(token);
        Assert.Equal(HttpStatusCode.OK, (await client.GetAsync("/api/v1/auth/me")).StatusCode);
    }

    [Fact]
    public async Task A_key_that_settings_give_is_the_one_and_only_they_change_it()
    {
        using var data = new TempFolder();
        var first = Convert.ToBase64String(RandomNumberGenerator.GetBytes(32));
        var second = Convert.ToHexString(RandomNumberGenerator.GetBytes(32));
        string token;
        await using (var app = await TestApp.StartAsync(o => (o.Data, o.Settings["Identity:SigningKey"]) = (data.Path, first)))
        {
            using var alice = await app.AsAsync("alice");
            token = alice.AccessToken;
            await alice.GetAsync("/api/v1/auth/me");
            using var refused = await app.Client.PostAsJsonAsync("/api/v1/auth/keys/rotate", new { });
            Assert.Equal(HttpStatusCode.Conflict, refused.StatusCode);
        }

        await using (var overlap = await TestApp.StartAsync(o => (o.Data, o.Settings["Identity:SigningKey"], o.Settings["Identity:PreviousSigningKey"]) = (data.Path, second, first)))
        {
            using var client = overlap.NewClient(token);
            Assert.Equal(HttpStatusCode.OK, (await client.GetAsync("/api/v1/auth/me")).StatusCode);
        }

        await using var alone = await TestApp.StartAsync(o => (o.Data, o.Settings["Identity:SigningKey"]) = (data.Path, second));
        using var late = alone.NewClient(token);
        Assert.Equal(HttpStatusCode.Unauthorized, (await late.GetAsync("/api/v1/auth/me")).StatusCode);
    }

    [Fact]
    public async Task A_key_that_others_may_read_stops_the_start()
    {
        using var data = new TempFolder();
        await using (var app = await TestApp.StartAsync(o => o.Data = data.Path))
        {
        }

        var key = Directory.EnumerateFiles(Path.Combine(data.Path, "keys"), "signing-*").Single();
        FileModes.LetOthersRead(key);
        await Assert.ThrowsAsync<Server.Platform.StartupRefusedException>(() => TestApp.StartAsync(o => o.Data = data.Path));
    }

    [Fact]
    public async Task Only_administrators_change_keys_and_nobody_sees_one()
    {
        await using var app = await TestApp.StartAsync();
        using var alice = await app.AsAsync("alice");
        await alice.PostAsync("/api/v1/auth/keys/rotate", new { }, HttpStatusCode.Forbidden);
        await alice.GetAsync("/api/v1/auth/keys", HttpStatusCode.Forbidden);
        var text = await app.Client.GetStringAsync("/api/v1/auth/keys");
        Assert.DoesNotContain(Convert.ToBase64String(app.Get<SigningKeys>().Current.Key), text, StringComparison.Ordinal);
    }

    private static Task<JsonElement> RotateAsync(TestApp app) => app.PostJsonAsync("/api/v1/auth/keys/rotate", new { });

    private static async Task<List<string>> KidsAsync(TestApp app) =>
        [.. (await app.GetJsonAsync("/api/v1/auth/keys")).GetProperty("items").EnumerateArray().Select(k => k.GetProperty("kid").GetString()!)];
}
