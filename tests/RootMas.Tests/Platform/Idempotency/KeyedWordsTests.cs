using System.Net;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using RootMas.Server.Knowledge.Memory;
using RootMas.Server.Platform.Data;
using RootMas.Tests.Chat;
using RootMas.Tests.Knowledge.Documents;
using RootMas.Tests.Support;

namespace RootMas.Tests.Platform.Idempotency;

public sealed class KeyedWordsOnSqliteTests() : KeyedWordsTests(DatabaseKind.Sqlite);

public sealed class KeyedWordsOnPostgresTests() : KeyedWordsTests(DatabaseKind.Postgres), IOnPostgres;

/// <summary>What an <c>Idempotency-Key</c> gives again is what may still be read, not what was kept beside it.</summary>
public abstract class KeyedWordsTests(DatabaseKind kind) : OnDatabase(kind)
{
    [DatabaseFact]
    public async Task A_search_is_not_repeated_from_what_was_kept()
    {
        await using var app = await TestApp.StartAsync();
        using var ann = await app.AsAsync("ann");
        var document = (await ann.UploadAsync("contract.md", "The rent is 900 euros.")).Id();
        var search = new { query = "rent" };
        Assert.Contains("900 euros", (await SendAsync(ann, "/api/v1/knowledge/search", search, HttpStatusCode.OK)).GetRawText(), StringComparison.Ordinal);
        Assert.Equal(0, await KeptAsync(app, "%900 euros%"));

        using (await ann.Client.DeleteAsync($"/api/v1/documents/{document}"))
        {
            Assert.DoesNotContain("900 euros", (await SendAsync(ann, "/api/v1/knowledge/search", search, HttpStatusCode.OK)).GetRawText(), StringComparison.Ordinal);
        }

        await SendAsync(ann, "/api/v1/graph/query", new { kind = "search", text = "rent" }, HttpStatusCode.OK);
        await SendAsync(ann, "/api/v1/graph/query", new { kind = "search", text = "somebody" }, HttpStatusCode.OK); // the same key: it means nothing there
    }

    [DatabaseFact]
    public async Task What_was_remembered_is_given_again_until_it_is_forgotten()
    {
        await using var app = await TestApp.StartAsync();
        using var ann = await app.AsAsync("ann");
        var fact = new { text = "I like green tea" };
        var first = await SendAsync(ann, "/api/v1/memory", fact, HttpStatusCode.Created);
        Assert.Equal(first.Id(), (await SendAsync(ann, "/api/v1/memory", fact, HttpStatusCode.Created)).Id());
        Assert.Equal(0, await KeptAsync(app, "%green tea%"));

        using (await ann.Client.DeleteAsync("/api/v1/memory"))
        {
            var gone = await SendAsync(ann, "/api/v1/memory", fact, HttpStatusCode.NotFound);
            Assert.Equal("fact_not_found", gone.GetProperty("code").GetString());
        }

        Assert.Empty((await ann.GetAsync("/api/v1/memory")).GetProperty("items").EnumerateArray());
    }

    [DatabaseFact]
    public async Task The_repeat_of_an_answer_to_a_run_tells_how_it_is_by_now()
    {
        await using var world = await ChatWorld.StartAsync("""
            rules:
              - { match: { last_role: tool }, answer: { text: "Green it is." } }
            default: { tool_calls: [ { name: ask_user, arguments: { question: "Which colour?" } } ] }
            """);
        using var ann = await world.App.AsAsync("ann");
        var asked = await ann.PostAsync("/api/v1/chat", new { message = "paint it", team = "solo" }, HttpStatusCode.Accepted);
        var path = $"/api/v1/runs/{asked.GetProperty("run_id").GetString()}";
        await SendAsync(ann, path + "/input", new { text = "Green" }, HttpStatusCode.Accepted);
        await Wait.UntilAsync(async id => (await ann.GetAsync(id)).GetProperty("status").GetString() == "completed", path, "the run did not end");
        var repeated = await SendAsync(ann, path + "/input", new { text = "Green" }, HttpStatusCode.Accepted);
        Assert.Equal("completed", repeated.GetProperty("status").GetString());
        await SendAsync(ann, path + "/cancel", new { reason = "late" }, HttpStatusCode.Accepted);
        Assert.Equal(0, await KeptAsync(world.App, "%Green it is%"));
    }

