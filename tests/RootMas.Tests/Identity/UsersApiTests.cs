using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using RootMas.Server.Identity.Users;
using RootMas.Server.Platform.Data;
using RootMas.Tests.Support;

namespace RootMas.Tests.Identity;

public sealed class UsersApiOnSqliteTests() : UsersApiTests(DatabaseKind.Sqlite);

public sealed class UsersApiOnPostgresTests() : UsersApiTests(DatabaseKind.Postgres), IOnPostgres;

[Covers(typeof(UserStore))]
public abstract class UsersApiTests(DatabaseKind kind) : OnDatabase(kind)
{
    [DatabaseFact]
    public async Task An_administrator_adds_reads_changes_and_erases_users()
    {
        await using var app = await TestApp.StartAsync();
        using var made = await app.Client.PostAsJsonAsync("/api/v1/users", new { username = "alice", password = TestUsers.Password, role = "readonly", limits = new { requests = 7 } });
        var alice = await TestUser.JsonAsync(made, HttpStatusCode.Created);
        var id = alice.GetProperty("id").GetString()!;
        Assert.Equal($"/api/v1/users/{id}", made.Headers.Location!.ToString());
        Assert.Equal(7, alice.GetProperty("limits").GetProperty("requests").GetInt32());

        var changed = await PatchAsync(app, id, new { username = "Alice.B", role = "user", limits = new { } });
        Assert.Equal(("Alice.B", "user"), (changed.GetProperty("username").GetString(), changed.GetProperty("role").GetString()));
        Assert.Equal(JsonValueKind.Null, changed.GetProperty("limits").GetProperty("requests").ValueKind);
        Assert.Equal(["Alice.B", "local"], (await app.GetJsonAsync("/api/v1/users")).GetProperty("items").EnumerateArray().Select(u => u.GetProperty("username").GetString()!));
        Assert.Equal("local", (await app.GetJsonAsync("/api/v1/users?username=LOCAL")).GetProperty("items")[0].GetProperty("username").GetString());

        Assert.Equal(HttpStatusCode.NoContent, await DeleteAsync(app, id));
        Assert.Equal(HttpStatusCode.NotFound, (await app.Client.GetAsync($"/api/v1/users/{id}")).StatusCode);
        Assert.Equal(["user.create", "user.update", "user.delete"], (await app.AuditAsync()).Where(r => r.Target == id).Select(r => r.Action));
        Assert.DoesNotContain((await app.AuditAsync()), r => $"{r.Before}{r.After}".Contains(TestUsers.Password, StringComparison.Ordinal) || $"{r.Before}{r.After}".Contains("$2a$", StringComparison.Ordinal));
    }

    [DatabaseFact]
    public async Task A_list_of_users_comes_in_pages_by_name()
    {
        await using var app = await TestApp.StartAsync();
        foreach (var name in (string[])["d", "B", "a", "C"])
        {
            await app.AddUserAsync(name);
        }

        var names = new List<string>();
        for (var cursor = ""; cursor is not null;)
        {
            var page = await app.GetJsonAsync($"/api/v1/users?limit=2{(cursor.Length > 0 ? $"&cursor={cursor}" : "")}");
            names.AddRange(page.GetProperty("items").EnumerateArray().Select(u => u.GetProperty("username").GetString()!));
            cursor = page.GetProperty("next_cursor").GetString();
        }

        Assert.Equal(["a", "B", "C", "d", "local"], names);
    }

    [DatabaseFact]
    public async Task A_name_that_could_be_mistaken_for_something_else_is_refused()
    {
        await using var app = await TestApp.StartAsync();
        foreach (var username in (string[])
        [
            "",
            "a b",
            "-dash",
            "new\nline",
            "кириллица",
            "../etc",
            "a/b",
        ])
        {
            using var answer = await app.Client.PostAsJsonAsync("/api/v1/users", new { username, password = TestUsers.Password });
            Assert.Equal((username, HttpStatusCode.BadRequest), (username, answer.StatusCode));
        }
    }

