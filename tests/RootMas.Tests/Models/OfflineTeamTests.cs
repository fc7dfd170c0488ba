using System.Text.Json;
using System.Text.RegularExpressions;
using RootMas.Server.Models.Offline;
using RootMas.Tests.Support;

namespace RootMas.Tests.Models;

/// <summary>Without any key: what each member found is in the answer, in every way of working together.</summary>
public sealed class OfflineTeamTests
{
    private const string Trip = "Plan a three-day trip to Kazan with a budget of 300 dollars, and check the arithmetic";
    private const string NoTool = "None of the tools I have here fits this request";
    private const string NoPassage = "No passage of the documents fits";
    private const string NoClaims = """{"claims":[]}""";

    private const string Written = """

          written:
            description: A plan whose answer another agent writes.
            pattern: plan
            entry: meta
            writer: communicator
            edges: { meta: [researcher, fact_checker, budget_manager] }
        """;

    private static string Teams => File.ReadAllText(Repository.PathOf("config", "teams.yaml")) + Written;

    [Theory]
    [InlineData("research", "Check the fact: what is 12 * 12, and is the Volga long?", "**researcher**", NoPassage, "**fact_checker**", NoClaims, "12 * 12 = 144")]
    [InlineData("review", "Check: the Volga is long", "**researcher**", NoPassage, "**fact_checker**", NoClaims, "**prompt_builder**", NoTool, "I have nothing to add to that.")]
    [InlineData("studio", "How do we begin?", "**prompt_builder**", NoTool, "**agent_builder**", "> I have nothing to add to that.", "**workflow_builder**")]
    [InlineData("written", Trip, "**meta**", "**facts** (researcher)", NoPassage, "**spend** (budget_manager)", "**check** (fact_checker)", NoClaims, "lodging: 120 USD")]
    [InlineData("root-mas", Trip, "**delegate**", "**facts** (researcher)", NoPassage, "**spend** (budget_manager)", "**check** (fact_checker)", NoClaims, "lodging: 120 USD")]
    public async Task The_answer_has_what_each_member_found(string team, string request, params string[] found)
    {
        await using var app = await TestApp.StartAsync(static o => o.ConfigFiles["teams.yaml"] = Teams);
        using var alice = await app.AsAsync("alice");
        var answer = await alice.PostAsync("/api/v1/chat", new { message = request, team });
        var text = answer.GetProperty("response").GetString()!;
        Assert.StartsWith(OfflineWords.English, text, StringComparison.Ordinal);
        Assert.All(found, f => Assert.Contains(f, text, StringComparison.Ordinal));
        Assert.DoesNotContain("untrusted", text, StringComparison.Ordinal);
        Assert.Equal(1, Regex.Count(text, "real model", RegexOptions.None, TimeSpan.FromSeconds(5)));

        var calls = new List<string>();
        await AddCallsAsync(alice, await alice.GetAsync($"/api/v1/runs/{answer.GetProperty("run_id").GetString()}?tree=1"), calls);
        Assert.All(calls, static c => Assert.DoesNotContain("untrusted", c, StringComparison.Ordinal));
        Assert.All(calls, static c => Assert.DoesNotContain("Done when", c, StringComparison.Ordinal));
    }

    /// <summary>Only of a plan's task is there more than was asked for.</summary>
    [Theory]
    [InlineData("solo")]
    [InlineData("review")]
    public async Task What_people_write_is_read_to_its_end(string team)
    {
        await using var app = await TestApp.StartAsync();
        using var alice = await app.AsAsync("alice");
        var answer = await alice.PostAsync("/api/v1/chat", new { message = "Read the handbook.\n\nDone when: it has three points.", team });
        var calls = new List<string>();
        await AddCallsAsync(alice, await alice.GetAsync($"/api/v1/runs/{answer.GetProperty("run_id").GetString()}?tree=1"), calls);
        var searches = calls.FindAll(static c => c.Contains("knowledge_search", StringComparison.Ordinal));
        Assert.NotEmpty(searches);
        Assert.All(searches, static s => Assert.Contains("Done when: it has three points.", s, StringComparison.Ordinal));
    }

    /// <summary>What was asked of tools by a run and all below it.</summary>
    private static async Task AddCallsAsync(TestUser user, JsonElement run, List<string> calls)
    {
        var events = await user.GetAsync($"/api/v1/runs/{run.GetProperty("id").GetString()}/events");
        calls.AddRange(events.GetProperty("items").EnumerateArray().Where(static e => e.GetProperty("type").GetString() == "tool.started").Select(static e => e.GetRawText()));
        if (run.TryGetProperty("children", out var children))
        {
            foreach (var child in children.EnumerateArray())
            {
                await AddCallsAsync(user, child, calls);
            }
        }
    }
}
