using RootMas.Tests.Support;

namespace RootMas.Tests.Cli;

/// <summary><c>rootmas init</c>: no default passwords, nothing overwritten, nobody else may read it.</summary>
public sealed class InitCommandTests
{
    [Fact]
    public async Task Every_secret_is_new_and_only_the_user_may_read_them()
    {
        using var one = new CliSession();
        using var other = new CliSession();
        foreach (var session in new[] { one, other })
        {
            Compose(session);
            var said = await session.DoAsync("init", "--for", "cluster", "--domain", "mas.example.org");
            Assert.Equal(FileModes.Private, FileModes.Of(EnvOf(session)));

            // What was made is named, never shown.
            Assert.All(Read(EnvOf(session)).Where(IsSecret), v => Assert.DoesNotContain(v.Value, said + session.Notes, StringComparison.Ordinal));
        }

        // What monitoring reads from files is kept from others by the folder.
        Assert.Equal(FileModes.Private | UnixFileMode.UserExecute, FileModes.Of(Path.Combine(Path.GetDirectoryName(EnvOf(one))!, "secrets")));
        var secretFiles = Directory.GetFiles(Path.Combine(Path.GetDirectoryName(EnvOf(one))!, "secrets"));
        Assert.NotEmpty(secretFiles);
        Assert.All(secretFiles, static f => Assert.Equal((UnixFileMode)0x1A4, FileModes.Of(f))); // 644, whatever the umask: other users' containers read them
        var (first, second) = (Read(EnvOf(one)), Read(EnvOf(other)));
        Assert.Equal("cluster", first["COMPOSE_PROFILES"]);
        Assert.Equal("mas.example.org", first["ROOTMAS_DOMAIN"]);
        var secrets = first.Where(IsSecret).ToList();
        Assert.True(secrets.Count >= 6, string.Join(", ", first.Keys));
        Assert.Equal(secrets.Count, secrets.Select(s => s.Value).Distinct(StringComparer.Ordinal).Count());
        Assert.All(secrets, s => Assert.True(s.Value.Length >= 43 && second[s.Key] != s.Value, s.Key));

        // In addresses and connection strings they need no quoting.
        Assert.All(secrets.Where(s => s.Key != "ROOTMAS_MASTER_KEY"), s => Assert.Matches("^[A-Za-z0-9_-]+$", s.Value));
    }

    [Fact]
    public async Task What_the_file_says_stays_and_what_it_lacks_is_added()
    {
        using var session = new CliSession();
        Compose(session);
        File.WriteAllText(EnvOf(session), "# mine\nexport POSTGRES_PASSWORD=mine\nOTHER=1");
        await session.DoAsync("init", "--for", "core");
        var text = File.ReadAllText(EnvOf(session));
        Assert.StartsWith("# mine\nexport POSTGRES_PASSWORD=mine\nOTHER=1\n", text, StringComparison.Ordinal);
        Assert.Single(text.Split('\n'), l => l.Contains("POSTGRES_PASSWORD", StringComparison.Ordinal));
        Assert.Contains("ROOTMAS_MASTER_KEY=", text, StringComparison.Ordinal);

        Assert.Contains("nothing was changed", await session.DoAsync("init"));
        Assert.Equal(text, File.ReadAllText(EnvOf(session)));
        Assert.Equal(FileModes.Private, FileModes.Of(EnvOf(session)));
    }

