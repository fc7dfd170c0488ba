using System.Net;
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

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    [DatabaseFact]
    public async Task Why_a_limit_stopped_a_run_is_known_to_whoever_answers_what_is_said_next()
    {
        await using var world = await StartAsync();
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

    [DatabaseFact]
    public async Task What_a_retry_has_answered_was_not_stopped()
    {
        await using var world = await StartAsync();
        var stopped = await world.AskAsync(new { message = "go" });
        world.Sim.Use("default: { text: \"Done.\" }");
        var again = await RetryAsync(world, stopped.GetProperty("run_id").GetString()!);
        Assert.Equal("completed", await world.StatusAsync(again));

        await world.AskAsync(new { message = "thanks", conversation_id = stopped.GetProperty("conversation_id").GetString()! });
        Assert.Equal(["go", "thanks"], Said(world));
    }

    [DatabaseFact]
    public async Task Why_a_limit_stopped_a_retry_is_known_too()
    {
        await using var world = await StartAsync();
        var conversation = await world.NewConversationAsync("one");
        var hold = world.Sim.Hold(new() { Call = 1 });
        var first = (await world.SendAsync(conversation, new { message = "go" })).GetProperty("run_id").GetString()!;
        await hold.Reached.WaitAsync(Patience);
        await world.App.PostJsonAsync($"/api/v1/runs/{first}/cancel", new { }, HttpStatusCode.Accepted);
        await world.EventsAsync(first);
        hold.Release();
        var again = await world.App.GetJsonAsync($"/api/v1/runs/{await RetryAsync(world, first)}");
        Assert.Equal("guard_steps", again.GetProperty("error_code").GetString());

        await world.AskAsync(new { message = "why did that fail?", conversation_id = conversation });
        Assert.Equal(["go", $"[Note from the system] The work on this was stopped before it was done: {again.GetProperty("reason").GetString()}", "why did that fail?"], Said(world));
    }

    private static Task<ChatWorld> StartAsync() => ChatWorld.StartAsync(Script, configure: static o => o.ConfigFiles["teams.yaml"] = Teams);

    /// <summary>Until its end.</summary>
    private static async Task<string> RetryAsync(ChatWorld world, string run)
    {
        var again = (await world.App.PostJsonAsync($"/api/v1/runs/{run}/retry", new { }, HttpStatusCode.Accepted)).GetProperty("id").GetString()!;
        await world.EventsAsync(again);
        return again;
    }

    /// <summary>What the last request to the model has as the user's.</summary>
    private static IEnumerable<string?> Said(ChatWorld world) =>
        JsonElement.Parse(world.Sim.Calls[^1].Body!).GetProperty("messages").EnumerateArray()
            .Where(static m => m.GetProperty("role").GetString() == "user").Select(static m => m.GetProperty("content").GetString());
}

public sealed class StoppedByLimitOnSqliteTests() : StoppedByLimitTests(DatabaseKind.Sqlite);

public sealed class StoppedByLimitOnPostgresTests() : StoppedByLimitTests(DatabaseKind.Postgres), IOnPostgres;
