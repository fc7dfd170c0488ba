using System.Net;
using System.Net.Http.Json;
using RootMas.Server.Identity.Access;
using RootMas.Server.Identity.Secrets;
using RootMas.Server.Identity.Users;
using RootMas.Server.Platform.Cluster;
using RootMas.Server.Platform.Data;
using RootMas.Tests.Identity;
using RootMas.Tests.Support;

namespace RootMas.Tests.Platform.Cluster;

/// <summary>What one instance changes about who may do what holds in all of them within moments, without Redis.</summary>
public sealed class SharedAccessTests
{
    [PostgresFact]
    public async Task A_session_that_ends_in_one_instance_ends_in_all_with_its_sockets()
    {
        await using var cluster = await TestCluster.StartAsync();
        using var alice = await cluster[0].AsAsync("alice");
        using var there = cluster[1].NewClient(alice.AccessToken);
        using var socket = await TestSocket.ConnectAsync(cluster[1], alice);
        Assert.Equal(HttpStatusCode.OK, (await there.GetAsync("/api/v1/auth/me")).StatusCode);
        await alice.PostAsync("/api/v1/auth/logout", new { });
        await UntilUnauthorizedAsync(there);
        Assert.Equal(1008, await socket.ClosedAsync());
    }

    [PostgresFact]
    public async Task Keys_rights_and_users_end_everywhere_too()
    {
        await using var cluster = await TestCluster.StartAsync();
        using var alice = await cluster[0].AsAsync("alice");
        using var bob = await cluster[0].AsAsync("bob", "admin");
        await cluster[0].AddUserAsync("carol", "admin");
        var key = await alice.PostAsync("/api/v1/api-keys", new { name = "mine" }, HttpStatusCode.Created);
        using var byKey = cluster[1].NewClient(key.GetProperty("secret").GetString());
        using var bobThere = cluster[1].NewClient(bob.AccessToken);
        Assert.Equal((HttpStatusCode.OK, HttpStatusCode.OK), ((await byKey.GetAsync("/api/v1/auth/me")).StatusCode, (await bobThere.GetAsync("/api/v1/users")).StatusCode));

        using var revoked = await alice.Client.DeleteAsync($"/api/v1/api-keys/{key.GetProperty("id").GetString()}");
        await UntilUnauthorizedAsync(byKey);
        await cluster[0].ChangeUserAsync(bob.Id, """{"role":"user"}""");
        await TestCluster.UntilAsync(async () => (await bobThere.GetAsync("/api/v1/users")).StatusCode == HttpStatusCode.Forbidden, "bob is no administrator there");
        await cluster[0].ChangeUserAsync(bob.Id, """{"disabled":true}""");
        await UntilUnauthorizedAsync(bobThere);
    }

    [PostgresFact]
    public async Task A_secret_that_is_entered_in_one_instance_is_used_by_all()
    {
        await using var cluster = await TestCluster.StartAsync();
        using var put = await cluster[0].Client.PutAsJsonAsync("/api/v1/secrets/openai", new { value = "sk-shared" });
        await TestCluster.UntilAsync(() => Task.FromResult(cluster[1].Get<SecretVault>().Find("openai") == "sk-shared"), "the secret is known there");
    }

    [PostgresFact]
    public async Task The_first_administrator_is_made_once_with_any_instances_token()
    {
        await using var cluster = await TestCluster.StartAsync();
        var tokens = await Task.WhenAll(cluster.Apps.Select(SetupTests.TokenAsync));
        Assert.NotEqual(tokens[0], tokens[1]);
        var answers = await Task.WhenAll(cluster.Apps.Select(async (app, i) =>
        {
            using var nobody = app.NewClient(null);
            using var answer = await nobody.PostAsJsonAsync("/api/v1/auth/setup", new { setup_token = tokens[i], username = "ada" + i, password = TestUsers.Password });
            return answer.StatusCode;
        }));
        Assert.Equal([HttpStatusCode.OK, HttpStatusCode.Conflict], answers.Order());
        await TestCluster.UntilAsync(() => Task.FromResult(cluster.Apps.All(static a => !a.Get<FirstAdmin>().IsOpen && a.Get<LocalUser>().Caller.Username != "local")), "setup is closed everywhere");
        Assert.Single(cluster.Apps.Select(static a => a.Get<LocalUser>().Caller.Username).Distinct());
        Assert.All(cluster.Apps, static a => Assert.False(File.Exists(Path.Combine(a.Data, "setup-token"))));
    }

