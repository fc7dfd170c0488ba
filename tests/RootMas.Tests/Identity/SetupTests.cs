using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using RootMas.Server.Platform.Settings;
using RootMas.Tests.Support;

namespace RootMas.Tests.Identity;

public sealed class SetupTests
{
    [Fact]
    public async Task Whoever_reads_the_token_becomes_the_administrator_who_owns_what_was_made_before()
    {
        await using var app = await TestApp.StartAsync();
        var made = await app.PostJsonAsync("/api/v1/conversations", new { title = "before setup" }, HttpStatusCode.Created);
        var path = Path.Combine(app.Data, "setup-token");
        Assert.Equal(FileModes.Private, FileModes.Of(path));

        var answer = await SetUpAsync(app, await TokenAsync(app), "ada");
        Assert.Equal(HttpStatusCode.OK, answer.Status);
        Assert.False(File.Exists(path));
        using var ada = app.NewClient(answer.Body.GetProperty("access_token").GetString());
        Assert.Equal(HttpStatusCode.OK, (await ada.GetAsync($"/api/v1/conversations/{made.GetProperty("id").GetString()}")).StatusCode);
        Assert.Equal("admin", answer.Body.GetProperty("user").GetProperty("role").GetString());
        Assert.Equal("ada", (await app.GetJsonAsync("/api/v1/auth/me")).GetProperty("user").GetProperty("username").GetString());
        Assert.Equal(HttpStatusCode.OK, (await PasswordTests.LogInAsync(app, "ada", TestUsers.Password)).Status);
        Assert.Equal("ada", Assert.Single(await app.AuditAsync(), r => r.Action == "auth.setup").Actor);
    }

    [Fact]
    public async Task Of_many_calls_with_the_token_exactly_one_wins()
    {
        await using var app = await TestApp.StartAsync(o => o.Settings["Identity:PasswordQueue"] = "100");
        var token = await TokenAsync(app);
        var all = await Task.WhenAll(Enumerable.Range(0, 40).Select(i => SetUpAsync(app, token, $"admin{i}")));
        Assert.Equal(1, all.Count(a => a.Status == HttpStatusCode.OK));
        Assert.Equal(39, all.Count(a => a.Status == HttpStatusCode.Conflict));
        Assert.Single((await app.GetJsonAsync("/api/v1/users")).GetProperty("items").EnumerateArray());
        Assert.Equal(HttpStatusCode.Conflict, (await SetUpAsync(app, token, "late")).Status);
    }

    [Fact]
    public async Task A_wrong_token_and_a_bad_password_change_nothing()
    {
        await using var app = await TestApp.StartAsync();
        var token = await TokenAsync(app);
        foreach (var wrong in (string[])["x", token + "A", token[..^1], token.ToUpperInvariant(), app.LocalToken])
        {
            Assert.Equal(HttpStatusCode.Forbidden, (await SetUpAsync(app, wrong, "ada")).Status);
        }

        Assert.Equal(HttpStatusCode.BadRequest, (await SetUpAsync(app, token, "ada", "password")).Status);
        Assert.Equal(HttpStatusCode.BadRequest, (await SetUpAsync(app, token, "a b")).Status);
        Assert.Equal(HttpStatusCode.BadRequest, (await SetUpAsync(app, "", "ada")).Status);
        Assert.Equal(5, (await app.AuditAsync()).Count(r => r is { Action: "auth.setup", Outcome: "denied" }));
        Assert.Equal(HttpStatusCode.OK, (await SetUpAsync(app, token, "ada")).Status);
    }

    [Fact]
    public async Task Once_there_is_a_user_there_is_no_setup()
    {
        using var data = new TempFolder();
        await using (var app = await TestApp.StartAsync(o => o.Data = data.Path))
        {
            var token = await TokenAsync(app);
            await app.AddUserAsync("alice", "admin");
            Assert.Equal(HttpStatusCode.Conflict, (await SetUpAsync(app, token, "ada")).Status);
        }

        await using var again = await TestApp.StartAsync(o => o.Data = data.Path);
        Assert.False(File.Exists(Path.Combine(data.Path, "setup-token")));
        Assert.Equal(HttpStatusCode.Conflict, (await SetUpAsync(again, "rmu_x", "ada")).Status);
    }

