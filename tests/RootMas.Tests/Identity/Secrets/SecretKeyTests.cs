using System.Net;
using System.Security.Cryptography;
using System.Text.Json;
using RootMas.Server.Identity.Secrets;
using RootMas.Server.Platform;
using RootMas.Server.Platform.Secrets;
using RootMas.Tests.Support;

namespace RootMas.Tests.Identity.Secrets;

/// <summary>What secrets are sealed with, and the files in which one machine keeps it.</summary>
public sealed class SecretKeyTests
{
    private const string Canary = "sk-canary-0123456789";

    [Fact]
    public void A_sealed_value_opens_only_with_its_key_and_for_its_purpose()
    {
        var box = new SecretBox(RandomNumberGenerator.GetBytes(32));
        var value = box.Seal("secret/a", Canary);
        Assert.Equal(Canary, box.Open("secret/a", value));
        Assert.Throws<AuthenticationTagMismatchException>(() => box.Open("secret/b", value));
        Assert.Throws<CryptographicException>(() => new SecretBox(RandomNumberGenerator.GetBytes(32)).Open("secret/a", value));
        for (var i = 0; i < value.Length; i++)
        {
            var changed = (byte[])value.Clone();
            changed[i] ^= 1;
            Assert.ThrowsAny<CryptographicException>(() => box.Open("secret/a", changed));
        }

        Assert.NotEqual(value, box.Seal("secret/a", Canary));
    }

    [Fact]
    public async Task A_start_with_another_key_is_refused_and_names_both_keys()
    {
        using var folder = new TempFolder();
        var data = Path.Combine(folder.Path, "data");
        string id;
        await using (var app = await TestApp.StartAsync(o => o.Data = data))
        {
            using var put = await app.SendAsync(HttpMethod.Put, "/api/v1/secrets/openai", JsonSerializer.Serialize(new { value = Canary }));
            Assert.Equal(HttpStatusCode.Created, put.StatusCode);
            id = app.Get<SecretBox>().Id;
        }

        var other = Convert.ToBase64String(RandomNumberGenerator.GetBytes(32));
        var refused = await Assert.ThrowsAsync<StartupRefusedException>(() => TestApp.StartAsync(o => { o.Data = data; o.Environment["ROOTMAS_MASTER_KEY"] = other; }));
        Assert.Contains(id, refused.Message, StringComparison.Ordinal);
        Assert.Contains(KeyFile.IdOf(Convert.FromBase64String(other)), refused.Message, StringComparison.Ordinal);
        Assert.DoesNotContain(other, refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_new_master_key_takes_over_what_the_one_before_sealed()
    {
        using var folder = new TempFolder();
        var data = Path.Combine(folder.Path, "data");
        var (first, second) = (Convert.ToBase64String(RandomNumberGenerator.GetBytes(32)), Convert.ToBase64String(RandomNumberGenerator.GetBytes(32)));
        await using (var app = await TestApp.StartAsync(o => (o.Data, o.Environment["ROOTMAS_MASTER_KEY"]) = (data, first)))
        {
            using var put = await app.SendAsync(HttpMethod.Put, "/api/v1/secrets/openai", JsonSerializer.Serialize(new { value = Canary }));
            Assert.Equal(HttpStatusCode.Created, put.StatusCode);
        }

        await using (var app = await TestApp.StartAsync(o => (o.Data, o.Environment["ROOTMAS_MASTER_KEY"], o.Environment["ROOTMAS_PREVIOUS_MASTER_KEY"]) = (data, second, first)))
        {
            Assert.Equal(Canary, app.Get<SecretVault>().Find("openai"));
        }

        await using (var app = await TestApp.StartAsync(o => (o.Data, o.Environment["ROOTMAS_MASTER_KEY"]) = (data, second)))
        {
            Assert.Equal(Canary, app.Get<SecretVault>().Find("openai"));
        }

        // And over to the file, which needs no variable any more.
        await using (await TestApp.StartAsync(o => (o.Data, o.Environment["ROOTMAS_PREVIOUS_MASTER_KEY"]) = (data, second)))
        {
        }

        await using var alone = await TestApp.StartAsync(o => o.Data = data);
        Assert.Equal(Canary, alone.Get<SecretVault>().Find("openai"));
    }

    [Fact]
    public async Task Keys_are_made_with_mode_600_and_refused_when_others_may_read_them()
    {
        using var folder = new TempFolder();
        var data = Path.Combine(folder.Path, "data");
        await using (await TestApp.StartAsync(o => o.Data = data))
        {
        }

        foreach (var name in (string[])["audit.key", "secrets.key"])
        {
            var path = Path.Combine(data, "keys", name);
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, FileModes.Of(path));
            FileModes.Set(path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead);
            var refused = await Assert.ThrowsAsync<StartupRefusedException>(() => TestApp.StartAsync(o => o.Data = data));
            Assert.Contains($"chmod 600 {path}", refused.Message, StringComparison.Ordinal);
            FileModes.Set(path, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        }
    }
}
