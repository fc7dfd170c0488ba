using System.Net;
using System.Text.Json;
using System.Text.RegularExpressions;
using RootMas.Server.Chat;
using RootMas.Server.Platform.Data;
using RootMas.Tests.Identity.Audit;
using RootMas.Tests.Knowledge.Documents;
using RootMas.Tests.Support;

namespace RootMas.Tests.Chat;

public sealed class MessagePagesOnSqliteTests() : MessagePagesTests(DatabaseKind.Sqlite);

public sealed class MessagePagesOnPostgresTests() : MessagePagesTests(DatabaseKind.Postgres), IOnPostgres;

/// <summary>Whoever has read a conversation is told which of its pages have changed, whatever it was that changed (decision 46).</summary>
public abstract class MessagePagesTests(DatabaseKind kind) : OnDatabase(kind)
{
    private const string Echo = "default: { text: \"Answer to {{last_user}}\" }";

    [DatabaseFact]
    public async Task The_pages_that_are_told_of_are_those_that_are_read_and_only_their_owner_is_told()
    {
        await using var world = await ChatWorld.StartAsync(Echo);
        using var ann = await world.App.AsAsync("ann");
        var conversation = (await ann.PostAsync("/api/v1/chat", new { message = "one", team = "solo" })).Text("conversation_id");
        await world.App.Get<IDatabase>().WriteAsync(
            session => session.Prepared("""
                insert into messages (id, conversation_id, owner_id, branch_id, depth, role, content, status, created_at)
                with recursive n (i) as (select 1 union all select i + 1 from n where i < 451)
                select 'm-' || cast(i as text), @conversation, @owner, 'other', i, 'user', 'Hi', 'complete', @at + i from n
                """).Set("conversation", conversation).Set("owner", ann.Id).Set("at", session.Now.AddDays(1)).RunAsync(),
            CancellationToken.None);
        foreach (var (limit, counts) in new (int, int[])[] { (200, [200, 200, 53]), (151, [151, 151, 151]) })
        {
            var told = await ann.GetAsync($"/api/v1/conversations/{conversation}/messages/pages?limit={limit}");
            Assert.Equal(JsonValueKind.Null, told.GetProperty("next_cursor").ValueKind);
            Assert.Equal(counts, told.GetProperty("items").EnumerateArray().Select(static p => p.GetProperty("count").GetInt32()));
            var cursor = "";
            foreach (var page in told.GetProperty("items").EnumerateArray())
            {
                Assert.Equal(cursor, page.GetProperty("cursor").GetString() ?? "");
                using var read = await ann.Client.GetAsync($"/api/v1/conversations/{conversation}/messages?limit={limit}" + (cursor.Length == 0 ? "" : $"&cursor={Uri.EscapeDataString(cursor)}"));
                Assert.Equal($"\"{page.Text("etag")}\"", read.Headers.ETag?.Tag);
                cursor = JsonElement.Parse(await read.Content.ReadAsStringAsync()).GetProperty("next_cursor").GetString() ?? "";
            }

            Assert.Empty(cursor);
        }

        var second = (await ann.GetAsync($"/api/v1/conversations/{conversation}/messages/pages?limit=200")).GetProperty("items")[1].Text("cursor");
        Assert.Equal(2, (await ann.GetAsync($"/api/v1/conversations/{conversation}/messages/pages?limit=200&cursor={Uri.EscapeDataString(second)}")).GetProperty("items").GetArrayLength());
        using var bob = await world.App.AsAsync("bob");
        await bob.GetAsync($"/api/v1/conversations/{conversation}/messages/pages", HttpStatusCode.NotFound);
        await ann.GetAsync($"/api/v1/conversations/{conversation}/messages/pages?cursor=nonsense", HttpStatusCode.BadRequest);
        await ann.GetAsync($"/api/v1/conversations/{conversation}/messages/pages?limit=201", HttpStatusCode.BadRequest);
    }

    [DatabaseFact]
    public async Task A_rating_that_is_given_changed_or_taken_back_changes_its_page_alone()
    {
        await using var world = await ChatWorld.StartAsync(Echo);
        var conversation = (await world.AskAsync(new { message = "one", team = "solo" })).Text("conversation_id");
        await world.AskAsync(new { message = "two", conversation_id = conversation });
        await world.AskAsync(new { message = "three", conversation_id = conversation });
        var seen = new List<string[]> { await TagsAsync(world, conversation) };
        var path = $"/api/v1/messages/{(await world.MessagesAsync(conversation))[1].Id()}/feedback";
        foreach (var said in (object[])[new { score = 1 }, new { score = -1 }, new { score = -1, reason = "No source" }])
        {
            await world.App.PostJsonAsync(path, said);
            seen.Add(await TagsAsync(world, conversation));
        }

        Assert.Equal(4, seen.Select(static tags => tags[0]).Distinct(StringComparer.Ordinal).Count());
        Assert.All(seen, tags => Assert.Equal(seen[0][1..], tags[1..]));
        using var gone = await world.App.SendAsync(HttpMethod.Delete, path);
        Assert.Equal(seen[0], await TagsAsync(world, conversation));
    }

