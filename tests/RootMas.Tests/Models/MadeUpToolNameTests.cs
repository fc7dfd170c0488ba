using System.Text.Json;
using RootMas.Tests.Chat;

namespace RootMas.Tests.Models;

/// <summary>A tool that a model made up: the call goes back to the provider under a name that it takes, or the history would be refused and with it all that the run did.</summary>
public sealed class MadeUpToolNameTests
{
    public static TheoryData<string> Names => ["multi_tool_use.parallel", "calculator ", "поиск", new string('x', 5_000)];

    [Theory]
    [MemberData(nameof(Names))]
    public async Task A_name_that_no_provider_takes_is_sent_back_as_one_that_they_take(string name)
    {
        await using var world = await ChatWorld.StartAsync($$"""
            rules:
              - match: { last_role: tool }
                answer: { text: "Done." }
            default: { tool_calls: [ { name: "{{name}}", arguments: {} } ] }
            """);
        Assert.Equal("Done.", (await world.AskAsync(new { message = "go", team = "solo" })).GetProperty("response").GetString());

        var messages = JsonElement.Parse(world.Sim.Calls[^1].Body!).GetProperty("messages").EnumerateArray().ToList();
        var call = Assert.Single(messages.Where(static m => m.TryGetProperty("tool_calls", out _)).SelectMany(static m => m.GetProperty("tool_calls").EnumerateArray()));
        Assert.Matches("^[a-zA-Z0-9_-]{1,64}$", call.GetProperty("function").GetProperty("name").GetString());
        var told = messages.Single(static m => m.GetProperty("role").GetString() == "tool").GetProperty("content").GetString()!;
        Assert.Contains($"has no tool '{name[..Math.Min(name.Length, 100)]}", told, StringComparison.Ordinal);
        Assert.InRange(told.Length, 1, 1_000);
    }
}