    [DatabaseFact]
    public async Task Names_are_one_whatever_their_case_and_roles_are_those_that_there_are()
    {
        await using var app = await TestApp.StartAsync();
        var alice = await app.AddUserAsync("alice");
        var bob = await app.AddUserAsync("bob");
        using var twin = await app.Client.PostAsJsonAsync("/api/v1/users", new { username = "ALICE", password = TestUsers.Password });
        Assert.Equal("username_taken", (await TestUser.JsonAsync(twin, HttpStatusCode.Conflict)).GetProperty("code").GetString());
        Assert.Equal(HttpStatusCode.Conflict, (await ChangeAsync(app, bob, new { username = "Alice" })).StatusCode);
        Assert.Equal(HttpStatusCode.OK, (await ChangeAsync(app, alice, new { username = "ALICE" })).StatusCode);
        Assert.Equal(HttpStatusCode.BadRequest, (await ChangeAsync(app, bob, new { role = "root" })).StatusCode);
        Assert.Equal(HttpStatusCode.BadRequest, (await ChangeAsync(app, bob, new { limits = new { requests = 0 } })).StatusCode);
        Assert.Equal(HttpStatusCode.BadRequest, (await ChangeAsync(app, bob, new { password_hash = "x" })).StatusCode);
    }

    [DatabaseFact]
    public async Task What_a_user_may_spend_is_a_number_or_the_text_that_amounts_are_elsewhere()
    {
        await using var app = await TestApp.StartAsync();
        var id = await app.AddUserAsync("alice");
        foreach (var amount in (object[])["2.50", 2.5])
        {
            var changed = await PatchAsync(app, id, new { limits = new { spend_per_day_usd = amount } });
            Assert.Equal(2.5m, changed.GetProperty("limits").GetProperty("spend_per_day_usd").GetDecimal());
        }

        foreach (var wrong in (object[])["2,50", "1e3", "-1", -0.4, 1e10, 1e30, true])
        {
            using var refused = await ChangeAsync(app, id, new { limits = new { spend_per_day_usd = wrong } });
            ProblemAssert.Names(await ProblemAssert.IsProblemAsync(refused, 400), "limits.spend_per_day_usd");
        }
    }

    [DatabaseFact]
    public async Task A_change_needs_the_version_that_was_read()
    {
        await using var app = await TestApp.StartAsync();
        var id = await app.AddUserAsync("alice");
        var path = $"/api/v1/users/{id}";
        using var read = await app.Client.GetAsync(path);
        var etag = read.Headers.ETag!.ToString();
        Assert.Equal(428, (int)(await app.SendAsync(HttpMethod.Patch, path, """{"role":"agent"}""")).StatusCode);
        Assert.Equal(428, (int)(await app.SendAsync(HttpMethod.Delete, path)).StatusCode);
        Assert.Equal(200, (int)(await app.SendAsync(HttpMethod.Patch, path, """{"role":"agent"}""", ("If-Match", etag))).StatusCode);
        Assert.Equal(412, (int)(await app.SendAsync(HttpMethod.Patch, path, """{"role":"user"}""", ("If-Match", etag))).StatusCode);
        Assert.Equal(412, (int)(await app.SendAsync(HttpMethod.Delete, path, null, ("If-Match", etag))).StatusCode);

        // Of many that read the same version, one wins.
        using var again = await app.Client.GetAsync(path);
        var race = await Task.WhenAll(Enumerable.Range(0, 20).Select(i => app.SendAsync(HttpMethod.Patch, path, $$"""{"username":"alice{{i}}"}""", ("If-Match", again.Headers.ETag!.ToString()))));
        Assert.Equal(1, race.Count(r => r.StatusCode == HttpStatusCode.OK));
        Assert.Equal(19, race.Count(r => (int)r.StatusCode == 412));
    }

