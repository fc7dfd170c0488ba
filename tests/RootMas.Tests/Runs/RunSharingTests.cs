using System.Net;
using System.Text.Json;
using RootMas.LlmSimulator;
using RootMas.Server.Platform.Data;
using RootMas.Tests.Chat;
using RootMas.Tests.Identity.Audit;
using RootMas.Tests.Support;

namespace RootMas.Tests.Runs;

public sealed class RunSharingOnSqliteTests() : RunSharingTests(DatabaseKind.Sqlite);

public sealed class RunSharingOnPostgresTests() : RunSharingTests(DatabaseKind.Postgres), IOnPostgres;

/// <summary>A run that its owner shows to everybody who is signed in: who reads what, and until when.</summary>
public abstract class RunSharingTests(DatabaseKind kind) : OnDatabase(kind)
{
    private const string Canary = "canary-91c3";

    private const string Script = $$$"""
        rules:
          - { match: { agent: communicator, last_role: tool }, answer: { text: "So: {{tool_result}} {{{Canary}}}" } }
          - { match: { agent: communicator, last_user: paint }, answer: { tool_calls: [ { name: delegate, arguments: { agent: painter, task: "choose" } } ] } }
          - { match: { agent: painter, last_role: tool }, answer: { text: "{{tool_result}} it is." } }
          - { match: { agent: painter }, answer: { tool_calls: [ { name: ask_user, arguments: { question: "Which colour?" } } ] } }
        default: { text: "Another {{{Canary}}}." }
        """;

    [DatabaseFact]
    public async Task A_shared_run_and_those_below_it_are_read_by_everybody_who_is_signed_in_and_nothing_else_is()
    {
        await using var world = await StartAsync();
        using var ann = await world.App.AsAsync("ann");
        using var bob = await world.App.AsAsync("bob");
        using var guest = await world.App.AsAsync("guest", "readonly");
        using var root = await world.App.AsAsync("root", "admin");
        using var bot = await world.App.AsAsync("bot", "agent");
        var (run, child, conversation) = await AskAsync(ann);
        var other = (await ann.PostAsync("/api/v1/chat", new { message = "And else?", conversation_id = conversation })).GetProperty("run_id").GetString()!;
        string[] paths = [$"/api/v1/runs/{run}", $"/api/v1/runs/{run}?tree=1", $"/api/v1/runs/{run}/events", $"/api/v1/runs/{child}", $"/api/v1/runs/{child}/events"];
        foreach (var path in paths)
        {
            await bob.GetAsync(path, HttpStatusCode.NotFound);
        }

        // Only its owner shares it, and only as a whole.
        await bob.PostAsync($"/api/v1/runs/{run}/share", new { }, HttpStatusCode.NotFound);
        await root.PostAsync($"/api/v1/runs/{run}/share", new { }, HttpStatusCode.NotFound);
        var part = await ann.PostAsync($"/api/v1/runs/{child}/share", new { }, HttpStatusCode.Conflict);
        Assert.Equal("not_a_root_run", part.GetProperty("code").GetString());
        Assert.Equal(JsonValueKind.Null, (await ann.GetAsync($"/api/v1/runs/{run}")).GetProperty("shared_at").ValueKind);
        var shared = (await ann.PostAsync($"/api/v1/runs/{run}/share", new { })).GetProperty("shared_at").GetDateTimeOffset();
        Assert.Equal(shared, (await ann.PostAsync($"/api/v1/runs/{run}/share", new { })).GetProperty("shared_at").GetDateTimeOffset());

        foreach (var reader in (TestUser[])[bob, guest, root])
        {
            foreach (var path in paths)
            {
                Assert.Equal((await ann.GetAsync(path)).GetRawText(), (await reader.GetAsync(path)).GetRawText());
            }

            Assert.DoesNotContain(Canary, (await reader.GetAsync("/api/v1/runs")).GetRawText(), StringComparison.Ordinal);
            await reader.GetAsync($"/api/v1/conversations/{conversation}", HttpStatusCode.NotFound);
        }

        Assert.Contains(Canary, (await bob.GetAsync($"/api/v1/runs/{run}?tree=1")).GetRawText(), StringComparison.Ordinal);
        await bob.GetAsync($"/api/v1/runs/{other}", HttpStatusCode.NotFound);
        Assert.DoesNotContain(Canary, (await root.GetAsync($"/api/v1/runs/{other}")).GetRawText(), StringComparison.Ordinal);

        // Bots speak for people outside; and to read is not to act.
        await bot.GetAsync($"/api/v1/runs/{run}", HttpStatusCode.NotFound);
        await bot.GetAsync($"/api/v1/runs/{run}?user_id=somebody", HttpStatusCode.NotFound);
        foreach (var verb in (string[])["cancel", "retry", "share"])
        {
            await bob.PostAsync($"/api/v1/runs/{run}/{verb}", new { }, HttpStatusCode.NotFound);
        }

        await bob.PostAsync($"/api/v1/runs/{child}/input", new { text = "Red" }, HttpStatusCode.NotFound);
        Assert.Equal(HttpStatusCode.NotFound, (await bob.Client.DeleteAsync($"/api/v1/runs/{run}/share")).StatusCode);

        Assert.Equal(HttpStatusCode.NoContent, (await ann.Client.DeleteAsync($"/api/v1/runs/{run}/share")).StatusCode);
        Assert.Equal(HttpStatusCode.NoContent, (await ann.Client.DeleteAsync($"/api/v1/runs/{run}/share")).StatusCode);
        foreach (var path in paths)
        {
            await bob.GetAsync(path, HttpStatusCode.NotFound);
        }

        Assert.Equal([("run.share", "ann", run), ("run.unshare", "ann", run)], (await world.App.AuditAsync()).Where(static r => r.Action.StartsWith("run.", StringComparison.Ordinal) && r.Outcome == "done").Select(static r => (r.Action, r.Actor!, r.Target!)));
    }

