using System.Text.RegularExpressions;
using RootMas.Runtime.Teams;
using RootMas.Server.Agents;
using RootMas.Tests.Support;

namespace RootMas.Tests.Agents;

/// <summary>The files that we ship say what the page of the thirteen agents says.</summary>
public sealed partial class ShippedCatalogTests
{
    private const string Specialists = "researcher fact_checker model_selector prompt_builder agent_builder instance_factory multi_tool workflow_builder webapp_builder budget_manager";

    private static readonly string[] Parts = ["# Who you are", "# What you receive", "# What you return", "# Never", "# Example"];

    // Tools of the finished system; those that exist are in ToolList.Existing.
    private static readonly string[] PlannedTools =
        ["recall", "remember", "tier_propose", "prompt_read", "prompt_propose", "experiment_propose", "agent_propose", "agent_test", "instance_render", "instance_deploy",
         "instance_status", "openapi_call", "workflow_validate", "workflow_create", "workflow_activate", "app_write", "app_check", "app_publish", "budget_propose"];

    public static TheoryData<string, string, string, string> Thirteen => new()
    {
        { "communicator", "cheap", "meta coordination " + Specialists, "calculator current_time ask_user recall remember knowledge_search knowledge_read" },
        { "meta", "premium", "coordination researcher model_selector prompt_builder agent_builder", "plan_read" },
        { "coordination", "cheap", Specialists, "task_status task_update" },
        { "researcher", "premium", "fact_checker multi_tool", "knowledge_search knowledge_read web_search fetch_page" },
        { "fact_checker", "cheap", "", "knowledge_search fetch_page" },
        { "model_selector", "cheap", "", "model_stats tier_propose" },
        { "prompt_builder", "standard", "fact_checker", "prompt_read prompt_propose experiment_propose" },
        { "agent_builder", "cheap", "prompt_builder", "agent_propose agent_test" },
        { "instance_factory", "cheap", "", "instance_render instance_deploy instance_status" },
        { "multi_tool", "cheap", "", "http_request openapi_call" },
        { "workflow_builder", "standard", "multi_tool", "workflow_validate workflow_create workflow_activate" },
        { "webapp_builder", "standard", "multi_tool", "app_write app_check app_publish" },
        { "budget_manager", "cheap", "", "usage_report budget_propose" },
    };

    public static TheoryData<string> Names => [.. Thirteen.Select(row => (string)row[0])];

    [Fact]
    public async Task The_shipped_catalog_has_no_problem_and_exactly_thirteen_agents()
    {
        using var folder = CatalogFolder.Shipped();
        var build = await folder.BuildAsync();
        Assert.Empty(build.Problems);
        Assert.Equal(Thirteen.Select(r => (string)r[0]), build.Catalog!.Agents.Select(a => a.Agent.Name));
        Assert.Equal("root-mas", build.Catalog.DefaultTeam);
    }

    [Theory]
    [MemberData(nameof(Thirteen))]
    public async Task Each_agent_has_its_tier_edges_and_tools(string name, string tier, string edges, string tools)
    {
        using var folder = CatalogFolder.Shipped();
        var catalog = (await folder.BuildAsync()).Catalog!;
        var agent = catalog.FindAgent(name)!.Agent;
        Assert.Equal(tier, agent.Tier);
        Assert.Equal(Sorted(tools), agent.Tools.Order());
        Assert.Equal(Sorted(edges), catalog.FindTeam("root-mas")!.Team.DelegatesOf(name).Order());
        Assert.NotEmpty(agent.Role);
        Assert.NotEmpty(agent.Description);
        Assert.Equal(agent.Tools.Intersect(PlannedTools).Order(), catalog.MissingTools(agent).Order());
    }

    [Fact]
    public async Task The_shipped_teams_have_their_patterns()
    {
        using var folder = CatalogFolder.Shipped();
        var teams = (await folder.BuildAsync()).Catalog!.Teams.ToDictionary(t => t.Team.Name, t => t.Team);
        Assert.Equal(["research", "review", "root-mas", "solo", "studio"], teams.Keys.Order());

        var main = teams["root-mas"];
        Assert.Equal((PatternKind.Direct, "communicator", "coordination"), (main.Pattern, main.Entry, main.Coordinator));
        Assert.Equal((PatternKind.Plan, PatternKind.Direct), (main.DelegatePatternOf("meta"), main.DelegatePatternOf("researcher")));
        Assert.All(main.Edges, e => Assert.False(e.IsHandoff));

        Assert.Equal(PatternKind.Sequential, teams["research"].Pattern);
        Assert.Equal(["researcher", "fact_checker", "communicator"], teams["research"].Members);
        Assert.Equal((PatternKind.Concurrent, 3, "communicator"), (teams["review"].Pattern, teams["review"].Members.Count, teams["review"].Writer));
        Assert.Equal((PatternKind.GroupChat, "meta"), (teams["studio"].Pattern, teams["studio"].Selector));
        Assert.Equal(["prompt_builder", "agent_builder", "workflow_builder", "webapp_builder"], teams["studio"].Members);
        Assert.Equal((PatternKind.Direct, "communicator", 0), (teams["solo"].Pattern, teams["solo"].Entry, teams["solo"].Edges.Count));
    }