    [DatabaseFact]
    public async Task Somebody_can_always_administer()
    {
        await using var app = await TestApp.StartAsync();
        var first = await app.AddUserAsync("first", "admin");
        foreach (var change in (object[])[new { disabled = true }, new { role = "user" }])
        {
            using var refused = await ChangeAsync(app, first, change);
            Assert.Equal("last_admin", (await TestUser.JsonAsync(refused, HttpStatusCode.Conflict)).GetProperty("code").GetString());
        }

        Assert.Equal(HttpStatusCode.Conflict, await DeleteAsync(app, first));
        var second = await app.AddUserAsync("second", "admin");

        // Both at once: one stays.
        var both = await Task.WhenAll(ChangeAsync(app, first, new { role = "user" }), ChangeAsync(app, second, new { role = "user" }));
        Assert.Equal([200, 409], both.Select(r => (int)r.StatusCode).Order());
    }

    [DatabaseFact]
    public async Task The_account_of_whoever_holds_the_data_directory_can_be_disabled_but_not_erased()
    {
        await using var app = await TestApp.StartAsync();
        await app.AddUserAsync("admin-2", "admin");
        var local = (await app.GetJsonAsync("/api/v1/users?username=local")).GetProperty("items")[0].GetProperty("id").GetString()!;
        Assert.Equal(HttpStatusCode.Conflict, await DeleteAsync(app, local));
        await PatchAsync(app, local, new { disabled = true });
        await app.GetJsonAsync("/api/v1/users");
    }

    [DatabaseFact]
    public async Task Only_administrators_see_users_and_everybody_changes_only_their_own_password()
    {
        await using var app = await TestApp.StartAsync();
        using var alice = await app.AsAsync("alice");
        using var other = await app.LogInAsync("alice", TestUsers.Password);
        var bob = await app.AddUserAsync("bob");
        await alice.GetAsync("/api/v1/users", HttpStatusCode.Forbidden);
        await alice.PostAsync("/api/v1/users", new { username = "eve", password = TestUsers.Password, role = "admin" }, HttpStatusCode.Forbidden);
        await alice.PostAsync($"/api/v1/users/{bob}/password", new { password = "another password" }, HttpStatusCode.NotFound);
        await alice.PostAsync($"/api/v1/users/{alice.Id}/password", new { password = "another password" }, HttpStatusCode.BadRequest);
        await alice.PostAsync($"/api/v1/users/{alice.Id}/password", new { password = "another password", old_password = "not it at all" }, HttpStatusCode.Forbidden);
        await alice.GetAsync("/api/v1/auth/me");

        await alice.PostAsync($"/api/v1/users/{alice.Id}/password", new { password = "another password", old_password = TestUsers.Password }, HttpStatusCode.NoContent);
        await alice.GetAsync("/api/v1/auth/me");
        await other.GetAsync("/api/v1/auth/me", HttpStatusCode.Unauthorized);
        Assert.Equal(HttpStatusCode.Unauthorized, (await PasswordTests.LogInAsync(app, "alice", TestUsers.Password)).Status);
        Assert.Equal(HttpStatusCode.OK, (await PasswordTests.LogInAsync(app, "alice", "another password")).Status);
        Assert.Equal(["failed", "done"], (await app.AuditAsync()).Where(r => r.Action == "user.password").Select(r => r.Outcome));
    }

