using System.Net;
using System.Text.Json;
using RootMas.Server.Platform.Data;
using RootMas.Tests.Chat;
using RootMas.Tests.Support;

namespace RootMas.Tests.Knowledge.Documents;

public sealed class AnswersWithDocumentsOnSqliteTests() : AnswersWithDocumentsTests(DatabaseKind.Sqlite);

public sealed class AnswersWithDocumentsOnPostgresTests() : AnswersWithDocumentsTests(DatabaseKind.Postgres), IOnPostgres;

/// <summary>An agent asks for a document, and the message that answers it brings it along.</summary>
public abstract class AnswersWithDocumentsTests(DatabaseKind kind) : OnDatabase(kind)
{
    private const string Script = """
        rules:
          - { match: { tool_called: ask_user }, answer: { text: "Got: {{tool_result}}" } }
          - { match: { last_role: user, last_user: "sign" }, answer: { tool_calls: [ { name: ask_user, arguments: { question: "Please send the contract." } } ] } }
        default: { text: "Seen." }
        """;

    [DatabaseFact]
    public async Task Documents_that_come_with_the_answer_to_a_question_reach_the_agent_and_stay_with_the_message()
    {
        await using var world = await ChatWorld.StartAsync(Script);
        using var ann = await world.App.AsAsync("ann");
        using var bob = await world.App.AsAsync("bob");
        var document = (await ann.UploadAsync("contract.md", "The rent is 900 euros.")).Id();
        var (run, conversation) = await AskedAsync(ann);

        var answer = await ann.PostAsync("/api/v1/chat", new { message = "here", conversation_id = conversation, attachments = new[] { document }, metadata = new { page = 3 } });
        Assert.Equal(run, answer.GetProperty("run_id").GetString());
        Assert.Equal($"Got: here\n[brought documents along: {document}]", answer.GetProperty("response").GetString());
        var said = (await ann.GetAsync($"/api/v1/conversations/{conversation}/messages")).GetProperty("items")[2];
        Assert.Equal("here", said.GetProperty("content").GetString());
        Assert.Equal((document, "contract.md"), (said.GetProperty("attachments")[0].GetProperty("id").GetString(), said.GetProperty("attachments")[0].GetProperty("name").GetString()));
        Assert.Equal(3, said.GetProperty("metadata").GetProperty("page").GetInt32());
        Assert.Equal(document, Single(await ann.LogAsync(run), "message.completed").GetProperty("documents")[0].GetString()); // what is kept of it goes with the document

        // Later turns know it too, and whoever the run is shown to sees the answer and not what came along.
        await ann.PostAsync("/api/v1/chat", new { message = "and?", conversation_id = conversation });
        Assert.Contains(world.Sim.Calls, c => c.Body!.Contains("and?", StringComparison.Ordinal) && c.Body.Contains($"[brought documents along: {document}]", StringComparison.Ordinal));
        await ann.PostAsync($"/api/v1/runs/{run}/share", new { });
        var shown = Single(await bob.LogAsync(run), "input.received");
        Assert.Equal("here", shown.GetProperty("text").GetString());
        Assert.False(shown.TryGetProperty("attachments", out _) || shown.TryGetProperty("metadata", out _));
        Assert.False(Single(await bob.LogAsync(run), "message.completed").TryGetProperty("documents", out _));
        Assert.Equal("here", Single(await bob.LogAsync(run), "tool.completed").GetProperty("result").GetString());
        Assert.Equal($"here\n[brought documents along: {document}]", Single(await ann.LogAsync(run), "tool.completed").GetProperty("result").GetString());
    }

    /// <summary>Of what came along with an earlier message, and with what was asked below.</summary>
    [DatabaseFact]
    public async Task Whoever_a_run_is_shown_to_reads_no_id_of_a_document_that_it_knows_and_does_not_cite()
    {
        await using var world = await ChatWorld.StartAsync("""
            rules:
              - match: { last_role: user, last_user: "ask" }
                answer: { tool_calls: [ { name: delegate, arguments: { agent: researcher, task: "look" } } ] }
            default: { text: "Seen." }
            """);
        using var ann = await world.App.AsAsync("ann");
        using var bob = await world.App.AsAsync("bob");
        var document = (await ann.UploadAsync("contract.md", "The rent is 900 euros.")).Id();
        var conversation = (await ann.PostAsync("/api/v1/chat", new { message = "Read it", attachments = new[] { document } })).GetProperty("conversation_id").GetString();
        var run = (await ann.PostAsync("/api/v1/chat", new { message = "ask", conversation_id = conversation })).GetProperty("run_id").GetString()!;
        await ann.PostAsync($"/api/v1/runs/{run}/share", new { });
        var own = await ann.LogAsync(run);
        Assert.Contains(own, e => e.GetProperty("type").GetString() == "child.completed");
        Assert.Contains(own, e => e.GetProperty("type").GetString() == "message.completed" && e.GetProperty("documents")[0].GetString() == document);
        Assert.DoesNotContain(await bob.LogAsync(run), e => e.GetRawText().Contains(document, StringComparison.Ordinal));
        Assert.DoesNotContain(document, await bob.Client.GetStringAsync($"/api/v1/runs/{run}"), StringComparison.Ordinal);
    }

    [DatabaseFact]
    public async Task What_others_wrote_taints_the_run_that_it_is_brought_to()
    {
        await using var world = await ChatWorld.StartAsync(Script);
        using var ann = await world.App.AsAsync("ann");
        using var bob = await world.App.AsAsync("bob");
        var shared = (await ann.PostAsync("/api/v1/collections", new { name = "shared" }, HttpStatusCode.Created)).Id();
        var document = (await ann.UploadAsync("contract.md", "The rent is 900 euros.", $"&collection={shared}")).Id();
        await ann.LetInAsync(shared, bob);
        foreach (var (attachments, tainted) in (((string[] Attachments, bool Tainted)[])[([], false), ([document], true)]))
        {
            var (run, conversation) = await AskedAsync(bob);
            await bob.PostAsync("/api/v1/chat", new { message = "here", conversation_id = conversation, attachments });
            Assert.Equal(tainted, Single(await bob.LogAsync(run), "message.completed").GetProperty("tainted").GetBoolean());
        }
    }

    private static async Task<(string Run, string Conversation)> AskedAsync(TestUser user)
    {
        var parked = await user.PostAsync("/api/v1/chat", new { message = "sign", agent = "communicator" }, HttpStatusCode.Accepted);
        return (parked.GetProperty("run_id").GetString()!, parked.GetProperty("conversation_id").GetString()!);
    }

    private static JsonElement Single(List<JsonElement> log, string type) => Assert.Single(log, e => e.GetProperty("type").GetString() == type);
}

file static class Steps
{
    public static async Task<List<JsonElement>> LogAsync(this TestUser user, string run) => [.. (await user.GetAsync($"/api/v1/runs/{run}/events")).GetProperty("items").EnumerateArray()];

    public static async Task LetInAsync(this TestUser owner, string collection, TestUser other)
    {
        using var response = await owner.Client.PutAsync($"/api/v1/collections/{collection}/members/{other.Id}", new StringContent("""{"may_write":false}""", System.Text.Encoding.UTF8, "application/json"));
        Assert.True(response.IsSuccessStatusCode, response.StatusCode.ToString());
    }
}
