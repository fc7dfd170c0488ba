using System.Net;
using System.Net.Http.Json;
using System.Text;
using RootMas.Server.Identity;
using RootMas.Server.Identity.Users;
using RootMas.Tests.Support;

namespace RootMas.Tests.Identity;

public sealed class PasswordTests
{
    /// <summary>36 Cyrillic letters are the 72 bytes that bcrypt reads.</summary>
    private static readonly string Long = string.Concat(Enumerable.Repeat("щ", 36));

    [Fact]
    public async Task Passwords_that_differ_anywhere_are_different_passwords()
    {
        await using var app = await TestApp.StartAsync();
        (string Right, string Wrong)[] pairs =
        [
            (Long + "а", Long + "б"),
            (Long, Long + "щ"),
            (new string('x', 255) + "1", new string('x', 255) + "2"),
            ("👩‍👩‍👧 family and 12", "👩‍👩‍👦 family and 12"),
            ("Sentence with  two spaces", "Sentence with two spaces"),
            ("TRAILING space 1 ", "TRAILING space 1"),
            ("ÅngströmÅngström", "AngstromAngstrom"),
        ];
        foreach (var (index, (right, wrong)) in pairs.Index())
        {
            await app.AddUserAsync($"user{index}", password: right);
            Assert.Equal(HttpStatusCode.OK, (await LogInAsync(app, $"user{index}", right)).Status);
            Assert.Equal(HttpStatusCode.Unauthorized, (await LogInAsync(app, $"user{index}", wrong)).Status);
        }
    }

    [Fact]
    public async Task The_same_text_in_another_unicode_form_is_the_same_password()
    {
        await using var app = await TestApp.StartAsync();
        await app.AddUserAsync("alice", password: "Ångström, twice é".Normalize(NormalizationForm.FormD));
        Assert.Equal(HttpStatusCode.OK, (await LogInAsync(app, "alice", "Ångström, twice é".Normalize(NormalizationForm.FormC))).Status);
        Assert.Equal(HttpStatusCode.OK, (await LogInAsync(app, "ALICE", "Ångström, twice é")).Status);
    }

    [Theory]
    [InlineData("1234567")]
    [InlineData("")]
    [InlineData("password")]
    [InlineData("PassWord123")]
    [InlineData("йцукенгш")]
    [InlineData("Пароль123")]
    [InlineData("qwerty12345")]
    [InlineData("bob-the-builder")]
    [InlineData("BOB-the-Builder")]
    [InlineData("👩👩👩👩👩👩👩")]
    public async Task A_password_that_is_short_common_or_the_name_is_refused(string password)
    {
        await using var app = await TestApp.StartAsync();
        using var answer = await app.Client.PostAsJsonAsync("/api/v1/users", new { username = "bob-the-builder", password });
        var problem = await TestUser.JsonAsync(answer, HttpStatusCode.BadRequest);
        var said = problem.GetProperty("errors").GetProperty("password")[0].GetString()!;
        Assert.True(password.Length == 0 || !said.Replace("passwords", "", StringComparison.Ordinal).Contains(password, StringComparison.Ordinal), said);
    }

    [Fact]
    public async Task Text_that_is_no_text_and_ten_thousand_characters_are_refused()
    {
        await using var app = await TestApp.StartAsync();
        foreach (var json in (string[])[$"\"{new string('x', 10_000)}\"", $"\"{new string('x', 257)}\"", "\"nul \\u0000 inside it\"", "\"half \\ud83d of a pair\"", "\"\\udc00 half of a pair\"", "17171717", "null"])
        {
            using var refused = await app.PostAsync("/api/v1/users", $$"""{"username":"bob","password":{{json}}}""");
            var said = (await TestUser.JsonAsync(refused, HttpStatusCode.BadRequest)).GetProperty("errors").GetProperty("password")[0].GetString();
            Assert.Equal(json.Length > 200, said is "must be 8 to 256 characters long"); // the rule, whichever part of the server says it
        }

        Assert.Null(PasswordPolicy.Refusal(new string('x', 256), "bob"));
        Assert.NotNull(PasswordPolicy.Refusal("half \ud83d of a pair", "bob"));
        Assert.True(PasswordPolicy.CommonCount > 1_000);
    }