    [DatabaseFact]
    public async Task Whoever_follows_a_shared_run_gets_no_further_event_once_it_is_taken_back()
    {
        await using var world = await StartAsync();
        using var ann = await world.App.AsAsync("ann");
        using var bob = await world.App.AsAsync("bob");
        var parked = await ann.PostAsync("/api/v1/chat", new { message = "paint it", team = "root-mas" }, HttpStatusCode.Accepted);
        var run = parked.GetProperty("run_id").GetString()!;
        var child = await ChildAsync(ann, run);
        var last = (await ann.PostAsync($"/api/v1/runs/{run}/share", new { })).GetProperty("last_seq").GetRawText();

        using var request = new HttpRequestMessage(HttpMethod.Get, $"/api/v1/runs/{run}/events?after=0");
        request.Headers.Accept.ParseAdd("text/event-stream");
        using var answer = await bob.Client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        await using var events = SseEvent.ReadAsync(await answer.Content.ReadAsStreamAsync()).GetAsyncEnumerator();
        do
        {
            Assert.True(await events.MoveNextAsync());
        }
        while (events.Current.Id != last);

        Assert.Equal(HttpStatusCode.NoContent, (await ann.Client.DeleteAsync($"/api/v1/runs/{run}/share")).StatusCode);
        await ann.PostAsync($"/api/v1/runs/{child}/input", new { text = "Green" }, HttpStatusCode.Accepted);
        while (await events.MoveNextAsync())
        {
            Assert.Fail($"an event after the end of sharing: {events.Current.Data}");
        }
    }

