using System.Net;
using System.Net.Http.Json;
using System.Security.Cryptography;
using RootMas.Server.Identity.Audit;
using RootMas.Server.Identity.Tokens;
using RootMas.Server.Platform;
using RootMas.Server.Platform.Data;
using RootMas.Server.Platform.Secrets;
using RootMas.Tests.Support;

namespace RootMas.Tests.Platform.Cluster;

/// <summary>Keys are the installation's: the same for every instance, and one with others does not start.</summary>
public sealed class SharedKeysTests
{
    private static readonly string[] Names = ["audit.key", "idempotency", "pepper", "refresh", "secrets.key"];

    [PostgresFact]
    public async Task Of_instances_that_start_together_one_makes_the_keys_and_all_have_the_same()
    {
        await using var cluster = await TestCluster.StartAsync(3);
        foreach (var name in Names)
        {
            Assert.Single(cluster.Apps.Select(a => Convert.ToHexString(a.Get<KeyRing>().Get(name))).Distinct());
        }

        Assert.Single(cluster.Apps.Select(static a => a.Get<SigningKeys>().Current.KeyId).Distinct());
        Assert.Equal(Names.Length + 2, await cluster.ScalarAsync<long>("SELECT count(*) FROM shared_keys")); // and the master key's fingerprint, and the one that signs
        Assert.All(cluster.Apps, static a => Assert.False(Directory.Exists(Path.Combine(a.Data, "keys"))));
    }

    [PostgresFact]
    public async Task What_one_instance_issues_all_accept()
    {
        await using var cluster = await TestCluster.StartAsync();
        using var alice = await cluster[0].AsAsync("alice");
        using var there = cluster[1].NewClient(alice.AccessToken);
        Assert.Equal(HttpStatusCode.OK, (await there.GetAsync("/api/v1/auth/me")).StatusCode);
        using var again = await cluster[1].LogInAsync("alice", TestUsers.Password);
        var pair = await RootMas.Tests.Identity.RefreshTests.RefreshAsync(cluster[0], again.RefreshToken);
        using var fresh = cluster[1].NewClient(pair.AccessToken);
        Assert.Equal(HttpStatusCode.OK, (await fresh.GetAsync("/api/v1/auth/me")).StatusCode);
        var check = await new AuditVerifier(cluster[1].Get<AuditStore>(), [cluster[1].Get<AuditKey>()]).RunAsync(null, default);
        Assert.Empty(check.Problems);
    }

    [PostgresFact]
    public async Task The_database_holds_no_key_in_the_clear()
    {
        await using var cluster = await TestCluster.StartAsync(1);
        foreach (var name in Names)
        {
            var row = await cluster.ScalarAsync<byte[]>($"SELECT sealed FROM shared_keys WHERE name = '{name}'");
            var key = cluster[0].Get<KeyRing>().Get(name);
            Assert.Equal(-1, row.AsSpan().IndexOf(key));
            Assert.Equal(-1, row.AsSpan().IndexOf(System.Text.Encoding.ASCII.GetBytes(Convert.ToBase64String(key))));
        }

        Assert.True(await cluster.ScalarAsync<bool>("SELECT sealed IS NULL FROM shared_keys WHERE name = 'master'"));
    }

    [PostgresFact]
    public async Task An_instance_with_another_master_key_does_not_start_and_names_it()
    {
        await using var cluster = await TestCluster.StartAsync(1);
        var other = Convert.ToBase64String(RandomNumberGenerator.GetBytes(32));
        var refused = await RefusedAsync(cluster, o => o.Environment["ROOTMAS_MASTER_KEY"] = other);
        Assert.Contains("'master'", refused.Message, StringComparison.Ordinal);
        Assert.Contains(KeyFile.IdOf(Convert.FromBase64String(cluster.MasterKey)), refused.Message, StringComparison.Ordinal);
        Assert.Contains(KeyFile.IdOf(Convert.FromBase64String(other)), refused.Message, StringComparison.Ordinal);
        Assert.DoesNotContain(other, refused.Message, StringComparison.Ordinal);
        Assert.Equal(2, refused.ExitCode);

        var without = await RefusedAsync(cluster, static o => o.Environment.Remove("ROOTMAS_MASTER_KEY"));
        Assert.Contains("this instance has none", without.Message, StringComparison.Ordinal);
    }

