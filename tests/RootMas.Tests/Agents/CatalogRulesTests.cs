using RootMas.Runtime.Teams;
using RootMas.Server.Agents;

namespace RootMas.Tests.Agents;

/// <summary>What a catalog must not be, each with the key that is named and words of the message.</summary>
public sealed class CatalogRulesTests
{
    private const string TwoWorkers = CatalogFolder.Agents + "\n  other:\n    role: Other\n    description: Works too.\n    instructions: You are the other.\n";

    public static TheoryData<string, string, string> BadAgents => new()
    {
        { "    tier: huge", "agents.x.tier", "Legal: cheap, standard, premium, fixed" },
        { "    tier: fixed", "agents.x.model", "with tier fixed" },
        { "    model: gpt-x", "agents.x.model", "with tier fixed" },
        { "    temperature: 3", "agents.x.temperature", "from 0 to 2" },
        { "    temperature: warm", "agents.x.temperature", "must be a number" },
        { "    tools: calculator", "agents.x.tools", "must be a list" },
        { "    tools: [\"rm -rf\"]", "agents.x.tools", "tool names" },
        { "    tools: [delegate]", "agents.x.tools", "built in" },
        { "    output_schema: text", "agents.x.output_schema", "JSON schema" },
        { "    output_schema: { type: array }", "agents.x.output_schema", "type" },
        { "    output_schema: { type: object, properties: { a: { type: nonsense } } }", "agents.x.output_schema", "" },
        { "    specialist: perhaps", "agents.x.specialist", "true or false" },
        { "    colour: red", "agents.x.colour", "Legal: role, description" },
        { "    capabilities: [\"\"]", "agents.x.capabilities", "texts only" },
        { "    avatar: \"this is not an emoji at all\"", "agents.x.avatar", "1–16 characters" },
        { "    role: 7", "agents.x.role", "must be a text" },
        { "    [a]: b", "agents.x", "no name" },
        { "    instructions: \"a\\0b\"", "agents.x.instructions", "control characters" },
    };

    public static TheoryData<string, string, string> BadTeams => new()
    {
        { "pattern: waterfall\n    entry: front", "teams.t.pattern", "Legal: direct, handoff, sequential, concurrent, group_chat, plan" },
        { "pattern: direct", "teams.t.entry", "needs the agent" },
        { "pattern: direct\n    entry: nobody", "teams.t.entry", "Legal: front, worker, other" },
        { "pattern: sequential\n    members: [front]", "teams.t.members", "2–32" },
        { "pattern: sequential\n    members: [front, front]", "teams.t.members", "twice" },
        { "pattern: sequential\n    members: [front, nobody]", "teams.t.members", "no agent 'nobody'" },
        { "pattern: direct\n    entry: front\n    members: [front, worker]", "teams.t.members", "has no members" },
        { "pattern: concurrent\n    members: [front, worker]", "teams.t.writer", "needs the agent" },
        { "pattern: direct\n    entry: front\n    writer: worker", "teams.t.writer", "is for concurrent" },
        { "pattern: direct\n    entry: front\n    selector: worker", "teams.t.selector", "is for group_chat" },
        { "pattern: direct\n    entry: front\n    coordinator: worker", "teams.t.coordinator", "is for plan" },
        { "pattern: group_chat\n    members: [front, worker]\n    entry: other", "teams.t.entry", "one of the members" },
        { "pattern: group_chat\n    members: [front, worker]\n    max_rounds: 0", "teams.t.max_rounds", "1 to 100" },
        { "pattern: direct\n    entry: front\n    max_parallel: 65", "teams.t.max_parallel", "1 to 64" },
        { "pattern: direct\n    entry: front\n    limits: { max_steps: 0 }", "teams.t.limits.max_steps", "from 1" },
        { "pattern: direct\n    entry: front\n    limits: { max_tokens: 5 }", "teams.t.limits.max_tokens", "1,000" },
        { "pattern: direct\n    entry: front\n    limits: { max_cost_usd: -1 }", "teams.t.limits.max_cost_usd", "US dollars" },
        { "pattern: direct\n    entry: front\n    limits: { budget: 1 }", "teams.t.limits.budget", "not known" },
        { "pattern: direct\n    entry: front\n    limits: {{ limits }}", "teams.t.limits", "no name" },
        { "pattern: direct\n    entry: front\n    edges: { front: [nobody] }", "teams.t.edges.front", "no agent 'nobody'" },
        { "pattern: direct\n    entry: front\n    edges: { front: [front] }", "teams.t.edges.front", "leads to itself" },
        { "pattern: direct\n    entry: front\n    edges: { worker: [other] }", "teams.t.edges.worker", "cannot be reached" },
        { "pattern: direct\n    entry: front\n    edges: { front: [worker], worker: [other], other: [front] }", "teams.t.edges", "front → worker → other → front" },
        { "pattern: direct\n    entry: front\n    edges: { front: [worker] }\n    handoffs: { front: [worker] }", "teams.t.handoffs.front", "say which" },
        { "pattern: direct\n    entry: front\n    edges: { front: [worker] }\n    delegate_patterns: { worker: group_chat }", "teams.t.delegate_patterns.worker", "Legal: direct, plan" },
        { "pattern: direct\n    entry: front\n    delegate_patterns: { worker: plan }", "teams.t.delegate_patterns.worker", "nobody delegates" },
        { "pattern: direct\n    entry: front\n    colour: red", "teams.t.colour", "Legal: description" },
        { "pattern: concurrent\n    members: [front, worker]\n    writer: other\n    limits: { max_depth: 0 }", "teams.t.limits.max_depth", "at least 1" },
        { "pattern: concurrent\n    members: [front, worker]\n    writer: other\n    limits: { max_children: 1 }", "teams.t.limits.max_children", "at least 2" },
        { "pattern: plan\n    entry: front\n    edges: { front: [worker] }\n    limits: { max_children: 0 }", "teams.t.limits.max_children", "at least 1" },
    };

