using System.Collections.Concurrent;
using System.Net;
using System.Net.Http.Json;
using RootMas.Server.Platform.Data;
using RootMas.Tests.Chat;
using RootMas.Tests.Knowledge.Documents;
using RootMas.Tests.Support;

namespace RootMas.Tests.Knowledge;

public sealed class CanariesOnSqliteTests() : CanaryTests(DatabaseKind.Sqlite);

public sealed class CanariesOnPostgresTests() : CanaryTests(DatabaseKind.Postgres), IOnPostgres;

/// <summary>Each user has a word of their own in a document, in memory, in the graph and in kept answers, under the same names and next to the same questions. Whatever is asked at the same time, nobody sees another's.</summary>
public abstract class CanaryTests(DatabaseKind kind) : OnDatabase(kind)
{
    private const string Script = """
        rules:
          - match: { last_role: tool }
            answer: { text: "It says: {{tool_result}}" }
          - match: { last_role: user, last_user: "look it up" }
            answer: { tool_calls: [ { name: knowledge_search, arguments: { query: "secret word of the house", count: 5 } } ] }
        default: { text: "You said: {{last_user}}" }
        """;

    private static readonly string[] Names = ["ann", "bob", "eve", "ivan"];

    [DatabaseFact]
    public async Task Nobody_sees_anothers_words_in_answers_searches_memory_graph_export_or_cache_under_load()
    {
        await using var world = await ChatWorld.StartAsync(Script, configure: static o =>
        {
            o.Settings["Knowledge:AnswerCache:Mode"] = "threshold"; // what is merely similar is given too, so the border has to hold
            o.Settings["Knowledge:AnswerCache:Threshold"] = "0.5";
            o.Settings["Knowledge:Memory:Extract"] = "Never";
        });
        var users = new List<TestUser>();
        foreach (var name in Names)
        {
            users.Add(await world.App.AsAsync(name));
            await users[^1].UploadAsync("house.txt", $"The secret word of the house is {Canary(name)}. Word{Canary(name)} works at Romashka.");
            await users[^1].PostAsync("/api/v1/memory", new { text = $"The secret word of the house is {Canary(name)}" }, HttpStatusCode.Created);
            await Wait.UntilAsync(
                static async u => (await u.PostAsync("/api/v1/graph/query", new { kind = "neighbours", entity = "Romashka" })).GetProperty("relations").GetArrayLength() == 1, users[^1], "the document was not read into the graph");
        }

        var (leaks, own) = (new ConcurrentBag<string>(), new ConcurrentDictionary<string, int>(StringComparer.Ordinal));
        await Parallel.ForEachAsync(Enumerable.Range(0, 8 * Names.Length), new ParallelOptions { MaxDegreeOfParallelism = 8 }, async (i, token) =>
        {
            var user = users[i % users.Count];
            foreach (var (what, send) in Questions(user, i))
            {
                using var answer = await send(token);
                var body = await answer.Content.ReadAsStringAsync(token);
                if (body.Contains(Canary(user.Username), StringComparison.Ordinal))
                {
                    own.AddOrUpdate(what, 1, static (_, n) => n + 1);
                }

                foreach (var other in Names.Where(n => n != user.Username && body.Contains(Canary(n), StringComparison.Ordinal)))
                {
                    leaks.Add($"{user.Username} saw the word of {other} in {what}: {body}");
                }
            }
        });
        Assert.Empty(leaks);
        Assert.All(Questions(users[0], 0), q => Assert.True(own.ContainsKey(q.What), $"{q.What} showed nobody their own word, so it proves nothing"));
        Assert.True((await world.App.GetJsonAsync("/api/v1/cache/stats")).GetProperty("hits").EnumerateObject().Sum(static h => h.Value.GetInt64()) > 0, "no answer came from the cache");
        users.ForEach(static u => u.Dispose());
    }

    private static string Canary(string name) => $"canary{name}";

    private static IEnumerable<(string What, Func<CancellationToken, Task<HttpResponseMessage>> Send)> Questions(TestUser user, int i)
    {
        Task<HttpResponseMessage> Post(string path, object body, CancellationToken token) => user.Client.PostAsJsonAsync(path, body, token);
        yield return ("an answer that may be kept", token => Post("/api/v1/chat", new { message = $"please say the word {Canary(user.Username)} of the house, as in the {(i % 3 == 0 ? "first" : "other")} room", team = "solo" }, token));
        yield return ("an answer from documents", token => Post("/api/v1/chat", new { message = "look it up", team = "solo" }, token));
        yield return ("search", token => Post("/api/v1/knowledge/search", new { query = "secret word of the house" }, token));
        yield return ("memory", token => user.Client.GetAsync("/api/v1/memory?q=secret+word", token));
        yield return ("the export of memory", token => user.Client.GetAsync("/api/v1/memory/export", token));
        yield return ("the graph", token => Post("/api/v1/graph/query", new { kind = "subgraph", entity = "Romashka", depth = 3 }, token));
        yield return ("the search of the graph", token => Post("/api/v1/graph/query", new { kind = "search", text = "who works at Romashka" }, token));
        yield return ("the export of the graph", token => user.Client.GetAsync("/api/v1/graph/export", token));
    }
}