    [PostgresFact]
    public async Task Without_a_master_key_the_file_of_the_first_instance_is_what_others_need()
    {
        await using var cluster = await TestCluster.StartAsync(1, static o => o.Environment.Remove("ROOTMAS_MASTER_KEY"));
        Assert.Equal(["master"], Directory.EnumerateFiles(Path.Combine(cluster[0].Data, "keys")).Select(Path.GetFileName));
        Assert.Equal(FileModes.Private, FileModes.Of(Path.Combine(cluster[0].Data, "keys", "master")));
        using var data = new TempFolder();
        var refused = await RefusedAsync(cluster, o => o.Data = data.Path);
        Assert.Contains("copy the file keys/master", refused.Message, StringComparison.Ordinal);

        Directory.CreateDirectory(Path.Combine(data.Path, "keys"));
        File.Copy(Path.Combine(cluster[0].Data, "keys", "master"), Path.Combine(data.Path, "keys", "master"));
        var second = await cluster.AddAsync(o => o.Data = data.Path);
        using var alice = await second.AsAsync("alice");
        using var there = cluster[0].NewClient(alice.AccessToken);
        Assert.Equal(HttpStatusCode.OK, (await there.GetAsync("/api/v1/auth/me")).StatusCode);
    }

    [PostgresFact]
    public async Task Keys_of_an_installation_that_kept_them_in_files_move_into_the_database()
    {
        await using var cluster = await TestCluster.StartAsync(1);
        using var alice = await cluster[0].AsAsync("alice");
        await PutSecretAsync(cluster[0], "openai", "sk-kept");
        using var data = await AsBeforeKeysWereSharedAsync(cluster);

        // Elsewhere nothing of it may be made anew: passwords, the audit chain and secrets would be lost.
        var refused = await RefusedAsync(cluster, static _ => { });
        Assert.Contains("'audit.key'", refused.Message, StringComparison.Ordinal);
        Assert.Equal(0, await cluster.ScalarAsync<long>("SELECT count(*) FROM shared_keys"));

        var moved = await cluster.AddAsync(o => o.Data = data.Path);
        var second = await cluster.AddAsync();
        Assert.Equal(moved.Get<KeyRing>().Get("pepper"), second.Get<KeyRing>().Get("pepper"));
        using var old = second.NewClient(alice.AccessToken);
        Assert.Equal(HttpStatusCode.OK, (await old.GetAsync("/api/v1/auth/me")).StatusCode);
        using var again = await second.LogInAsync("alice", TestUsers.Password);
        Assert.Equal("sk-kept", second.Get<Server.Identity.Secrets.SecretVault>().Find("openai"));
        Assert.Empty((await new AuditVerifier(second.Get<AuditStore>(), [second.Get<AuditKey>()]).RunAsync(null, default)).Problems);
    }

