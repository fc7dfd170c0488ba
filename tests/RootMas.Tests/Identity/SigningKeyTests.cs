using System.Net;
using System.Net.Http.Json;
using System.Security.Cryptography;
using System.Text.Json;
using RootMas.Server.Identity.Tokens;
using RootMas.Server.Platform.Data;
using RootMas.Tests.Support;

namespace RootMas.Tests.Identity;

public sealed class SigningKeyOnSqliteTests() : SigningKeyTests(DatabaseKind.Sqlite);

public sealed class SigningKeyOnPostgresTests() : SigningKeyTests(DatabaseKind.Postgres), IOnPostgres;

[Covers(typeof(SigningKeyStore))]
public abstract class SigningKeyTests(DatabaseKind kind) : OnDatabase(kind)
{
    [DatabaseFact]
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

    [DatabaseFact]
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

    [DatabaseFact]
    public async Task Only_administrators_change_keys_and_nobody_sees_one()
    {
        await using var app = await TestApp.StartAsync();
        using var alice = await app.AsAsync("alice");
        await alice.PostAsync("/api/v1/auth/keys/rotate", new { }, HttpStatusCode.Forbidden);
        await alice.GetAsync("/api/v1/auth/keys", HttpStatusCode.Forbidden);
        var text = await app.Client.GetStringAsync("/api/v1/auth/keys");
        Assert.DoesNotContain(Convert.ToBase64String(app.Get<SigningKeys>().Current.Key), text, StringComparison.Ordinal);
    }

    internal static Task<JsonElement> RotateAsync(TestApp app) => app.PostJsonAsync("/api/v1/auth/keys/rotate", new { });

    internal static async Task<List<string>> KidsAsync(TestApp app) =>
        [.. (await app.GetJsonAsync("/api/v1/auth/keys")).GetProperty("items").EnumerateArray().Select(k => k.GetProperty("kid").GetString()!)];
}