    [DatabaseFact]
    public async Task The_repeat_of_a_decision_hears_that_it_was_taken_and_not_what_was_discarded()
    {
        await using var app = await TestApp.StartAsync();
        using var ann = await app.AsAsync("ann");
        var (kept, discarded) = (await ProposeAsync(app, ann, "I like green tea"), await ProposeAsync(app, ann, "I like canary seed"));
        for (var i = 0; i < 3; i++)
        {
            var again = await SendAsync(ann, $"/api/v1/memory/{kept}/decision", new { decision = "keep" }, HttpStatusCode.OK);
            Assert.Equal(("active", "I like green tea"), (again.GetProperty("status").GetString(), again.GetProperty("text").GetString()));
            var gone = await SendAsync(ann, $"/api/v1/memory/{discarded}/decision", new { decision = "discard" }, HttpStatusCode.OK);
            Assert.Equal((discarded, i == 0 ? "I like canary seed" : ""), (gone.Id(), gone.GetProperty("text").GetString()));
        }

        Assert.Equal("I like green tea", Assert.Single((await ann.GetAsync("/api/v1/memory")).GetProperty("items").EnumerateArray()).GetProperty("text").GetString());
        Assert.Equal(0, await KeptAsync(app, "%canary seed%") + await KeptAsync(app, "%green tea%"));
    }

    [DatabaseTheory]
    [InlineData("/api/v1/agents", """{"name":"painter","role":"paints","description":"Paints a canary.","instructions":"Paint.","tier":"cheap","tools":[]}""", "name")]
    [InlineData("/api/v1/teams", """{"name":"duo","description":"Two and a canary.","pattern":"direct","entry":"communicator"}""", "name")]
    [InlineData("/api/v1/users", """{"username":"canary","password":"a long one of hers","role":"user"}""", "id")]
    [InlineData("/api/v1/conversations", """{"title":"canary"}""", "id")]
    [InlineData("/api/v1/collections", """{"name":"canary"}""", "id")]
    public async Task What_was_made_is_given_again_until_it_is_deleted(string path, string body, string id)
    {
        await using var app = await TestApp.StartAsync();
        using var root = await app.AsAsync("root", "admin");
        var made = (await SendAsync(root, path, Json(body), HttpStatusCode.Created)).GetProperty(id).GetString();
        Assert.Equal(made, (await SendAsync(root, path, Json(body), HttpStatusCode.Created)).GetProperty(id).GetString());
        Assert.Equal(0, await KeptAsync(app, "%canary%"));

        Assert.Equal(HttpStatusCode.NoContent, await root.DeleteAsync($"{path}/{made}", await TagAsync(root, $"{path}/{made}")));
        await SendAsync(root, path, Json(body), HttpStatusCode.NotFound);
        await SendAsync(root, path, Json(body), HttpStatusCode.NotFound); // nor is it made again
    }

    [DatabaseTheory]
    [InlineData(false, HttpStatusCode.Created)]
    [InlineData(true, HttpStatusCode.OK)]
    public async Task An_uploaded_document_is_given_again_until_it_is_deleted(bool isThere, HttpStatusCode expected)
    {
        const string text = "The rent is 900 euros.";
        await using var app = await TestApp.StartAsync();
        using var ann = await app.AsAsync("ann");
        if (isThere)
        {
            await ann.UploadAsync("canary.md", text);
        }

        Task<JsonElement> AgainAsync(HttpStatusCode status) =>
            SendAsync(ann, "/api/v1/documents?name=canary.md", new ByteArrayContent(Encoding.UTF8.GetBytes(text)) { Headers = { ContentType = new("application/octet-stream") } }, status);
        var document = (await AgainAsync(expected)).Id();
        Assert.Equal(document, (await AgainAsync(expected)).Id());
        Assert.Equal(document, (await AgainAsync(expected)).Id());
        Assert.Equal(0, await KeptAsync(app, "%canary%"));

        Assert.Equal(HttpStatusCode.NoContent, await ann.DeleteAsync($"/api/v1/documents/{document}"));
        Assert.Equal("document_not_found", (await AgainAsync(HttpStatusCode.NotFound)).GetProperty("code").GetString());
        Assert.Empty((await ann.GetAsync("/api/v1/documents")).GetProperty("items").EnumerateArray());
    }

    [DatabaseFact]
    public async Task A_conversation_is_given_again_after_its_team_is_gone()
    {
        await using var app = await TestApp.StartAsync();
        using var root = await app.AsAsync("root", "admin");
        await root.PostAsync("/api/v1/teams", new { name = "duo", description = "Two.", pattern = "direct", entry = "communicator" }, HttpStatusCode.Created);
        var body = new { title = "mine", team = "duo" };
        var first = await SendAsync(root, "/api/v1/conversations", body, HttpStatusCode.Created);
        Assert.Equal(HttpStatusCode.NoContent, await root.DeleteAsync("/api/v1/teams/duo", await TagAsync(root, "/api/v1/teams/duo")));
        Assert.Equal(first.Id(), (await SendAsync(root, "/api/v1/conversations", body, HttpStatusCode.Created)).Id());
        await root.PostAsync("/api/v1/conversations", body, HttpStatusCode.BadRequest); // without the key it would be another one
    }