    [Fact]
    public async Task An_unknown_name_a_wrong_password_and_a_disabled_account_get_the_same_answer()
    {
        await using var app = await TestApp.StartAsync(o => o.PasswordCost = 8);
        await app.AddUserAsync("alice");
        var disabled = await app.AddUserAsync("carol");
        await UsersApiTests.PatchAsync(app, disabled, new { disabled = true });

        (string Name, string Password)[] tries = [("nobody", TestUsers.Password), ("alice", "a wrong password"), ("carol", TestUsers.Password), ("carol", "a wrong password"), ("local", "a wrong password")];
        var answers = new List<Attempt>();
        foreach (var (name, password) in tries)
        {
            answers.Add(await LogInAsync(app, name, password));
        }

        Assert.All(answers, a => Assert.Equal(HttpStatusCode.Unauthorized, a.Status));
        Assert.Single(answers.Select(a => a.Body).Distinct());
        Assert.Single(answers.Select(a => a.Headers).Distinct());
        Assert.Equal(["unknown_user", "wrong_password", "disabled", "disabled", "no_password"],
            (await app.AuditAsync()).Where(r => r.Action == "auth.login_failed").Select(r => System.Text.Json.JsonElement.Parse(r.After!).GetProperty("reason").GetString()!));
    }

    /// <summary>What takes the time is the hash: one of the full cost is computed to its end whatever the reason. The work is counted, since a busy machine's clock proves nothing.</summary>
    [Fact]
    public async Task A_name_that_nobody_has_costs_as_much_work_as_a_wrong_password()
    {
        await using var app = await TestApp.StartAsync(o => o.PasswordCost = 9);
        await app.AddUserAsync("alice");
        foreach (var name in (string[])["nobody", "alice"])
        {
            var before = await ChecksAsync(app, cost: 9);
            Assert.Equal(HttpStatusCode.Unauthorized, (await LogInAsync(app, name, "a wrong password")).Status);
            Assert.Equal(before + 1, await ChecksAsync(app, cost: 9));
        }
    }

    [Fact]
    public async Task When_the_cost_rises_a_hash_is_renewed_at_the_next_login()
    {
        using var data = new TempFolder();
        await using (var app = await TestApp.StartAsync(o => (o.Data, o.PasswordCost) = (data.Path, 4)))
        {
            await app.AddUserAsync("alice");
            Assert.StartsWith("$2a$04$", (await HashAsync(app)), StringComparison.Ordinal);
        }

        await using var again = await TestApp.StartAsync(o => (o.Data, o.PasswordCost) = (data.Path, 5));
        Assert.Equal(HttpStatusCode.Unauthorized, (await LogInAsync(again, "alice", "a wrong password")).Status);
        Assert.StartsWith("$2a$04$", await HashAsync(again), StringComparison.Ordinal);
        Assert.Equal(HttpStatusCode.OK, (await LogInAsync(again, "alice", TestUsers.Password)).Status);
        Assert.StartsWith("$2a$05$", await HashAsync(again), StringComparison.Ordinal);
        Assert.Equal(HttpStatusCode.OK, (await LogInAsync(again, "alice", TestUsers.Password)).Status);
    }