    [Theory]
    [InlineData("ROOTMAS_BACKUP_KEY=")]
    [InlineData("ROOTMAS_BACKUP_KEY_FILE=")]
    public async Task A_file_in_use_gets_no_first_administrator_again(string key)
    {
        using var session = new CliSession();
        var path = Path.Combine(session.Home, ".env");
        File.WriteAllText(path, "ROOTMAS_ADMIN_USERNAME=ada\n");
        await session.DoAsync("init", "--for", "host");
        Assert.Contains("The first administrator is 'ada'", session.Notes.ToString(), StringComparison.Ordinal);

        // The password's line is removed after the first login, the key is perhaps put into a file.
        var text = string.Join('\n', File.ReadAllLines(path).Where(static l => !l.Contains("ADMIN", StringComparison.Ordinal))).Replace("ROOTMAS_BACKUP_KEY=", key, StringComparison.Ordinal) + "\n";
        File.WriteAllText(path, text);
        await session.DoAsync("init", "--for", "host");
        Assert.DoesNotContain("ADMIN", File.ReadAllText(path), StringComparison.Ordinal);
        Assert.StartsWith(text, File.ReadAllText(path), StringComparison.Ordinal);
        Assert.DoesNotContain("first administrator", session.Notes.ToString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(".env", "Next: rootmas serve")]
    [InlineData("service.env", "EnvironmentFile=")]
    public async Task What_comes_next_fits_the_file_that_was_written(string file, string next)
    {
        using var session = new CliSession();
        await session.DoAsync("init", "--for", "host", "--output", file);
        Assert.Contains(next, session.Notes.ToString(), StringComparison.Ordinal);
        Assert.Equal(file == ".env", session.Notes.ToString().Contains("Next:", StringComparison.Ordinal));
    }

    [Fact]
    public async Task What_was_asked_and_the_file_says_otherwise_is_named_line_by_line()
    {
        using var session = new CliSession();
        Compose(session);
        await session.DoAsync("init", "--for", "core", "--domain", "mas.example.org");
        var text = File.ReadAllText(EnvOf(session)).Replace("COMPOSE_PROFILES=core", "COMPOSE_PROFILES=core,monitoring", StringComparison.Ordinal);
        File.WriteAllText(EnvOf(session), text);

        Assert.Equal(5, await session.RunAsync("init", "--for", "cluster", "--domain", "other.example.org"));
        Assert.Contains("\n  COMPOSE_PROFILES=cluster,monitoring\n  ROOTMAS_SIZE=cluster\n  ROOTMAS_DOMAIN=other.example.org\n", session.Notes.ToString(), StringComparison.Ordinal);
        Assert.DoesNotContain("Next:", session.Notes.ToString(), StringComparison.Ordinal);
        Assert.Equal("", session.Output.ToString());
        Assert.Equal(text, File.ReadAllText(EnvOf(session)));

        // As it is, and without asking for anything, it is well.
        await session.DoAsync("init", "--for", "core", "--domain", "MAS.example.org");
        await session.DoAsync("init");
        File.WriteAllText(EnvOf(session), text.Replace("core", "cluster", StringComparison.Ordinal));
        await session.DoAsync("init", "--for", "cluster");
        await session.DoAsync("init");
    }

    [Fact]
    public async Task On_a_machine_without_containers_the_server_starts_with_the_file_and_its_administrator_can_log_in()
    {
        using var session = new CliSession();
        await session.DoAsync("init");
        Assert.Contains("Keep a copy of ROOTMAS_MASTER_KEY and ROOTMAS_BACKUP_KEY", session.Notes.ToString(), StringComparison.Ordinal);
        var variables = Read(Path.Combine(session.Home, ".env"));
        Assert.Equal(["ROOTMAS_MASTER_KEY", "ROOTMAS_BACKUP_KEY", "ROOTMAS_ADMIN_USERNAME", "ROOTMAS_ADMIN_PASSWORD"], variables.Keys);

        await using var server = await ServerProcess.StartAsync(new ServerSettings { Config = Repository.PathOf("config"), Environment = variables });
        server.Http.DefaultRequestHeaders.Authorization = null;
        using var body = new StringContent($$"""{"username":"admin","password":"{{variables["ROOTMAS_ADMIN_PASSWORD"]}}"}""", System.Text.Encoding.UTF8, "application/json");
        using var login = await server.Http.PostAsync("/api/v1/auth/login", body);
        Assert.True(login.IsSuccessStatusCode, await login.Content.ReadAsStringAsync());

        // A directory whose secrets are sealed with a key of its own is not given another one.
        File.Delete(Path.Combine(session.Home, ".env"));
        Directory.CreateDirectory(Path.Combine(session.Data, "keys"));
        await session.DoAsync("init");
        Assert.DoesNotContain("ROOTMAS_MASTER_KEY", Read(Path.Combine(session.Home, ".env")).Keys);
        Assert.DoesNotContain("ROOTMAS_MASTER_KEY", session.Notes.ToString(), StringComparison.Ordinal);
        Assert.Contains("Keep a copy of ROOTMAS_BACKUP_KEY", session.Notes.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Without_a_terminal_nothing_is_asked_and_with_one_an_answer_that_is_none_writes_nothing()
    {
        using var pipe = new CliSession();
        Compose(pipe);
        await pipe.DoAsync("init");
        Assert.Equal("core", Read(EnvOf(pipe))["COMPOSE_PROFILES"]);

        using var person = new CliSession { IsPerson = true };
        Compose(person);
        person.Type("two");
        Assert.Equal(2, await person.RunAsync("init"));
        Assert.False(File.Exists(EnvOf(person)));
        person.Type("cluster");
        person.Type("mas.example.org");
        await person.DoAsync("init");
        Assert.Equal("cluster", Read(EnvOf(person))["COMPOSE_PROFILES"]);
        Assert.Equal(2, await person.RunAsync("init", "--for", "core", "--domain", "http://x/"));
    }

    private static void Compose(CliSession session)
    {
        Directory.CreateDirectory(Path.Combine(session.Home, "deploy", "compose"));
        File.WriteAllText(Path.Combine(session.Home, "deploy", "compose", "compose.yaml"), "services: {}\n");
    }

    private static string EnvOf(CliSession session) => Path.Combine(session.Home, "deploy", "compose", ".env");

    private static bool IsSecret(KeyValuePair<string, string> variable) =>
        variable.Key.EndsWith("_PASSWORD", StringComparison.Ordinal) || variable.Key.EndsWith("_KEY", StringComparison.Ordinal);

    private static Dictionary<string, string> Read(string path) => File.ReadAllLines(path).Where(l => l.Length > 0 && l[0] != '#')
        .Select(l => l.Split('=', 2)).ToDictionary(l => l[0], l => l[1], StringComparer.Ordinal);
}