    [DatabaseFact]
    public async Task Why_an_answer_was_rated_is_not_kept_for_repeats()
    {
        await using var world = await ChatWorld.StartAsync();
        using var ann = await world.App.AsAsync("ann");
        var conversation = (await ann.PostAsync("/api/v1/chat", new { message = "Hi", team = "solo" })).GetProperty("conversation_id").GetString();
        var answer = (await ann.GetAsync($"/api/v1/conversations/{conversation}/messages")).GetProperty("items")[1].Id();
        var rating = new { score = -1, reason = "it forgot my canary" };
        Assert.Equal(rating.reason, (await SendAsync(ann, $"/api/v1/messages/{answer}/feedback", rating, HttpStatusCode.OK)).GetProperty("reason").GetString());
        Assert.Equal(0, await KeptAsync(world.App, "%canary%"));
        var again = await SendAsync(ann, $"/api/v1/messages/{answer}/feedback", rating, HttpStatusCode.OK);
        Assert.Equal((-1, JsonValueKind.Null), (again.GetProperty("score").GetInt32(), again.GetProperty("reason").ValueKind));
    }

    [DatabaseFact]
    public async Task The_repeat_of_a_share_or_a_cancel_tells_how_the_run_is_by_now_and_does_nothing()
    {
        await using var world = await ChatWorld.StartAsync("""
            default: { tool_calls: [ { name: ask_user, arguments: { question: "Which colour?" } } ] }
            """);
        using var ann = await world.App.AsAsync("ann");
        var asked = await ann.PostAsync("/api/v1/chat", new { message = "paint it", team = "solo" }, HttpStatusCode.Accepted);
        var path = $"/api/v1/runs/{asked.GetProperty("run_id").GetString()}";

        var shared = await SendAsync(ann, path + "/share", new { }, HttpStatusCode.OK);
        Assert.Equal(("paint it", JsonValueKind.String), (shared.GetProperty("title").GetString(), shared.GetProperty("shared_at").ValueKind));
        Assert.Equal(HttpStatusCode.NoContent, await ann.DeleteAsync(path + "/share"));
        var again = await SendAsync(ann, path + "/share", new { }, HttpStatusCode.OK);
        Assert.Equal(("paint it", JsonValueKind.Null), (again.GetProperty("title").GetString(), again.GetProperty("shared_at").ValueKind));
        Assert.Equal(JsonValueKind.Null, (await ann.GetAsync(path)).GetProperty("shared_at").ValueKind);

        await SendAsync(ann, path + "/cancel", new { reason = "enough" }, HttpStatusCode.Accepted);
        await Wait.UntilAsync(async id => (await ann.GetAsync(id)).GetProperty("status").GetString() == "cancelled", path, "the run was not cancelled");
        again = await SendAsync(ann, path + "/cancel", new { reason = "enough" }, HttpStatusCode.Accepted);
        Assert.Equal(("paint it", "cancelled"), (again.GetProperty("title").GetString(), again.GetProperty("status").GetString()));
        Assert.Equal(0, await KeptAsync(world.App, "%last_seq%"));
    }

    private static async Task<string> ProposeAsync(TestApp app, TestUser user, string text) => (await app.Get<IDatabase>().WriteAsync(
        session => FactWrites.KeepAsync(session, user.Id, new NewFact { Text = text, AuthorKind = "extraction", Author = "memory", Tainted = true, Proposed = true }, 100), CancellationToken.None)).Fact!.Id;

    private static async Task<string> TagAsync(TestUser user, string path)
    {
        using var answer = await user.Client.GetAsync(path);
        return answer.Headers.ETag!.ToString();
    }

    private static StringContent Json(string body) => new(body, Encoding.UTF8, "application/json");

    private static Task<JsonElement> SendAsync(TestUser user, string path, object body, HttpStatusCode expected) => SendAsync(user, path, JsonContent.Create(body), expected);

    private static async Task<JsonElement> SendAsync(TestUser user, string path, HttpContent body, HttpStatusCode expected)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, path) { Content = body };
        request.Headers.Add("Idempotency-Key", "k");
        using var response = await user.Client.SendAsync(request);
        var text = await response.Content.ReadAsStringAsync();
        Assert.True(response.StatusCode == expected, $"{path}: {(int)response.StatusCode} {text}");
        return JsonElement.Parse(text);
    }

    private static Task<long> KeptAsync(TestApp app, string pattern) => app.Get<IDatabase>().ReadAsync(
        async session => await session.Prepared("select count(*) from idempotency_keys where answer like @pattern").Set("pattern", pattern).Int64Async() ?? 0, CancellationToken.None);
}
