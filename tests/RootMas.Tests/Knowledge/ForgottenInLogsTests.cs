using System.Net;
using System.Text.Json;
using RootMas.Runtime.Runs;
using RootMas.Server.Platform.Data;
using RootMas.Server.Runs;
using RootMas.Tests.Chat;
using RootMas.Tests.Knowledge.Documents;
using RootMas.Tests.Support;

namespace RootMas.Tests.Knowledge;

public sealed class ForgottenInLogsOnSqliteTests() : ForgottenInLogsTests(DatabaseKind.Sqlite);

public sealed class ForgottenInLogsOnPostgresTests() : ForgottenInLogsTests(DatabaseKind.Postgres), IOnPostgres;

/// <summary>What is forgotten is told by no log of a run any more. The model is the simulator's.</summary>
public abstract class ForgottenInLogsTests(DatabaseKind kind) : OnDatabase(kind)
{
    private const string Script = """
        rules:
          - match: { structured: true, last_message: "What the user said" }
            answer: { json: { facts: [] } }
          - match: { last_role: tool }
            answer: { text: "Done." }
          - match: { last_role: user, last_message_regex: "^keep (.+)$" }
            answer: { tool_calls: [ { name: remember, arguments: { text: "{{group_1}}" } } ] }
          - match: { last_role: user, last_message_regex: "^drop (.+)$" }
            answer: { tool_calls: [ { name: forget, arguments: { about: "{{group_1}}" } } ] }
          - match: { last_role: user, last_message_regex: "^look (.+)$" }
            answer: { tool_calls: [ { name: recall, arguments: { query: "{{group_1}}" } } ] }
        default: { text: "Hello." }
        """;

    [DatabaseFact]
    public async Task A_forgotten_fact_leaves_what_runs_were_told_and_what_their_tools_gave_and_others_stay()
    {
        await using var world = await ChatWorld.StartAsync(Script);
        using var alice = await world.App.AsAsync("alice");
        var fact = await alice.PostAsync("/api/v1/memory", new { text = "CANARY-7 drinks green tea" }, HttpStatusCode.Created);
        await alice.PostAsync("/api/v1/memory", new { text = "CANARY-8 plays chess" }, HttpStatusCode.Created);
        string[] runs = [await AskAsync(alice, "Hello"), await AskAsync(alice, "look green tea"), await AskAsync(alice, "look chess")];
        Assert.All(await LogsAsync(alice, runs), static log => Assert.Contains("CANARY-7", log, StringComparison.Ordinal)); // all are told both at their beginning
        Assert.Contains("CANARY-7", await ResultAsync(alice, runs[1]), StringComparison.Ordinal);

        using var read = await alice.Client.GetAsync($"/api/v1/memory/{fact.Id()}");
        Assert.Equal(HttpStatusCode.NoContent, await alice.DeleteAsync($"/api/v1/memory/{fact.Id()}", read.Headers.ETag!.ToString()));
        Assert.All(await LogsAsync(alice, runs), static log =>
        {
            Assert.DoesNotContain("CANARY-7", log, StringComparison.Ordinal);
            Assert.Contains("CANARY-8", log, StringComparison.Ordinal);
        });
        Assert.Equal(DeletedSources.Forgotten, await ResultAsync(alice, runs[1]));
        Assert.Contains("CANARY-8", await ResultAsync(alice, runs[2]), StringComparison.Ordinal);
    }

    [DatabaseFact]
    public async Task What_an_agent_remembered_and_forgot_is_neither_in_results_nor_in_what_a_repeated_call_would_give()
    {
        await using var world = await ChatWorld.StartAsync(Script);
        using var alice = await world.App.AsAsync("alice");
        var keeping = await AskAsync(alice, "keep CANARY-9 drinks green tea");
        Assert.Contains("CANARY-9", await ResultAsync(alice, keeping), StringComparison.Ordinal);
        Assert.Equal(1, await CallsWithWordsAsync(world));
        var dropping = await AskAsync(alice, "drop green tea");
        Assert.Equal((DeletedSources.Forgotten, DeletedSources.Forgotten), (await ResultAsync(alice, keeping), await ResultAsync(alice, dropping)));
        Assert.Equal(0, await CallsWithWordsAsync(world));
        Assert.Empty((await alice.GetAsync("/api/v1/memory")).GetProperty("items").EnumerateArray());
    }

    [DatabaseFact]
    public async Task A_summary_that_may_retell_a_forgotten_fact_is_hidden()
    {
        await using var app = await TestApp.StartAsync();
        using var alice = await app.AsAsync("alice");
        var stays = (await alice.PostAsync("/api/v1/memory", new { text = "I play chess" }, HttpStatusCode.Created)).Id();
        var gone = Guid.CreateVersion7().ToString();
        List<RunEvent> log =
        [
            new ContextReduced(1, 0, 100, 10, "tea") { Facts = [gone, stays] }, new ContextReduced(1, 0, 100, 10, "tea") { Facts = [stays] },
            new ModelCompleted("m", "tea", [], "m", "cheap", TokenUsage.None, Money.Zero, 1, 1, "stop") { Facts = [gone] },
        ];
        var page = log.ConvertAll(static e => new StoredEvent(1, e is ContextReduced ? "context.reduced" : "model.completed", RunJson.Serialize(e)));
        var shown = await app.Get<IDatabase>().ReadAsync(session => DeletedSources.HideAsync(session, page), default);
        Assert.Equal(
            [DeletedSources.Forgotten, "tea", DeletedSources.Forgotten],
            shown.Select(static e => RunJson.DeserializeEvent(e.Json.Span) is ContextReduced reduced ? reduced.Summary : ((ModelCompleted)RunJson.DeserializeEvent(e.Json.Span)).Text));
    }

    private static async Task<string> AskAsync(TestUser user, string message) => (await user.PostAsync("/api/v1/chat", new { message, agent = "communicator" })).GetProperty("run_id").GetString()!;

    private static async Task<List<string>> LogsAsync(TestUser user, string[] runs)
    {
        List<string> logs = [];
        foreach (var run in runs)
        {
            logs.Add((await user.GetAsync($"/api/v1/runs/{run}/events")).GetRawText());
        }

        return logs;
    }

    private static async Task<string> ResultAsync(TestUser user, string run) =>
        (await user.GetAsync($"/api/v1/runs/{run}/events")).GetProperty("items").EnumerateArray().Single(static e => e.GetProperty("type").GetString() == "tool.completed").GetProperty("result").GetString()!;

    private static Task<long?> CallsWithWordsAsync(ChatWorld world) =>
        world.App.Get<IDatabase>().ReadAsync(static s => s.Prepared("select count(*) from memory_calls where result like '%CANARY-9%'").Int64Async(), default);
}