    [Theory]
    [MemberData(nameof(BadAgents))]
    public async Task A_bad_agent_is_refused_with_its_key(string line, string key, string words)
    {
        using var folder = CatalogFolder.Small();
        folder.Append("agents.yaml", $"\n  x:\n{(line.Contains("role") ? "" : "    role: X\n")}    description: An x.\n{(line.Contains("instructions") ? "" : "    instructions: You are x.\n")}{line}\n");
        AssertProblem(await folder.BuildAsync(), "agents.yaml", key, words);
    }

    [Theory]
    [InlineData("status")]
    [InlineData("profiles")]
    public async Task A_name_that_is_an_address_by_itself_is_refused(string name)
    {
        using var folder = CatalogFolder.Small();
        folder.Append("agents.yaml", $"\n  {name}:\n    role: X\n    description: An x.\n    instructions: You are x.\n");
        AssertProblem(await folder.BuildAsync(), "agents.yaml", $"agents.{name}.name", "choose another");
    }

    [Theory]
    [MemberData(nameof(BadTeams))]
    public async Task A_bad_team_is_refused_with_its_key(string definition, string key, string words)
    {
        using var folder = CatalogFolder.Small(TwoWorkers);
        folder.Append("teams.yaml", $"\n  t:\n    description: A t.\n    {definition}\n");
        AssertProblem(await folder.BuildAsync(), "teams.yaml", key, words);
    }

    [Fact]
    public async Task All_problems_are_told_at_once()
    {
        using var folder = CatalogFolder.Small();
        folder.Append("agents.yaml", "\n  x:\n    role: X\n    tier: huge\n    temperature: 9\n    colour: red\n");
        folder.Append("teams.yaml", "\n  t:\n    pattern: none\n");
        var build = await folder.BuildAsync();
        Assert.Null(build.Catalog);
        foreach (var key in (string[])["agents.x.tier", "agents.x.temperature", "agents.x.colour", "agents.x.description", "agents.x.instructions", "teams.t.description", "teams.t.pattern"])
        {
            Assert.Contains(build.Problems, p => p.Key == key && !p.IsWarning);
        }
    }

    [Fact]
    public async Task A_prompt_that_is_missing_empty_or_too_long_is_refused()
    {
        using var folder = CatalogFolder.Small();
        File.Delete(Path.Combine(folder.Path, "prompts", "worker.md"));
        AssertProblem(await folder.BuildAsync(), "agents.yaml", "agents.worker.instructions", "prompts/worker.md");
        folder.Write("prompts/worker.md", "  \n ");
        AssertProblem(await folder.BuildAsync(), "agents.yaml", "agents.worker.instructions", "missing");
        folder.Write("prompts/worker.md", new string('x', 16_001));
        AssertProblem(await folder.BuildAsync(), "agents.yaml", "agents.worker.instructions", "16000 characters");
        folder.Write("prompts/worker.md", new string('x', 16_000));
        Assert.NotNull((await folder.BuildAsync()).Catalog);
    }

