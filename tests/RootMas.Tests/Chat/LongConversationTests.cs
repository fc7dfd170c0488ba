using System.Net;
using System.Text.Json;
using RootMas.LlmSimulator;
using RootMas.Server.Platform.Data;
using RootMas.Tests.Identity.Audit;
using RootMas.Tests.Knowledge.Documents;
using RootMas.Tests.Support;

namespace RootMas.Tests.Chat;

public sealed class LongConversationOnSqliteTests() : LongConversationTests(DatabaseKind.Sqlite);

public sealed class LongConversationOnPostgresTests() : LongConversationTests(DatabaseKind.Postgres), IOnPostgres;

/// <summary>Conversations that are longer than what their model reads at once: each turn goes on from what an earlier one has summarised.</summary>
public abstract class LongConversationTests(DatabaseKind kind) : OnDatabase(kind)
{
    private const string Summarises = "You summarise a conversation";

    /// <summary>A summariser that keeps each word in capitals that it is shown first.</summary>
    private const string Script = """
        rules:
          - { match: { structured: true, last_message: "What the user said" }, answer: { json: { facts: [] } } }
          - { match: { system_contains: "You summarise a conversation", last_message_regex: "(CANARY-[a-z]+)" }, answer: { text: "They spoke of {{group_1}}." } }
          - { match: { system_contains: "You summarise a conversation" }, answer: { text: "They talked." } }
        default: { text: "Noted." }
        """;

    [DatabaseFact]
    public async Task Each_message_is_summarised_once_and_what_was_said_first_is_known_to_the_end()
    {
        await using var sim = await Simulator.StartAsync(Script);
        await using var world = await WorldAsync(sim);
        using var ann = await world.App.AsAsync("ann");
        List<string> runs = [];
        string? conversation = null;
        for (var turn = 1; turn <= 12; turn++)
        {
            (conversation, var run) = await SayAsync(ann, conversation, turn == 1 ? "turn 1 CANARY-first" : $"turn {turn} ");
            runs.Add(run);
        }

        Assert.InRange(Summaries(sim).Count, 2, 5);
        Assert.All(Enumerable.Range(1, 12), turn => Assert.InRange(Summaries(sim).Count(body => body.Contains($"turn {turn} ", StringComparison.Ordinal)), 0, 1));
        Assert.Contains("CANARY-first", sim.Calls.Last(static c => c.Agent == "painter").Body!, StringComparison.Ordinal);

        // Each log says what its run went on from, and whose it was: a fold of it asks nobody.
        var reduced = (await Task.WhenAll(runs.Select(run => ReductionsAsync(ann, run)))).SkipWhile(static r => r.Count == 0).ToList();
        Assert.False(reduced[0][0].TryGetProperty("taken_from", out _));
        Assert.All(reduced.Skip(1), r => Assert.Contains(r[0].Text("taken_from"), runs));
        Assert.Equal(reduced[0][^1].Text("summary"), reduced[1][0].Text("summary"));

        // A message that is answered again goes on from the same.
        var again = (await ann.PostAsync($"/api/v1/runs/{runs[^1]}/retry", new { }, HttpStatusCode.Accepted)).Id();
        Assert.Contains((await ReductionsAsync(ann, again))[0].Text("taken_from"), runs);
        Assert.Single(Summaries(sim), static body => body.Contains("turn 1 ", StringComparison.Ordinal));
    }

    [DatabaseFact]
    public async Task A_branch_knows_nothing_of_what_was_said_and_summarised_on_another()
    {
        await using var sim = await Simulator.StartAsync(Script);
        await using var world = await WorldAsync(sim);
        using var ann = await world.App.AsAsync("ann");
        var (conversation, _) = await SayAsync(ann, null, "turn 1 ");
        for (var turn = 2; turn <= 9; turn++)
        {
            await SayAsync(ann, conversation, turn == 3 ? "turn 3 CANARY-other" : $"turn {turn} ");
        }

        Assert.Contains(Summaries(sim), static body => body.Contains("CANARY-other", StringComparison.Ordinal));
        var messages = (await ann.GetAsync($"/api/v1/conversations/{conversation}/messages")).GetProperty("items").EnumerateArray().ToList();
        var second = messages.Single(static m => m.Text("content").StartsWith("turn 2 ", StringComparison.Ordinal));
        var answer = messages.Single(m => m.GetProperty("parent_id").GetString() == second.Id()).Id();
        var before = sim.Calls.Count;
        var run = (await ann.PostAsync($"/api/v1/conversations/{conversation}/runs", new { message = Long("turn 13 "), agent = "painter", parent_id = answer }, HttpStatusCode.Accepted)).Text("run_id");
        await EndedAsync(ann, run);
        for (var turn = 14; turn <= 20; turn++)
        {
            await SayAsync(ann, conversation, $"turn {turn} ");
        }

        var asked = sim.Calls.Skip(before).Select(static c => c.Body!).ToList();
        Assert.All(asked, static body => Assert.DoesNotContain("CANARY-other", body, StringComparison.Ordinal));
        Assert.Single(asked, static body => body.Contains(Summarises, StringComparison.Ordinal) && body.Contains("turn 1 ", StringComparison.Ordinal));
    }

