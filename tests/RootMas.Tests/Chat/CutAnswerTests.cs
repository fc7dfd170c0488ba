using System.Net;
using System.Text.Json;
using RootMas.Server.Platform.Data;
using RootMas.Tests.Support;

namespace RootMas.Tests.Chat;

/// <summary>An answer that the model broke off is complete for its run, and not whole for whoever reads it.</summary>
public abstract class CutAnswerTests(DatabaseKind kind) : OnDatabase(kind)
{
    private const string Half = "default: { text: \"The three steps are: 1. Switch off the\", finish_reason: length }";

    [DatabaseFact]
    public async Task Whatever_shows_an_answer_says_that_it_is_cut()
    {
        await using var world = await ChatWorld.StartAsync(Half);
        var cut = await world.AskAsync(new { message = "How?", team = "solo" });
        Assert.Equal(("completed", "length"), (cut.GetProperty("metadata").GetProperty("status").GetString(), Of(cut.GetProperty("metadata"))));
        Assert.Equal("length", Of((await world.App.GetJsonAsync($"/api/v1/runs/{cut.GetProperty("run_id").GetString()}")).GetProperty("answer")));

        world.Sim.Use("default: { text: \"Whole.\" }");
        var conversation = cut.GetProperty("conversation_id").GetString()!;
        var whole = await world.AskAsync(new { message = "Go on", conversation_id = conversation });
        Assert.Null(Of(whole.GetProperty("metadata")));
        Assert.Null(Of((await world.App.GetJsonAsync($"/api/v1/runs/{whole.GetProperty("run_id").GetString()}")).GetProperty("answer")));
        Assert.Equal([null, "length", null, null], (await world.MessagesAsync(conversation)).Select(Of));
    }

    [DatabaseFact]
    public async Task Whoever_gave_a_task_is_told_that_its_result_is_cut()
    {
        await using var world = await ChatWorld.StartAsync("""
            rules:
              - { match: { agent: helper }, answer: { text: "Half of the", finish_reason: length } }
              - { match: { agent: communicator, last_role: user }, answer: { tool_calls: [ { name: delegate, arguments: { agent: helper, task: "do" } } ] } }
            default: { text: "Got: {{tool_result}}" }
            """);
        await world.App.PostJsonAsync("/api/v1/agents", new { name = "helper", role = "helps", description = "Helps.", instructions = "Help.", tier = "cheap" }, HttpStatusCode.Created);
        var answer = (await world.AskAsync(new { message = "Begin", team = "root-mas" })).GetProperty("response").GetString();
        Assert.Contains("Half of the", answer, StringComparison.Ordinal);
        Assert.Contains("The result of helper ends here because it reached the most that a model may write at once.", answer, StringComparison.Ordinal);
    }

    private static string? Of(JsonElement shown) => shown.TryGetProperty("cut_by", out var why) ? why.GetString() : null;
}

public sealed class CutAnswerOnSqliteTests() : CutAnswerTests(DatabaseKind.Sqlite);

public sealed class CutAnswerOnPostgresTests() : CutAnswerTests(DatabaseKind.Postgres), IOnPostgres;
