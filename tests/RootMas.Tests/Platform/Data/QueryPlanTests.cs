using System.Net;
using System.Net.Http.Json;
using RootMas.Server.Platform.Data;
using RootMas.Tests.Chat;
using RootMas.Tests.Knowledge.Documents;
using RootMas.Tests.Support;

namespace RootMas.Tests.Platform.Data;

/// <summary>
/// Every statement that the program prepares while it serves people is explained on a filled database, in the plan that PostgreSQL makes without knowing the parameters: none may read a large table from end to end.
/// Nothing is listed here by hand: the statements are those that the server itself remembers of the program's one connection.
/// </summary>
public sealed class QueryPlanTests() : OnDatabase(DatabaseKind.Postgres)
{
    private const int Rows = 20_000;

    private static readonly string[] OfChats =
        ["runs", "run_events", "run_inbox", "run_contexts", "approvals", "conversations", "messages", "usage_ledger", "idempotency_keys", "outbox"];

    private static readonly string[] OfPeopleAndKnowledge =
    [
        "users", "sessions", "refresh_tokens", "api_keys", "audit", "collections", "documents", "document_texts", "chunks", "fts_chunks", "vectors",
        "memory_facts", "memory_owners", "graph_entities", "graph_names", "graph_name_uses", "graph_words", "graph_relations", "graph_evidence", "cached_answers", "cached_questions",
    ];

    [PostgresFact]
    public async Task Every_statement_of_the_program_uses_an_index_on_large_tables()
    {
        using var folder = new Folder();
        var database = (await TestDatabase.ForFolderAsync(folder.Data))!;
        var server = await PostgresServer.SharedAsync();
        var name = database[(database.LastIndexOf('/') + 1)..];
        await server.ExecuteAsync(QueryPlanRows.OfChats(Rows), name);
        await server.ExecuteAsync("ANALYZE", name);
        try
        {
            await using var world = await ChatWorld.StartAsync(data: folder.Data, configure: static o =>
            {
                o.Settings["Database:PoolMin"] = "1";
                o.Settings["Database:PoolMax"] = "1"; // all statements meet on one connection
                o.Settings["Database:ConnectTimeout"] = "60s";
            });
            for (var i = 0; i < 3; i++)
            {
                await UseAsync(world, i);
            }

            var (chats, offences) = await PreparedPlans.ExplainAsync(world.App.Get<IDatabase>(), OfChats);

            // A connection remembers the newest statements: these push out those of before. What fills these tables comes late, so that nothing begins to embed or to forget it.
            await server.ExecuteAsync(QueryPlanRows.OfPeopleAndKnowledge(Rows / 2), name);
            await server.ExecuteAsync("ANALYZE", name);
            for (var i = 0; i < 3; i++)
            {
                await UsePeopleAsync(world.App, i);
                await UseKnowledgeAsync(world.App, i);
            }

            var (others, more) = await PreparedPlans.ExplainAsync(world.App.Get<IDatabase>(), [.. OfChats, .. OfPeopleAndKnowledge]);
            Assert.InRange(chats, 40, 1_000);
            Assert.InRange(others, 100, 1_000);
            Assert.True(offences.Count + more.Count == 0, string.Join("\n\n", offences.Concat(more).Distinct(StringComparer.Ordinal)));
        }
        finally
        {
            await TestDatabase.DropForFolderAsync(folder.Data);
        }
    }

    private static async Task UseAsync(ChatWorld world, int round)
    {
        await world.App.Get<RootMas.Server.Platform.Telemetry.Sampling>().SampleAsync(CancellationToken.None);
        var conversation = await world.NewConversationAsync();
        var run = (await world.SendAsync(conversation, new { message = "Hi" })).GetProperty("run_id").GetString()!;
        await world.EventsAsync(run);
        await world.EventsAsync((await world.SendAsync(conversation, new { message = "And now?" })).GetProperty("run_id").GetString()!);
        await world.AskAsync(new { message = "Hello", team = "solo" });
        await world.TryAskAsync(new { message = "Keyed", team = "solo" }, headers: ("Idempotency-Key", $"k{round}"));
        await world.TryAskAsync(new { title = "Named" }, "/api/v1/conversations", ("Idempotency-Key", $"c{round}"));
        var messages = await world.App.GetJsonAsync($"/api/v1/conversations/{conversation}/messages");
        foreach (var path in (string[])
        [
            "/api/v1/conversations", "/api/v1/conversations?archived=false", "/api/v1/conversations?archived=false&filed=true", $"/api/v1/conversations/{conversation}", $"/api/v1/conversations/{conversation}/messages", $"/api/v1/conversations/{conversation}/messages/pages", $"/api/v1/conversations/{conversation}/totals", "/api/v1/conversations?search=needle",
            "/api/v1/runs", "/api/v1/runs?status=completed", "/api/v1/runs?shared=true", "/api/v1/messages?search=needle", $"/api/v1/runs?conversation={conversation}", $"/api/v1/runs/{run}", $"/api/v1/runs/{run}?tree=1", $"/api/v1/runs/{run}/events",
            "/api/v1/approvals", "/api/v1/approvals?status=pending", "/api/v1/history", "/api/v1/agents", "/api/v1/teams", "/health", "/api/v1/usage", "/api/v1/usage?by=user&bucket=hour", "/api/v1/metrics/runs", "/api/v1/metrics/runs?scope=all&bucket=hour",
        ])
        {
            using var response = await world.App.Client.GetAsync(path);
            Assert.True(response.StatusCode is HttpStatusCode.OK or HttpStatusCode.NotFound or HttpStatusCode.BadRequest, $"{path}: {response.StatusCode}");
        }

        using var rated = await world.App.PostAsync("/api/v1/feedback", $$"""{"message_id":"{{messages.GetProperty("items")[1].GetProperty("id").GetString()}}","score":1}""");
        using var cancelled = await world.App.PostAsync($"/api/v1/runs/{run}/cancel", "{}");
        var owner = world.App.Get<RootMas.Server.Runs.RunOwnership>();
        await owner.RecoverAsync(default);
        await owner.RenewAsync([run, Guid.CreateVersion7().ToString()], TimeSpan.FromSeconds(15), default);
        await owner.ClaimableAsync("", 1000, default);
        await owner.FireTimersAsync(default);
        await owner.CancelOrphansAsync(default);
    }

