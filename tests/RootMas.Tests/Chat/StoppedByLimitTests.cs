using System.Text.Json;
using RootMas.Server.Platform.Data;
using RootMas.Tests.Support;

namespace RootMas.Tests.Chat;

/// <summary>A run that a limit stopped leaves no answer: what the model is shown of it with the next message of the conversation.</summary>
public abstract class StoppedByLimitTests(DatabaseKind kind) : OnDatabase(kind)
{
    private const string Teams = """
        default: one
        teams:
          one: { description: A test, pattern: direct, entry: communicator, limits: { max_steps: 4, max_children: 0, max_depth: 0 } }
        """;

    private const string Script = """
        rules:
          - { match: { last_user: why }, answer: { text: "Because of the limit." } }
          - { match: { last_user: thanks }, answer: { text: "Welcome." } }
        default: { tool_calls: [ { name: calculator, arguments: { expression: "{{n}}+1" } } ] }
        """;

    [DatabaseFact]
    public async Task Why_a_limit_stopped_a_run_is_known_to_whoever_answers_what_is_said_next()
    {
        await using var world = await ChatWorld.StartAsync(Script, configure: static o => o.ConfigFiles["teams.yaml"] = Teams);
        var stopped = await world.AskAsync(new { message = "go" });
        var conversation = stopped.GetProperty("conversation_id").GetString()!;
        var run = await world.App.GetJsonAsync($"/api/v1/runs/{stopped.GetProperty("run_id").GetString()}");
        Assert.Equal("guard_steps", run.GetProperty("error_code").GetString());

        await world.AskAsync(new { message = "why did that fail?", conversation_id = conversation });
        string[] said = ["go", $"[Note from the system] The work on this was stopped before it was done: {run.GetProperty("reason").GetString()}", "why did that fail?"];
        Assert.Equal(said, Said(world));

        // It is no message of the conversation, and stays where it is.
        await world.AskAsync(new { message = "thanks", conversation_id = conversation });
        Assert.Equal([.. said, "thanks"], Said(world));
        Assert.Equal(["go", "why did that fail?", "Because of the limit.", "thanks", "Welcome."], (await world.PathAsync(conversation)).Select(static m => m.GetProperty("content").GetString()));
    }

    /// <summary>What the last request to the model has as the user's.</summary>
    private static IEnumerable<string?> Said(ChatWorld world) =>
        JsonElement.Parse(world.Sim.Calls[^1].Body!).GetProperty("messages").EnumerateArray()
            .Where(static m => m.GetProperty("role").GetString() == "user").Select(static m => m.GetProperty("content").GetString());
}

public sealed class StoppedByLimitOnSqliteTests() : StoppedByLimitTests(DatabaseKind.Sqlite);

public sealed class StoppedByLimitOnPostgresTests() : StoppedByLimitTests(DatabaseKind.Postgres), IOnPostgres;