    [DatabaseFact]
    public async Task A_password_that_an_administrator_set_meanwhile_stays()
    {
        var held = new HeldWrites();
        await using var app = await TestApp.StartAsync(o => o.Services = held.AddTo);
        using var alice = await app.AsAsync("alice");
        var path = $"/api/v1/users/{alice.Id}/password";
        var own = held.PostAsync(alice.Client, path, new { password = "a stolen account", old_password = TestUsers.Password });
        await held.HoldAsync(1);
        using (var reset = await app.Client.PostAsJsonAsync(path, new { password = "set for you 2042" }))
        {
            Assert.Equal(HttpStatusCode.NoContent, reset.StatusCode);
        }

        held.Release();
        Assert.Equal("old_password_wrong", (await TestUser.JsonAsync(await own, HttpStatusCode.Forbidden)).GetProperty("code").GetString());
        Assert.Equal(HttpStatusCode.Unauthorized, (await PasswordTests.LogInAsync(app, "alice", "a stolen account")).Status);
        Assert.Equal(HttpStatusCode.OK, (await PasswordTests.LogInAsync(app, "alice", "set for you 2042")).Status);
        Assert.Equal(["done", "failed"], (await app.AuditAsync()).Where(r => r.Action == "user.password").Select(r => r.Outcome));
    }

    [DatabaseFact]
    public async Task Disabling_another_role_and_a_new_password_reach_tokens_at_once()
    {
        await using var app = await TestApp.StartAsync();
        using var alice = await app.AsAsync("alice");
        await alice.GetAsync("/api/v1/conversations");
        await PatchAsync(app, alice.Id, new { role = "agent" });
        Assert.Equal("agent", (await alice.GetAsync("/api/v1/auth/me")).GetProperty("user").GetProperty("role").GetString());
        await alice.GetAsync("/api/v1/agents", HttpStatusCode.Forbidden);

        await PatchAsync(app, alice.Id, new { disabled = true });
        await alice.GetAsync("/api/v1/auth/me", HttpStatusCode.Unauthorized);
        Assert.Equal(HttpStatusCode.Unauthorized, (await RefreshTests.RefreshAsync(app, alice.RefreshToken)).Status);

        // Sessions do not come back with the account.
        await PatchAsync(app, alice.Id, new { disabled = false });
        await alice.GetAsync("/api/v1/auth/me", HttpStatusCode.Unauthorized);
        using var again = await app.LogInAsync("alice", TestUsers.Password);
        using var reset = await app.Client.PostAsJsonAsync($"/api/v1/users/{again.Id}/password", new { password = "another password" });
        Assert.Equal(HttpStatusCode.NoContent, reset.StatusCode);
        await again.GetAsync("/api/v1/auth/me", HttpStatusCode.Unauthorized);
    }

    [DatabaseFact]
    public async Task What_an_administrator_made_for_others_ends_when_they_are_none_any_more()
    {
        await using var app = await TestApp.StartAsync();
        await app.AddUserAsync("root", "admin");
        var operators = await app.PostJsonAsync("/api/v1/auth/token", new { user_id = "root", role = "admin" });
        Func<string, Task>[] ends =
        [
            id => PatchAsync(app, id, new { disabled = true }),
            id => PatchAsync(app, id, new { role = "user" }),
            async id => Assert.Equal(HttpStatusCode.NoContent, await DeleteAsync(app, id)),
        ];
        var last = "";
        foreach (var (index, end) in ends.Index())
        {
            using var admin = await app.AsAsync($"admin{index}", "admin");
            var key = await admin.PostAsync("/api/v1/api-keys", new { name = "bot" }, HttpStatusCode.Created);
            using var bot = app.NewClient(key.GetProperty("secret").GetString());
            List<JsonElement> made = [];
            foreach (var maker in (HttpClient[])[bot, admin.Client])
            {
                made.Add(await TestUser.JsonAsync(await maker.PostAsJsonAsync("/api/v1/auth/token", new { user_id = "root", role = "admin" }), HttpStatusCode.OK));
            }

            await PatchAsync(app, admin.Id, new { username = $"chief{index}" });
            foreach (var token in made)
            {
                Assert.Equal(HttpStatusCode.OK, await UsersAsync(app, token));
            }

            await end(admin.Id);
            foreach (var token in made)
            {
                Assert.Equal(HttpStatusCode.Unauthorized, await UsersAsync(app, token));
                Assert.Equal(HttpStatusCode.Unauthorized, (await RefreshTests.RefreshAsync(app, token.GetProperty("refresh_token").GetString()!)).Status);
            }

            last = admin.Id;
        }

        Assert.Equal(HttpStatusCode.OK, await UsersAsync(app, operators));
        await app.StopAsync();
        Assert.DoesNotContain(last, TestDatabaseDump.Of(app, "sessions"), StringComparison.Ordinal); // who was erased
    }

