using System.Text.Json;
using RootMas.Server.Cli.Import;
using RootMas.Tests.Support;

namespace RootMas.Tests.Cli;

/// <summary><c>rootmas import</c>: what the Python system had becomes ours, and of every key it is said what became of it.</summary>
public sealed class ImportCommandTests
{
    private const string Agents = """
        # the Python system's agents
        version: 2
        agents:
          FactChecker:
            role: Checks facts
            model: gpt-4
            temperature: 0.1
            tools: [search, {name: browser}, vector_search]
            system_message: "Never used: there is a file"
            human_input_mode: NEVER
            can_delegate_to: [Researcher]
            favourite_colour: green
          - not reached
        """;

    private const string AutoGen = """
        agents:
          - name: Data-Analyst 2
            description: "Reads tables: says \"what\" they hold\nand why"
            system_message: |
              You read tables.
              Say what they hold.
            llm_config:
              temperature: 0.3
              timeout: 60
              config_list:
                - {model: gpt-5-mini, api_key: sk-very-secret}
            tools: [calculator]
          - name: researcher
            prompt: Another researcher.
            tier: cheap
          - name: sleeper
            enabled: false
          - just a word
        """;

    private const string Registry = """
        {"agents": [{"id": "translator", "role": "Translator", "tier": "premium", "prompt": "You translate."}],
         "tools": [{"name": "vector_search", "version": "1.2"}, {"name": "x"}], "workflows": {}}
        """;

    private const string Env = """
        OPENAI_API_KEY=sk-canary-one
        DATABASE_URL=postgresql+asyncpg://mas:pw-canary@db:5432/mas
        JWT_SECRET_KEY=canary-two
        API_HOST=0.0.0.0
        API_PORT=9000
        CORS_ORIGINS=https://a.example.org, https://b.example.org
        LOG_LEVEL=WARNING
        CHROMA_HOST=chroma
        SOMETHING=else
        """;

    [Fact]
    public async Task Agents_prompts_registry_and_variables_are_taken_over()
    {
        using var world = new World();
        world.Write("agents.yaml", AutoGen).Write("prompts/data_analyst_2.txt", "You are the analyst.\n").Write("prompts/orphan.md", "x").Write("registry.json", Registry).Write(".env", Env);
        var said = await world.Session.DoAsync("import", world.Folder);

        // The server's own rules accept what was written: this reads and checks the whole catalog.
        var agents = world.Config("agents.yaml");
        Assert.StartsWith(world.Before, agents, StringComparison.Ordinal);
        Assert.Contains("""
              data_analyst_2:
                role: "Data analyst 2"
                description: "Reads tables: says \"what\" they hold and why"
                tier: fixed
                model: "gpt-5-mini"
                temperature: 0.3
                tools: ["calculator"]

              translator:
            """, agents, StringComparison.Ordinal);
        Assert.Equal("You are the analyst.\n", world.Config("prompts/data_analyst_2.md"));
        Assert.Equal("You translate.\n", world.Config("prompts/translator.md"));
        Assert.NotEqual("Another researcher.\n", world.Config("prompts/researcher.md"));
        Assert.Equal(world.Before, world.Config("agents.yaml.before-import"));
        Assert.Contains("CHROMA_HOST: the knowledge base is built in", said, StringComparison.Ordinal);

        Assert.Contains("researcher' already and it stays", said);
        Assert.Contains("agent 'sleeper' is switched off there", said);
        Assert.Contains("agents[3]: not the definition of an agent", said);
        Assert.Contains("llm_config.timeout", said);
        Assert.Contains("prompts/orphan.md: no agent is called 'orphan'", said);
        Assert.Contains("registry.json: tools: 2 entries put aside", said);
        Assert.Equal(2, JsonDocument.Parse(world.Config("imported/registry.json")).RootElement.GetProperty("tools").GetArrayLength());

        // Values of secrets reach the one private file and nothing else.
        Assert.Equal(
            """
            OPENAI_API_KEY=sk-canary-one
            ROOTMAS__Database__Kind=postgres
            ROOTMAS__Database__ConnectionString=postgres://mas:pw-canary@db:5432/mas
            ROOTMAS_URLS=http://0.0.0.0:9000
            ROOTMAS__Server__AllowedOrigins__0=https://a.example.org
            ROOTMAS__Server__AllowedOrigins__1=https://b.example.org
            ROOTMAS__Telemetry__LogLevel=Warning

            """.ReplaceLineEndings("\n"), world.Config("imported/rootmas.env"));
        Assert.Equal(FileModes.Private, FileModes.Of(world.ConfigPath("imported/rootmas.env")));
        Assert.DoesNotContain("canary", said + world.Session.Notes, StringComparison.Ordinal);
        Assert.DoesNotContain("sk-very-secret", said + agents, StringComparison.Ordinal);
        Assert.Contains("SOMETHING: unknown here", said);
        Assert.Contains("JWT_SECRET_KEY: the server makes its own keys", said);
    }