    private static async Task UsePeopleAsync(TestApp app, int round)
    {
        using var ann = await app.AsAsync("ann");
        await ann.PostAsync("/api/v1/auth/refresh", new { refresh_token = ann.RefreshToken });
        var key = await ann.PostAsync("/api/v1/api-keys", new { name = $"key {round}" }, HttpStatusCode.Created);
        using (var machine = app.NewClient(key.GetProperty("secret").GetString()))
        {
            Assert.Equal(HttpStatusCode.OK, (await machine.GetAsync("/api/v1/auth/me")).StatusCode);
        }

        var sessions = await ann.GetAsync("/api/v1/auth/sessions");
        foreach (var path in (string[])["/api/v1/auth/me", "/api/v1/auth/sessions?limit=1&cursor=" + sessions.GetProperty("next_cursor"), "/api/v1/api-keys", "/api/v1/budgets"])
        {
            using var answer = await ann.Client.GetAsync(path);
            Assert.True(answer.StatusCode is HttpStatusCode.OK or HttpStatusCode.BadRequest or HttpStatusCode.Forbidden, $"{path}: {answer.StatusCode}");
        }

        foreach (var path in (string[])
        [
            "/api/v1/users", "/api/v1/users?username=ann", $"/api/v1/users/{ann.Id}", "/api/v1/audit", "/api/v1/audit?action=auth.", $"/api/v1/audit?actor={ann.Id}", $"/api/v1/audit?target={ann.Id}",
            "/api/v1/queue", "/api/v1/queue/dead", "/api/v1/secrets",
        ])
        {
            await app.GetJsonAsync(path);
        }

        await app.Get<RootMas.Server.Identity.Sessions.SessionStore>().RemoveOverAsync(default);
        await app.ChangeUserAsync(ann.Id, """{"role":"user"}""");
        await ann.Client.DeleteAsync($"/api/v1/api-keys/{key.Id()}");
        await ann.Client.DeleteAsync($"/api/v1/auth/sessions/{sessions.GetProperty("items")[0].Id()}");
    }

    private static async Task UseKnowledgeAsync(TestApp app, int round)
    {
        using var bob = await app.AsAsync("bob");
        var collection = (await bob.PostAsync("/api/v1/collections", new { name = $"shelf {round}" }, HttpStatusCode.Created)).Id();
        await TestUser.JsonAsync(await bob.Client.PutAsJsonAsync($"/api/v1/collections/{collection}/members/u1", new { may_write = false }), HttpStatusCode.NoContent);
        var document = (await bob.UploadAsync($"paper {round}.txt", $"A paper about the {round}th river and its bridges.", $"&collection={collection}")).Id();
        await bob.UploadAsync($"paper {round}.txt", $"A newer paper about the {round}th river.", $"&collection={collection}");
        var fact = await bob.PostAsync("/api/v1/memory", new { text = $"My friend {round} lives in Kazan and works at Acme{round}" }, HttpStatusCode.Created);
        await bob.SearchAsync("river bridges");
        foreach (var path in (string[])
        [
            "/api/v1/collections", $"/api/v1/collections/{collection}", "/api/v1/documents", $"/api/v1/documents?collection={collection}", $"/api/v1/documents/{document}", $"/api/v1/documents/{document}/text",
            "/api/v1/memory", "/api/v1/memory?q=who%20lives%20in%20Kazan", $"/api/v1/memory/{fact.Id()}", $"/api/v1/memory/{fact.Id()}/why", "/api/v1/memory/export", "/api/v1/memory/team", "/api/v1/graph/export",
        ])
        {
            await bob.GetAsync(path);
        }

        await bob.PostAsync("/api/v1/graph/query", new { kind = "neighbours", entity = "user" });
        await bob.PostAsync("/api/v1/graph/query", new { kind = "search", text = "Kazan" });
        await bob.PostAsync("/api/v1/chat", new { message = $"What do you know of my friend {round}?", team = "solo", attachments = new[] { document } });
        await bob.DeleteAsync($"/api/v1/documents/{document}");
        using var read = await bob.Client.GetAsync($"/api/v1/memory/{fact.Id()}");
        await bob.DeleteAsync($"/api/v1/memory/{fact.Id()}", read.Headers.ETag!.ToString());
    }

    private sealed class Folder : IDisposable
    {
        private readonly string root = Directory.CreateTempSubdirectory("rootmas-test-").FullName;

        public string Data => Path.Combine(root, "data");

        public void Dispose() => Directory.Delete(root, recursive: true);
    }
}