    [PostgresTheory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Secrets_that_a_master_key_sealed_itself_stay_readable_and_get_a_key_of_their_own(bool theOneBefore)
    {
        await using var cluster = await TestCluster.StartAsync(1);
        var master = theOneBefore ? RandomNumberGenerator.GetBytes(32) : Convert.FromBase64String(cluster.MasterKey);
        await cluster[0].Get<IDatabase>().WriteAsync(
            async session => _ = await session.Prepared("insert into secrets (name, sealed, revision, created_at, updated_at, updated_by) values ('old', @sealed, 1, 0, 0, 'x')")
                .Set("sealed", new SecretBox(master).Seal("secret/old", "sk-old")).RunAsync(),
            default);
        await cluster.ExecuteAsync("DELETE FROM shared_keys WHERE name = 'secrets.key'");
        if (theOneBefore)
        {
            Assert.Contains(KeyFile.IdOf(master), (await RefusedAsync(cluster, static _ => { })).Message, StringComparison.Ordinal);
        }

        var later = await cluster.AddAsync(o => o.Environment["ROOTMAS_PREVIOUS_MASTER_KEY"] = Convert.ToBase64String(master));
        Assert.Equal("sk-old", later.Get<Server.Identity.Secrets.SecretVault>().Find("old"));
        Assert.Equal(later.Get<SecretBox>().Id, SecretBox.KeyOf(await cluster.ScalarAsync<byte[]>("SELECT sealed FROM secrets WHERE name = 'old'")));
        Assert.NotEqual(KeyFile.IdOf(master), later.Get<SecretBox>().Id);
        Assert.Equal("sk-old", (await cluster.AddAsync()).Get<Server.Identity.Secrets.SecretVault>().Find("old"));
    }

    [PostgresFact]
    public async Task The_master_key_is_changed_while_others_run()
    {
        await using var cluster = await TestCluster.StartAsync(1);
        using var alice = await cluster[0].AsAsync("alice");
        var next = Convert.ToBase64String(RandomNumberGenerator.GetBytes(32));
        var second = await cluster.AddAsync(o => (o.Environment["ROOTMAS_PREVIOUS_MASTER_KEY"], o.Environment["ROOTMAS_MASTER_KEY"]) = (cluster.MasterKey, next));
        using var there = second.NewClient(alice.AccessToken);
        Assert.Equal(HttpStatusCode.OK, (await there.GetAsync("/api/v1/auth/me")).StatusCode);
        await alice.GetAsync("/api/v1/auth/me");

        // Whoever still has the old one keeps no new keys, and does not start again.
        using var rotation = await cluster[0].Client.PostAsJsonAsync("/api/v1/auth/keys/rotate", new { });
        await ProblemAssert.IsProblemAsync(rotation, 409, "master_key_changed");
        await RefusedAsync(cluster, static _ => { });
        Assert.Equal(second.Get<KeyRing>().Get("pepper"), (await cluster.AddAsync(o => o.Environment["ROOTMAS_MASTER_KEY"] = next)).Get<KeyRing>().Get("pepper"));
    }

    /// <summary>The instance with the master key of before cannot open the new signing key. What it knew is void there all the same, and it makes no tokens that nobody would take.</summary>
    [PostgresFact]
    public async Task What_was_made_void_is_void_also_where_the_new_key_cannot_be_opened()
    {
        await using var cluster = await TestCluster.StartAsync(1);
        using var alice = await cluster[0].AsAsync("alice");
        using var old = cluster[0].NewClient(alice.AccessToken);
        Assert.Equal(HttpStatusCode.OK, (await old.GetAsync("/api/v1/auth/me")).StatusCode);
        var second = await cluster.AddAsync(o => (o.Environment["ROOTMAS_PREVIOUS_MASTER_KEY"], o.Environment["ROOTMAS_MASTER_KEY"]) = (cluster.MasterKey, NewKey()));
        await second.PostJsonAsync("/api/v1/auth/keys/rotate?void_old=true", new { });
        await TestCluster.UntilAsync(async () => (await old.GetAsync("/api/v1/auth/me")).StatusCode == HttpStatusCode.Unauthorized, "the old key is void there too");

        using var nobody = cluster[0].NewClient(null);
        using var refused = await nobody.PostAsJsonAsync("/api/v1/auth/refresh", new { refresh_token = alice.RefreshToken });
        await ProblemAssert.IsProblemAsync(refused, 503, "master_key_changed");
        await TestCluster.UntilAsync(async () => (await cluster[0].Client.GetAsync("/health/ready")).StatusCode == HttpStatusCode.ServiceUnavailable, "it is no longer ready");
        Assert.Equal(HttpStatusCode.OK, (await RootMas.Tests.Identity.RefreshTests.RefreshAsync(second, alice.RefreshToken)).Status); // it was not spent
    }

    /// <summary>The change comes while a key is being kept that is sealed with the old master key: it waits for it, and has it too.</summary>
    [PostgresFact]
    public async Task A_master_key_that_is_changed_while_a_key_is_kept_opens_that_one_too()
    {
        await using var cluster = await TestCluster.StartAsync(1);
        var (key, next) = (RandomNumberGenerator.GetBytes(32), NewKey());
        var store = cluster[0].Get<SigningKeyStore>();
        Task<TestApp>? starting = null;
        await cluster[0].Get<IDatabase>().WriteAsync(
            async session =>
            {
                await store.PutAsync(session, "kept", key);
                starting ??= cluster.AddAsync(o => (o.Environment["ROOTMAS_PREVIOUS_MASTER_KEY"], o.Environment["ROOTMAS_MASTER_KEY"]) = (cluster.MasterKey, next));
                await TestCluster.UntilAsync(async () => await cluster.ScalarAsync<bool>("SELECT EXISTS (SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock')"), "it waits");
            },
            default);
        var second = await starting!;
        Assert.Equal(key, await second.Get<SigningKeyStore>().FindAsync("kept", default));
    }

    [PostgresFact]
    public async Task A_lost_master_key_is_replaced_with_all_that_it_wrapped()
    {
        await using var cluster = await TestCluster.StartAsync(1);
        await cluster.RemoveAsync(cluster[0]);
        var next = NewKey();
        var anew = await cluster.AddAsync(o =>
        {
            o.Environment["ROOTMAS_MASTER_KEY"] = next;
            o.Settings["Keys:Replace"] = $"master;{string.Join(';', Names)}";
            o.Settings["Audit:AcceptNewKey"] = "true";
        });
        using var alice = await anew.AsAsync("alice");
        var second = await cluster.AddAsync(o => o.Environment["ROOTMAS_MASTER_KEY"] = next);
        using var there = second.NewClient(alice.AccessToken);
        Assert.Equal(HttpStatusCode.OK, (await there.GetAsync("/api/v1/auth/me")).StatusCode);
        Assert.Equal(1, await cluster.ScalarAsync<long>("SELECT count(*) FROM shared_keys WHERE name LIKE 'signing-%'"));
    }

    [PostgresFact]
    public async Task A_changed_signing_key_is_refused_by_name_and_made_anew_when_it_is_said_to_be_lost()
    {
        await using var cluster = await TestCluster.StartAsync(1);
        var name = await cluster.ScalarAsync<string>("SELECT name FROM shared_keys WHERE name LIKE 'signing-%'");
        await cluster.ExecuteAsync("UPDATE shared_keys SET sealed = set_byte(sealed, 50, get_byte(sealed, 50) # 1) WHERE name LIKE 'signing-%'");
        Assert.Contains($"ROOTMAS__Keys__Replace__0={name}:", (await RefusedAsync(cluster, static _ => { })).Message, StringComparison.Ordinal);
        var again = await cluster.AddAsync(o => o.Settings["Keys:Replace:0"] = name);
        using var alice = await again.AsAsync("alice");
        Assert.NotEqual(name, $"signing-{again.Get<SigningKeys>().Current.KeyId}");
    }

    [PostgresFact]
    public async Task A_given_key_must_be_the_same_for_all_until_it_is_replaced_on_purpose()
    {
        var (pepper, other) = (Convert.ToBase64String(RandomNumberGenerator.GetBytes(32)), Convert.ToBase64String(RandomNumberGenerator.GetBytes(32)));
        await using var cluster = await TestCluster.StartAsync(1, o => o.Settings["Identity:Pepper"] = pepper);
        Assert.True(await cluster.ScalarAsync<bool>("SELECT sealed IS NULL FROM shared_keys WHERE name = 'pepper'"));
        await cluster.AddAsync();
        var differs = await RefusedAsync(cluster, o => o.Settings["Identity:Pepper"] = other);
        Assert.Contains("'pepper'", differs.Message, StringComparison.Ordinal);
        Assert.Contains("Identity:Pepper", differs.Message, StringComparison.Ordinal);
        var missing = await RefusedAsync(cluster, static o => o.Settings.Remove("Identity:Pepper"));
        Assert.Contains("is given to other instances by Identity:Pepper", missing.Message, StringComparison.Ordinal);
        var replaced = await cluster.AddAsync(o => (o.Settings["Identity:Pepper"], o.Settings["Keys:Replace:0"]) = (other, "pepper"));
        Assert.Equal(Convert.FromBase64String(other), replaced.Get<KeyRing>().Get("pepper"));
    }

    [PostgresFact]
    public async Task A_given_signing_key_changes_with_the_one_before_it_named()
    {
        var (one, two) = (Convert.ToBase64String(RandomNumberGenerator.GetBytes(32)), Convert.ToBase64String(RandomNumberGenerator.GetBytes(32)));
        await using var cluster = await TestCluster.StartAsync(1, o => o.Settings["Identity:SigningKey"] = one);
        await RefusedAsync(cluster, o => o.Settings["Identity:SigningKey"] = two);
        await RefusedAsync(cluster, static o => o.Settings.Remove("Identity:SigningKey"));
        await cluster.AddAsync(o => (o.Settings["Identity:SigningKey"], o.Settings["Identity:PreviousSigningKey"]) = (two, one));
        await RefusedAsync(cluster, static _ => { });
    }

    [PostgresFact]
    public async Task A_changed_row_and_a_strangers_file_are_refused_by_name()
    {
        await using var cluster = await TestCluster.StartAsync(1);
        using var data = new TempFolder();
        using (var directory = new DataDirectory(data.Path))
        {
            KeyFile.Write(directory, "refresh", RandomNumberGenerator.GetBytes(32), overwrite: false);
        }

        var strange = await RefusedAsync(cluster, o => o.Data = data.Path);
        Assert.Contains("'refresh'", strange.Message, StringComparison.Ordinal);
        await cluster.ExecuteAsync("UPDATE shared_keys SET sealed = set_byte(sealed, 50, get_byte(sealed, 50) # 1) WHERE name = 'audit.key'");
        var changed = await RefusedAsync(cluster, static _ => { });
        Assert.Contains("'audit.key'", changed.Message, StringComparison.Ordinal);
    }

    [PostgresFact]
    public async Task A_new_signing_key_is_everybodys_and_void_ones_are_void_everywhere()
    {
        await using var cluster = await TestCluster.StartAsync();
        using var alice = await cluster[0].AsAsync("alice");
        using var there = cluster[1].NewClient(alice.AccessToken);
        await there.GetAsync("/api/v1/auth/me");
        await cluster[0].PostJsonAsync("/api/v1/auth/keys/rotate", new { });
        await TestCluster.UntilAsync(() => Task.FromResult(cluster[0].Get<SigningKeys>().Current.KeyId == cluster[1].Get<SigningKeys>().Current.KeyId), "the other instance signs with the new key");
        Assert.Equal(HttpStatusCode.OK, (await there.GetAsync("/api/v1/auth/me")).StatusCode);

        await Task.WhenAll(cluster.Apps.Select(static a => a.PostJsonAsync("/api/v1/auth/keys/rotate?void_old=true", new { })));
        await TestCluster.UntilAsync(async () => (await there.GetAsync("/api/v1/auth/me")).StatusCode == HttpStatusCode.Unauthorized, "the old key is void there too");
        await TestCluster.UntilAsync(() => Task.FromResult(cluster[0].Get<SigningKeys>().Current.KeyId == cluster[1].Get<SigningKeys>().Current.KeyId), "both sign with the last key");
        Assert.Equal(1, await cluster.ScalarAsync<long>("SELECT count(*) FROM shared_keys WHERE name LIKE 'signing-%'"));
    }

    [PostgresFact]
    public async Task What_a_new_key_signed_all_accept_at_once()
    {
        await using var cluster = await TestCluster.StartAsync();
        using var alice = await cluster[0].AsAsync("alice");
        using var there = cluster[1].NewClient(alice.AccessToken);
        await there.GetAsync("/api/v1/auth/me");
        await cluster[0].PostJsonAsync("/api/v1/auth/keys/rotate", new { });
        using var again = await cluster[0].LogInAsync("alice", TestUsers.Password);
        using var fresh = cluster[1].NewClient(again.AccessToken);
        Assert.Equal(HttpStatusCode.OK, (await fresh.GetAsync("/api/v1/auth/me")).StatusCode);
        Assert.Equal(cluster[0].Get<SigningKeys>().Current.KeyId, cluster[1].Get<SigningKeys>().Current.KeyId);
    }

    /// <summary>A rotation here while earlier ones of other instances are heard of: nobody tells an instance of its own once more.</summary>
    [PostgresFact]
    public async Task Whatever_overlaps_an_instance_ends_with_the_key_that_signs()
    {
        await using var cluster = await TestCluster.StartAsync(1);
        var keys = cluster[0].Get<SigningKeys>();
        for (var i = 0; i < 15; i++)
        {
            var rotating = keys.RotateAsync(keepOld: true, new AuditEntry { Action = "keys.rotate", Credential = "test" }, default);
            do
            {
                await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => keys.ReloadAsync(default)));
            }
            while (!rotating.IsCompleted);

            Assert.Equal((await rotating)[0].Kid, keys.Current.KeyId);
        }
    }

    /// <summary>What the release before left: keys as files of one data directory, none in the database.</summary>
    private static async Task<TempFolder> AsBeforeKeysWereSharedAsync(TestCluster cluster)
    {
        var app = cluster[0];
        var data = new TempFolder();
        using var directory = new DataDirectory(data.Path);
        foreach (var name in Names)
        {
            KeyFile.Write(directory, name, app.Get<KeyRing>().Get(name), overwrite: false);
        }

        var signing = app.Get<SigningKeys>().Current;
        KeyFile.Write(directory, $"signing-{signing.KeyId}", signing.Key, overwrite: false);
        await cluster.RemoveAsync(app);
        await cluster.ExecuteAsync("DELETE FROM shared_keys");
        return data;
    }

    private static string NewKey() => Convert.ToBase64String(RandomNumberGenerator.GetBytes(32));

    private static async Task PutSecretAsync(TestApp app, string name, string value)
    {
        using var put = await app.Client.PutAsJsonAsync($"/api/v1/secrets/{name}", new { value });
        Assert.Equal(HttpStatusCode.Created, put.StatusCode);
    }

    private static Task<StartupRefusedException> RefusedAsync(TestCluster cluster, Action<TestAppOptions> configure) =>
        Assert.ThrowsAsync<StartupRefusedException>(() => cluster.AddAsync(configure));
}
