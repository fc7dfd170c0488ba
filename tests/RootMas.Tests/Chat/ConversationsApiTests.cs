using System.Net;
using System.Text.Json;
using RootMas.Server.Chat;
using RootMas.Server.Platform.Data;
using RootMas.Tests.Support;

namespace RootMas.Tests.Chat;

[Covers(typeof(ConversationStore))]
public abstract class ConversationsApiTests(DatabaseKind kind) : OnDatabase(kind)
{
    [DatabaseFact]
    public async Task A_conversation_is_made_read_changed_and_deleted_with_its_etag()
    {
        await using var world = await ChatWorld.StartAsync();
        using var made = await world.App.PostAsync("/api/v1/conversations", """{"title":"Trip"}""");
        Assert.Equal(HttpStatusCode.Created, made.StatusCode);
        var path = made.Headers.Location!.ToString();
        var etag = made.Headers.ETag!.ToString();
        Assert.Equal(etag, (await world.App.Client.GetAsync(path)).Headers.ETag!.ToString());

        Assert.Equal((HttpStatusCode)428, (await world.App.SendAsync(HttpMethod.Patch, path, """{"pinned":true}""")).StatusCode);
        Assert.Equal(HttpStatusCode.PreconditionFailed, (await world.App.SendAsync(HttpMethod.Patch, path, """{"pinned":true}""", ("If-Match", "\"99\""))).StatusCode);
        using var changed = await world.App.SendAsync(HttpMethod.Patch, path, """{"pinned":true,"archived":true,"title":"Journey","team":"research"}""", ("If-Match", etag));
        Assert.Equal(HttpStatusCode.OK, changed.StatusCode);
        var now = JsonElement.Parse(await changed.Content.ReadAsStringAsync());
        Assert.Equal(("Journey", "research", true, true), (now.GetProperty("title").GetString(), now.GetProperty("team").GetString(), now.GetProperty("pinned").GetBoolean(), now.GetProperty("archived").GetBoolean()));
        Assert.Equal(HttpStatusCode.BadRequest, (await world.App.SendAsync(HttpMethod.Patch, path, """{"team":"nobody"}""", ("If-Match", "*"))).StatusCode);

        Assert.Equal(HttpStatusCode.PreconditionFailed, (await world.App.SendAsync(HttpMethod.Delete, path, null, ("If-Match", etag))).StatusCode);
        Assert.Equal(HttpStatusCode.NoContent, (await world.App.SendAsync(HttpMethod.Delete, path, null, ("If-Match", changed.Headers.ETag!.ToString()))).StatusCode);
        Assert.Equal(HttpStatusCode.NotFound, (await world.App.Client.GetAsync(path)).StatusCode);
    }

    /// <summary>Whatever comes at once: it was done, it is gone, or it is another version than the one that was read.</summary>
    [DatabaseFact]
    public async Task What_is_deleted_while_it_is_changed_is_gone_or_says_what_it_is_now()
    {
        await using var world = await ChatWorld.StartAsync();
        for (var i = 0; i < 12; i++)
        {
            var path = $"/api/v1/conversations/{await world.NewConversationAsync()}";
            var changes = Enumerable.Range(0, 3).Select(n => StatusAsync(HttpMethod.Patch, $$"""{"title":"{{n}}"}""", "*")).ToList();
            var deletions = await Task.WhenAll(StatusAsync(HttpMethod.Delete, null, "*"), StatusAsync(HttpMethod.Delete, null, "*"), StatusAsync(HttpMethod.Delete, null, "\"1\""));
            Assert.Single(deletions, HttpStatusCode.NoContent);
            Assert.All(deletions, static s => Assert.Contains(s, (HttpStatusCode[])[HttpStatusCode.NoContent, HttpStatusCode.NotFound, HttpStatusCode.PreconditionFailed]));
            Assert.All(await Task.WhenAll(changes), static s => Assert.Contains(s, (HttpStatusCode[])[HttpStatusCode.OK, HttpStatusCode.NotFound]));

            async Task<HttpStatusCode> StatusAsync(HttpMethod method, string? body, string version)
            {
                using var answer = await world.App.SendAsync(method, path, body, ("If-Match", version));
                return answer.StatusCode;
            }
        }
    }