    [DatabaseFact]
    public async Task What_is_remembered_of_the_owner_and_summaries_of_other_messages_are_not_shared_with_the_run()
    {
        await using var sim = await Simulator.StartAsync("""
            rules:
              - { match: { system_contains: "You summarise a conversation" }, answer: { text: "They spoke of RETOLD-7f." } }
              - { match: { structured: true, last_message: "What the user said" }, answer: { json: { facts: [] } } }
              - { match: { last_role: tool }, answer: { text: "In a town." } }
              - { match: { last_role: user, last_user: "Where does" }, answer: { tool_calls: [ { name: recall, arguments: { query: "lives in" } } ] } }
              - { match: { last_role: user, last_user: "Who knows" }, answer: { tool_calls: [ { name: graph_query, arguments: { kind: search, text: somebody } } ] } }
            default: { text: "Noted." }
            """);
        await using var world = await ChatWorld.StartAsync(sim: sim, configure: o =>
        {
            o.Environment.Clear();
            o.ConfigFiles["models.yaml"] = $$"""
                providers: { sim: { base_url: "{{sim.OpenAiUrl}}" } }
                models: { small: { provider: sim, context: 6000, free: true } }
                tiers: { cheap: [small], standard: [small], premium: [small] }
                """;
        });
        using var ann = await world.App.AsAsync("ann");
        using var bob = await world.App.AsAsync("bob");
        await ann.PostAsync("/api/v1/memory", new { text = "REMEMBERED-7f: where somebody does live" }, HttpStatusCode.Created);
        var conversation = (await ann.PostAsync("/api/v1/chat", new { message = "RETOLD-7f " + new string('x', 9_000), team = "solo" })).Text("conversation_id");
        await ann.PostAsync("/api/v1/chat", new { message = "RETOLD-7f " + new string('y', 9_000), conversation_id = conversation });
        var run = (await ann.PostAsync("/api/v1/chat", new { message = "Where does somebody live?", conversation_id = conversation })).Text("run_id");
        await StreamAsync(ann, run, "0"); // to its end
        await ann.PostAsync($"/api/v1/runs/{run}/share", new { });

        List<JsonElement> own = [.. (await ann.GetAsync($"/api/v1/runs/{run}/events")).GetProperty("items").EnumerateArray()];
        var asked = own.First(static e => e.Text("type") == "model.requested" && e.Text("purpose") == "summary");
        var told = own.First(e => e.Text("type") == "model.completed" && e.Text("message_id") == asked.Text("message_id"));
        Assert.Contains("RETOLD-7f", told.Text("text"), StringComparison.Ordinal);
        Assert.Contains("REMEMBERED-7f", own.Single(static e => e.Text("type") == "memory.recalled").GetRawText(), StringComparison.Ordinal);
        Assert.Contains("REMEMBERED-7f", own.Single(static e => e.Text("type") == "tool.completed").Text("result"), StringComparison.Ordinal);
        Assert.Contains(own, static e => e.Text("type") == "context.reduced" && e.Text("summary").Contains("RETOLD-7f", StringComparison.Ordinal));

        // From the start and from behind the summary's request, as a page and as a stream.
        List<JsonElement> page = [.. (await bob.GetAsync($"/api/v1/runs/{run}/events")).GetProperty("items").EnumerateArray()];
        List<JsonElement> rest = [.. (await bob.GetAsync($"/api/v1/runs/{run}/events?after={asked.GetProperty("seq")}")).GetProperty("items").EnumerateArray()];
        Assert.Equal(own.ConvertAll(static e => e.Text("type")), page.ConvertAll(static e => e.Text("type")));
        Assert.Equal(page.Skip(page.Count - rest.Count).Select(static e => e.GetRawText()), rest.Select(static e => e.GetRawText()));
        var stream = (await StreamAsync(bob, run, "0")).ConvertAll(static e => e.Data);
        var restOfStream = (await StreamAsync(bob, run, asked.GetProperty("seq").GetRawText())).ConvertAll(static e => e.Data);
        Assert.Equal((page.Count, rest.Count), (stream.Count, restOfStream.Count));
        Assert.All(page.Concat(rest).Concat(stream).Concat(restOfStream), static e => Assert.DoesNotMatch("(REMEMBERED|RETOLD)-7f", e.GetRawText()));
        Assert.Equal(
            ["context.reduced", "memory.recalled", "model.completed", "tool.completed"],
            page.Where(static e => e.TryGetProperty("redacted", out _)).Select(static e => e.Text("type")).Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal));
        var hidden = page.Single(e => e.GetProperty("seq").GetInt64() == told.GetProperty("seq").GetInt64());
        Assert.Equal((JsonValueKind.Null, told.GetProperty("usage").GetRawText(), told.Text("message_id")), (hidden.GetProperty("text").ValueKind, hidden.GetProperty("usage").GetRawText(), hidden.Text("message_id")));
        Assert.Equal("In a town.", (await bob.GetAsync($"/api/v1/runs/{run}")).GetProperty("answer").Text("text"));

