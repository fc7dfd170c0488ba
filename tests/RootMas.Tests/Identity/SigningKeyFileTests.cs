using System.Net;
using RootMas.Tests.Support;

namespace RootMas.Tests.Identity;

/// <summary>Signing keys as one machine keeps them: in files beside its embedded database.</summary>
public sealed class SigningKeyFileTests
{
    [Fact]
    public async Task Keys_survive_a_restart_and_only_their_owner_may_read_them()
    {
        using var data = new TempFolder();
        string token;
        await using (var app = await TestApp.StartAsync(o => o.Data = data.Path))
        {
            using var alice = await app.AsAsync("alice");
            await app.PostJsonAsync("/api/v1/auth/keys/rotate", new { });
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
}
