using System.Net;
using System.Text.Json;
using RootMas.Server.Chat;
using RootMas.Server.Platform.Data;
using RootMas.Tests.Identity.Audit;
using RootMas.Tests.Knowledge.Documents;
using RootMas.Tests.Support;

namespace RootMas.Tests.Chat;

public sealed class DeletedConversationOnSqliteTests() : DeletedConversationTests(DatabaseKind.Sqlite);

public sealed class DeletedConversationOnPostgresTests() : DeletedConversationTests(DatabaseKind.Postgres), IOnPostgres;

/// <summary>What was said in a conversation is in its runs too: nothing of it stays behind.</summary>
public abstract class DeletedConversationTests(DatabaseKind kind) : OnDatabase(kind)
{
    private const string Canary = "canary-5d17";

    private const string Script = $$$"""
        rules:
          - { match: { agent: painter }, answer: { tool_calls: [ { name: ask_user, arguments: { question: "Which {{{Canary}}}?" } } ] } }
          - { match: { last_user: paint }, answer: { tool_calls: [ { name: delegate, arguments: { agent: painter, task: "choose {{{Canary}}}" } } ] } }
          - { match: { last_user: slowly }, answer: { text: "{{{Canary}}} slowly.", first_token_ms: 600000 } }
        default: { text: "Another {{{Canary}}}." }
        """;

    private static readonly string[] Counts =
    [
        "select count(*) from runs where conversation_id = @conversation", "select count(*) from run_events where run_id in (select value from json_each(@runs))",
        "select count(*) from run_contexts where run_id in (select value from json_each(@runs))", "select count(*) from run_inbox where run_id in (select value from json_each(@runs))",
        "select count(*) from approvals where run_id in (select value from json_each(@runs))",
    ];

    [DatabaseFact]
    public async Task With_a_conversation_go_its_runs_those_below_them_and_those_that_still_work()
    {
        await using var world = await ChatWorld.StartAsync(Script);
        await world.App.PostJsonAsync("/api/v1/agents", new { name = "painter", role = "paints", description = "Paints things.", instructions = "Paint.", tier = "cheap", tools = new[] { "ask_user" } }, HttpStatusCode.Created);
        using var ann = await world.App.AsAsync("ann");
        var first = await ann.PostAsync("/api/v1/chat", new { message = $"Hello {Canary}", team = "solo" });
        var conversation = first.Text("conversation_id");
        var elsewhere = (await ann.PostAsync("/api/v1/chat", new { message = "Hello", team = "solo" })).Text("run_id");
        var asks = (await ann.PostAsync("/api/v1/chat", new { message = "paint it", team = "root-mas", conversation_id = conversation }, HttpStatusCode.Accepted)).Text("run_id");
        var child = (await ann.GetAsync($"/api/v1/runs/{asks}?tree=1")).GetProperty("children")[0].Text("id");
        var leaf = (await ann.GetAsync($"/api/v1/conversations/{conversation}/messages")).GetProperty("items")[1].Id();
        var works = (await ann.PostAsync($"/api/v1/conversations/{conversation}/runs", new { message = "slowly", team = "solo", parent_id = leaf }, HttpStatusCode.Accepted)).Text("run_id");
        string[] runs = [first.Text("run_id"), asks, child, works];

        using var deletion = new HttpRequestMessage(HttpMethod.Delete, $"/api/v1/conversations/{conversation}");
        deletion.Headers.TryAddWithoutValidation("If-Match", "*");
        Assert.Equal(HttpStatusCode.NoContent, (await ann.Client.SendAsync(deletion)).StatusCode);

        await Wait.UntilAsync(
            static async at =>
            {
                var listed = await at.ann.GetAsync("/api/v1/runs");
                return listed.GetProperty("items").EnumerateArray().Select(static r => r.Text("id")).SequenceEqual([at.elsewhere]);
            },
            (ann, elsewhere),
            "The runs of a deleted conversation are still listed");
        foreach (var run in runs)
        {
            await ann.GetAsync($"/api/v1/runs/{run}", HttpStatusCode.NotFound);
            await ann.GetAsync($"/api/v1/runs/{run}/events", HttpStatusCode.NotFound);
        }

        var left = await world.App.Get<IDatabase>().ReadAsync(
            async session =>
            {
                var counted = new List<long>();
                foreach (var count in Counts)
                {
                    var sql = session.Kind == DatabaseKind.Sqlite ? count : count.Replace("json_each(@runs)", "json_array_elements_text(@runs::json)", StringComparison.Ordinal);
                    counted.Add(await session.Prepared(sql).Set(count == Counts[0] ? "conversation" : "runs", count == Counts[0] ? conversation : JsonSerializer.Serialize(runs)).Int64Async() ?? -1);
                }

                return counted;
            },
            CancellationToken.None);
        Assert.Equal([0, 0, 0, 0, 0], left);
        Assert.Equal("completed", (await ann.GetAsync($"/api/v1/runs/{elsewhere}")).Text("status"));
    }

    /// <summary>For some seconds its runs are still there, because somebody may be reading their last events.</summary>
    [DatabaseFact]
    public async Task What_is_left_of_a_deleted_conversation_is_neither_retried_nor_shared()
    {
        await using var world = await ChatWorld.StartAsync(Script);
        using var ann = await world.App.AsAsync("ann");
        using var bob = await world.App.AsAsync("bob");
        await ann.PostAsync("/api/v1/chat", new { message = "Hello", team = "solo" });
        await ann.PostAsync("/v1/chat/completions", new { model = "solo", messages = new[] { new { role = "user", content = "And a call" } } });
        List<(string Run, string Conversation)> all = [.. (await ann.GetAsync("/api/v1/runs")).GetProperty("items").EnumerateArray().Select(static r => (r.Text("id"), r.Text("conversation_id")))];
        Assert.Equal(2, all.Count);
        foreach (var (run, conversation) in all)
        {
            using var deletion = new HttpRequestMessage(HttpMethod.Delete, $"/api/v1/conversations/{conversation}");
            deletion.Headers.TryAddWithoutValidation("If-Match", "*");
            using var deleted = await ann.Client.SendAsync(deletion);
            Assert.Equal(HttpStatusCode.NoContent, deleted.StatusCode);
            foreach (var verb in (string[])["retry", "share"])
            {
                var refused = await ann.PostAsync($"/api/v1/runs/{run}/{verb}", new { }, HttpStatusCode.NotFound);
                Assert.Matches("^(conversation|run)_not_found$", refused.Text("code")); // the latter once it has gone
            }

            await bob.GetAsync($"/api/v1/runs/{run}", HttpStatusCode.NotFound);
            await bob.GetAsync($"/api/v1/runs/{run}/events", HttpStatusCode.NotFound);
        }

        var left = (await ann.GetAsync("/api/v1/runs")).GetProperty("items").EnumerateArray().Select(static r => r.Text("id"));
        Assert.Empty(left.Except(all.Select(static a => a.Run))); // nothing was begun
        Assert.DoesNotContain(await world.App.AuditAsync(), static r => r.Action == "run.share" && r.Outcome == "done");
    }
}
