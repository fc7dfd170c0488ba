using System.Net;
using System.Net.Http.Json;
using RootMas.Tests.Chat;
using RootMas.Tests.Support;

namespace RootMas.Tests.Identity.Access;

/// <summary>Agents' tools have the rights of the user they work for, and of the credential that started the run.</summary>
public sealed class ToolRightsTests
{
    private const string Script = """
        default: { text: "Hello." }
        rules:
          - match: { last_role: tool }
            answer: { text: "Done." }
          - match: { last_role: user, last_user: "costs" }
            answer: { tool_calls: [ { name: usage_report, arguments: {} } ] }
        """;

    [Fact]
    public async Task What_the_user_may_not_see_no_agent_shows_them()
    {
        await using var world = await ChatWorld.StartAsync(Script);
        using var bot = await world.App.AsAsync("bot", "agent");
        using var ann = await world.App.AsAsync("ann");
        Assert.Equal("tool.completed", await ToolAsync(ann.Client));
        Assert.Equal("tool.failed", await ToolAsync(bot.Client));
        Assert.Contains(await world.App.AuditAsync(), r => r is { Action: "tool.call", Outcome: "denied" } && r.After!.Contains("usage_report", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_scoped_key_starts_runs_that_may_no_more_than_it_and_a_retry_with_it_neither()
    {
        await using var world = await ChatWorld.StartAsync(Script);
        using var ann = await world.App.AsAsync("ann");
        var made = await ann.PostAsync("/api/v1/api-keys", new { name = "chat only", scopes = new[] { "chat:read", "chat:write" } }, HttpStatusCode.Created);
        using var program = world.App.NewClient(made.GetProperty("secret").GetString());
        Assert.Equal("tool.failed", await ToolAsync(program));

        // A run of the whole user, repeated by the key: the repetition has the key's rights.
        var whole = (await ann.PostAsync("/api/v1/chat", new { message = "costs", agent = "budget_manager" })).GetProperty("run_id").GetString();
        var again = await TestUser.JsonAsync(await program.PostAsJsonAsync($"/api/v1/runs/{whole}/retry", new { }), HttpStatusCode.Accepted);
        Assert.Equal("run.completed", (await world.EventsAsync(again.GetProperty("id").GetString()!))[^1].Type);
        Assert.Equal("tool.failed", (await EventTypesAsync(program, again.GetProperty("id").GetString()!)).Single(t => t.StartsWith("tool.", StringComparison.Ordinal) && t != "tool.started"));
    }

    private static async Task<string> ToolAsync(HttpClient client)
    {
        var answer = await TestUser.JsonAsync(await client.PostAsJsonAsync("/api/v1/chat", new { message = "costs", agent = "budget_manager" }), HttpStatusCode.OK);
        return (await EventTypesAsync(client, answer.GetProperty("run_id").GetString()!)).Single(t => t is "tool.completed" or "tool.failed");
    }

    private static async Task<List<string>> EventTypesAsync(HttpClient client, string run)
    {
        var page = await TestUser.JsonAsync(await client.GetAsync($"/api/v1/runs/{run}/events"), HttpStatusCode.OK);
        return [.. page.GetProperty("items").EnumerateArray().Select(static e => e.GetProperty("type").GetString()!)];
    }
}
