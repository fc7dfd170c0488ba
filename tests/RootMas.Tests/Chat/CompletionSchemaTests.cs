using System.Net;
using System.Text.Json;

namespace RootMas.Tests.Chat;

/// <summary>Whoever asks <c>/v1</c> for JSON gets JSON, whatever kind of team answers.</summary>
public sealed class CompletionSchemaTests
{
    private const string Teams = """
        default: planned
        teams:
          planned: { description: A test, pattern: plan, entry: meta, edges: { meta: [researcher] } }
          talk: { description: A test, pattern: group_chat, members: [researcher, multi_tool], max_rounds: 2 }
        """;

    private const string Script = """
        rules:
          - match: { agent: meta, last_message_regex: "Write a plan" }
            answer: { json: { goal: "g", tasks: [ { id: t1, agent: researcher, task: "count", depends_on: [], done_when: "counted" } ] } }
          - { match: { agent: meta, last_message_regex: "All tasks are settled" }, answer: { json: { verdict: done, summary: "It is forty-two." } } }
          - { match: { agent: researcher, structured: false }, answer: { text: "Forty-two." } }
          - { match: { agent: researcher }, answer: { json: { n: 41 } } }
        default: { json: { n: 42 } }
        """;

    [Theory]
    [InlineData("planned", "meta", 4)]
    [InlineData("talk", "multi_tool", 2)]
    public async Task A_team_without_a_writer_answers_by_the_schema(string team, string last, int calls)
    {
        await using var world = await ChatWorld.StartAsync(Script, configure: static o => o.ConfigFiles["teams.yaml"] = Teams);
        using var response = await world.App.PostAsync("/v1/chat/completions", JsonSerializer.Serialize(new
        {
            model = team,
            messages = new[] { new { role = "user", content = "How many?" } },
            response_format = new
            {
                type = "json_schema",
                json_schema = new { name = "count", schema = JsonElement.Parse("""{"type":"object","properties":{"n":{"type":"integer"}},"required":["n"]}""") },
            },
        }));
        var text = await response.Content.ReadAsStringAsync();
        Assert.True(response.StatusCode == HttpStatusCode.OK, text);
        var content = JsonElement.Parse(text).GetProperty("choices")[0].GetProperty("message").GetProperty("content").GetString()!;
        Assert.Equal(42, JsonElement.Parse(content).GetProperty("n").GetInt32());
        var asked = world.Sim.Calls.Where(static c => c.Agent is { Length: > 0 }).ToList();
        Assert.Equal((calls, last), (asked.Count, asked[^1].Agent));
        Assert.DoesNotContain(asked, static c => c.Body!.Contains("ends it with [done]", StringComparison.Ordinal)); // with the mark it would be no JSON
    }

    /// <summary>Nothing makes more of it than what fits the limit: as with OpenAI the client sees from the finish reason why it is half.</summary>
    [Theory]
    [InlineData(false, "json_object")]
    [InlineData(true, "json_object")]
    [InlineData(false, "json_schema")]
    public async Task JSON_that_is_cut_at_the_callers_own_limit_is_asked_for_once_and_returned_as_it_is(bool stream, string type)
    {
        await using var world = await ChatWorld.StartAsync("""default: { text: "{\"n\": 4", finish_reason: length }""");
        object format = type == "json_object" ? new { type } : new { type, json_schema = new { name = "count", schema = JsonElement.Parse("""{"type":"object","required":["n"]}""") } };
        using var response = await world.App.PostAsync("/v1/chat/completions", JsonSerializer.Serialize(new
        {
            model = "solo",
            messages = new[] { new { role = "user", content = "How many?" } },
            max_tokens = 2,
            response_format = format,
            stream,
        }));
        var text = await response.Content.ReadAsStringAsync();
        Assert.True(response.StatusCode == HttpStatusCode.OK, text);
        Assert.Contains("\"finish_reason\":\"length\"", text, StringComparison.Ordinal);
        if (!stream)
        {
            Assert.Equal("{\"n\": 4", JsonElement.Parse(text).GetProperty("choices")[0].GetProperty("message").GetProperty("content").GetString());
        }

        Assert.Single(world.Sim.Calls, static c => c.Agent == "communicator");
    }
}
