using System.Net;
using RootMas.Server.Platform.Data;
using RootMas.Tests.Support;

namespace RootMas.Tests.Chat;

/// <summary>A message that makes no run more (DESIGN §4.2, §4.6), where one more would be refused.</summary>
public abstract class WithoutNewRunTests(DatabaseKind kind) : OnDatabase(kind)
{
    private const string Asks = """
        rules:
          - match: { tool_called: ask_user }
            answer: { text: "Thanks: {{tool_result}}" }
        default: { tool_calls: [ { name: ask_user, arguments: { question: "Where to?" } } ] }
        """;

    [DatabaseTheory]
    [InlineData("enqueue")]
    [InlineData("reject")]
    [InlineData("interrupt")]
    [InlineData("rollback")]
    public async Task A_question_is_answered_by_whoever_may_have_no_run_more(string policy)
    {
        await using var world = await ChatWorld.StartAsync(Asks, configure: OfOneRun);
        var (status, parked) = await world.TryAskAsync(new { message = "Go", team = "solo" });
        Assert.Equal(HttpStatusCode.Accepted, status);
        var answer = await world.AskAsync(new { message = "To Kazan", conversation_id = parked.GetProperty("conversation_id").GetString(), on_busy = policy });
        Assert.Equal(parked.GetProperty("run_id").GetString(), answer.GetProperty("run_id").GetString());
        Assert.Contains("To Kazan", answer.GetProperty("response").GetString(), StringComparison.Ordinal);
    }

    [DatabaseTheory]
    [InlineData("interrupt")]
    [InlineData("rollback")]
    public async Task Whoever_may_have_one_run_may_put_another_in_its_place(string policy)
    {
        await using var world = await ChatWorld.StartAsync("default: { text: \"Answer to {{last_user}}\" }", configure: OfOneRun);
        var conversation = await world.NewConversationAsync();
        var hold = world.Sim.Hold(new() { Call = 1 });
        var first = (await world.SendAsync(conversation, new { message = "one" })).GetProperty("run_id").GetString()!;
        await hold.Reached.WaitAsync(TimeSpan.FromSeconds(60));
        await world.SendAsync(conversation, new { message = "waits" }, HttpStatusCode.TooManyRequests);
        var second = (await world.SendAsync(conversation, new { message = "two", on_busy = policy })).GetProperty("run_id").GetString()!;
        await world.EventsAsync(second);
        Assert.Equal("cancelled", await world.StatusAsync(first));
        Assert.Equal("Answer to two", (await world.PathAsync(conversation))[^1].GetProperty("content").GetString());
    }

    [DatabaseFact]
    public async Task A_question_is_answered_after_the_team_of_the_conversation_is_gone_and_what_is_said_later_names_another()
    {
        await using var world = await ChatWorld.StartAsync(Asks);
        await world.App.PostJsonAsync("/api/v1/agents", new { name = "asker", role = "asks", description = "Asks.", instructions = "Ask.", tier = "cheap", tools = new[] { "ask_user" } }, HttpStatusCode.Created);
        await world.App.PostJsonAsync("/api/v1/teams", new { name = "short", description = "For a while.", pattern = "direct", entry = "asker" }, HttpStatusCode.Created);
        var (status, parked) = await world.TryAskAsync(new { message = "Go", team = "short" });
        Assert.Equal(HttpStatusCode.Accepted, status);
        var (conversation, run) = (parked.GetProperty("conversation_id").GetString(), parked.GetProperty("run_id").GetString()!);
        await RemoveAsync(world, "/api/v1/teams/short");

        // What the sender names is the sender's mistake, as before.
        await IsRefusedAsync(world, new { message = "To Kazan", conversation_id = conversation, team = "nobody" }, "nobody");
        Assert.Equal("waiting_input", await world.StatusAsync(run));

        var answer = await world.AskAsync(new { message = "To Kazan", conversation_id = conversation });
        Assert.Equal(run, answer.GetProperty("run_id").GetString());
        Assert.Contains("To Kazan", answer.GetProperty("response").GetString(), StringComparison.Ordinal);

        await IsRefusedAsync(world, new { message = "And now?", conversation_id = conversation }, "team 'short' is gone");
        (status, var again) = await world.TryAskAsync(new { message = "And now?", conversation_id = conversation, team = "solo" });
        Assert.True(status is HttpStatusCode.OK or HttpStatusCode.Accepted, $"{status}: {again}");
    }

    private static void OfOneRun(TestAppOptions options) => options.Settings["Runs:UnfinishedPerUser"] = "1";

    private static async Task RemoveAsync(ChatWorld world, string path)
    {
        using var now = await world.App.Client.GetAsync(new Uri(path, UriKind.Relative));
        using var removed = await world.App.SendAsync(HttpMethod.Delete, path, null, ("If-Match", now.Headers.ETag!.ToString()));
        Assert.True(removed.IsSuccessStatusCode, await removed.Content.ReadAsStringAsync());
    }

    private static async Task IsRefusedAsync(ChatWorld world, object message, string told)
    {
        var (status, problem) = await world.TryAskAsync(message);
        Assert.Equal((HttpStatusCode.BadRequest, "team_not_found"), (status, problem.GetProperty("code").GetString()));
        Assert.Contains(told, problem.GetProperty("detail").GetString(), StringComparison.Ordinal);
    }
}

public sealed class WithoutNewRunOnSqliteTests() : WithoutNewRunTests(DatabaseKind.Sqlite);

public sealed class WithoutNewRunOnPostgresTests() : WithoutNewRunTests(DatabaseKind.Postgres), IOnPostgres;