    [Fact]
    public async Task A_mapping_of_agents_is_read_too_and_every_key_is_accounted_for()
    {
        using var world = new World();
        world.Write("config/agents.yaml", Agents.Replace("  - not reached\n", "", StringComparison.Ordinal).Replace("  - not reached", "", StringComparison.Ordinal)).Write("config/prompts/FactChecker.md", "You check facts.");
        var lines = JsonDocument.Parse(await world.Session.DoAsync("import", world.Folder, "--replace", "--json")).RootElement.GetProperty("lines").EnumerateArray()
            .Select(l => $"{l.GetProperty("source")}: {l.GetProperty("text")}").ToList();
        Assert.All(
            ["version", "'FactChecker' is called 'fact_checker'", "'gpt-4' is not in models.yaml", "no tool 'vector_search'", "prompt: there is a prompt file too", "human_input_mode", "fact_checker: [researcher]", "favourite_colour: unknown", "replaces ours"],
            expected => Assert.Contains(lines, l => l.Contains(expected, StringComparison.Ordinal)));

        // The agent that was there is gone, its neighbours and their comments are not.
        var agents = world.Config("agents.yaml");
        Assert.Single(agents.Split('\n'), l => l.Trim() == "fact_checker:");
        Assert.Contains("""tools: ["web_search", "fetch_page"]""", agents, StringComparison.Ordinal);
        Assert.Contains("""planned_tools: ["vector_search"]""", agents, StringComparison.Ordinal);
        Assert.Contains("  multi_tool:\n", agents, StringComparison.Ordinal);
        Assert.Equal("You check facts.\n", world.Config("prompts/fact_checker.md"));
        Assert.Contains("config check", await CheckedAsync(world), StringComparison.Ordinal);

        // Once more: what was there before the first stays, too.
        await world.Session.DoAsync("import", world.Folder, "--replace");
        Assert.Equal(world.Before, world.Config("agents.yaml.before-import"));
        Assert.Equal(agents, world.Config("agents.yaml.before-import.2"));
    }

    [Fact]
    public async Task A_dry_run_writes_nothing_and_what_would_not_work_changes_nothing()
    {
        using var world = new World();
        world.Write("agents.yaml", AutoGen).Write(".env", Env);
        await world.Session.DoAsync("import", world.Folder, "--dry-run");
        Assert.Contains("Would write", world.Session.Notes.ToString());
        world.IsUnchanged();

        world.Write("agents.yaml", "agents: {a: {role: R, prompt: \"" + new string('x', 20_000) + "\"}}");
        Assert.Equal(2, await world.Session.RunAsync("import", world.Folder));
        Assert.Contains("Nothing was changed", world.Session.Notes.ToString());
        world.IsUnchanged();
    }

    [Theory]
    [InlineData("a: [1, 2", 2)]
    [InlineData("a: &a [x, x, x, x, x, x, x, x, x]\nb: &b [*a, *a, *a, *a, *a, *a, *a, *a]\nc: &c [*b, *b, *b, *b, *b, *b, *b, *b]\nd: &d [*c, *c, *c, *c, *c, *c, *c, *c]\ne: &e [*d, *d, *d, *d, *d, *d, *d, *d]\nf: [*e, *e, *e, *e, *e, *e, *e, *e]", 2)]
    [InlineData("", 0)]
    [InlineData("- 1\n- 2", 0)]
    public async Task Hostile_and_broken_files_are_refused_and_empty_ones_hold_nothing(string yaml, int code)
    {
        using var world = new World();
        world.Write("agents.yaml", yaml);
        Assert.Equal(code, await world.Session.RunAsync("import", world.Folder));
        world.IsUnchanged();
    }

    [Fact]
    public async Task A_folder_without_anything_is_said_to_have_nothing()
    {
        using var world = new World();
        Assert.Equal(3, await world.Session.RunAsync("import", world.Folder));
        Assert.Equal(3, await world.Session.RunAsync("import", Path.Combine(world.Folder, "nowhere")));
    }

    [Theory]
    [InlineData("FactChecker", "fact_checker")]
    [InlineData("Data-Analyst 2", "data_analyst_2")]
    [InlineData("HTTPClient", "httpclient")]
    [InlineData("3d artist", "agent_3d_artist")]
    [InlineData("исследователь", "")]
    public void Names_become_ours(string theirs, string ours) => Assert.Equal(ours, ForeignAgent.NameOf(theirs));

    private static async Task<string> CheckedAsync(World world)
    {
        // A server starts with it.
        await using var server = await ServerProcess.StartAsync(new ServerSettings { Config = world.ConfigPath("") });
        using var agents = await server.Http.GetAsync("/api/v1/agents/fact_checker");
        Assert.True(agents.IsSuccessStatusCode, await agents.Content.ReadAsStringAsync());
        return "config check";
    }

    private sealed class World : IDisposable
    {
        private readonly TempFolder _folder = new();

        public World()
        {
            Directory.CreateDirectory(Folder);
            Copy(Repository.PathOf("config"), ConfigPath(""));
            Session.Environment["ROOTMAS_CONFIG"] = ConfigPath("");
            Before = Config("agents.yaml");
        }

        public CliSession Session { get; } = new();

        public string Before { get; }

        public string Folder => Path.Combine(_folder.Path, "python");

        public World Write(string name, string text)
        {
            var path = Path.Combine(Folder, name);
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            File.WriteAllText(path, text.ReplaceLineEndings("\n"));
            return this;
        }

        public string ConfigPath(string name) => Path.Combine(_folder.Path, "config", name);

        public string Config(string name) => File.ReadAllText(ConfigPath(name));

        public void IsUnchanged()
        {
            Assert.Equal(Before, Config("agents.yaml"));
            Assert.False(Directory.Exists(ConfigPath("imported")));
            Assert.Empty(Directory.EnumerateFiles(ConfigPath(""), "*.new", SearchOption.AllDirectories));
        }

        public void Dispose()
        {
            Session.Dispose();
            _folder.Dispose();
        }

        private static void Copy(string from, string to)
        {
            Directory.CreateDirectory(to);
            foreach (var file in Directory.EnumerateFiles(from))
            {
                File.Copy(file, Path.Combine(to, Path.GetFileName(file)));
            }

            foreach (var folder in Directory.EnumerateDirectories(from))
            {
                Copy(folder, Path.Combine(to, Path.GetFileName(folder)));
            }
        }
    }
}