    [DatabaseFact]
    public async Task A_conversation_lies_in_a_folder_until_it_is_taken_out()
    {
        await using var world = await ChatWorld.StartAsync();
        var path = $"/api/v1/conversations/{await world.NewConversationAsync()}";
        foreach (var (change, folder) in ((string, string?)[])[("""{"folder":" Travel "}""", "Travel"), ("""{"pinned":true}""", "Travel"), ("""{"folder":""}""", null)])
        {
            using var changed = await world.App.SendAsync(HttpMethod.Patch, path, change, ("If-Match", "*"));
            Assert.Equal(HttpStatusCode.OK, changed.StatusCode);
            Assert.Equal(folder, (await world.App.GetJsonAsync(path)).GetProperty("folder").GetString());
            Assert.Equal(folder, (await world.App.GetJsonAsync("/api/v1/conversations")).GetProperty("items")[0].GetProperty("folder").GetString());
            foreach (var (filed, count) in ((string, int)[])[("true", folder is null ? 0 : 1), ("false", folder is null ? 1 : 0)])
            {
                Assert.Equal(count, (await world.App.GetJsonAsync($"/api/v1/conversations?filed={filed}")).GetProperty("items").GetArrayLength());
            }
        }

        using var tooLong = await world.App.SendAsync(HttpMethod.Patch, path, $$"""{"folder":"{{new string('x', 101)}}"}""", ("If-Match", "*"));
        Assert.Equal(HttpStatusCode.BadRequest, tooLong.StatusCode);
    }

    [DatabaseFact]
    public async Task The_list_is_newest_first_paged_and_filtered()
    {
        await using var world = await ChatWorld.StartAsync();
        var ids = new List<string>();
        for (var i = 0; i < 5; i++)
        {
            ids.Add(await world.NewConversationAsync());
        }

        await world.AskAsync(new { message = "Hi", conversation_id = ids[0] });
        var first = await world.App.GetJsonAsync("/api/v1/conversations?limit=3");
        Assert.Equal([ids[0], ids[4], ids[3]], first.GetProperty("items").EnumerateArray().Select(c => c.GetProperty("id").GetString()));
        var rest = await world.App.GetJsonAsync($"/api/v1/conversations?limit=3&cursor={first.GetProperty("next_cursor").GetString()}");
        Assert.Equal([ids[2], ids[1]], rest.GetProperty("items").EnumerateArray().Select(c => c.GetProperty("id").GetString()));
        Assert.Equal(JsonValueKind.Null, rest.GetProperty("next_cursor").ValueKind);
        await world.App.SendAsync(HttpMethod.Patch, $"/api/v1/conversations/{ids[1]}", """{"archived":true}""", ("If-Match", "*"));
        Assert.Equal(ids[1], Assert.Single((await world.App.GetJsonAsync("/api/v1/conversations?archived=true")).GetProperty("items").EnumerateArray()).GetProperty("id").GetString());
    }

    [DatabaseFact]
    public async Task Editing_a_message_makes_a_branch_and_both_stay_readable()
    {
        await using var world = await ChatWorld.StartAsync("default: { text: \"Answer to {{last_user}}\" }");
        var conversation = await world.NewConversationAsync();
        foreach (var text in new[] { "one", "two" })
        {
            await world.EventsAsync((await world.SendAsync(conversation, new { message = text })).GetProperty("run_id").GetString()!);
        }

        var answerOne = (await world.MessagesAsync(conversation))[1].GetProperty("id").GetString();
        await world.EventsAsync((await world.SendAsync(conversation, new { message = "two, edited", parent_id = answerOne })).GetProperty("run_id").GetString()!);
        var all = await world.MessagesAsync(conversation);
        Assert.Equal(6, all.Count);
        var edited = all.Single(m => m.GetProperty("content").GetString() == "two, edited");
        Assert.Equal(answerOne, edited.GetProperty("parent_id").GetString());
        Assert.NotEqual(all[0].GetProperty("branch_id").GetString(), edited.GetProperty("branch_id").GetString());
        Assert.DoesNotContain("\"two\"", world.Sim.Calls[^1].Body!, StringComparison.Ordinal);

        var old = all.Single(m => m.GetProperty("content").GetString() == "Answer to two").GetProperty("id").GetString();
        Assert.Equal(["one", "Answer to one", "two", "Answer to two"], await TextsAsync(world, conversation, old!));
        var leaf = (await world.App.GetJsonAsync($"/api/v1/conversations/{conversation}")).GetProperty("current_leaf").GetString()!;
        Assert.Equal(["one", "Answer to one", "two, edited", "Answer to two, edited"], await TextsAsync(world, conversation, leaf));

        await world.EventsAsync((await world.SendAsync(conversation, new { message = "three", parent_id = old })).GetProperty("run_id").GetString()!);
        Assert.Contains("Answer to two", world.Sim.Calls[^1].Body!, StringComparison.Ordinal);

        // Whoever went on with an older branch goes on there.
        await world.EventsAsync((await world.SendAsync(conversation, new { message = "four" })).GetProperty("run_id").GetString()!);
        leaf = (await world.App.GetJsonAsync($"/api/v1/conversations/{conversation}")).GetProperty("current_leaf").GetString()!;
        Assert.Equal(["one", "Answer to one", "two", "Answer to two", "three", "Answer to three", "four", "Answer to four"], await TextsAsync(world, conversation, leaf));
        await world.EventsAsync((await world.SendAsync(conversation, new { message = "anew", parent_id = "root" })).GetProperty("run_id").GetString()!);
        leaf = (await world.App.GetJsonAsync($"/api/v1/conversations/{conversation}")).GetProperty("current_leaf").GetString()!;
        Assert.Equal(["anew", "Answer to anew"], await TextsAsync(world, conversation, leaf));
    }

