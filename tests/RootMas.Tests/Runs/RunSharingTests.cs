using System.Net;
using System.Text.Json;
using RootMas.Server.Platform.Data;
using RootMas.Tests.Chat;
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
        using var request = new HttpRequestMessage(HttpMethod.Get, $"/api/v1/runs/{run}/events?after=0");
        request.Headers.Accept.ParseAdd("text/event-stream");
        using var answer = await user.Client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
        Assert.Equal("run.completed", (await SseEvent.ReadAllAsync(answer))[^1].Type);
        return (run, child, (await user.GetAsync($"/api/v1/runs/{run}")).GetProperty("conversation_id").GetString()!);
    }

    private static async Task<string> ChildAsync(TestUser user, string run) =>
        (await user.GetAsync($"/api/v1/runs/{run}?tree=1")).GetProperty("children")[0].GetProperty("id").GetString()!;
}