    [PostgresFact]
    public async Task Setup_is_over_everywhere_once_somebody_can_log_in()
    {
        foreach (var make in new Func<TestApp, Task>[]
        {
            static app => app.PostJsonAsync("/api/v1/users", new { username = "ada", password = TestUsers.Password, role = "admin" }, HttpStatusCode.Created),
            static async app =>
            {
                var me = (await app.GetJsonAsync("/api/v1/auth/me")).GetProperty("user").GetProperty("id").GetString();
                using var set = await app.Client.PostAsJsonAsync($"/api/v1/users/{me}/password", new { password = TestUsers.Password });
                Assert.Equal(HttpStatusCode.NoContent, set.StatusCode);
            },
        })
        {
            await using var cluster = await TestCluster.StartAsync();
            Assert.All(await Task.WhenAll(cluster.Apps.Select(SetupIsOpenAsync)), Assert.True);
            await make(cluster[0]);
            Assert.All(await Task.WhenAll(cluster.Apps.Select(SetupIsOpenAsync)), Assert.False); // in the very next answer
            await Wait.UntilAsync(() => cluster.Apps.All(static a => !File.Exists(Path.Combine(a.Data, "setup-token")))); // whoever heard of it by itself is at it
        }
    }

    [PostgresFact]
    public async Task Setup_that_is_over_is_heard_of_without_being_asked()
    {
        await using var cluster = await TestCluster.StartAsync();
        await cluster[0].PostJsonAsync("/api/v1/users", new { username = "ada", password = TestUsers.Password, role = "admin" }, HttpStatusCode.Created);
        await TestCluster.UntilAsync(() => Task.FromResult(!cluster[1].Get<FirstAdmin>().IsOpen && !File.Exists(Path.Combine(cluster[1].Data, "setup-token"))), "setup is closed there");
        Assert.Equal("local", cluster[1].Get<LocalUser>().Caller.Username); // ada is somebody else
    }

    [PostgresFact]
    public async Task Another_name_of_the_operator_is_known_everywhere()
    {
        await using var cluster = await TestCluster.StartAsync();
        var me = (await cluster[0].GetJsonAsync("/api/v1/auth/me")).GetProperty("user").GetProperty("id").GetString();
        using var changed = await cluster[0].SendAsync(HttpMethod.Patch, $"/api/v1/users/{me}", """{"username":"grace"}""", ("If-Match", "*"));
        Assert.Equal(HttpStatusCode.OK, changed.StatusCode);
        await TestCluster.UntilAsync(() => Task.FromResult(cluster.Apps.All(static a => a.Get<LocalUser>().Caller.Username == "grace")), "the name is known there");
        Assert.All(await Task.WhenAll(cluster.Apps.Select(SetupIsOpenAsync)), Assert.True); // nobody can log in yet
    }

    [PostgresFact]
    public async Task No_change_is_missed_however_transactions_overlap()
    {
        await using var cluster = await TestCluster.StartAsync();
        var (writer, reader) = (cluster[0].Get<ChangeFeed>(), new System.Collections.Concurrent.ConcurrentBag<string>());
        cluster[1].Get<ChangeFeed>().Subscribe(
            "test",
            subject =>
            {
                reader.Add(subject);
                return Task.CompletedTask;
            },
            static () => Task.CompletedTask);
        var database = cluster[0].Get<IDatabase>();
        var slow = new TaskCompletionSource();
        var first = database.WriteAsync(
            async session =>
            {
                await writer.AddAsync(session, "test", "slow");
                await slow.Task;
            },
            default);
        await Task.WhenAll(Enumerable.Range(0, 50).Select(i => database.WriteAsync(session => writer.AddAsync(session, "test", $"quick {i}"), default)));
        await TestCluster.UntilAsync(() => Task.FromResult(reader.Count >= 50), "the quick ones are heard while a slow one is open");
        slow.SetResult();
        await first;
        await TestCluster.UntilAsync(() => Task.FromResult(reader.Contains("slow")), "the one that committed late is heard");
        Assert.Equal(51, reader.Count); // each once
    }

    [PostgresFact]
    public async Task While_changes_cannot_be_followed_nobody_is_remembered()
    {
        var clock = new SteppedClock();
        await using var cluster = await TestCluster.StartAsync(1, o => o.Clock = clock);
        Assert.True(cluster[0].Get<ChangeFeed>().IsCurrent);
        await cluster.ExecuteAsync("ALTER TABLE shared_changes RENAME TO gone");
        clock.Advance(TimeSpan.FromSeconds(5));
        Assert.False(cluster[0].Get<ChangeFeed>().IsCurrent);
        await cluster.ExecuteAsync("ALTER TABLE gone RENAME TO shared_changes");
        await TestCluster.UntilAsync(() => Task.FromResult(cluster[0].Get<ChangeFeed>().IsCurrent), "it is followed again");
    }

    private static async Task<bool> SetupIsOpenAsync(TestApp app)
    {
        using var nobody = app.NewClient(null);
        var state = System.Text.Json.JsonElement.Parse(await nobody.GetStringAsync("/api/v1/auth/setup"));
        return Assert.Single(state.EnumerateObject()).Value.GetBoolean();
    }

    private static Task UntilUnauthorizedAsync(HttpClient client) =>
        TestCluster.UntilAsync(async () => (await client.GetAsync("/api/v1/auth/me")).StatusCode == HttpStatusCode.Unauthorized, "the credential is refused there");
}
