using System.Text.Json;
using RootMas.Server.Cli.Import;
using RootMas.Tests.Support;

namespace RootMas.Tests.Cli;

/// <summary><c>rootmas import</c>: what the Python system had becomes ours, and of every key it is said what became of it.</summary>
public sealed partial class ImportCommandTests
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

        Assert.Contains("left     agents.yaml: agents[1]: there is an agent 'researcher' already and it stays", said);
        Assert.DoesNotContain("taken    agents.yaml: agents[1]", said);
        Assert.Contains("taken    agents.yaml: agents[0]: agent data_analyst_2", said);
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

    /// <summary>Each copy of the variables is one more place where secrets lie.</summary>
    [Fact]
    public async Task What_is_there_already_is_not_written_again_and_not_kept_aside()
    {
        using var world = new World();
        world.Write("agents.yaml", AutoGen).Write("registry.json", Registry).Write(".env", Env);
        await world.Session.DoAsync("import", world.Folder);
        await world.Session.DoAsync("import", world.Folder);
        Assert.Contains("Nothing is to be written.\nLook at ", world.Session.Notes.ToString(), StringComparison.Ordinal);
        Assert.Equal(["registry.json", "rootmas.env"], Directory.EnumerateFiles(world.ConfigPath("imported")).Select(static f => Path.GetFileName(f)).Order(StringComparer.Ordinal));
        world.Write(".env", Env.Replace("sk-canary-one", "sk-canary-two", StringComparison.Ordinal));
        await world.Session.DoAsync("import", world.Folder);
        Assert.Contains("sk-canary-one", world.Config("imported/rootmas.env.before-import"), StringComparison.Ordinal);
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

        // Once more, with something new: what was there before the first stays, too.
        world.Write("config/prompts/FactChecker.md", "You check all facts.").Write("config/agents.yaml", "agents: {FactChecker: {role: Checks all facts}}");
        await world.Session.DoAsync("import", world.Folder, "--replace");
        Assert.Equal(world.Before, world.Config("agents.yaml.before-import"));
        Assert.Equal(agents, world.Config("agents.yaml.before-import.2"));
    }

    [Fact]
    public async Task Agents_are_called_by_their_key_and_what_people_call_them_is_their_role()
    {
        using var world = new World();
        world.Write("agents.yaml", """
            agents:
              lead:
                name: Руководитель
                prompt: You lead.
                can_delegate_to: [Проверяющий, desk_clerk, Clerk, archivist]
              checker:
                name: Проверяющий
                role: Checks
              desk:
                name: Desk Clerk
              Архивариус:
                id: archivist
              Никто:
                role: Nobody
            """).Write("prompts/checker.md", "You check.").Write("prompts/Desk Clerk.md", "You file.").Write("prompts/Архивариус.md", "You keep.").Write("prompts/Никто.md", "You are nobody.");
        var said = await world.Session.DoAsync("import", world.Folder);
        var agents = world.Config("agents.yaml");
        Assert.Contains("  lead:\n    role: \"Руководитель\"\n", agents, StringComparison.Ordinal);
        Assert.Contains("  checker:\n    role: \"Checks\"\n", agents, StringComparison.Ordinal);
        Assert.Contains("  desk:\n    role: \"Desk Clerk\"\n", agents, StringComparison.Ordinal);
        Assert.Contains("  archivist:\n    role: \"Архивариус\"\n", agents, StringComparison.Ordinal);
        Assert.Equal(
            ["You lead.\n", "You check.\n", "You file.\n", "You keep.\n"],
            ((string[])["lead", "checker", "desk", "archivist"]).Select(a => world.Config($"prompts/{a}.md")));
        Assert.Contains("lead: [checker, desk, clerk, archivist]", said);
        Assert.Contains("'Проверяющий' is not kept", said);
        Assert.Contains("'Никто' has none", said);
    }

    [Fact]
    public async Task Comments_quotes_and_files_of_the_env_file_are_read_as_their_system_read_them()
    {
        using var world = new World();
        world.Write("secret.txt", "canary-of-a-file").Write(".env", $"""
            OPENAI_API_KEY=sk-canary   # prod key
            OPENAI_BASE_URL="https://llm.example.org/v1"  # the proxy
            OPENROUTER_API_KEY_FILE={Path.Combine(world.Folder, "secret.txt")}
            ADMIN_SECRET="first
            second=canary"
            SEARXNG_URL='https://search.example.org/a #b'
            """);
        var said = await world.Session.DoAsync("import", world.Folder);
        Assert.Equal(
            """
            OPENAI_API_KEY=sk-canary
            OPENAI_BASE_URL=https://llm.example.org/v1
            ROOTMAS__Tools__Search__BaseUrl="https://search.example.org/a #b"

            """.ReplaceLineEndings("\n"), world.Config("imported/rootmas.env"));
        Assert.Contains("OPENROUTER_API_KEY_FILE: the file that it names was not opened", said);
        Assert.Contains(".env line 4: the quote before the value of ADMIN_SECRET is not closed", said);
        Assert.DoesNotContain("canary", said + world.Session.Notes, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("CELERY_BROKER_URL=redis://redis:6379/0", "CELERY_BROKER_URL: the only broker here is RabbitMQ", null)]
    [InlineData("CELERY_BROKER_URL=amqps://u:p@mq:5671/v", "CELERY_BROKER_URL is ROOTMAS__RabbitMq__Uri here", "ROOTMAS__RabbitMq__Uri=amqps://u:p@mq:5671/v\n")]
    [InlineData("RABBITMQ_URL=amqp://a\nCELERY_BROKER_URL=amqp://b", "CELERY_BROKER_URL: ROOTMAS__RabbitMq__Uri was given before", "ROOTMAS__RabbitMq__Uri=amqp://a\n")]
    [InlineData("REDIS_URL=redis://me:p@redis:6379/0", "REDIS_URL: names a user of an ACL", null)]
    [InlineData("REDIS_URL=redis://redis:6379/0?ssl_cert_reqs=none", "REDIS_URL: is not understood", null)]
    [InlineData("DATABASE_URL=postgresql+asyncpg://u:p@db/mas?ssl=require", "DATABASE_URL is ROOTMAS__Database__Kind here", "ROOTMAS__Database__Kind=postgres\nROOTMAS__Database__ConnectionString=postgres://u:p@db/mas?sslmode=require\n")]
    [InlineData("DATABASE_URL=postgresql+asyncpg://u:p@db/mas?ssl=true&connect_timeout=5", "ConnectionString", "ROOTMAS__Database__Kind=postgres\nROOTMAS__Database__ConnectionString=postgres://u:p@db/mas?sslmode=require&connect_timeout=5\n")]
    [InlineData("DATABASE_URL=postgresql+asyncpg://u:p@db/mas?prepared_statement_cache_size=0", "DATABASE_URL: is not understood", null)]
    [InlineData("DATABASE_URL=postgresql://u:p@db", "DATABASE_URL: names no database", null)]
    [InlineData("DATABASE_URL=sqlite:///mas.db", "DATABASE_URL: only an address of PostgreSQL", null)]
    [InlineData("CORS_ORIGINS=https://a.example.org,app.example.org", "CORS_ORIGINS: one of them is no origin", null)]
    public async Task What_no_start_would_accept_is_left(string env, string line, string? written)
    {
        using var world = new World();
        world.Write(".env", env);
        Assert.Contains(line, await world.Session.DoAsync("import", world.Folder), StringComparison.Ordinal);
        Assert.Equal(written is not null, File.Exists(world.ConfigPath("imported/rootmas.env")));
        Assert.Equal(written ?? "", written is null ? "" : world.Config("imported/rootmas.env"));
    }

    /// <summary>Each is legal by itself; together, or where it leads, a start refuses it, and says so in the same words.</summary>
    [Theory]
    [InlineData("API_HOST=0.0.0.0\nAPI_PORT=8001")]
    [InlineData("API_PORT=many")]
    [InlineData("RABBITMQ_URL=amqp://mq:5672")]
    [InlineData("REDIS_URL=redis://redis:6379/0")]
    [InlineData("CORS_ORIGINS=http://app.example.org")]
    [InlineData("ADMIN_SECRET=short\nLOG_LEVEL=INFO")]
    [InlineData("LOG_LEVEL=INFO\nAPI_PORT=8001")]
    public async Task What_is_written_passes_the_check_of_the_settings_or_the_report_says_what_that_says(string env)
    {
        using var world = new World();
        world.Write(".env", env);
        var said = await world.Session.DoAsync("import", world.Folder);
        Assert.Equal(env.Contains("ADMIN_SECRET", StringComparison.Ordinal), said.Contains("ADMIN_SECRET: is too short to be a secret", StringComparison.Ordinal));
        foreach (var line in world.Config("imported/rootmas.env").Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            var (name, value) = (line.Split('=')[0], line[(line.IndexOf('=', StringComparison.Ordinal) + 1)..]);
            world.Session.Environment[name] = value;
        }

        await world.Session.RunAsync("config", "check");
        Assert.All(world.Session.Notes.ToString().Split('\n', StringSplitOptions.RemoveEmptyEntries), problem => Assert.Contains(problem, said, StringComparison.Ordinal));
        Assert.Equal(world.Session.Notes.ToString().Length > 0, said.Contains("a start refuses what was taken over", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("agents:\n", "")]
    [InlineData("# ours\nagents: {}   # none yet\n", "# ours\n")]
    [InlineData("agents: ~\n# the end\n", "")]
    [InlineData("# nothing\n", "# nothing\n")]
    public async Task Where_we_have_no_agents_yet_theirs_are_written(string ours, string before)
    {
        using var world = new World();
        world.Write("agents.yaml", "agents: {helper: {role: Helps, prompt: You help.}}");
        File.WriteAllText(world.ConfigPath("agents.yaml"), ours);
        File.WriteAllText(world.ConfigPath("teams.yaml"), "default: one\nteams:\n  one:\n    description: \"One.\"\n    pattern: direct\n    entry: helper\n");
        await world.Session.DoAsync("import", world.Folder);
        var now = world.Config("agents.yaml");
        Assert.StartsWith(before, now, StringComparison.Ordinal);
        Assert.Single(now.Split('\n'), static l => l.StartsWith("agents:", StringComparison.Ordinal));
        Assert.Contains("\n  helper:\n    role: \"Helps\"\n", now, StringComparison.Ordinal);
        Assert.All(ours.Split('\n').Where(static l => l.Contains('#', StringComparison.Ordinal)), l => Assert.Contains(l[l.IndexOf('#', StringComparison.Ordinal)..], now, StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("agents: [a, b", "cannot be read")]
    [InlineData("agents: {helper: {role: Helps}}", "stand in braces")]
    [InlineData("agents:\n  - helper\n", "no mapping of agents")]
    public async Task Where_ours_can_take_nothing_that_is_said_and_nothing_is_changed(string ours, string why)
    {
        using var world = new World();
        world.Write("agents.yaml", AutoGen);
        File.WriteAllText(world.ConfigPath("agents.yaml"), ours);
        Assert.Equal(2, await world.Session.RunAsync("import", world.Folder));
        var said = world.Session.Notes.ToString();
        Assert.All([world.ConfigPath("agents.yaml"), why, "Nothing was changed"], expected => Assert.Contains(expected, said, StringComparison.Ordinal));
        Assert.Equal(ours, world.Config("agents.yaml"));
    }

    [Theory]
    [InlineData("")]
    [InlineData("\n  # more to come\n")]
    public async Task The_last_line_of_an_agents_text_is_part_of_it_even_if_it_looks_like_a_comment(string after)
    {
        using var world = new World();
        world.Write("agents.yaml", "agents: {helper: {role: Helps, prompt: You help.}}");
        File.WriteAllText(world.ConfigPath("agents.yaml"), "agents:\n  keeper:\n    role: \"Keeps\"\n    description: \"Keeps.\"\n    instructions: |\n      You keep.\n      # Never tell.\n" + after);
        File.WriteAllText(world.ConfigPath("teams.yaml"), "default: one\nteams:\n  one:\n    description: \"One.\"\n    pattern: direct\n    entry: keeper\n");
        await world.Session.DoAsync("import", world.Folder);
        var now = world.Config("agents.yaml");
        Assert.Contains("\n      You keep.\n      # Never tell.\n\n  helper:\n", now, StringComparison.Ordinal);
        Assert.EndsWith(after, now, StringComparison.Ordinal);

        world.Write("agents.yaml", "agents: {keeper: {role: Keeps all, prompt: You keep all.}}");
        await world.Session.DoAsync("import", world.Folder, "--replace");
        now = world.Config("agents.yaml");
        Assert.DoesNotContain("Never tell", now, StringComparison.Ordinal);
        Assert.EndsWith(after, now, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Lock_files_of_editors_are_no_prompts_and_no_obstacle()
    {
        using var world = new World();
        world.Write("agents.yaml", "agents: {helper: {role: Helps, prompt: You help.}}").Write("prompts/helper.md", "You help well.");
        foreach (var path in (string[])[world.ConfigPath(".#agents.yaml"), world.ConfigPath("prompts/.#researcher.md"), Path.Combine(world.Folder, "prompts", ".#helper.md")])
        {
            File.CreateSymbolicLink(path, "somebody@somewhere.1234:1");
        }

        Assert.Contains(".#helper.md: a hidden file", await world.Session.DoAsync("import", world.Folder), StringComparison.Ordinal);
        Assert.Equal("You help well.\n", world.Config("prompts/helper.md"));
    }

    [Fact]
    public async Task A_config_folder_that_is_not_there_is_named()
    {
        using var world = new World();
        world.Write("agents.yaml", AutoGen);
        var nowhere = Path.Combine(world.Folder, "no-config");
        Assert.Equal(3, await world.Session.RunAsync("import", world.Folder, "--config", nowhere));
        Assert.Contains($"{nowhere} is not a folder", world.Session.Notes.ToString(), StringComparison.Ordinal);
        Assert.False(Directory.Exists(nowhere));
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
    public void Names_become_ours(string theirs, string ours) => Assert.Equal(ours, ForeignName.From(theirs));

    private static async Task<string> CheckedAsync(World world)
    {
        // A server starts with it.
        await using var server = await ServerProcess.StartAsync(new ServerSettings { Config = world.ConfigPath("") });
        using var agents = await server.Http.GetAsync("/api/v1/agents/fact_checker");
        Assert.True(agents.IsSuccessStatusCode, await agents.Content.ReadAsStringAsync());
        return "config check";
    }
}
