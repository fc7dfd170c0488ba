using System.Net;
using System.Text.Json;
using RootMas.Server.Platform.Data;
using RootMas.Server.Runs;
using RootMas.Tests.Chat;
using RootMas.Tests.Knowledge.Documents;
using RootMas.Tests.Support;

namespace RootMas.Tests.Knowledge;

public sealed class GraphToolOnSqliteTests() : GraphToolTests(DatabaseKind.Sqlite);

public sealed class GraphToolOnPostgresTests() : GraphToolTests(DatabaseKind.Postgres), IOnPostgres;

/// <summary>What the graph tells whom: an agent by its tool, and a credential over HTTP. The model is the simulator's.</summary>
public abstract class GraphToolTests(DatabaseKind kind) : OnDatabase(kind)
{
    private const string Script = """
        rules:
          - match: { last_role: tool }
            answer: { text: "The tool said: {{tool_result}}" }
          - match: { last_role: user, last_user: "who is it" }
            answer: { tool_calls: [ { name: graph_query, arguments: { kind: neighbours, entity: "Romashka" } } ] }
        default: { text: "Hello." }
        """;

    private const string OfDocument = "Anna Petrova works_at Romashka";
    private const string OfMemory = "user works_at Romashka";
    private const string OfTeam = "Boris Volkov works_at Romashka";

    [DatabaseFact]
    public async Task A_credential_for_documents_alone_learns_nothing_of_memory_or_notes_from_the_graph_or_its_tool()
    {
        await using var world = await ChatWorld.StartAsync(Script);
        using var alice = await WithRelationsAsync(world);
        var key = await alice.PostAsync("/api/v1/api-keys", new { name = "narrow", scopes = new[] { "chat:read", "chat:write", "knowledge:read" } }, HttpStatusCode.Created);
        using var narrow = new TestUser(world.App.NewClient(key.GetProperty("secret").GetString()), alice.Id, alice.Username, "", "", "");
        Assert.Equal([OfDocument], await RelationsAsync(narrow, new { kind = "neighbours", entity = "Romashka" }));
        Assert.Equal([OfDocument], await RelationsAsync(narrow, new { kind = "search", text = "works Romashka user Boris" }));
        Assert.Empty(await RelationsAsync(narrow, new { kind = "subgraph", entity = "user" }));
        var export = (await narrow.GetAsync("/api/v1/graph/export")).ToString();
        Assert.Contains("Anna Petrova", export, StringComparison.Ordinal);
        Assert.DoesNotContain("Boris", export, StringComparison.Ordinal);
        Assert.DoesNotContain("I work at", export, StringComparison.Ordinal);

        var told = (await AskAsync(alice)).GetProperty("response").GetString()!;
        Assert.All((string[])[OfDocument, OfMemory, OfTeam], relation => Assert.Contains(relation, told, StringComparison.Ordinal));
        var less = (await AskAsync(narrow)).GetProperty("response").GetString()!;
        Assert.Contains(OfDocument, less, StringComparison.Ordinal);
        Assert.DoesNotContain(OfMemory, less, StringComparison.Ordinal);
        Assert.DoesNotContain("Boris", less, StringComparison.Ordinal);
    }

    [DatabaseFact]
    public async Task What_the_graph_told_an_agent_of_a_document_is_not_in_the_log_any_more_once_it_is_deleted()
    {
        await using var world = await ChatWorld.StartAsync(Script);
        using var alice = await WithRelationsAsync(world);
        var run = (await AskAsync(alice)).GetProperty("run_id").GetString()!;
        Assert.Contains(OfDocument, await ResultAsync(alice, run), StringComparison.Ordinal);
        var document = (await alice.GetAsync("/api/v1/documents")).GetProperty("items")[0].GetProperty("id").GetString();
        Assert.Equal(HttpStatusCode.NoContent, await alice.DeleteAsync($"/api/v1/documents/{document}"));
        Assert.Equal(DeletedSources.Notice, await ResultAsync(alice, run));
    }

