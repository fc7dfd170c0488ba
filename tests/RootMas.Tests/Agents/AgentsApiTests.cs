using System.Net;
using System.Text.Json;
using System.Text.Json.Nodes;
using RootMas.Server.Agents;
using RootMas.Server.Models;
using RootMas.Tests.Support;

namespace RootMas.Tests.Agents;

/// <summary>Agents and teams over HTTP.</summary>
public sealed class AgentsApiTests(AgentsApiTests.Server server) : IClassFixture<AgentsApiTests.Server>
{
    private const string Translator = """{"name":"translator","role":"Translator","description":"Translates.","instructions":"You translate.","tier":"cheap","tools":["calculator"]}""";

    [Fact]
    public async Task The_list_shows_thirteen_agents_with_their_missing_tools_and_no_prompts()
    {
        var app = server.App;
        var list = await app.GetJsonAsync("/api/v1/agents");
        var agents = list.GetProperty("items").EnumerateArray().ToDictionary(a => a.GetProperty("name").GetString()!);
        Assert.Equal(13, agents.Count);
        Assert.Equal(JsonValueKind.Null, list.GetProperty("next_cursor").ValueKind);
        Assert.DoesNotContain(list.GetProperty("problems").EnumerateArray(), p => p.GetProperty("severity").GetString() == "error");
        Assert.Contains("agent_propose", Texts(agents["agent_builder"], "missing_tools"));
        Assert.DoesNotContain("calculator", Texts(agents["communicator"], "missing_tools"));
        Assert.Contains("root-mas", Texts(agents["budget_manager"], "teams"));
        Assert.All(agents.Values, a => Assert.False(a.TryGetProperty("instructions", out var prompt) && prompt.ValueKind == JsonValueKind.String));
    }

    [Fact]
    public async Task Lists_come_in_pages_without_gaps()
    {
        var app = server.App;
        List<string> names = [];
        for (var path = "/api/v1/agents?limit=5"; ;)
        {
            var page = await app.GetJsonAsync(path);
            names.AddRange(page.GetProperty("items").EnumerateArray().Select(a => a.GetProperty("name").GetString()!));
            if (page.GetProperty("next_cursor").GetString() is not { } cursor)
            {
                break;
            }

            path = $"/api/v1/agents?limit=5&cursor={cursor}";
        }

        Assert.Equal(13, names.Distinct().Count());
        Assert.Equal(13, names.Count);
        await ProblemAssert.IsProblemAsync(await app.Client.GetAsync(new Uri("/api/v1/agents?cursor=!!", UriKind.Relative)), 400);
        await ProblemAssert.IsProblemAsync(await app.Client.GetAsync(new Uri("/api/v1/teams?limit=0", UriKind.Relative)), 400);
    }

