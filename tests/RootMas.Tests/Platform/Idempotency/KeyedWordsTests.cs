using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
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

    private static async Task<JsonElement> SendAsync(TestUser user, string path, object body, HttpStatusCode expected)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, path) { Content = JsonContent.Create(body) };
        request.Headers.Add("Idempotency-Key", "k");
        using var response = await user.Client.SendAsync(request);
        var text = await response.Content.ReadAsStringAsync();
        Assert.True(response.StatusCode == expected, $"{path}: {(int)response.StatusCode} {text}");
        return JsonElement.Parse(text);
    }

    private static Task<long> KeptAsync(TestApp app, string pattern) => app.Get<IDatabase>().ReadAsync(
        async session => await session.Prepared("select count(*) from idempotency_keys where answer like @pattern").Set("pattern", pattern).Int64Async() ?? 0, CancellationToken.None);
}
