using System.Net;
using RootMas.LlmSimulator;
using RootMas.Tests.Chat;

namespace RootMas.Tests.Agents;

/// <summary>Agents that join while the server runs answer their first message; runs that began before go on as they began.</summary>
public sealed class JoiningAgentsTests
{
    private const string Script = """
        rules:
          - name: slow
            match: { agent: communicator, last_user: "slow one", last_role: user }
            answer: { tool_calls: [{ name: calculator, arguments: { expression: "1+1" } }] }
          - match: { agent: communicator, last_message: "ask the translator" }
            answer: { tool_calls: [{ name: delegate, arguments: { agent: translator, task: "Say good day." } }] }
          - match: { agent: communicator, last_message: "ask the poet" }
            answer: { tool_calls: [{ name: delegate, arguments: { agent: poet, task: "Say a line." } }] }
          - { match: { agent: translator }, answer: { text: "Bonjour." } }
          - { match: { agent: poet }, answer: { text: "Roses are red." } }
        default: { text: "Here it is." }
        """;

    [Fact]
    public async Task Agents_added_by_file_and_by_api_answer_their_first_message_and_old_runs_keep_their_prompts()
    {
        await using var world = await ChatWorld.StartAsync(Script);
        var before = world.Sim.Hold(new HoldSpec { Rule = "slow" });
        var old = (await world.SendAsync(await world.NewConversationAsync("root-mas"), new { message = "slow one" })).GetProperty("run_id").GetString()!;
        await before.Reached.WaitAsync(TimeSpan.FromSeconds(90));

        // By file: a definition with a prompt of its own, an edge to it, and a new prompt for an agent that is at work.
        var config = world.App.Config;
        await File.AppendAllTextAsync(Path.Combine(config, "prompts", "communicator.md"), "\nAlways be brief.\n");
        await File.WriteAllTextAsync(Path.Combine(config, "prompts", "translator.md"), "You translate into French.");
        var teams = await File.ReadAllTextAsync(Path.Combine(config, "teams.yaml"));
        await File.WriteAllTextAsync(Path.Combine(config, "teams.yaml"), teams.Replace("[meta, researcher, coordination, \"*\"]", "[meta, researcher, coordination, translator, \"*\"]", StringComparison.Ordinal));
        await File.AppendAllTextAsync(Path.Combine(config, "agents.yaml"), "\n  translator:\n    role: Translator\n    description: Translates.\n    tier: cheap\n    specialist: false\n");
        await UntilAsync(world, "/api/v1/agents/translator");
        await AnswersAsync(world, "translator", "Bonjour.", "You translate into French.");
        await DelegatesAsync(world, "ask the translator", "translator");

        // By API.
        await world.App.PostJsonAsync("/api/v1/agents", new { name = "poet", role = "Poet", description = "Writes lines.", instructions = "You write poems.", tier = "cheap" }, HttpStatusCode.Created);
        await AnswersAsync(world, "poet", "Roses are red.", "You write poems.");
        var after = await DelegatesAsync(world, "ask the poet", "poet");

        before.Release();
        var events = await world.EventsAsync(old);
        Assert.Equal("run.completed", events[^1].Type);
        var oldVersion = Assert.Single(Versions(events, "communicator"));
        Assert.NotEqual(oldVersion, Assert.Single(Versions(after, "communicator")));
        var asked = world.Sim.Calls.Where(static c => c.Agent == "communicator" && c.Body!.Contains("slow one", StringComparison.Ordinal)).ToList();
        Assert.Equal(2, asked.Count);
        Assert.All(asked, static c => Assert.DoesNotContain("Always be brief.", c.Body!, StringComparison.Ordinal));
        Assert.Contains(world.Sim.Calls, static c => c.Agent == "communicator" && c.Body!.Contains("Always be brief.", StringComparison.Ordinal));
    }

    private static async Task AnswersAsync(ChatWorld world, string agent, string text, string prompt)
    {
        var answer = await world.AskAsync(new { message = "Good day", agent });
        Assert.Equal((agent, text), (answer.GetProperty("agent").GetString(), answer.GetProperty("response").GetString()));
        Assert.Contains(prompt, world.Sim.Calls.Last(c => c.Agent == agent).Body!, StringComparison.Ordinal);
    }

    private static async Task<List<SseEvent>> DelegatesAsync(ChatWorld world, string message, string agent)
    {
        var answer = await world.AskAsync(new { message });
        Assert.Equal("Here it is.", answer.GetProperty("response").GetString());
        Assert.Contains(agent, answer.GetProperty("metadata").GetProperty("agents").EnumerateArray().Select(static a => a.GetString()));
        return await world.EventsAsync(answer.GetProperty("run_id").GetString()!);
    }

    private static IEnumerable<string?> Versions(List<SseEvent> events, string agent) =>
        events.Where(e => e.Type == "model.requested" && e.Data.GetProperty("agent").GetString() == agent).Select(static e => e.Data.GetProperty("prompt_version").GetString()).Distinct();

    /// <summary>The server sees edits by itself; how soon is the file system's affair.</summary>
    private static async Task UntilAsync(ChatWorld world, string path)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(90));
        while (true)
        {
            using var response = await world.App.Client.GetAsync(new Uri(path, UriKind.Relative), limit.Token);
            if (response.StatusCode == HttpStatusCode.OK)
            {
                return;
            }

            Assert.Equal(HttpStatusCode.NotFound, response.StatusCode);
            await Task.Delay(20, limit.Token);
        }
    }
}
