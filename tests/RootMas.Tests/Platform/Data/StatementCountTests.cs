using System.Globalization;
using System.Net;
using System.Net.Http.Json;
using RootMas.Server.Platform.Data;
using RootMas.Tests.Chat;
using RootMas.Tests.Support;

namespace RootMas.Tests.Platform.Data;

public sealed class StatementCountOnSqliteTests() : StatementCountTests(DatabaseKind.Sqlite);

public sealed class StatementCountOnPostgresTests() : StatementCountTests(DatabaseKind.Postgres), IOnPostgres;

/// <summary>No list asks for its rows one by one: what it takes to show three of them shows thirty.</summary>
public abstract class StatementCountTests(DatabaseKind kind) : OnDatabase(kind)
{
    private const int Few = 3;
    private const int Many = 30;

    private const string Script = """
        default: { text: "Hello there, friend." }
        rules:
          - match: { last_role: user, last_user: "order" }
            answer: { tool_calls: [ { name: http_request, arguments: { method: POST, url: "http://127.0.0.1:9/x", json: { n: 1 } } } ] }
        """;

    /// <summary>Every list of the API; CONVERSATION is one with many messages.</summary>
    private static readonly string[] Lists =
    [
        "/api/v1/conversations", "/api/v1/conversations/CONVERSATION/messages", "/api/v1/chat/history", "/api/v1/visualization/flows", "/api/v1/runs", "/api/v1/runs?user=*", "/api/v1/approvals",
        "/api/v1/agents", "/api/v1/agents/profiles", "/api/v1/agents/status", "/api/v1/teams", "/api/v1/models", "/v1/models", "/api/v1/users", "/api/v1/api-keys", "/api/v1/auth/sessions", "/api/v1/audit",
        "/api/v1/secrets", "/api/v1/collections", "/api/v1/documents", "/api/v1/memory", "/api/v1/memory/team", "/api/v1/queue/dead", "/api/v1/usage?by=user", "/api/v1/budgets",
    ];

    /// <summary>Their rows do not come from the database, or are few whatever there is.</summary>
    private static readonly string[] OfOtherThings = ["/api/v1/models", "/api/v1/usage?by=user", "/api/v1/budgets"];

    [DatabaseFact]
    public async Task Every_list_takes_as_many_statements_for_thirty_rows_as_for_three()
    {
        var counter = new StatementCounter();
        await using var world = await ChatWorld.StartAsync(Script, configure: o =>
        {
            o.Services = counter.AddTo;
            o.Settings["Cache:Enabled"] = "false"; // a kept answer takes none
        });
        using var user = await world.App.AsAsync("root_of_all", "admin");
        var conversation = (await user.PostAsync("/api/v1/conversations", new { team = "solo" }, HttpStatusCode.Created)).GetProperty("id").GetString()!;
        await FillAsync(world.App, user, conversation, 0, Few);
        var few = await CountAsync(counter, user, conversation, Few);
        await FillAsync(world.App, user, conversation, Few, Many);
        var many = await CountAsync(counter, user, conversation, Many);
        Assert.All(Lists, list => Assert.True(
            many[list].Count == few[list].Count, $"{list} takes {few[list].Count} statements for {Few} rows and {many[list].Count} for {Many}:\n{string.Join('\n', many[list].GroupBy(static s => s).Select(static g => $"{g.Count()} × {g.Key}"))}"));
        Assert.InRange(Lists.Count(l => many[l].Count > 0), 15, Lists.Length); // it does see them
    }

    private static async Task<Dictionary<string, IReadOnlyList<string>>> CountAsync(StatementCounter counter, TestUser user, string conversation, int rows)
    {
        Dictionary<string, IReadOnlyList<string>> counts = [];
        foreach (var list in Lists)
        {
            var path = list.Replace("CONVERSATION", conversation, StringComparison.Ordinal);
            path += (path.Contains('?', StringComparison.Ordinal) ? "&" : "?") + "limit=100";
            await counter.GetAsync(user.Client, path); // what is learned once is learned
            var (body, statements) = await counter.GetAsync(user.Client, path);
            var (_, again) = await counter.GetAsync(user.Client, path);
            counts[list] = again.Count < statements.Count ? again : statements; // who asks is remembered for a minute, which may end in between
            var items = body.ValueKind == System.Text.Json.JsonValueKind.Array ? body : body.EnumerateObject().First(static p => p.Value.ValueKind == System.Text.Json.JsonValueKind.Array).Value;
            Assert.True(OfOtherThings.Contains(list, StringComparer.Ordinal) || items.GetArrayLength() >= rows, $"{path} has {items.GetArrayLength()} rows: {body}");
        }

        return counts;
    }

    /// <summary>Something of every kind for each number.</summary>
    private static async Task FillAsync(TestApp app, TestUser user, string conversation, int from, int to)
    {
        var numbers = Enumerable.Range(from, to - from).ToList();
        foreach (var i in numbers.Where(static i => i % 2 == 0 || i == Few - 1))
        {
            await user.PostAsync("/api/v1/chat", new { message = $"Hello {i}", team = "solo", conversation_id = conversation }); // two messages
        }

        await Task.WhenAll(numbers.Select(i => MakeAsync(app, user, i.ToString(CultureInfo.InvariantCulture))));
        await app.Get<IDatabase>().WriteAsync(
            async session =>
            {
                foreach (var i in numbers)
                {
                    await session.Prepared("INSERT INTO dead_letters (id, kind, reason, body, deliveries, created_at) VALUES (@id, 'message', 'x', 'y', 1, 0)").Set("id", $"d{i}").RunAsync();
                }
            },
            default);
    }

    private static async Task MakeAsync(TestApp app, TestUser user, string i)
    {
        await user.PostAsync("/api/v1/chat", new { message = "order", agent = "multi_tool" }, HttpStatusCode.Accepted);
        await user.PostAsync("/api/v1/agents", new { name = $"helper_{i}", role = "helps", description = "Helps.", instructions = "Help.", tier = "cheap" }, HttpStatusCode.Created);
        await user.PostAsync("/api/v1/teams", new { name = $"pair_{i}", description = "Two.", pattern = "sequential", members = new[] { "researcher", "communicator" } }, HttpStatusCode.Created);
        await user.PostAsync("/api/v1/api-keys", new { name = $"key {i}" }, HttpStatusCode.Created);
        var other = await app.AddUserAsync($"somebody_{i}");
        using (await app.LogInAsync(user.Username, user.Password))
        {
            // a session more
        }

        var collection = (await user.PostAsync("/api/v1/collections", new { name = $"shelf {i}" }, HttpStatusCode.Created)).GetProperty("id").GetString();
        using var shared = await user.Client.PutAsJsonAsync($"/api/v1/collections/{collection}/members/{other}", new { may_write = true });
        Assert.Equal(HttpStatusCode.NoContent, shared.StatusCode);
        using var uploaded = await user.Client.PostAsync($"/api/v1/documents?name=paper{i}.txt&collection={collection}", new StringContent($"Paper number {i}."));
        Assert.Equal(HttpStatusCode.Created, uploaded.StatusCode);
        await user.PostAsync("/api/v1/memory", new { text = $"My friend number {i} likes tea" }, HttpStatusCode.Created);
        await user.PostAsync("/api/v1/memory/team", new { text = $"Rule number {i}: be kind" }, HttpStatusCode.Created);
        using var secret = await user.Client.PutAsJsonAsync($"/api/v1/secrets/secret-{i}", new { value = "x" });
        Assert.Equal(HttpStatusCode.Created, secret.StatusCode);
    }
}
