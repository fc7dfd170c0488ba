using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using Microsoft.AspNetCore.Http;
using RootMas.LlmSimulator;
using RootMas.Server.Cli;
using RootMas.Tests.Deploy;
using RootMas.Tests.Support;

namespace RootMas.Tests.Cli;

/// <summary>What an operator types: config, migrate, doctor, login, version, and what nobody understands.</summary>
public sealed class OperatorCommandTests
{
    [Fact]
    public async Task Version_is_data_and_help_names_every_command()
    {
        using var cli = new CliSession();
        Assert.Matches(@"^\d+\.\d+\.\d+", await cli.DoAsync("version"));
        var help = await cli.DoAsync("--help");
        Assert.All(["serve", "chat", "runs", "approvals", "config", "migrate", "doctor", "login", "version"], name => Assert.Contains("  " + name, help));
    }

    [Theory]
    [InlineData("chatt", "'chatt' is not a command. Did you mean 'chat'?\nSee: rootmas --help\n")]
    [InlineData("runs lost", "'lost' is not a command. Did you mean 'list'?\nSee: rootmas runs --help\n")]
    [InlineData("xyzzyxyzzy", "'xyzzyxyzzy' is not a command.\nSee: rootmas --help\n")]
    [InlineData("--dta x", "'--dta' is not an option. Did you mean '--data'?\nSee: rootmas --help\n")]
    public async Task A_word_that_is_not_known_is_named(string words, string notes)
    {
        using var cli = new CliSession();
        Assert.Equal(2, await cli.RunAsync(words.Split(' ')));
        Assert.Equal(notes, cli.Notes.ToString());
        Assert.Equal("", cli.Output.ToString());
    }

    [Fact]
    public async Task Too_few_words_show_what_there_is_and_a_missing_one_is_named()
    {
        using var cli = new CliSession();
        Assert.Equal(2, await cli.RunAsync());
        Assert.Contains("doctor", cli.Output.ToString());
        Assert.Equal(2, await cli.RunAsync("runs"));
        Assert.Contains("runs [command]", cli.Output.ToString());
        Assert.Equal(2, await cli.RunAsync("runs", "show"));
        Assert.Contains("See: rootmas runs show --help", cli.Notes.ToString());
    }

    [Fact]
    public async Task Settings_are_printed_with_their_source_and_problems_are_listed_at_once()
    {
        using var cli = new CliSession();
        Assert.Contains("valid", await cli.DoAsync("config", "check"));
        Assert.Contains("Server:Data", await cli.DoAsync("config", "print"));
        Assert.NotEqual(default, JsonDocument.Parse(await cli.DoAsync("config", "print", "--json")).RootElement.ValueKind);

        cli.Environment["ROOTMAS__Database__Readers"] = "many";
        cli.Environment["ROOTMAS__Nothing__Here"] = "1";
        Assert.Equal(2, await cli.RunAsync("config", "check"));
        Assert.Contains("Database:Readers", cli.Notes.ToString());
        Assert.Contains("Nothing:Here", cli.Notes.ToString());
        Assert.Equal("", cli.Output.ToString());
        Assert.Equal(2, await cli.RunAsync("chat", "hello"));
        Assert.Contains("Nothing:Here", cli.Notes.ToString());
    }

    [Theory]
    [InlineData("agents.yaml", "agents: {researcher: {rolle: Reads}}", "agents.yaml: agents.researcher.rolle")]
    [InlineData("teams.yaml", "default: nobody\nteams: {}", "teams.yaml: ")]
    [InlineData("prompts/researcher.md", null, "agents.researcher.instructions")]
    public async Task Config_check_names_what_a_start_would_refuse_of_the_config_folder(string name, string? text, string problem)
    {
        using var cli = new CliSession();
        var config = Path.Combine(cli.Home, "config");
        Releases.Copy(Repository.PathOf("config"), config);
        Assert.Contains("valid", await cli.DoAsync("config", "check", "--config", config), StringComparison.Ordinal);
        File.Delete(Path.Combine(config, name));
        if (text is not null)
        {
            await File.WriteAllTextAsync(Path.Combine(config, name), text);
        }

        Assert.Equal(2, await cli.RunAsync("config", "check", "--config", config));
        Assert.Contains(problem, cli.Notes.ToString(), StringComparison.Ordinal);
        Assert.Equal("", cli.Output.ToString());
        Assert.False(Directory.Exists(cli.Data)); // it only looked
    }