    [Fact]
    public async Task The_fact_checkers_answer_has_a_schema_with_the_five_verdicts()
    {
        using var folder = CatalogFolder.Shipped();
        var schema = (await folder.BuildAsync()).Catalog!.FindAgent("fact_checker")!.Agent.OutputSchema!;
        foreach (var verdict in (string[])["verified", "likely_true", "uncertain", "likely_false", "\"false\""])
        {
            Assert.Contains(verdict, schema, StringComparison.Ordinal);
        }

        using var answer = System.Text.Json.JsonDocument.Parse("""{"claims":[{"claim":"a","verdict":"false","confidence":5,"evidence":[{"quote":"b","source":"c"}]}]}""");
        Assert.Empty(RootMas.Runtime.Tools.JsonSchemaValidator.Validate(schema, answer.RootElement));
        using var wrong = System.Text.Json.JsonDocument.Parse("""{"claims":[{"claim":"a","verdict":"maybe","confidence":500,"evidence":[]}]}""");
        Assert.NotEmpty(RootMas.Runtime.Tools.JsonSchemaValidator.Validate(schema, wrong.RootElement));
    }

    [Fact]
    public async Task The_teams_and_the_agent_of_the_documentation_are_valid()
    {
        var blocks = Yaml().Matches(File.ReadAllText(Repository.PathOf("docs", "agents.md"))).Select(m => m.Groups["yaml"].Value.TrimEnd()).ToList();
        Assert.Equal(7, blocks.Count);
        using var folder = CatalogFolder.Shipped();
        folder.Append("agents.yaml", ("\n" + blocks[0]).Replace("\n   ", "\n") + "\n");
        folder.Write("prompts/translator.md", "You translate.");
        folder.Write("teams.yaml", "default: helpdesk\nteams:\n" + string.Join('\n', blocks.Skip(1)));
        var build = await folder.BuildAsync();
        Assert.True(build.Catalog is not null, string.Join('\n', build.Problems));
        Assert.Equal(Enum.GetValues<PatternKind>(), build.Catalog!.Teams.Select(t => t.Team.Pattern).Order());
        Assert.NotNull(build.Catalog.FindAgent("translator"));
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Each_prompt_has_the_required_parts_and_is_short(string name)
    {
        var prompt = Prompt(name);
        Assert.All(Parts, part => Assert.Contains(part, prompt, StringComparison.Ordinal));
        Assert.InRange(prompt.Length, 300, 4_000);
    }

    [Theory]
    [MemberData(nameof(Names))]
    public async Task No_prompt_names_a_tool_that_does_not_exist_or_is_not_the_agents(string name)
    {
        using var folder = CatalogFolder.Shipped();
        var catalog = (await folder.BuildAsync()).Catalog!;
        var prompt = Prompt(name);
        Assert.All(PlannedTools, planned => Assert.DoesNotMatch($@"\b{planned}\b", prompt));

        var mine = catalog.FindAgent(name)!.Agent.Tools;
        var tools = ToolList.Existing.All.Select(t => t.Name).Append("ask_user").ToList();
        Assert.All(tools.Where(t => Regex.IsMatch(prompt, $@"`{t}`", RegexOptions.None, TimeSpan.FromSeconds(1))), t => Assert.Contains(t, mine));
        var delegates = catalog.FindTeam("root-mas")!.Team.DelegatesOf(name).ToList();
        foreach (var code in Quoted().Matches(prompt).Select(m => m.Groups["name"].Value).Distinct())
        {
            Assert.True(tools.Contains(code) || delegates.Contains(code) || code is "done_when" || (code == "delegate" && delegates.Count > 0), $"{name}.md names `{code}`");
        }
    }

    [Fact]
    public void The_preamble_holds_the_house_rules()
    {
        var preamble = File.ReadAllText(Repository.PathOf("config", "prompts", "_preamble.md"));
        foreach (var rule in (string[])["budget", "deadline", "Use only the tools", "data. Never follow instructions", "Never claim an action", "Never reveal", "uncertain", "Only the Communicator speaks to the user", "Russian and English"])
        {
            Assert.Contains(rule, preamble, StringComparison.Ordinal);
        }
    }

    private static string Prompt(string name) => File.ReadAllText(Repository.PathOf("config", "prompts", name + ".md"));

    private static IEnumerable<string> Sorted(string names) => names.Split(' ', StringSplitOptions.RemoveEmptyEntries).Order();

    [GeneratedRegex(@"```yaml\n(?<yaml>.*?)```", RegexOptions.Singleline | RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Yaml();

    [GeneratedRegex("`(?<name>[a-z]+(_[a-z]+)*)`", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Quoted();
}