        // Whoever may read everybody's content reads it whole, shared or not, and that is written down.
        using var without = await world.App.AsAsync("root", "admin");
        Assert.DoesNotContain("REMEMBERED-7f", (await without.GetAsync($"/api/v1/runs/{run}/events")).GetRawText(), StringComparison.Ordinal);
        await world.App.ChangeUserAsync(without.Id, """{"grants":["content:read"]}""");
        using var auditor = await world.App.LogInAsync("root", TestUsers.Password);
        Assert.Equal(own.ConvertAll(static e => e.GetRawText()), (await auditor.GetAsync($"/api/v1/runs/{run}/events")).GetProperty("items").EnumerateArray().Select(static e => e.GetRawText()));
        Assert.Contains("REMEMBERED-7f", string.Concat((await StreamAsync(auditor, run, "0")).Select(static e => e.Data.GetRawText())), StringComparison.Ordinal);
        Assert.Equal(2, (await world.App.AuditAsync()).Count(r => r.Action == "run.content_read" && r.Actor == "root" && r.Target == run));

        // The graph is made of what is remembered, too.
        var other = (await ann.PostAsync("/api/v1/chat", new { message = "Who knows whom?", agent = "researcher" })).Text("run_id");
        await ann.PostAsync($"/api/v1/runs/{other}/share", new { });
        var graph = (await bob.GetAsync($"/api/v1/runs/{other}/events")).GetProperty("items").EnumerateArray().Single(static e => e.Text("type") == "tool.completed");
        Assert.Equal(("graph_query", JsonValueKind.Null), (graph.Text("tool"), graph.GetProperty("result").ValueKind));
    }

    [DatabaseFact]
    public async Task What_forget_tells_of_the_owner_is_not_shared_with_the_run()
    {
        await using var world = await ChatWorld.StartAsync("""
            rules:
              - { match: { structured: true, last_message: "What the user said" }, answer: { json: { facts: [] } } }
              - { match: { last_role: tool }, answer: { text: "There are two." } }
            default: { tool_calls: [ { name: forget, arguments: { about: "drink" } } ] }
            """);
        using var ann = await world.App.AsAsync("ann");
        using var bob = await world.App.AsAsync("bob");
        await ann.PostAsync("/api/v1/memory", new { text = "REMEMBERED-7f: green things to drink" }, HttpStatusCode.Created);
        await ann.PostAsync("/api/v1/memory", new { text = "REMEMBERED-7f: black things to drink" }, HttpStatusCode.Created);
        var run = (await ann.PostAsync("/api/v1/chat", new { message = "Forget it", team = "solo" })).Text("run_id");
        await ann.PostAsync($"/api/v1/runs/{run}/share", new { });
        var own = (await ann.GetAsync($"/api/v1/runs/{run}/events")).GetProperty("items").EnumerateArray().Single(static e => e.Text("type") == "tool.completed");
        Assert.Contains("REMEMBERED-7f", own.Text("result"), StringComparison.Ordinal);
        var shown = await bob.GetAsync($"/api/v1/runs/{run}/events");
        Assert.DoesNotContain("REMEMBERED-7f", shown.GetRawText(), StringComparison.Ordinal);
        Assert.Equal(JsonValueKind.Null, shown.GetProperty("items").EnumerateArray().Single(static e => e.Text("type") == "tool.completed").GetProperty("result").ValueKind);
    }

    [DatabaseFact]
    public async Task Sharing_ends_with_its_owners_account_and_by_an_administrator()
    {
        await using var world = await StartAsync();
        using var ann = await world.App.AsAsync("ann");
        using var bob = await world.App.AsAsync("bob");
        using var root = await world.App.AsAsync("root", "admin");
        var run = (await ann.PostAsync("/api/v1/chat", new { message = "Hello", team = "solo" })).Text("run_id");
        var local = (await world.App.PostJsonAsync("/api/v1/chat", new { message = "Hello", team = "solo" })).Text("run_id");
        await ann.PostAsync($"/api/v1/runs/{run}/share", new { });
        await world.App.PostJsonAsync($"/api/v1/runs/{local}/share", new { });
        await bob.GetAsync($"/api/v1/runs/{run}");
        await bob.GetAsync($"/api/v1/runs/{local}/events");

        await world.App.ChangeUserAsync(ann.Id, """{"disabled":true}""");
        await bob.GetAsync($"/api/v1/runs/{run}", HttpStatusCode.NotFound);
        await bob.GetAsync($"/api/v1/runs/{run}/events", HttpStatusCode.NotFound);
        Assert.DoesNotContain(Canary, (await root.GetAsync($"/api/v1/runs/{run}")).GetRawText(), StringComparison.Ordinal);
        await world.App.ChangeUserAsync(ann.Id, """{"disabled":false}""");
        await bob.GetAsync($"/api/v1/runs/{run}");

        Assert.Equal(HttpStatusCode.NotFound, (await bob.Client.DeleteAsync($"/api/v1/runs/{run}/share")).StatusCode);
        Assert.Equal(HttpStatusCode.NoContent, (await root.Client.DeleteAsync($"/api/v1/runs/{run}/share")).StatusCode);
        await bob.GetAsync($"/api/v1/runs/{run}", HttpStatusCode.NotFound);
        var ended = Assert.Single(await world.App.AuditAsync(), static r => r.Action == "run.unshare" && r.Outcome == "done");
        Assert.Equal(("root", run), (ended.Actor, ended.Target));
    }

    [DatabaseFact]
    public async Task A_deleted_conversation_is_not_shared_any_more_and_each_end_is_written_down()
    {
        await using var world = await StartAsync();
        using var ann = await world.App.AsAsync("ann");
        using var bob = await world.App.AsAsync("bob");
        var (first, child, conversation) = await AskAsync(ann);
        var second = (await ann.PostAsync("/api/v1/chat", new { message = "And else?", conversation_id = conversation })).Text("run_id");
        var elsewhere = (await ann.PostAsync("/api/v1/chat", new { message = "Hello", team = "solo" })).Text("run_id");
        foreach (var run in (string[])[first, second, elsewhere])
        {
            await ann.PostAsync($"/api/v1/runs/{run}/share", new { });
        }

        var unshared = (await ann.PostAsync("/api/v1/chat", new { message = "Once more", conversation_id = conversation })).Text("run_id");
        using var deletion = new HttpRequestMessage(HttpMethod.Delete, $"/api/v1/conversations/{conversation}");
        deletion.Headers.TryAddWithoutValidation("If-Match", "*");
        using var deleted = await ann.Client.SendAsync(deletion);
        Assert.Equal(HttpStatusCode.NoContent, deleted.StatusCode);
        foreach (var run in (string[])[first, child, second, unshared])
        {
            await bob.GetAsync($"/api/v1/runs/{run}", HttpStatusCode.NotFound);
            await bob.GetAsync($"/api/v1/runs/{run}/events", HttpStatusCode.NotFound);
        }

        await bob.GetAsync($"/api/v1/runs/{elsewhere}");
        var rows = (await world.App.AuditAsync()).Where(static r => r.Action is "conversation.delete" or "run.unshare").Select(static r => (r.Action, r.Actor!, r.Target!)).Order();
        Assert.Equal(new[] { ("conversation.delete", "ann", conversation), ("run.unshare", "ann", first), ("run.unshare", "ann", second) }.Order(), rows);
    }

    [DatabaseFact]
    public async Task Owners_list_what_they_share_and_nobody_lists_what_others_do()
    {
        await using var world = await StartAsync();
        using var ann = await world.App.AsAsync("ann");
        using var bob = await world.App.AsAsync("bob");
        using var root = await world.App.AsAsync("root", "admin");
        List<string> runs = [];
        for (var i = 0; i < 4; i++)
        {
            runs.Add((await ann.PostAsync("/api/v1/chat", new { message = $"Hello {i}", team = "solo" })).Text("run_id"));
        }

        await ann.PostAsync($"/api/v1/runs/{runs[0]}/share", new { });
        await ann.PostAsync($"/api/v1/runs/{runs[2]}/share", new { });
        Assert.Equal([runs[2], runs[0]], await ListAsync(ann, "shared=true"));
        Assert.Equal([runs[3], runs[1]], await ListAsync(ann, "shared=false"));
        Assert.Equal([runs[2]], await ListAsync(ann, $"shared=true&limit=1&user={ann.Id}"));
        Assert.Empty(await ListAsync(ann, "shared=true&status=failed"));
        Assert.Empty(await ListAsync(bob, "shared=true"));
        Assert.Empty(await ListAsync(root, "shared=true"));
        await root.GetAsync("/api/v1/runs?shared=true&user=*", HttpStatusCode.BadRequest);
        await bob.GetAsync($"/api/v1/runs?shared=true&user={ann.Id}", HttpStatusCode.Forbidden);
        await ann.Client.DeleteAsync($"/api/v1/runs/{runs[2]}/share");
        Assert.Equal([runs[0]], await ListAsync(ann, "shared=true"));
    }

    private static async Task<List<string>> ListAsync(TestUser user, string query) =>
        [.. (await user.GetAsync($"/api/v1/runs?{query}")).GetProperty("items").EnumerateArray().Select(static r => r.Text("id"))];

    private static async Task<List<SseEvent>> StreamAsync(TestUser user, string run, string after)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, $"/api/v1/runs/{run}/events?after={after}");
        request.Headers.Accept.ParseAdd("text/event-stream");
        using var answer = await user.Client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
        return await SseEvent.ReadAllAsync(answer);
    }

    private static async Task<ChatWorld> StartAsync()
    {
        var world = await ChatWorld.StartAsync(Script);
        await world.App.PostJsonAsync("/api/v1/agents", new { name = "painter", role = "paints", description = "Paints things.", instructions = "Paint.", tier = "cheap", tools = new[] { "ask_user" } }, HttpStatusCode.Created);
        return world;
    }

    /// <summary>A run that gave work to another, answered and ended.</summary>
    private static async Task<(string Run, string Child, string Conversation)> AskAsync(TestUser user)
    {
        var parked = await user.PostAsync("/api/v1/chat", new { message = "paint it", team = "root-mas" }, HttpStatusCode.Accepted);
        var run = parked.GetProperty("run_id").GetString()!;
        var child = await ChildAsync(user, run);
        await user.PostAsync($"/api/v1/runs/{child}/input", new { text = "Green" }, HttpStatusCode.Accepted);
        Assert.Equal("run.completed", (await StreamAsync(user, run, "0"))[^1].Type);
        return (run, child, (await user.GetAsync($"/api/v1/runs/{run}")).GetProperty("conversation_id").GetString()!);
    }

    private static async Task<string> ChildAsync(TestUser user, string run) =>
        (await user.GetAsync($"/api/v1/runs/{run}?tree=1")).GetProperty("children")[0].GetProperty("id").GetString()!;
}