    [Fact]
    public async Task A_tool_that_is_not_there_is_a_warning_and_a_planned_one_is_not()
    {
        using var folder = CatalogFolder.Small(CatalogFolder.Agents.Replace("tools: [calculator]", "tools: [calculator, ask_user, teleport]\n    planned_tools: [agent_propose]"));
        var build = await folder.BuildAsync();
        var warning = Assert.Single(build.Problems);
        Assert.True(warning.IsWarning);
        Assert.Contains("teleport", warning.Message, StringComparison.Ordinal);
        Assert.Equal(["teleport", "agent_propose"], build.Catalog!.MissingTools(build.Catalog.FindAgent("front")!.Agent));
    }

    [Fact]
    public async Task An_agent_that_no_team_reaches_is_a_warning()
    {
        using var folder = CatalogFolder.Small(teams: CatalogFolder.Teams.Replace("front: [\"*\"]", "front: []"));
        var build = await folder.BuildAsync();
        Assert.Contains(build.Problems, p => p.IsWarning && p.Message.Contains("'worker'", StringComparison.Ordinal));
        Assert.NotNull(build.Catalog);
    }

    [Fact]
    public async Task The_default_team_must_exist()
    {
        using var folder = CatalogFolder.Small(teams: CatalogFolder.Teams.Replace("default: main", "default: other"));
        AssertProblem(await folder.BuildAsync(), "teams.yaml", "default", "Legal: main");
    }

    [Theory]
    [InlineData("agents:\n  front: [", "line", "not readable YAML")]
    [InlineData("agents:\n  a: &x { role: r }\n  b: *x\n", "line", "aliases")]
    [InlineData("agents:\n  a: {}\n  a: {}\n", "line", "uplicate")]
    [InlineData("- a\n", "(file)", "mapping")]
    [InlineData("", "(file)", "mapping")]
    [InlineData("agents: {}\nteams: {}\n", "teams", "not known here")]
    [InlineData("agents: 3\n", "agents", "must be a mapping")]
    public async Task A_file_that_is_no_catalog_is_told_with_its_place(string yaml, string key, string words)
    {
        using var folder = CatalogFolder.Small(agents: yaml);
        var build = await folder.BuildAsync();
        Assert.Null(build.Catalog);
        Assert.Contains(build.Problems, p => p.Source == "agents.yaml" && p.Key.StartsWith(key, StringComparison.Ordinal) && p.Message.Contains(words, StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_missing_folder_and_a_file_that_is_not_text_are_problems_not_exceptions()
    {
        using var folder = CatalogFolder.Small();
        await File.WriteAllBytesAsync(Path.Combine(folder.Path, "agents.yaml"), [0xFF, 0xFE, 0x00, 0xD8]);
        AssertProblem(await folder.BuildAsync(), "agents.yaml", "(file)", "UTF-8");
        var files = await CatalogFiles.ReadAsync(Path.Combine(folder.Path, "nowhere"), CancellationToken.None);
        Assert.All((string[])["agents.yaml", "teams.yaml", "prompts/_preamble.md"], name => Assert.Contains(files.Problems, p => p.Source == name && p.Message.Contains("missing", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task What_editors_and_file_systems_put_beside_prompts_is_no_prompt()
    {
        using var folder = CatalogFolder.Small();
        await File.WriteAllBytesAsync(Path.Combine(folder.Path, "prompts", "._worker.md"), [0x00, 0x05, 0x16, 0x07, 0xFF]);
        File.CreateSymbolicLink(Path.Combine(folder.Path, "prompts", ".#worker.md"), "somebody@somewhere.1234:1");
        var build = await folder.BuildAsync();
        Assert.NotNull(build.Catalog);
        Assert.Empty(build.Problems);
    }

    [Fact]
    public async Task A_star_means_every_specialist_and_a_handoff_may_go_both_ways()
    {
        using var folder = CatalogFolder.Small(TwoWorkers, CatalogFolder.Teams + "\n    handoffs: { worker: [other] }\n");
        var team = (await folder.BuildAsync()).Catalog!.FindTeam("main")!.Team;
        Assert.Equal(["worker", "other"], team.DelegatesOf("front"));
        Assert.Equal(["other"], team.HandoffsOf("worker"));
        Assert.Equal(["worker"], team.HandoffsOf("other"));
        Assert.Equal(PatternKind.Direct, team.Pattern);
    }

    private static void AssertProblem(CatalogBuild build, string source, string key, string words)
    {
        Assert.Null(build.Catalog);
        Assert.True(
            build.Problems.Any(p => !p.IsWarning && p.Source == source && p.Key == key && p.Message.Contains(words, StringComparison.Ordinal)),
            $"expected {source}: {key}: …{words}…, got:\n{string.Join('\n', build.Problems)}");
    }
}
