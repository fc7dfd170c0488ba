using System.Net;
using RootMas.Server.Backups;
using RootMas.Server.Identity.Secrets;
using RootMas.Server.Platform;
using RootMas.Server.Platform.Data;
using RootMas.Tests.Support;

namespace RootMas.Tests.Backups;

/// <summary>What surrounds a restored database. Whose queues and backups it has: in the place that it was made in it is the installation that it was, and in another place one of its own, unless whoever restores says that it is the same (decision 47). And its configuration.</summary>
public abstract class RestoredElsewhereTests(DatabaseKind kind) : OnDatabase(kind)
{
    private const string Own = "own now";
    private const string Key = "sixteen characters";

    [DatabaseFact]
    public async Task In_its_place_a_restored_installation_is_the_one_that_it_was()
    {
        await using var source = await MadeAsync();
        var (id, backup) = (await IdAsync(source), await source.BackUpAsync(verify: false));
        var result = await source.RestoreAsync(backup.Id, force: true);
        Assert.Equal(id, await IdAsync(source));
        Assert.DoesNotContain(result.Notes, static n => n.Contains(Own, StringComparison.Ordinal));
    }

    [DatabaseTheory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task In_a_new_place_it_is_one_of_its_own_unless_it_is_said_to_be_the_same(bool same)
    {
        await using var source = await MadeAsync();
        await using var target = await Installation.NewAsync();
        target.Settings["Backups:Key"] = Key;
        var (id, backup) = (await IdAsync(source), await source.BackUpAsync(verify: false));
        var result = await target.RestoreAsync(source.ArchiveOf(backup), same: same);
        Assert.Equal(same, await IdAsync(target) == id);
        Assert.Equal(same, !result.Notes.Any(static n => n.Contains(Own, StringComparison.Ordinal)));

        // It starts, and stays what it is.
        var own = await IdAsync(target);
        await using (var app = await target.StartAsync())
        {
            Assert.Equal(own, await InstallationId.ReadAsync(app.Get<IDatabase>(), default));
        }

        Assert.Equal(own, (await target.BackUpAsync(verify: false)).Installation);
    }

    /// <summary>What the notes of the restore say works as it stands there.</summary>
    [DatabaseFact]
    public async Task Without_its_keys_it_starts_once_what_they_made_is_given_up()
    {
        await using var source = await MadeAsync();
        await using (var app = await source.StartAsync())
        {
            await PutSecretAsync(app);
        }

        await using var target = await Installation.NewAsync();
        target.Settings["Backups:Key"] = Key;
        var result = await target.RestoreAsync(source.ArchiveOf(await source.BackUpAsync(verify: false)), withoutKeys: true);
        var advice = Assert.Single(result.Notes, static n => n.Contains("ROOTMAS__Keys__Replace=", StringComparison.Ordinal));
        await Assert.ThrowsAsync<StartupRefusedException>(() => target.StartAsync());
        await using (var app = await target.StartAsync(o => (o.Settings["Keys:Replace"], o.Settings["Audit:AcceptNewKey"]) = (advice.Split('"')[1], "true")))
        {
            Assert.Empty((await app.GetJsonAsync("/api/v1/secrets")).GetProperty("items").EnumerateArray());
            var gone = Assert.Single(await app.AuditAsync(), static r => r.Action == "secret.delete");
            Assert.Equal("openai", gone.Target);
            Assert.Contains("key_lost", gone.After, StringComparison.Ordinal);
            await PutSecretAsync(app);
        }

        await using var again = await target.StartAsync();
        Assert.Equal("sk-kept", again.Get<SecretVault>().Find("openai"));
    }

    [DatabaseFact]
    public async Task In_the_place_of_another_installation_it_is_neither_of_the_two()
    {
        await using var source = await MadeAsync();
        await using var target = await MadeAsync();
        var (id, other, backup) = (await IdAsync(source), await IdAsync(target), await source.BackUpAsync(verify: false));
        await target.RestoreAsync(source.ArchiveOf(backup), force: true);
        Assert.DoesNotContain(await IdAsync(target), (string[])[id, other]);
    }

    [DatabaseFact]
    public async Task A_configuration_that_cannot_be_written_is_said_before_anything_is_changed()
    {
        await using var source = await MadeAsync();
        var archive = source.ArchiveOf(await source.BackUpAsync());
        var before = await source.ContentAsync();
        Directory.Delete(source.Config, recursive: true);
        Directory.CreateSymbolicLink(source.Config, "/proc/nowhere");
        var refused = await Assert.ThrowsAsync<BackupException>(() => source.RestoreAsync(archive, force: true, withConfig: true));
        Assert.Equal(BackupFailure.Unable, refused.Failure);
        Assert.Contains("--with-config", refused.Message, StringComparison.Ordinal);
        Assert.Equal(before, await source.ContentAsync());
        Assert.Empty(Directory.EnumerateFileSystemEntries(source.Data, "re*"));

        // Where it was not asked for, the rest is restored and that is told.
        Assert.Contains((await source.RestoreAsync(archive, force: true)).Notes, static n => n.Contains("was not put into", StringComparison.Ordinal));
    }

    private static async Task<Installation> MadeAsync()
    {
        var installation = await Installation.NewAsync();
        installation.Settings["Backups:Key"] = Key;
        await using (await installation.StartAsync())
        {
            // Makes keys and a database.
        }

        return installation;
    }

    private static async Task PutSecretAsync(TestApp app)
    {
        using var put = await app.SendAsync(HttpMethod.Put, "/api/v1/secrets/openai", """{"value":"sk-kept"}""");
        Assert.Equal(HttpStatusCode.Created, put.StatusCode);
    }

    private static async Task<string> IdAsync(Installation installation) => InstallationId.Of(UnixTime.FromMicros(await installation.CountAsync(InstallationId.MadeAt)));
}

public sealed class RestoredElsewhereOnSqliteTests() : RestoredElsewhereTests(DatabaseKind.Sqlite);

public sealed class RestoredElsewhereOnPostgresTests() : RestoredElsewhereTests(DatabaseKind.Postgres), IOnPostgres;