    [Fact]
    public async Task Status_and_profiles_have_the_shape_that_clients_know()
    {
        var app = server.App;
        var status = await app.GetJsonAsync("/api/v1/agents/status");
        Assert.Equal(13, status.GetProperty("total").GetInt32());
        foreach (var member in (string[])["name", "status", "last_activity", "message_count", "success_rate"])
        {
            Assert.All(status.GetProperty("agents").EnumerateArray(), a => Assert.True(a.TryGetProperty(member, out _), member));
        }

        var profiles = await app.GetJsonAsync("/api/v1/agents/profiles");
        Assert.Equal(13, profiles.GetArrayLength());
        foreach (var member in (string[])["id", "agent_id", "name", "role", "description", "capabilities", "avatar", "avatar_url", "status"])
        {
            Assert.All(profiles.EnumerateArray(), a => Assert.True(a.TryGetProperty(member, out _), member));
        }

        using var picture = await app.Client.GetAsync(new Uri(profiles[0].GetProperty("avatar_url").GetString()!, UriKind.Relative));
        Assert.Equal("image/svg+xml", picture.Content.Headers.ContentType?.MediaType);
        Assert.StartsWith("<svg", await picture.Content.ReadAsStringAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_agent_is_added_replaced_and_removed_with_its_tag()
    {
        await using var app = await TestApp.StartAsync();
        using var created = await app.PostAsync("/api/v1/agents", Translator);
        Assert.Equal(HttpStatusCode.Created, created.StatusCode);
        Assert.Equal("/api/v1/agents/translator", created.Headers.Location?.ToString());
        var first = created.Headers.ETag!.ToString();
        Assert.Contains("translator", Texts(await app.GetJsonAsync("/api/v1/teams/root-mas"), "agents"));
        var exists = await ProblemAssert.IsProblemAsync(await app.PostAsync("/api/v1/agents", Translator), 409, "agent_exists");
        Assert.StartsWith("There is already an agent of this name.", exists.GetProperty("detail").GetString(), StringComparison.Ordinal);

        var better = Translator.Replace("Translates.", "Translates well.");
        await ProblemAssert.IsProblemAsync(await app.SendAsync(HttpMethod.Put, "/api/v1/agents/translator", better), 428);
        await ProblemAssert.IsProblemAsync(await app.SendAsync(HttpMethod.Put, "/api/v1/agents/translator", better, ("If-Match", "\"old\"")), 412);
        await ProblemAssert.IsProblemAsync(await app.SendAsync(HttpMethod.Put, "/api/v1/agents/front", better, ("If-Match", first)), 400);
        using var replaced = await app.SendAsync(HttpMethod.Put, "/api/v1/agents/translator", better, ("If-Match", first));
        Assert.Equal(HttpStatusCode.OK, replaced.StatusCode);
        Assert.NotEqual(first, replaced.Headers.ETag!.ToString());

        await ProblemAssert.IsProblemAsync(await app.SendAsync(HttpMethod.Delete, "/api/v1/agents/translator", null, ("If-Match", first)), 412);
        using var removed = await app.SendAsync(HttpMethod.Delete, "/api/v1/agents/translator", null, ("If-Match", replaced.Headers.ETag!.ToString()));
        Assert.Equal(HttpStatusCode.NoContent, removed.StatusCode);
        await ProblemAssert.IsProblemAsync(await app.Client.GetAsync(new Uri("/api/v1/agents/translator", UriKind.Relative)), 404, "agent_not_found");
        await ProblemAssert.IsProblemAsync(await app.SendAsync(HttpMethod.Delete, "/api/v1/agents/translator", null, ("If-Match", "*")), 404);
    }

    [Fact]
    public async Task A_files_agent_can_be_replaced_and_taken_back()
    {
        await using var app = await TestApp.StartAsync();
        using var read = await app.Client.GetAsync(new Uri("/api/v1/agents/researcher", UriKind.Relative));
        var body = Translator.Replace("\"translator\"", "\"researcher\"");
        using var replaced = await app.SendAsync(HttpMethod.Put, "/api/v1/agents/researcher", body, ("If-Match", read.Headers.ETag!.ToString()));
        Assert.Equal(HttpStatusCode.OK, replaced.StatusCode);
        Assert.Equal("api", (await app.GetJsonAsync("/api/v1/agents/researcher")).GetProperty("source").GetString());
        using var reverted = await app.SendAsync(HttpMethod.Delete, "/api/v1/agents/researcher?revert=true", null, ("If-Match", replaced.Headers.ETag!.ToString()));
        Assert.Equal(HttpStatusCode.NoContent, reverted.StatusCode);
        var again = await app.GetJsonAsync("/api/v1/agents/researcher");
        Assert.Equal("file", again.GetProperty("source").GetString());
        Assert.Contains("You are the Researcher", again.GetProperty("instructions").GetString(), StringComparison.Ordinal);
        await ProblemAssert.IsProblemAsync(await app.SendAsync(HttpMethod.Delete, "/api/v1/agents/researcher?revert=true", null, ("If-Match", "*")), 409, "not_overridden");
    }

    [Theory]
    [InlineData("agents")]
    [InlineData("teams")]
    public async Task What_is_read_can_be_put_back_as_it_is_and_nothing_of_it_changes(string kind)
    {
        await using var app = await TestApp.StartAsync();
        var names = (await app.GetJsonAsync($"/api/v1/{kind}")).GetProperty("items").EnumerateArray().Select(static i => i.GetProperty("name").GetString()!).ToList();
        Assert.NotEmpty(names);
        foreach (var name in names)
        {
            using var read = await app.SendAsync(HttpMethod.Get, $"/api/v1/{kind}/{name}");
            var text = await read.Content.ReadAsStringAsync();
            using var put = await app.SendAsync(HttpMethod.Put, $"/api/v1/{kind}/{name}", text, ("If-Match", read.Headers.ETag!.ToString()));
            Assert.True(put.IsSuccessStatusCode, $"{name}: {await put.Content.ReadAsStringAsync()}");
            var before = JsonNode.Parse(text)!.AsObject();
            before["source"] = "api";
            Assert.Equal(before.ToJsonString(), JsonNode.Parse(await put.Content.ReadAsStringAsync())!.ToJsonString());
        }
    }

    [Fact]
    public async Task What_only_reading_tells_cannot_be_said_and_is_stored_nowhere()
    {
        await using var app = await TestApp.StartAsync();
        var said = Translator[..^1] + ""","missing_tools":["x"],"teams":["x"],"source":"file","version":"x"}""";
        using var made = await app.PostAsync("/api/v1/agents", said);
        Assert.Equal(HttpStatusCode.Created, made.StatusCode);
        var agent = await app.GetJsonAsync("/api/v1/agents/translator");
        Assert.Equal("api", agent.GetProperty("source").GetString());
        Assert.NotEqual("x", agent.GetProperty("version").GetString());
        Assert.Empty(Texts(agent, "missing_tools"));
        Assert.DoesNotContain("missing_tools", app.Get<AgentCatalog>().JsonOf(CatalogKind.Agent, "translator"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_limit_of_money_is_taken_as_a_number_and_as_the_text_that_amounts_are_elsewhere()
    {
        await using var app = await TestApp.StartAsync();
        foreach (var (name, cost) in ((string, string)[])[("as-text", "\"1.50\""), ("as-number", "1.5")])
        {
            using var made = await app.PostAsync("/api/v1/teams", $$$"""{"name":"{{{name}}}","description":"d","pattern":"direct","entry":"meta","limits":{"max_cost_usd":{{{cost}}}}}""");
            Assert.Equal(HttpStatusCode.Created, made.StatusCode);
            Assert.Equal(1.5m, (await app.GetJsonAsync($"/api/v1/teams/{name}")).GetProperty("limits").GetProperty("max_cost_usd").GetDecimal());
        }
    }

    [Fact]
    public async Task An_agent_that_a_team_needs_is_not_removed()
    {
        var app = server.App;
        await ProblemAssert.IsProblemAsync(await app.SendAsync(HttpMethod.Delete, "/api/v1/agents/communicator", null, ("If-Match", "*")), 409, "agent_in_use");
        await ProblemAssert.IsProblemAsync(await app.SendAsync(HttpMethod.Delete, "/api/v1/teams/root-mas", null, ("If-Match", "*")), 409, "team_in_use");
        Assert.Equal(13, (await app.GetJsonAsync("/api/v1/agents")).GetProperty("items").GetArrayLength());
    }

    [Fact]
    public async Task Files_that_were_refused_for_a_team_that_was_made_here_are_taken_once_that_team_is_gone()
    {
        const string Other = "\n  other:\n    role: Other\n    description: Works too.\n    instructions: You are the other.\n";
        using var folder = CatalogFolder.Small(CatalogFolder.Agents + Other);
        await using var app = await TestApp.StartAsync(o => o.Config = folder.Path);
        await app.PostJsonAsync("/api/v1/teams", new { name = "mine", description = "Mine.", pattern = "direct", entry = "other" }, HttpStatusCode.Created);
        await File.WriteAllTextAsync(Path.Combine(app.Config, "agents.yaml"), CatalogFolder.Agents);
        await Wait.UntilAsync(() => app.Get<AgentCatalog>().HasRejectedEdit);
        using var gone = await app.SendAsync(HttpMethod.Delete, "/api/v1/teams/mine", null, ("If-Match", "*"));
        Assert.True(gone.IsSuccessStatusCode);
        await Wait.UntilAsync(() => !app.Get<AgentCatalog>().HasRejectedEdit);
        Assert.Null(app.Get<AgentCatalog>().Current.FindAgent("other"));
    }

    [Fact]
    public async Task A_team_is_added_and_survives_a_restart()
    {
        var data = Directory.CreateTempSubdirectory("rootmas-restart-").FullName;
        try
        {
            await using (var app = await TestApp.StartAsync(o => o.Data = data))
            {
                var team = await app.PostJsonAsync("/api/v1/teams", new { name = "duo", description = "Two.", pattern = "sequential", members = new[] { "researcher", "communicator" } }, HttpStatusCode.Created);
                Assert.Equal(["researcher", "communicator"], Texts(team, "agents"));
                await app.StopAsync();
            }

            await using var restarted = await TestApp.StartAsync(o => o.Data = data);
            var read = await restarted.GetJsonAsync("/api/v1/teams/duo");
            Assert.Equal(("api", "researcher", 200), (read.GetProperty("source").GetString(), read.GetProperty("entry").GetString(), read.GetProperty("limits").GetProperty("max_steps").GetInt32()));
        }
        finally
        {
            Directory.Delete(data, recursive: true);
        }
    }

    [Theory]
    [InlineData("agents", """{"name":"UPPER","role":"r","description":"d","instructions":"i"}""", "name")]
    [InlineData("agents", """{"name":"","role":"r","description":"d","instructions":"i"}""", "name")]
    [InlineData("agents", """{"name":"x","role":"r","description":"d","instructions":"  "}""", "instructions")]
    [InlineData("agents", """{"name":"x","role":"r","description":"d","instructions":"i","tier":"huge"}""", "tier")]
    [InlineData("agents", """{"name":"x","role":"r","description":"d","instructions":"i","tools":[null]}""", "tools[0]")]
    [InlineData("agents", """{"name":"x","role":"r","description":"d","instructions":"i","capabilities":[null]}""", "capabilities[0]")]
    [InlineData("agents", """{"name":"x","role":"r","description":"d","instructions":"i","output_schema":[1]}""", "output_schema")]
    [InlineData("agents", """{"name":"x","role":"r","description":"d","instructions":"i","owner":"me"}""", "owner")]
    [InlineData("agents", """{"name":"x","role":"r","description":"d","instructions":"i","tools":null}""", "tools")]
    [InlineData("teams", """{"name":"x","description":"d","pattern":"waterfall"}""", "pattern")]
    [InlineData("teams", """{"name":"x","description":"d","pattern":"direct","entry":"nobody"}""", "entry")]
    [InlineData("teams", """{"name":"x","description":"d","pattern":"sequential","members":["meta",null]}""", "members[1]")]
    [InlineData("teams", """{"name":"x","description":"d","pattern":"direct","entry":"meta","edges":{"meta":null}}""", "edges.meta")]
    [InlineData("teams", """{"name":"x","description":"d","pattern":"direct","entry":"meta","edges":{"meta":["researcher",null]}}""", "edges.meta[1]")]
    [InlineData("teams", """{"name":"x","description":"d","pattern":"direct","entry":"meta","delegate_patterns":{"meta":null}}""", "delegate_patterns.meta")]
    [InlineData("teams", """{"name":"x","description":"d","pattern":"direct","entry":"meta","limits":{"max_cost_usd":1e28}}""", "limits.max_cost_usd")]
    [InlineData("teams", """{"name":"x","description":"d","pattern":"direct","entry":"meta","limits":{"max_cost_usd":1e30}}""", "limits.max_cost_usd")]
    [InlineData("teams", """{"name":"x","description":"d","pattern":"direct","entry":"meta","limits":{"max_cost_usd":"1,5"}}""", "limits.max_cost_usd")]
    [InlineData("teams", """{"name":"x","description":"d","pattern":"direct","entry":"meta","limits":{"max_cost_usd":"-1"}}""", "limits.max_cost_usd")]
    [InlineData("teams", """{"name":"x","description":"d","pattern":"direct","entry":"meta","limits":{"max_cost_usd":true}}""", "limits.max_cost_usd")]
    [InlineData("teams", """{"name":"x","description":"d","pattern":"concurrent","members":["researcher","fact_checker"],"writer":"communicator","limits":{"max_depth":0}}""", "limits.max_depth")]
    [InlineData("teams", """{"name":"x","description":"d","pattern":"concurrent","members":["researcher","fact_checker"],"writer":"communicator","limits":{"max_children":1}}""", "limits.max_children")]
    [InlineData("teams", """{"name":"x","description":"d","pattern":"plan","entry":"meta","limits":{"max_depth":0}}""", "limits.max_depth")]
    public async Task Bad_definitions_are_refused_with_the_field(string what, string json, string field)
    {
        var problem = await ProblemAssert.IsProblemAsync(await server.App.PostAsync($"/api/v1/{what}", json), 400);
        ProblemAssert.Names(problem, field);
    }

    [Fact]
    public async Task A_broken_edit_of_a_file_shows_in_health_and_in_the_list()
    {
        await using var app = await TestApp.StartAsync();
        await File.WriteAllTextAsync(Path.Combine(app.Config, "teams.yaml"), "teams: [");
        await app.Get<RootMas.Server.Agents.AgentCatalog>().ReloadAsync(CancellationToken.None);
        var list = await app.GetJsonAsync("/api/v1/agents");
        Assert.Contains(list.GetProperty("problems").EnumerateArray(), p => p.GetProperty("severity").GetString() == "error" && p.GetProperty("source").GetString() == "teams.yaml");
        Assert.Equal(13, list.GetProperty("items").GetArrayLength());
        using var health = await app.Client.GetAsync(new Uri("/health", UriKind.Relative));
        Assert.Contains("agents", await health.Content.ReadAsStringAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Stored_teams_that_no_longer_fit_the_files_are_named_and_can_be_replaced_or_removed()
    {
        const string Better = """{"name":"pair","description":"One.","pattern":"direct","entry":"front"}""";
        using var data = new TempFolder();
        using var folder = CatalogFolder.Small();
        var tags = new Dictionary<string, string>(StringComparer.Ordinal);
        await using (var app = await TestApp.StartAsync(o => (o.Data, o.Config) = (data.Path, folder.Path)))
        {
            foreach (var name in (string[])["pair", "duo"])
            {
                using var made = await app.PostAsync("/api/v1/teams", $$"""{"name":"{{name}}","description":"Two.","pattern":"sequential","members":["front","worker"]}""");
                Assert.Equal(HttpStatusCode.Created, made.StatusCode);
                tags[name] = made.Headers.ETag!.ToString();
            }

            await app.StopAsync();
        }

        folder.Write("agents.yaml", CatalogFolder.Agents[..CatalogFolder.Agents.IndexOf("  worker", StringComparison.Ordinal)]);
        await using var restarted = await TestApp.StartAsync(o => (o.Data, o.Config) = (data.Path, folder.Path));
        Assert.Equal("degraded", await AgentsHealthAsync(restarted));
        Assert.Equal(["teams.duo.members", "teams.pair.members"], (await ProblemsAsync(restarted)).Where(p => p.Message.Contains("not applied", StringComparison.Ordinal)).Select(p => p.Key).Order(StringComparer.Ordinal));
        var gone = await ProblemAssert.IsProblemAsync(await restarted.Client.GetAsync(new Uri("/api/v1/teams/pair", UriKind.Relative)), 404, "team_not_found");
        Assert.Contains(tags["pair"], gone.GetProperty("detail").GetString(), StringComparison.Ordinal);

        var exists = await ProblemAssert.IsProblemAsync(await restarted.PostAsync("/api/v1/teams", Better), 409, "team_exists");
        Assert.Contains("'pair'", exists.GetProperty("detail").GetString(), StringComparison.Ordinal);
        await ProblemAssert.IsProblemAsync(await restarted.SendAsync(HttpMethod.Put, "/api/v1/teams/pair", Better), 428);
        await ProblemAssert.IsProblemAsync(await restarted.SendAsync(HttpMethod.Delete, "/api/v1/teams/pair", null, ("If-Match", "\"old\"")), 412);
        using var replaced = await restarted.SendAsync(HttpMethod.Put, "/api/v1/teams/pair", Better, ("If-Match", tags["pair"]));
        Assert.Equal(HttpStatusCode.OK, replaced.StatusCode);
        Assert.Equal("direct", (await restarted.GetJsonAsync("/api/v1/teams/pair")).GetProperty("pattern").GetString());
        using var reverted = await restarted.SendAsync(HttpMethod.Delete, "/api/v1/teams/duo?revert=true", null, ("If-Match", tags["duo"]));
        Assert.Equal(HttpStatusCode.NoContent, reverted.StatusCode);
        Assert.DoesNotContain(await ProblemsAsync(restarted), p => p.Message.Contains("not applied", StringComparison.Ordinal));
        await Wait.UntilAsync(static async app => await AgentsHealthAsync(app) == "healthy", restarted, "The agents did not become well");
    }

    [Fact]
    public async Task A_fixed_model_that_there_is_not_is_told_until_there_is_one()
    {
        await using var provider = await FakeModelServer.StartAsync();
        await using var app = await TestApp.StartAsync(o => o.ConfigFiles["models.yaml"] = Models(""));
        using var made = await app.PostAsync("/api/v1/agents", Translator.Replace("\"cheap\"", "\"fixed\",\"model\":\"later\"", StringComparison.Ordinal));
        Assert.Equal(HttpStatusCode.Created, made.StatusCode);
        var told = Assert.Single(await ProblemsAsync(app), p => p.Key == "agents.translator.model");
        Assert.Equal("warning", told.Severity);
        Assert.Contains("'later'", told.Message, StringComparison.Ordinal);

        await File.WriteAllTextAsync(Path.Combine(app.Config, "models.yaml"), Models(", later: { provider: fake, price: { input: 1, output: 2 } }"));
        await app.Get<ModelCatalogSource>().ReloadAsync(CancellationToken.None);
        Assert.DoesNotContain(await ProblemsAsync(app), p => p.Key == "agents.translator.model");

        string Models(string more) => $$"""
            providers: { fake: { base_url: "{{provider.BaseUrl.OriginalString}}" } }
            models: { one: { provider: fake, price: { input: 1, output: 2 } }{{more}} }
            tiers: { standard: [one] }
            """;
    }

    private static async Task<string?> AgentsHealthAsync(TestApp app) => (await app.GetJsonAsync("/health")).GetProperty("checks").GetProperty("agents").GetProperty("status").GetString();

    private static async Task<List<(string Key, string Message, string Severity)>> ProblemsAsync(TestApp app) =>
        [.. (await app.GetJsonAsync("/api/v1/agents")).GetProperty("problems").EnumerateArray()
            .Select(p => (p.GetProperty("key").GetString()!, p.GetProperty("message").GetString()!, p.GetProperty("severity").GetString()!))];

    /// <summary>One server for the tests that change nothing.</summary>
    public sealed class Server : IAsyncLifetime
    {
        public TestApp App { get; private set; } = null!;

        public async Task InitializeAsync() => App = await TestApp.StartAsync();

        public Task DisposeAsync() => App.DisposeAsync().AsTask();
    }

    private static IEnumerable<string> Texts(JsonElement owner, string member) => owner.GetProperty(member).EnumerateArray().Select(e => e.GetString()!);
}