    [DatabaseFact]
    public async Task Erasing_a_user_leaves_nothing_of_what_was_said()
    {
        const string Canary = "canary-7f3a91";
        await using var app = await TestApp.StartAsync();
        using var alice = await app.AsAsync("alice");
        await alice.PostAsync("/api/v1/chat", new { message = $"hello {Canary}" });
        await app.PostJsonAsync("/api/v1/chat", new { message = "mine stays" });
        Assert.Equal(HttpStatusCode.NoContent, await DeleteAsync(app, alice.Id));
        await alice.GetAsync("/api/v1/auth/me", HttpStatusCode.Unauthorized);
        await app.StopAsync();
        foreach (var table in (string[])["conversations", "messages", "runs", "run_events", "run_contexts", "sessions"])
        {
            Assert.DoesNotContain(Canary, TestDatabaseDump.Of(app, table), StringComparison.Ordinal);
            Assert.DoesNotContain(alice.Id, TestDatabaseDump.Of(app, table), StringComparison.Ordinal);
        }

        Assert.Contains("mine stays", TestDatabaseDump.Of(app, "messages"), StringComparison.Ordinal);
        Assert.Contains(alice.Id, TestDatabaseDump.Of(app, "usage_ledger"), StringComparison.Ordinal);
    }

    /// <summary>A chain cannot lose what a row says: so it is told before.</summary>
    [DatabaseFact]
    public async Task The_audit_log_keeps_an_erased_users_name_and_address_and_the_description_says_so()
    {
        await using var app = await TestApp.StartAsync();
        using var alice = await app.AsAsync("alice");
        Assert.Equal(HttpStatusCode.NoContent, await DeleteAsync(app, alice.Id));
        var login = (await app.GetJsonAsync("/api/v1/audit?action=auth.login")).GetProperty("items")[0];
        Assert.Equal(("alice", "127.0.0.1"), (login.GetProperty("actor_name").GetString(), login.GetProperty("address").GetString()));
        var description = (await app.GetJsonAsync("/openapi/v1.json")).GetProperty("paths").GetProperty("/api/v1/users/{id}").GetProperty("delete").GetProperty("description").GetString();
        Assert.Contains("The audit log keeps its rows for ever, with the names that were used then and the addresses", description, StringComparison.Ordinal);
    }

    internal static async Task<JsonElement> PatchAsync(TestApp app, string id, object change) => await TestUser.JsonAsync(await ChangeAsync(app, id, change), HttpStatusCode.OK);

    internal static async Task<HttpResponseMessage> ChangeAsync(TestApp app, string id, object change)
    {
        using var read = await app.Client.GetAsync($"/api/v1/users/{id}");
        return await app.SendAsync(HttpMethod.Patch, $"/api/v1/users/{id}", JsonSerializer.Serialize(change), ("If-Match", read.Headers.ETag!.ToString()));
    }

    /// <summary>What a service token gets for a route of administrators.</summary>
    private static async Task<HttpStatusCode> UsersAsync(TestApp app, JsonElement token)
    {
        using var client = app.NewClient(token.GetProperty("access_token").GetString());
        using var answer = await client.GetAsync("/api/v1/users");
        return answer.StatusCode;
    }

    private static async Task<HttpStatusCode> DeleteAsync(TestApp app, string id)
    {
        using var read = await app.Client.GetAsync($"/api/v1/users/{id}");
        using var answer = await app.SendAsync(HttpMethod.Delete, $"/api/v1/users/{id}", null, ("If-Match", read.Headers.ETag!.ToString()));
        return answer.StatusCode;
    }
}