    [Fact]
    public async Task The_environment_makes_the_first_administrator_once()
    {
        using var data = new TempFolder();
        void Given(TestAppOptions options, string name)
        {
            options.Data = data.Path;
            options.Environment["ROOTMAS_ADMIN_USERNAME"] = name;
            options.Environment["ROOTMAS_ADMIN_PASSWORD"] = TestUsers.Password;
        }

        await using (var app = await TestApp.StartAsync(o => Given(o, "ada")))
        {
            Assert.False(File.Exists(Path.Combine(data.Path, "setup-token")));
            Assert.Equal(HttpStatusCode.OK, (await PasswordTests.LogInAsync(app, "ada", TestUsers.Password)).Status);
        }

        // Another name later makes nobody.
        await using var again = await TestApp.StartAsync(o => Given(o, "eve"));
        Assert.Equal(HttpStatusCode.Unauthorized, (await PasswordTests.LogInAsync(again, "eve", TestUsers.Password)).Status);
        Assert.Equal(HttpStatusCode.OK, (await PasswordTests.LogInAsync(again, "ada", TestUsers.Password)).Status);
    }

    [Fact]
    public async Task The_password_of_the_environment_may_lie_in_a_file()
    {
        using var secrets = new TempFolder();
        var file = Path.Combine(secrets.Path, "password");
        await File.WriteAllTextAsync(file, TestUsers.Password + "\n");
        await using var app = await TestApp.StartAsync(o =>
        {
            o.Environment["ROOTMAS_ADMIN_USERNAME"] = "ada";
            o.Environment["ROOTMAS_ADMIN_PASSWORD_FILE"] = file;
        });
        Assert.Equal(HttpStatusCode.OK, (await PasswordTests.LogInAsync(app, "ada", TestUsers.Password)).Status);
    }

    /// <summary>As the documents say: log in, change the password, remove its line. The name stays.</summary>
    [Fact]
    public async Task A_name_without_a_password_makes_nobody_and_stops_no_start()
    {
        using var data = new TempFolder();
        await using (var app = await TestApp.StartAsync(o => o.Data = data.Path))
        {
            await app.AddUserAsync("ada", "admin");
        }

        await using (var again = await TestApp.StartAsync(o =>
        {
            o.Data = data.Path;
            o.Environment["ROOTMAS_ADMIN_USERNAME"] = "ada";
        }))
        {
            Assert.Equal(HttpStatusCode.OK, (await PasswordTests.LogInAsync(again, "ada", TestUsers.Password)).Status);
        }

        using var cli = new Tests.Cli.CliSession(data.Path);
        cli.Environment["ROOTMAS_ADMIN_USERNAME"] = "ada";
        cli.Environment["ROOTMAS_ADMIN_PASSWORD"] = ""; // as compose gives it
        Assert.Contains("valid", await cli.DoAsync("config", "check"), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(null, TestUsers.Password)]
    [InlineData("ada", "password")]
    [InlineData("a b", TestUsers.Password)]
    public async Task An_administrator_that_the_environment_gives_by_halves_stops_the_start(string? username, string password)
    {
        var error = await Assert.ThrowsAsync<SettingsException>(() => TestApp.StartAsync(o =>
        {
            if (username is not null)
            {
                o.Environment["ROOTMAS_ADMIN_USERNAME"] = username;
            }

            o.Environment["ROOTMAS_ADMIN_PASSWORD"] = password;
        }));
        Assert.Contains(error.Problems, p => p.Contains("ROOTMAS_ADMIN_", StringComparison.Ordinal));
        Assert.DoesNotContain(error.Problems, p => p.Contains(TestUsers.Password, StringComparison.Ordinal));
    }

    [Fact]
    public async Task Serve_names_the_file_with_the_token_and_shows_the_token_to_no_log()
    {
        await using var server = await ServerProcess.StartAsync(new ServerSettings { Config = Repository.PathOf("config") });
        var path = Path.Combine(server.Data, "setup-token");
        await Wait.UntilAsync(() => server.Stderr.Contains(path, StringComparison.Ordinal));
        var token = (await File.ReadAllTextAsync(path)).Trim();
        Assert.StartsWith("rmu_", token, StringComparison.Ordinal);
        Assert.DoesNotContain(token, server.Stderr + server.Stdout, StringComparison.Ordinal);
        Assert.DoesNotContain(server.LocalToken, server.Stderr + server.Stdout, StringComparison.Ordinal);
    }

    internal static async Task<string> TokenAsync(TestApp app) => (await File.ReadAllTextAsync(Path.Combine(app.Data, "setup-token"))).Trim();

    private static async Task<(HttpStatusCode Status, JsonElement Body)> SetUpAsync(TestApp app, string token, string username, string password = TestUsers.Password)
    {
        using var nobody = app.NewClient(null);
        using var answer = await nobody.PostAsJsonAsync("/api/v1/auth/setup", new { setup_token = token, username, password });
        return (answer.StatusCode, JsonElement.Parse(await answer.Content.ReadAsStringAsync()));
    }
}
