using RootMas.Server.Agents;
using RootMas.Tests.Support;

namespace RootMas.Tests.Cli;

/// <summary><c>import --replace</c>: theirs in the place of ours, in teams that go on to work.</summary>
public sealed partial class ImportCommandTests
{
    [Fact]
    public async Task Each_agent_that_we_ship_can_be_replaced_and_what_teams_rely_on_stays()
    {
        using var world = new World();
        var ours = (await CatalogFiles.ReadAsync(Repository.PathOf("config"), CancellationToken.None)).Agents.Select(static a => a.Definition).ToList();
        foreach (var agent in ours)
        {
            world.Write("agents.yaml", Theirs(agent));
            await world.Session.DoAsync("import", world.Folder, "--replace", "--dry-run"); // it is checked with all the rest
        }

        world.IsUnchanged();
        world.Write("agents.yaml", string.Concat(ours.Select(Theirs)));
        var said = await world.Session.DoAsync("import", world.Folder, "--replace");
        Assert.Contains("it keeps what our 'communicator' had and theirs does not say: specialist: false", said, StringComparison.Ordinal);
        Assert.Contains("it keeps what our 'fact_checker' had and theirs does not say: output_schema", said, StringComparison.Ordinal);

        var now = (await CatalogFiles.ReadAsync(world.ConfigPath(""), CancellationToken.None)).Agents.Select(static a => a.Definition).ToList();
        Assert.Equal(ours.Select(Kept), now.Select(Kept));
        Assert.All(now, static a => Assert.Equal("Old", a.Role));
        Assert.Contains("config check", await CheckedAsync(world), StringComparison.Ordinal);

        static string Theirs(AgentDefinition agent) => $"{agent.Name}: {{role: Old, prompt: Old talk.}}\n";
        static (string, bool, string?) Kept(AgentDefinition agent) => (agent.Name, agent.Specialist, agent.OutputSchema is { } schema ? AgentsJson.Serialize(schema) : null);
    }

    [Fact]
    public async Task What_theirs_says_of_specialists_goes_before_ours()
    {
        using var world = new World();
        world.Write("agents.yaml", """
            researcher: {role: Old, prompt: Old talk., specialist: false}
            lead: {role: Lead, prompt: You lead., specialist: no}
            clerk: {role: Clerk, prompt: You file., specialist: perhaps}
            """);
        var said = await world.Session.DoAsync("import", world.Folder, "--replace");
        Assert.Contains("clerk.specialist: must be true or false", said, StringComparison.Ordinal);
        Assert.DoesNotContain("it keeps", said, StringComparison.Ordinal);
        var now = (await CatalogFiles.ReadAsync(world.ConfigPath(""), CancellationToken.None)).Agents.ToDictionary(static a => a.Definition.Name, static a => a.Definition.Specialist, StringComparer.Ordinal);
        Assert.Equal((false, false, true), (now["researcher"], now["lead"], now["clerk"]));
    }
}