    [DatabaseTheory]
    [InlineData("document")]
    [InlineData("fact")]
    public async Task A_summary_that_may_have_what_was_deleted_or_forgotten_is_made_anew_once(string what)
    {
        await using var sim = await Simulator.StartAsync(Script);
        await using var world = await WorldAsync(sim);
        using var ann = await world.App.AsAsync("ann");
        var isDocument = what == "document";
        var (path, etag) = isDocument ? ($"/api/v1/documents/{(await ann.UploadAsync("handbook.md", "Every employee has 28 days of leave.")).Id()}", null) : await RememberAsync(ann);
        var (conversation, _) = await SayAsync(ann, null, "turn 1 ", isDocument ? [path[(path.LastIndexOf('/') + 1)..]] : []);
        List<string> runs = [];
        for (var turn = 2; turn <= 8; turn++)
        {
            runs.Add((await SayAsync(ann, conversation, $"turn {turn} ")).Run);
        }

        Assert.Single(Summaries(sim), static body => body.Contains("turn 1 ", StringComparison.Ordinal));
        Assert.True((await ReductionsAsync(ann, runs[^1]))[0].TryGetProperty("taken_from", out _));
        Assert.Equal(HttpStatusCode.NoContent, await ann.DeleteAsync(path, etag));

        var anew = (await SayAsync(ann, conversation, "turn 9 ")).Run;
        Assert.All(await ReductionsAsync(ann, anew), static r => Assert.False(r.TryGetProperty("taken_from", out _)));
        Assert.Equal(2, Summaries(sim).Count(static body => body.Contains("turn 1 ", StringComparison.Ordinal)));

        var next = (await SayAsync(ann, conversation, "turn 10 ")).Run;
        Assert.Equal(anew, (await ReductionsAsync(ann, next))[0].Text("taken_from"));
        Assert.Equal(2, Summaries(sim).Count(static body => body.Contains("turn 1 ", StringComparison.Ordinal)));
    }

    /// <summary>An agent without tools, whose model reads about eight of the messages at once.</summary>
    private static async Task<ChatWorld> WorldAsync(Simulator sim)
    {
        var world = await ChatWorld.StartAsync(sim: sim, configure: o =>
        {
            o.Environment.Clear();
            o.ConfigFiles["models.yaml"] = $$"""
                providers: { sim: { base_url: "{{sim.OpenAiUrl}}" } }
                models: { small: { provider: sim, context: 14000, free: true } }
                tiers: { cheap: [small], standard: [small], premium: [small] }
                """;
        });
        await world.App.PostJsonAsync("/api/v1/agents", new { name = "painter", role = "paints", description = "Paints things.", instructions = "Paint.", tier = "cheap", tools = Array.Empty<string>() }, HttpStatusCode.Created);
        return world;
    }

    private static string Long(string text) => text + new string('x', 6_000);

    private static async Task<(string Conversation, string Run)> SayAsync(TestUser user, string? conversation, string text, params string[] attachments)
    {
        var body = new Dictionary<string, object> { ["message"] = Long(text + " "), ["agent"] = "painter", ["attachments"] = attachments };
        if (conversation is not null)
        {
            body["conversation_id"] = conversation;
        }

        var answer = await user.PostAsync("/api/v1/chat", body);
        var run = answer.Text("run_id");
        await EndedAsync(user, run);
        return (answer.Text("conversation_id"), run);
    }

    private static async Task<(string Path, string? ETag)> RememberAsync(TestUser user)
    {
        var path = $"/api/v1/memory/{(await user.PostAsync("/api/v1/memory", new { text = "Has 28 days of leave" }, HttpStatusCode.Created)).Id()}";
        using var read = await user.Client.GetAsync(path);
        return (path, read.Headers.ETag!.ToString());
    }

    private static List<string> Summaries(Simulator sim) => [.. sim.Calls.Select(static c => c.Body!).Where(static b => b.Contains(Summarises, StringComparison.Ordinal))];

    private static async Task<List<JsonElement>> ReductionsAsync(TestUser user, string run) =>
        [.. (await EndedAsync(user, run)).Where(static e => e.Type == "context.reduced").Select(static e => e.Data)];

    private static async Task<List<SseEvent>> EndedAsync(TestUser user, string run)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, $"/api/v1/runs/{run}/events?after=0");
        request.Headers.Accept.ParseAdd("text/event-stream");
        using var answer = await user.Client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
        var events = await SseEvent.ReadAllAsync(answer);
        Assert.Equal("run.completed", events[^1].Type);
        return events;
    }
}