    [Fact]
    public async Task When_the_cost_rises_logins_at_once_are_all_good_and_none_is_with_what_is_no_password_any_more()
    {
        var held = new HeldWrites();
        using var data = new TempFolder();
        await using (var app = await TestApp.StartAsync(o => (o.Data, o.PasswordCost) = (data.Path, 4)))
        {
            await app.AddUserAsync("alice");
        }

        await using var again = await TestApp.StartAsync(o =>
        {
            (o.Data, o.PasswordCost) = (data.Path, 5);
            o.Services = held.AddTo;
        });
        using var nobody = again.NewClient(null);
        var alice = new { username = "alice", password = TestUsers.Password };
        var logins = Enumerable.Range(0, 3).Select(_ => held.PostAsync(nobody, "/api/v1/auth/login", alice)).ToArray();
        await held.HoldAsync(3);
        held.Release();
        foreach (var login in logins)
        {
            await TestUser.JsonAsync(await login, HttpStatusCode.OK);
        }

        Assert.DoesNotContain(await again.AuditAsync(), static r => r.Action == "auth.login_failed");
        var late = held.PostAsync(nobody, "/api/v1/auth/login", alice);
        await held.HoldAsync(1);
        using (var reset = await again.Client.PostAsJsonAsync($"/api/v1/users/{await again.AddUserAsync("alice")}/password", new { password = "set for you 2042" }))
        {
            Assert.Equal(HttpStatusCode.NoContent, reset.StatusCode);
        }

        held.Release();
        await TestUser.JsonAsync(await late, HttpStatusCode.Unauthorized);
        Assert.Single(await again.AuditAsync(), static r => r.Action == "auth.login_failed");
    }

    [Fact]
    public async Task Without_the_pepper_the_database_alone_gives_no_login()
    {
        using var data = new TempFolder();
        await using (var app = await TestApp.StartAsync(o => o.Data = data.Path))
        {
            await app.AddUserAsync("alice");
        }

        File.Delete(Path.Combine(data.Path, "keys", "pepper"));
        await using var again = await TestApp.StartAsync(o => o.Data = data.Path);
        Assert.Equal(HttpStatusCode.Unauthorized, (await LogInAsync(again, "alice", TestUsers.Password)).Status);
    }

    [Fact]
    public async Task Production_refuses_a_cheap_hash_by_name()
    {
        var error = await Assert.ThrowsAsync<Server.Platform.Settings.SettingsException>(() => TestApp.StartAsync(o => o.Settings["Identity:PasswordCost"] = "11"));
        Assert.Contains(error.Problems, p => p.Contains("Identity:PasswordCost", StringComparison.Ordinal) && p.Contains("12", StringComparison.Ordinal));
        Assert.True(new IdentityOptions().PasswordCost >= 12);
        await using var development = await TestApp.StartAsync(o =>
        {
            o.Settings["Identity:PasswordCost"] = "6";
            o.Settings["Server:Environment"] = "Development";
        });
    }

    internal static async Task<Attempt> LogInAsync(TestApp app, string username, string password)
    {
        using var nobody = app.NewClient(null);
        using var answer = await nobody.PostAsJsonAsync("/api/v1/auth/login", new { username, password });
        var body = await answer.Content.ReadAsStringAsync();
        var trace = body.IndexOf("\"trace_id\"", StringComparison.Ordinal);
        var headers = answer.Headers.Select(h => h.Key).Where(k => !k.StartsWith("RateLimit", StringComparison.OrdinalIgnoreCase)).Order(StringComparer.Ordinal);
        return new Attempt(answer.StatusCode, trace < 0 ? body : body[..trace], string.Join(',', headers));
    }

    /// <summary>Other tests use other costs: the instrument belongs to the process.</summary>
    private static async Task<long> ChecksAsync(TestApp app, int cost)
    {
        var label = $"rootmas_passwords_checked_total{{cost=\"{cost:00}\"}} ";
        var metrics = await app.Client.GetStringAsync(new Uri("/metrics", UriKind.Relative));
        return metrics.Split('\n').Where(line => line.StartsWith(label, StringComparison.Ordinal)).Select(line => long.Parse(line.AsSpan(label.Length), System.Globalization.CultureInfo.InvariantCulture)).SingleOrDefault();
    }

    private static async Task<string> HashAsync(TestApp app) => (await app.Get<UserStore>().FindCredentialsAsync("alice", default))!.PasswordHash!;

    internal sealed record Attempt(HttpStatusCode Status, string Body, string Headers);
}