    /// <summary>As a start does: deploy.sh could never upgrade otherwise.</summary>
    [Fact]
    public async Task Config_check_counts_what_was_made_by_the_api_and_notes_names_where_the_database_cannot_be_read()
    {
        await using var app = await TestApp.StartAsync();
        await app.PostJsonAsync("/api/v1/teams", new { name = "legal", description = "Reads contracts.", pattern = "direct", entry = "researcher" }, HttpStatusCode.Created);
        using var cli = new CliSession(app.Data);
        var config = Path.Combine(cli.Home, "config");
        Releases.Copy(Repository.PathOf("config"), config);
        var teams = Path.Combine(config, "teams.yaml");
        var text = await File.ReadAllTextAsync(teams);
        await File.WriteAllTextAsync(teams, text.Replace("default: root-mas", "default: legal", StringComparison.Ordinal));
        Assert.Contains("valid", await cli.DoAsync("config", "check", "--config", config), StringComparison.Ordinal);
        Assert.Equal("", cli.Notes.ToString());
        await File.WriteAllTextAsync(teams, text.Replace("default: root-mas", "default: nobody", StringComparison.Ordinal));
        Assert.Equal(2, await cli.RunAsync("config", "check", "--config", config));

        using var damaged = new CliSession();
        Directory.CreateDirectory(damaged.Data);
        if (!OperatingSystem.IsWindows())
        {
            File.SetUnixFileMode(damaged.Data, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute); // in Production it is refused else
        }

        await File.WriteAllTextAsync(Path.Combine(damaged.Data, "rootmas.db"), new string('?', 8_192));
        Assert.Contains("valid", await damaged.DoAsync("config", "check", "--config", config), StringComparison.Ordinal);
        Assert.Contains("teams.yaml: default: must name a team that exists.", damaged.Notes.ToString(), StringComparison.Ordinal);
        Assert.Contains("The database cannot be read here", damaged.Notes.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Config_check_says_once_that_there_is_no_config_folder()
    {
        using var cli = new CliSession();
        var nowhere = Path.Combine(cli.Home, "nowhere");
        Assert.Equal(2, await cli.RunAsync("config", "check", "--config", nowhere));
        Assert.StartsWith($"{nowhere} is not a folder.", Assert.Single(cli.Notes.ToString().Split('\n', StringSplitOptions.RemoveEmptyEntries)), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Migrations_are_planned_applied_and_refused_while_a_server_owns_the_data()
    {
        using var cli = new CliSession();
        Assert.Contains("pending", await cli.DoAsync("migrate", "--plan"));
        var applied = await cli.DoAsync("migrate");
        Assert.DoesNotContain("pending", applied);
        Assert.Contains("Applied ", cli.Notes.ToString());
        var row = JsonDocument.Parse((await cli.DoAsync("migrate", "--json")).Split('\n')[0]).RootElement;
        Assert.Equal(1, row.GetProperty("number").GetInt32());
        Assert.Contains("up to date", cli.Notes.ToString());

        await using var app = await TestApp.StartAsync();
        using var second = new CliSession(app.Data);
        Assert.Equal(5, await second.RunAsync("migrate"));
        Assert.Contains(app.Url.ToString().TrimEnd('/'), second.Notes.ToString());
    }

    /// <summary>Only root is refused, and only root can give a folder away.</summary>
    [RootFact]
    public async Task Root_makes_no_backup_in_the_data_directory_of_another_user()
    {
        using var cli = new CliSession();
        await cli.DoAsync("migrate");
        await Shell.DoAsync("chown", ["-R", "65534", cli.Data]);
        var there = Directory.EnumerateFileSystemEntries(cli.Data, "*", SearchOption.AllDirectories).Order(StringComparer.Ordinal).ToList();
        foreach (var words in (string[][])[["backup", "create"], ["backup", "verify"]])
        {
            Assert.Equal(2, await cli.RunAsync(words));
            Assert.Contains("'sudo rootmas …'", cli.Notes.ToString(), StringComparison.Ordinal);
        }

        Assert.Equal(there, Directory.EnumerateFileSystemEntries(cli.Data, "*", SearchOption.AllDirectories).Order(StringComparer.Ordinal));
        await Shell.DoAsync("chown", ["-R", "0", cli.Data]);
        await cli.DoAsync("backup", "create");
    }

    [Fact]
    public async Task Doctor_looks_at_a_running_server_and_its_models()
    {
        await using var sim = await Simulator.StartAsync("""{"default":{"text":"hi"}}""");
        await using var app = await TestApp.StartAsync(o =>
        {
            o.Environment["OPENAI_BASE_URL"] = sim.OpenAiUrl;
            o.Environment["OPENAI_API_KEY"] = "sk-simulator";
        });
        using var cli = new CliSession(app.Data);
        var lines = "";
        await Wait.UntilAsync(
            async c =>
            {
                var code = await c.RunAsync("doctor");
                lines = c.Output.ToString();
                return code == 0 && lines.Contains("✓ model endpoint openai-compatible: reachable", StringComparison.Ordinal); // a look has three seconds, and is kept for fifteen
            },
            cli,
            "The endpoint was not reachable");
        Assert.Contains($"listens on {app.Url.ToString().TrimEnd('/')}", lines);

        await sim.DisposeAsync();
        using var fresh = new CliSession();
        fresh.Environment["OPENAI_BASE_URL"] = sim.OpenAiUrl;
        fresh.Environment["OPENAI_API_KEY"] = "sk-simulator";
        Assert.Equal(1, await fresh.RunAsync("doctor"));
        Assert.Contains("✗ model endpoint openai-compatible: unreachable", fresh.Output.ToString());
        Assert.Contains("→", fresh.Output.ToString());
    }

    [Fact]
    public async Task Doctor_names_a_port_in_use_a_folder_that_is_not_there_and_bad_settings()
    {
        using var taken = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        taken.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        taken.Listen();
        using var cli = new CliSession();
        cli.Environment["ROOTMAS_URLS"] = $"http://127.0.0.1:{((IPEndPoint)taken.LocalEndPoint!).Port}";
        Assert.Equal(1, await cli.RunAsync("doctor"));
        Assert.Contains("✗ port: ", cli.Output.ToString());
        Assert.Contains("--urls", cli.Output.ToString());

        cli.Environment["ROOTMAS_URLS"] = "http://127.0.0.1:0";
        Assert.Equal(1, await cli.RunAsync("doctor", "--config", Path.Combine(cli.Home, "nowhere")));
        Assert.Contains("✗ config: ", cli.Output.ToString());

        cli.Environment["ROOTMAS__Database__Readers"] = "many";
        Assert.Equal(1, await cli.RunAsync("doctor", "--json"));
        Assert.Contains(JsonDocument.Parse(cli.Output.ToString()).RootElement.EnumerateArray(), f => f.GetProperty("what").GetString() == "settings" && f.GetProperty("state").GetString() == "bad");
    }

    [Fact]
    public async Task Login_keeps_a_key_for_its_user_only_and_never_from_an_argument()
    {
        await using var app = await TestApp.StartAsync();
        using var cli = new CliSession();
        cli.Environment.Remove("ROOTMAS_DATA");
        cli.EndInput();
        Assert.Equal(2, await cli.RunAsync("login", app.Url.ToString()));
        Assert.Equal(2, await cli.RunAsync("login", "ftp://somewhere"));
        Assert.Equal(7, await cli.RunAsync("runs", "list", "--server", $"http://127.0.0.1:{ServerProcess.FreePort()}"));
        Assert.Contains("rootmas serve", cli.Notes.ToString());

        var file = Path.Combine(cli.Home, "rootmas", "login.json");
        Directory.CreateDirectory(Path.GetDirectoryName(file)!);
        await File.WriteAllTextAsync(file, "{ not json");
        Assert.Equal(2, await cli.RunAsync("runs", "list"));
        Assert.Contains("rootmas login", cli.Notes.ToString());
    }

    [Fact]
    public async Task Login_stores_a_key_that_the_server_takes_and_no_other()
    {
        await using var app = await TestApp.StartAsync();
        await using var proxy = await LoopbackServer.StartAsync(static context =>
        {
            context.Response.StatusCode = 502;
            context.Response.ContentType = "text/html";
            return context.Response.WriteAsync("<h1>502 Bad Gateway</h1>");
        });
        using var cli = new CliSession();
        var file = Path.Combine(cli.Home, "rootmas", "login.json");
        cli.Environment["ROOTMAS_API_KEY"] = "rmk_nobody-has-this-key";
        Assert.Equal(4, await cli.RunAsync("login", app.Url.ToString()));
        Assert.Contains("Nothing was stored: the server does not take this key.", cli.Notes.ToString());
        Assert.Equal(7, await cli.RunAsync("login", proxy.Url.ToString()));
        Assert.Equal(7, await cli.RunAsync("login", $"http://127.0.0.1:{ServerProcess.FreePort()}"));
        Assert.False(File.Exists(file));

        cli.Environment.Remove("ROOTMAS_API_KEY");
        cli.Type(app.LocalToken);
        await cli.DoAsync("login", app.Url.ToString());
        Assert.True(File.Exists(file));
        cli.Environment.Remove("ROOTMAS_DATA");
        await cli.DoAsync("runs", "list");

        // It is the same server however its address is written.
        await cli.DoAsync("runs", "list", "--server", app.Url.ToString().TrimEnd('/'));
    }

    [Fact]
    public async Task A_server_on_this_machine_is_asked_without_a_proxy_which_would_see_the_key()
    {
        await using var app = await TestApp.StartAsync();
        var settings = new ServerSettings
        {
            Environment = new Dictionary<string, string> { ["ROOTMAS_CONFIG"] = Repository.PathOf("config"), ["ROOTMAS_API_KEY"] = app.LocalToken, ["http_proxy"] = "http://127.0.0.1:1", ["no_proxy"] = "" },
        };
        var (code, _, said) = await ServerProcess.RunAsync(settings, null, "runs", "list", "--server", app.Url.ToString());
        Assert.True(code == 0, said);
    }

    [Fact]
    public async Task A_terminal_that_knows_no_colours_gets_none()
    {
        using var person = new CliSession { IsPerson = true };
        foreach (var term in (string[])["xterm", "dumb"])
        {
            person.Environment["TERM"] = term;
            Assert.Equal(7, await person.RunAsync("health", "--server", "http://127.0.0.1:1"));
            Assert.Equal(term != "dumb", person.Notes.ToString().Contains('\u001b', StringComparison.Ordinal));
        }
    }

    [Theory]
    [InlineData(502, "text/html", "<h1>502 Bad Gateway</h1>")]
    [InlineData(200, "text/html", "<h1>It works!</h1>")]
    [InlineData(200, "application/json", "<h1>It works!</h1>")]
    [InlineData(200, "application/json", "[1]")]
    public async Task What_is_no_server_of_ours_is_a_finding_of_the_doctor_and_told_by_others(int status, string type, string body)
    {
        await using var other = await LoopbackServer.StartAsync(context =>
        {
            context.Response.StatusCode = status;
            context.Response.ContentType = type;
            return context.Response.WriteAsync(body);
        });
        using var cli = new CliSession();
        Assert.Equal(1, await cli.RunAsync("doctor", "--server", other.Url.ToString()));
        Assert.Contains("✓ program: ", cli.Output.ToString());
        Assert.Contains("✗ server: ", cli.Output.ToString());
        Assert.Contains("is not a Root-MAS server, or a proxy answers for it", cli.Output.ToString());
        Assert.Contains("→", cli.Output.ToString());
        if (status == 200)
        {
            Assert.Equal(1, await cli.RunAsync("runs", "list", "--server", other.Url.ToString()));
            Assert.Contains("is not a Root-MAS server", cli.Notes.ToString());
        }
    }

    /// <summary>It has every route, and says nothing of what was asked for.</summary>
    [Fact]
    public async Task A_program_with_json_of_its_own_is_believed_by_no_command()
    {
        await using var other = await LoopbackServer.StartAsync(static context => context.Response.WriteAsJsonAsync(new { }));
        using var cli = new CliSession();
        cli.Environment["ROOTMAS_API_KEY"] = "rmk_of-another-server";
        foreach (var command in (string[])
            [
                "backup create", "backup list --json", "backup verify", "queue status", "queue dead", "queue redrive x", "queue purge x", "runs list", "runs list --json", "runs show x", "runs attach x", "runs cancel x",
                "approvals list", "approvals approve x", "audit list", "secrets list", "secrets remove x", "api-keys create x", "api-keys list", "api-keys revoke x", "users list", "users disable x", "keys list", "keys rotate",
                "memory list", "memory add x", "memory why x", "memory correct x y", "memory keep x", "memory forget x", "memory forget --all", "memory export", "memory graph x",
                "documents list", "documents show x", "documents show x --text", "documents search x", "documents collections", "documents delete x", "chat x", "top",
            ])
        {
            var code = await cli.RunAsync([.. command.Split(' '), "--server", other.Url.ToString()]);
            Assert.True(code == 1 && cli.Output.ToString().Length == 0, $"{command} ended with {code}: {cli.Output}");
            Assert.Contains("is not a Root-MAS server, or a proxy answers for it: 200 with", cli.Notes.ToString(), StringComparison.Ordinal);
        }

        Assert.Equal(1, await cli.RunAsync("login", other.Url.ToString()));
        Assert.Contains("without 'user'", cli.Notes.ToString(), StringComparison.Ordinal);
        Assert.False(File.Exists(Path.Combine(cli.Home, "rootmas", "login.json")));
    }

    [Fact]
    public async Task Doctor_says_what_it_found_where_no_server_can_be_reached_or_takes_the_key()
    {
        await using var app = await TestApp.StartAsync();
        using var cli = new CliSession();
        Assert.Equal(1, await cli.RunAsync("doctor", "--server", $"http://127.0.0.1:{ServerProcess.FreePort()}"));
        Assert.Contains("✓ program: ", cli.Output.ToString());
        Assert.Contains("✗ server: The server at ", cli.Output.ToString());
        cli.Environment["ROOTMAS_API_KEY"] = "rmk_nobody-has-this-key";
        Assert.Equal(1, await cli.RunAsync("doctor", "--server", app.Url.ToString()));
        Assert.Contains("✓ database", cli.Output.ToString());
        Assert.Contains("✗ server: ", cli.Output.ToString());
        Assert.Equal(2, cli.Output.ToString().Split("rootmas login").Length); // told once: the message says it, and so no hint does
    }

    [Theory]
    [InlineData("data prune")]
    [InlineData("data compact")]
    [InlineData("data copy --from sqlite --to postgres")]
    public async Task What_works_on_the_data_directory_here_takes_no_server(string command)
    {
        using var cli = new CliSession();
        Assert.Equal(2, await cli.RunAsync([.. command.Split(' '), "--server", "http://127.0.0.1:1"]));
        Assert.Contains("--server", cli.Notes.ToString());
        Assert.False(Directory.Exists(cli.Data));
    }

    [Theory]
    [InlineData(HttpStatusCode.BadRequest, 2)]
    [InlineData(HttpStatusCode.UnprocessableEntity, 2)]
    [InlineData(HttpStatusCode.Unauthorized, 4)]
    [InlineData(HttpStatusCode.Forbidden, 4)]
    [InlineData(HttpStatusCode.NotFound, 3)]
    [InlineData(HttpStatusCode.Conflict, 5)]
    [InlineData(HttpStatusCode.PreconditionFailed, 5)]
    [InlineData(HttpStatusCode.TooManyRequests, 6)]
    [InlineData(HttpStatusCode.PaymentRequired, 6)]
    [InlineData(HttpStatusCode.ServiceUnavailable, 7)]
    [InlineData(HttpStatusCode.InternalServerError, 1)]
    public void A_refusal_has_the_exit_code_of_its_kind(HttpStatusCode status, int code) => Assert.Equal(code, ExitCodes.Of(status));
}