    /// <summary>A search names what it found, also without a relation that fits.</summary>
    [DatabaseFact]
    public async Task A_name_without_a_relation_is_as_tainted_as_what_it_was_read_in_and_goes_with_it()
    {
        await using var world = await ChatWorld.StartAsync(Script.Replace("kind: neighbours, entity: \"Romashka\"", "kind: search, text: \"Petrova\", types: [owns]", StringComparison.Ordinal));
        using var alice = await world.App.AsAsync("alice");
        using var bob = await world.App.AsAsync("bob");
        var shared = (await alice.PostAsync("/api/v1/collections", new { name = "shared" }, HttpStatusCode.Created)).GetProperty("id").GetString();
        using (var member = await alice.Client.PutAsync($"/api/v1/collections/{shared}/members/{bob.Id}", new StringContent("""{"may_write":true}""", System.Text.Encoding.UTF8, "application/json")))
        {
            Assert.True(member.IsSuccessStatusCode, member.StatusCode.ToString());
        }

        await bob.UploadAsync("people.txt", "Anna Petrova works at Romashka.", $"&collection={shared}");
        await Wait.UntilAsync(async user => (await RelationsAsync(user, new { kind = "neighbours", entity = "Romashka" })).SequenceEqual([OfDocument]), alice, "the document is not in the graph");
        var run = (await AskAsync(alice)).GetProperty("run_id").GetString()!;
        var told = await ToldAsync(alice, run);
        Assert.Contains("- Anna Petrova (", told.GetProperty("result").GetString(), StringComparison.Ordinal);
        Assert.DoesNotContain("works_at", told.GetProperty("result").GetString(), StringComparison.Ordinal);
        Assert.True(told.GetProperty("tainted").GetBoolean());
        var document = (await alice.GetAsync("/api/v1/documents")).GetProperty("items")[0].GetProperty("id").GetString();
        Assert.Equal(HttpStatusCode.NoContent, await alice.DeleteAsync($"/api/v1/documents/{document}"));
        Assert.Equal(DeletedSources.Notice, await ResultAsync(alice, run));
    }

    [DatabaseFact]
    public async Task What_the_graph_told_an_agent_of_a_fact_is_not_in_the_log_any_more_once_it_is_forgotten()
    {
        await using var world = await ChatWorld.StartAsync(Script);
        using var alice = await WithRelationsAsync(world);
        var run = (await AskAsync(alice)).GetProperty("run_id").GetString()!;
        Assert.Contains(OfMemory, await ResultAsync(alice, run), StringComparison.Ordinal);
        var fact = (await alice.GetAsync("/api/v1/memory")).GetProperty("items")[0].GetProperty("id").GetString();
        using var read = await alice.Client.GetAsync($"/api/v1/memory/{fact}");
        Assert.Equal(HttpStatusCode.NoContent, await alice.DeleteAsync($"/api/v1/memory/{fact}", read.Headers.ETag!.ToString()));
        Assert.Equal(DeletedSources.Forgotten, await ResultAsync(alice, run));
    }

    /// <summary>One relation of a document, one of a fact, one of a note of the team.</summary>
    private static async Task<TestUser> WithRelationsAsync(ChatWorld world)
    {
        var alice = await world.App.AsAsync("alice");
        await alice.PostAsync("/api/v1/memory", new { text = "I work at Romashka" }, HttpStatusCode.Created);
        await world.App.PostJsonAsync("/api/v1/memory/team", new { text = "Boris Volkov works at Romashka" }, HttpStatusCode.Created);
        await alice.UploadAsync("people.txt", "Anna Petrova works at Romashka.");
        await Wait.UntilAsync(
            async user => (await RelationsAsync(user, new { kind = "neighbours", entity = "Romashka" })).SequenceEqual([OfDocument, OfTeam, OfMemory]), alice, "the document, the fact or the note is not in the graph");
        return alice;
    }

    private static Task<JsonElement> AskAsync(TestUser user) => user.PostAsync("/api/v1/chat", new { message = "who is it", agent = "researcher" });

    private static async Task<string> ResultAsync(TestUser user, string run) => (await ToldAsync(user, run)).GetProperty("result").GetString()!;

    private static async Task<JsonElement> ToldAsync(TestUser user, string run) =>
        (await user.GetAsync($"/api/v1/runs/{run}/events")).GetProperty("items").EnumerateArray().Single(static e => e.GetProperty("type").GetString() == "tool.completed");

    private static async Task<List<string>> RelationsAsync(TestUser user, object question)
    {
        var answer = await user.PostAsync("/api/v1/graph/query", question);
        var names = answer.GetProperty("nodes").EnumerateArray().ToDictionary(static n => n.GetProperty("id").GetString()!, static n => n.GetProperty("name").GetString());
        return [.. answer.GetProperty("relations").EnumerateArray().Select(r => $"{names[r.GetProperty("from").GetString()!]} {r.GetProperty("type").GetString()} {names[r.GetProperty("to").GetString()!]}").Order(StringComparer.Ordinal)];
    }
}