    [DatabaseFact]
    public async Task Two_branches_of_a_conversation_work_at_the_same_time()
    {
        await using var world = await ChatWorld.StartAsync();
        var conversation = await world.NewConversationAsync();
        var hold = world.Sim.Hold(new() { Call = 1 });
        var first = await world.SendAsync(conversation, new { message = "one" });
        await hold.Reached;
        var other = (await world.SendAsync(conversation, new { message = "beside", parent_id = "root" })).GetProperty("run_id").GetString()!;
        Assert.Equal("run.completed", (await world.EventsAsync(other))[^1].Type);
        hold.Release();
        Assert.Equal("run.completed", (await world.EventsAsync(first.GetProperty("run_id").GetString()!))[^1].Type);
    }

    [DatabaseFact]
    public async Task A_run_is_202_with_its_place_and_a_wrong_parent_is_422()
    {
        await using var world = await ChatWorld.StartAsync();
        var conversation = await world.NewConversationAsync();
        using var accepted = await world.App.PostAsync($"/api/v1/conversations/{conversation}/runs", """{"message":"Hi"}""");
        Assert.Equal(HttpStatusCode.Accepted, accepted.StatusCode);
        var run = JsonElement.Parse(await accepted.Content.ReadAsStringAsync()).GetProperty("run_id").GetString();
        Assert.Equal($"/api/v1/runs/{run}", accepted.Headers.Location!.ToString());
        var problem = await world.SendAsync(conversation, new { message = "x", parent_id = Guid.CreateVersion7().ToString() }, HttpStatusCode.UnprocessableEntity);
        Assert.Equal("parent_not_found", problem.GetProperty("code").GetString());
        await world.SendAsync(Guid.CreateVersion7().ToString(), new { message = "x" }, HttpStatusCode.NotFound);
        Assert.Equal(HttpStatusCode.NotFound, (await world.App.Client.GetAsync($"/api/v1/conversations/{conversation}/messages?leaf={Guid.CreateVersion7()}")).StatusCode);
    }

    [DatabaseFact]
    public async Task Deleting_a_conversation_stops_its_runs_and_breaks_none()
    {
        await using var world = await ChatWorld.StartAsync();
        var conversation = await world.NewConversationAsync();
        var hold = world.Sim.Hold(new() { Call = 1 });
        var run = (await world.SendAsync(conversation, new { message = "one" })).GetProperty("run_id").GetString()!;
        await hold.Reached;

        // Who reads along is there before: a few seconds after its end the run is gone, too.
        using var request = new HttpRequestMessage(HttpMethod.Get, $"/api/v1/runs/{run}/events");
        request.Headers.Accept.ParseAdd("text/event-stream");
        using var reading = await world.App.Client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
        Assert.Equal(HttpStatusCode.OK, reading.StatusCode);
        Assert.Equal(HttpStatusCode.NoContent, (await world.App.SendAsync(HttpMethod.Delete, $"/api/v1/conversations/{conversation}", null, ("If-Match", "*"))).StatusCode);
        Assert.Equal("run.cancelled", (await SseEvent.ReadAllAsync(reading))[^1].Type);
    }

    private static async Task<IEnumerable<string?>> TextsAsync(ChatWorld world, string conversation, string leaf) =>
        (await world.MessagesAsync(conversation, $"?leaf={leaf}")).Select(m => m.GetProperty("content").GetString());
}

public sealed class ConversationsApiOnSqliteTests() : ConversationsApiTests(DatabaseKind.Sqlite);

public sealed class ConversationsApiOnPostgresTests() : ConversationsApiTests(DatabaseKind.Postgres), IOnPostgres;
