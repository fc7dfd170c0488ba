using System.Net;
using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using RootMas.LlmSimulator;
using RootMas.Server.Chat;
using RootMas.Server.Platform.Data;
using RootMas.Server.Platform.Outbox;
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

        await DeleteAsync(ann, conversation);

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
        await using var world = await ChatWorld.StartAsync(Script, configure: static o => o.Services = LeaveRuns);
        using var ann = await world.App.AsAsync("ann");
        using var bob = await world.App.AsAsync("bob");
        await ann.PostAsync("/api/v1/chat", new { message = "Hello", team = "solo" });
        await CallAsync(ann);
        var all = await RunsAsync(ann);
        Assert.Equal(2, all.Count);
        foreach (var (run, conversation) in all)
        {
            await DeleteAsync(ann, conversation);
            foreach (var verb in (string[])["retry", "share"])
            {
                var refused = await ann.PostAsync($"/api/v1/runs/{run}/{verb}", new { }, HttpStatusCode.NotFound);
                Assert.Equal("conversation_not_found", refused.Text("code"));
            }

            await bob.GetAsync($"/api/v1/runs/{run}", HttpStatusCode.NotFound);
            await bob.GetAsync($"/api/v1/runs/{run}/events", HttpStatusCode.NotFound);
        }

        Assert.Equal(all, await RunsAsync(ann)); // nothing was begun
        Assert.DoesNotContain(await world.App.AuditAsync(), static r => r.Action == "run.share" && r.Outcome == "done");
    }

    /// <summary>The retry has looked, and the transaction that makes its run comes after the one that deletes.</summary>
    [DatabaseTheory]
    [InlineData("answered")]
    [InlineData("call")]
    [InlineData("never had its turn")]
    public async Task A_retry_that_a_deletion_comes_before_begins_nothing(string message)
    {
        var held = new HeldWrites();
        await using var world = await ChatWorld.StartAsync(Script, configure: o => o.Services = services =>
        {
            LeaveRuns(services);
            held.AddTo(services);
        });
        using var ann = await world.App.AsAsync("ann");
        var run = message switch
        {
            "answered" => (await ann.PostAsync("/api/v1/chat", new { message = "Hello", team = "solo" })).Text("run_id"),
            "call" => await CallAsync(ann),
            _ => await WaitInVainAsync(world, ann),
        };
        var before = await RunsAsync(ann);
        var retry = held.PostAsync(ann.Client, $"/api/v1/runs/{run}/retry", new { });
        await held.HoldAsync(1);
        await DeleteAsync(ann, before.Single(r => r.Run == run).Conversation);
        held.Release();
        Assert.Equal("conversation_not_found", (await TestUser.JsonAsync(await retry, HttpStatusCode.NotFound)).Text("code"));
        Assert.Equal(before, await RunsAsync(ann));
    }

    /// <summary>Nobody hears of deleted conversations, so that their runs stay.</summary>
    private static void LeaveRuns(IServiceCollection services) =>
        services.Remove(services.Single(static s => s.ServiceType == typeof(OutboxSubscription) && s.ImplementationInstance is OutboxSubscription { Topic: DeletedConversations.Topic }));

    private static async Task DeleteAsync(TestUser user, string conversation)
    {
        using var deletion = new HttpRequestMessage(HttpMethod.Delete, $"/api/v1/conversations/{conversation}");
        deletion.Headers.TryAddWithoutValidation("If-Match", "*");
        using var deleted = await user.Client.SendAsync(deletion);
        Assert.Equal(HttpStatusCode.NoContent, deleted.StatusCode);
    }

    /// <returns>Its run.</returns>
    private static async Task<string> CallAsync(TestUser user)
    {
        var known = await RunsAsync(user);
        await user.PostAsync("/v1/chat/completions", new { model = "solo", messages = new[] { new { role = "user", content = "And a call" } } });
        return Assert.Single((await RunsAsync(user)).Except(known)).Run;
    }

    /// <returns>The run of a message that stood behind another one, and was taken back before that was answered.</returns>
    private static async Task<string> WaitInVainAsync(ChatWorld world, TestUser user)
    {
        var conversation = (await user.PostAsync("/api/v1/conversations", new { team = "solo" }, HttpStatusCode.Created)).Text("id");
        var path = $"/api/v1/conversations/{conversation}/runs";
        var hold = world.Sim.Hold(new HoldSpec { Call = 1 });
        var first = (await user.PostAsync(path, new { message = "Hello" }, HttpStatusCode.Accepted)).Text("run_id");
        await hold.Reached.WaitAsync(TimeSpan.FromSeconds(60));
        var second = (await user.PostAsync(path, new { message = "Hello again" }, HttpStatusCode.Accepted)).Text("run_id");
        await user.PostAsync($"/api/v1/runs/{second}/cancel", new { }, HttpStatusCode.Accepted);
        await StatusAsync(user, second, "cancelled");
        hold.Release();
        await StatusAsync(user, first, "completed");
        return second;
    }

    private static Task StatusAsync(TestUser user, string run, string status) => Wait.UntilAsync(
        static async at => (await at.user.GetAsync($"/api/v1/runs/{at.run}")).Text("status") == at.status, (user, run, status), $"The run is not {status}");

    private static async Task<List<(string Run, string Conversation)>> RunsAsync(TestUser user) =>
        [.. (await user.GetAsync("/api/v1/runs")).GetProperty("items").EnumerateArray().Select(static r => (r.Text("id"), r.Text("conversation_id")))];
}