    [DatabaseFact]
    public async Task A_message_that_comes_finds_its_place_or_is_rolled_back_changes_the_pages_from_there_on()
    {
        await using var world = await ChatWorld.StartAsync(Echo);
        var conversation = (await world.AskAsync(new { message = "one", team = "solo" })).Text("conversation_id");
        var first = await TagsAsync(world, conversation);
        var hold = world.Sim.Hold(new() { Call = 1 });
        await world.SendAsync(conversation, new { message = "two" });
        await hold.Reached.WaitAsync(TimeSpan.FromSeconds(60));
        var waiting = (await world.SendAsync(conversation, new { message = "three" })).Text("run_id");
        var queued = await TagsAsync(world, conversation);
        Assert.Equal((first[0], 2), (queued[0], queued.Length));
        hold.Release();
        await world.EventsAsync(waiting);
        var placed = await TagsAsync(world, conversation);
        Assert.Equal((first[0], 3), (placed[0], placed.Length));
        Assert.NotEqual(queued[1], placed[1]); // the same two questions, of which one has found its place

        var next = world.Sim.Hold(new() { Call = 1 });
        await world.SendAsync(conversation, new { message = "wrong" });
        await next.Reached.WaitAsync(TimeSpan.FromSeconds(60));
        var wrong = await TagsAsync(world, conversation);
        Assert.Equal(placed, wrong[..3]);
        Assert.Equal(4, wrong.Length);
        await world.EventsAsync((await world.SendAsync(conversation, new { message = "right", on_busy = "rollback" })).Text("run_id"));
        var right = await TagsAsync(world, conversation);
        Assert.Equal(placed, right[..3]);
        Assert.NotEqual(wrong[3], right[3]);
    }

    [DatabaseFact]
    public async Task A_message_that_is_older_than_what_was_read_already_changes_its_page()
    {
        await using var world = await ChatWorld.StartAsync(Echo);
        var conversation = (await world.AskAsync(new { message = "one", team = "solo" })).Text("conversation_id");
        await world.AskAsync(new { message = "two", conversation_id = conversation });
        var before = await TagsAsync(world, conversation);
        // Two transactions of a server: the one that began first may be done last.
        await world.App.Get<IDatabase>().WriteAsync(
            static session => session.Prepared("""
                insert into messages (id, conversation_id, owner_id, branch_id, depth, role, content, status, created_at)
                select 'late', conversation_id, owner_id, 'other', 1, 'user', 'Late', 'complete', created_at - 1 from messages where content = 'one'
                """).RunAsync(),
            CancellationToken.None);
        var after = await TagsAsync(world, conversation);
        Assert.Equal((2, 3), (before.Length, after.Length));
        Assert.Empty(before.Intersect(after));
    }

    /// <summary>By pages of two messages.</summary>
    private static async Task<string[]> TagsAsync(ChatWorld world, string conversation) =>
        [.. (await world.App.GetJsonAsync($"/api/v1/conversations/{conversation}/messages/pages?limit=2")).GetProperty("items").EnumerateArray().Select(static p => p.Text("etag"))];
}

/// <summary>What the tag of a page has to tell.</summary>
public sealed partial class PageTagTests
{
    private static readonly MessageState Plain = new("m", "p", 2, "complete", null, null);

    [Fact]
    public void Whatever_is_another_makes_another_tag()
    {
        var rating = new Rating(1, null, DateTimeOffset.UnixEpoch);
        MessageState[] states =
        [
            Plain, Plain with { Id = "n" }, Plain with { ParentId = null }, Plain with { ParentId = "" }, Plain with { Depth = 3 }, Plain with { Status = "queued" }, Plain with { Citations = "[]" },
            Plain with { Rating = rating }, Plain with { Rating = rating with { Score = -1 } }, Plain with { Rating = rating with { Reason = "" } }, Plain with { Rating = rating with { UpdatedAt = DateTimeOffset.UnixEpoch.AddSeconds(1) } },
        ];
        Assert.Equal(states.Length, states.Select(static s => PageTag.Of([s])).Distinct(StringComparer.Ordinal).Count());
        Assert.Equal(PageTag.Of([Plain, Plain]), PageTag.Of([Plain, Plain]));
        Assert.NotEqual(PageTag.Of([Plain]), PageTag.Of([Plain, Plain]));
    }

    [Fact]
    public void Nothing_else_of_a_message_is_changed_after_it_was_written()
    {
        var changed = Directory.EnumerateFiles(Path.Combine(Repository.Root, "src"), "*.cs", SearchOption.AllDirectories).SelectMany(static file => Changes().Matches(File.ReadAllText(file)))
            .SelectMany(static change => Columns().Matches(change.Groups["set"].Value).Select(static c => c.Groups["column"].Value)).Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal);
        // A dead message is on no page, and why the work on one was stopped is only in prompts. Whoever adds a column here adds it to MessageState.
        Assert.Equal(["citations", "dead", "depth", "parent_id", "status", "stopped", "stopped_tainted"], changed);
    }

    [GeneratedRegex(@"update messages set (?<set>.*?)\bwhere\b", RegexOptions.Singleline | RegexOptions.ExplicitCapture, 60_000)]
    private static partial Regex Changes();

    [GeneratedRegex(@"(?<column>\w+) = ", RegexOptions.ExplicitCapture, 60_000)]
    private static partial Regex Columns();
}
