using System.Net;
using System.Text.Json;
using RootMas.Server.Chat;
using RootMas.Server.Platform.Data;
using RootMas.Tests.Identity.Audit;
using RootMas.Tests.Support;

namespace RootMas.Tests.Chat;

public sealed class MessageSearchOnSqliteTests() : MessageSearchTests(DatabaseKind.Sqlite);

public sealed class MessageSearchOnPostgresTests() : MessageSearchTests(DatabaseKind.Postgres), IOnPostgres;

/// <summary>Messages are found by their words, by their owner alone.</summary>
public abstract class MessageSearchTests(DatabaseKind kind) : OnDatabase(kind)
{
    private const string Script = """
        rules:
          - { match: { last_user: "поезд" }, answer: { text: "Сначала вот что.\nПоезд в Казань отходит в девять.\nЭто всё." } }
        default: { text: "Nothing to say about that." }
        """;

    [DatabaseFact]
    public async Task Messages_are_found_by_all_their_words_in_any_case_with_the_line_that_has_them_and_only_by_their_owner()
    {
        await using var world = await ChatWorld.StartAsync(Script);
        using var ann = await world.App.AsAsync("ann");
        using var bob = await world.App.AsAsync("bob");
        var asked = await ann.PostAsync("/api/v1/chat", new { message = "Когда поезд?", team = "solo" });
        await ann.PostAsync("/api/v1/chat", new { message = "The weather in KAZAN", team = "solo" });
        var found = await SearchAsync(ann, "search=КАЗАНЬ поезд");
        var hit = Assert.Single(found.Items);
        Assert.Equal(
            ("Поезд в Казань отходит в девять.", asked.Text("conversation_id"), "assistant", "Когда поезд?"),
            (hit.Text("excerpt"), hit.Text("conversation_id"), hit.Text("role"), hit.Text("title")));
        var messages = (await ann.GetAsync($"/api/v1/conversations/{asked.Text("conversation_id")}/messages")).GetProperty("items");
        Assert.Equal(messages.EnumerateArray().Last().Text("id"), hit.Text("message_id"));
        Assert.Null(found.Next);
        Assert.Equal(["The weather in KAZAN"], (await SearchAsync(ann, "search=kazan")).Items.Select(static h => h.Text("excerpt")));
        Assert.Empty((await SearchAsync(ann, "search=Казань weather")).Items);
        Assert.Empty((await SearchAsync(ann, "search=kaz_n")).Items);
        Assert.Empty((await SearchAsync(bob, "search=поезд")).Items);
        await ann.GetAsync("/api/v1/messages?search=%20x%20", HttpStatusCode.BadRequest);
        await ann.GetAsync("/api/v1/messages", HttpStatusCode.BadRequest);
        await ann.GetAsync("/api/v1/messages?search=kazan&cursor=nonsense", HttpStatusCode.BadRequest);

        // Page by page, and in the archive only what lies there.
        var page = await SearchAsync(ann, "search=поезд&limit=1");
        Assert.Equal("Поезд в Казань отходит в девять.", Assert.Single(page.Items).Text("excerpt"));
        var rest = await SearchAsync(ann, $"search=поезд&limit=1&cursor={Uri.EscapeDataString(page.Next!)}");
        Assert.Equal("Когда поезд?", Assert.Single(rest.Items).Text("excerpt"));
        Assert.Empty((await SearchAsync(ann, "search=поезд&archived=true")).Items);
        using var archiving = new HttpRequestMessage(HttpMethod.Patch, $"/api/v1/conversations/{asked.Text("conversation_id")}") { Content = new StringContent("""{"archived":true}""", System.Text.Encoding.UTF8, "application/json") };
        archiving.Headers.TryAddWithoutValidation("If-Match", "*");
        using var archived = await ann.Client.SendAsync(archiving);
        Assert.Equal(HttpStatusCode.OK, archived.StatusCode);
        Assert.Equal(2, (await SearchAsync(ann, "search=поезд&archived=true")).Items.Count);
        Assert.Empty((await SearchAsync(ann, "search=поезд")).Items);
    }

    [DatabaseFact]
    public async Task One_search_reads_so_many_messages_and_goes_on_where_it_stopped()
    {
        await using var world = await ChatWorld.StartAsync(Script);
        using var ann = await world.App.AsAsync("ann");
        await FillAsync(world, ann, MessageSearch.MostRead, "hay");
        var newest = await SearchAsync(ann, "search=needle");
        Assert.Empty(newest.Items);
        Assert.NotNull(newest.Next);
        var older = await SearchAsync(ann, $"search=needle&cursor={Uri.EscapeDataString(newest.Next)}");
        Assert.Equal("The needle", Assert.Single(older.Items).Text("excerpt"));
        Assert.Null(older.Next);
    }

    [DatabaseFact]
    public async Task A_search_reads_no_further_than_the_page_that_it_fills_and_stops_when_nobody_waits()
    {
        await using var world = await ChatWorld.StartAsync(Script);
        using var ann = await world.App.AsAsync("ann");
        await FillAsync(world, ann, MessageSearch.Piece * 4, "hay");
        var database = new CountedLooks(world.App.Get<IDatabase>());
        var search = new MessageSearch(database);
        var first = await search.FindAsync(ann.Id, ["hay"], archived: false, limit: 20, before: null, CancellationToken.None);
        Assert.Equal((20, 1), (first.Hits.Count, database.Looks));
        var second = await search.FindAsync(ann.Id, ["HAY"], archived: false, limit: 20, first.Next, CancellationToken.None);
        Assert.Empty(first.Hits.Select(static h => h.MessageId).Intersect(second.Hits.Select(static h => h.MessageId)));
        Assert.Equal(2, database.Looks);
        Assert.Null((await search.FindAsync(ann.Id, ["needle"], archived: false, limit: 20, before: null, CancellationToken.None)).Next);
        Assert.InRange(database.Looks, 6, 7);

        using var left = new CancellationTokenSource();
        var before = database.Looks;
        database.OnLook = left.Cancel;
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => search.FindAsync(ann.Id, ["needle"], archived: false, limit: 20, before: null, left.Token));
        Assert.InRange(database.Looks - before, 1, 2);
    }

    [DatabaseFact]
    public async Task One_search_reads_so_many_letters_and_goes_on_where_it_stopped()
    {
        const int letters = 1_000_000;
        await using var world = await ChatWorld.StartAsync(Script);
        using var ann = await world.App.AsAsync("ann");
        await FillAsync(world, ann, (MessageSearch.MostLetters / letters) + 1, new string('x', letters));
        var newest = await SearchAsync(ann, "search=needle");
        Assert.Empty(newest.Items);
        Assert.NotNull(newest.Next);
        Assert.Equal("The needle", Assert.Single((await SearchAsync(ann, $"search=needle&cursor={Uri.EscapeDataString(newest.Next)}")).Items).Text("excerpt"));
    }

    [DatabaseFact]
    public async Task Searches_have_a_limit_of_their_own_and_other_reads_go_on()
    {
        await using var world = await ChatWorld.StartAsync(Script, configure: static o => o.Settings["Limits:Search"] = "2/1h");
        using var ann = await world.App.AsAsync("ann");
        await SearchAsync(ann, "search=needle");
        await SearchAsync(ann, "search=needles");
        using var refused = await ann.Client.GetAsync("/api/v1/messages?search=needle");
        var problem = await ProblemAssert.IsProblemAsync(refused, 429, "rate_limited");
        Assert.Equal(("requests_per_user_and_route", "2 in 3600 s"), (problem.Text("limit"), problem.Text("allowed")));
        Assert.InRange(refused.Headers.RetryAfter?.Delta?.TotalSeconds ?? 0, 1, 3_600);
        await ann.GetAsync("/api/v1/conversations");
        using var bob = await world.App.AsAsync("bob");
        await SearchAsync(bob, "search=needle");
    }

    /// <summary>Above a message "The needle", as many that are newer than it by a year.</summary>
    private static async Task FillAsync(ChatWorld world, TestUser user, int count, string content)
    {
        var conversation = (await user.PostAsync("/api/v1/chat", new { message = "The needle", team = "solo" })).Text("conversation_id");
        await world.App.Get<IDatabase>().WriteAsync(
            session => session.Prepared("""
                insert into messages (id, conversation_id, owner_id, branch_id, depth, role, content, status, created_at)
                with recursive n (i) as (select 1 union all select i + 1 from n where i < @most)
                select 'hay-' || cast(i as text), @conversation, @owner, @conversation, 9, 'user', @content, 'complete', @at + i from n
                """).Set("most", (long)count).Set("conversation", conversation).Set("owner", user.Id).Set("content", content).Set("at", session.Now.AddDays(365)).RunAsync(),
            CancellationToken.None);
    }

    private static async Task<(List<JsonElement> Items, string? Next)> SearchAsync(TestUser user, string query)
    {
        var page = await user.GetAsync($"/api/v1/messages?{query}");
        return ([.. page.GetProperty("items").EnumerateArray()], page.GetProperty("next_cursor").GetString());
    }

    private sealed class CountedLooks(IDatabase inner) : IDatabase
    {
        public int Looks { get; private set; }

        public Action? OnLook { get; set; }

        public DatabaseKind Kind => inner.Kind;

        public Task OpenAsync() => inner.OpenAsync();

        public Task<T> WriteAsync<T>(Func<DbSession, ValueTask<T>> work, CancellationToken cancellationToken) => inner.WriteAsync(work, cancellationToken);

        public Task<T> ReadAsync<T>(Func<DbSession, ValueTask<T>> work, CancellationToken cancellationToken) => inner.ReadAsync(work, cancellationToken);

        public async Task<T> LookAsync<T>(Func<DbSession, ValueTask<T>> work, CancellationToken cancellationToken)
        {
            Looks++;
            var found = await inner.LookAsync(work, cancellationToken);
            OnLook?.Invoke();
            return found;
        }
    }
}

/// <summary>Which part of a message is shown.</summary>
public sealed class MessageExcerptTests
{
    [Theory]
    [InlineData("one\ntwo needle three\nfour", "two needle three")]
    [InlineData("needle", "needle")]
    [InlineData("NEEDLE\n", "NEEDLE")]
    [InlineData("nothing", "nothing")]
    public void The_line_of_the_word_is_shown(string text, string excerpt) => Assert.Equal(excerpt, MessageSearch.ExcerptOf(text, "needle"));

    [Fact]
    public void A_long_line_is_cut_around_the_word_and_no_character_is_halved()
    {
        for (var shift = 0; shift < 4; shift++)
        {
            var excerpt = MessageSearch.ExcerptOf(new string('x', shift) + string.Concat(Enumerable.Repeat("😀", 200)) + "needle" + string.Concat(Enumerable.Repeat("😀", 200)), "needle");
            Assert.Contains("needle", excerpt, StringComparison.Ordinal);
            Assert.InRange(excerpt.Length, 100, 165);
            Assert.True(excerpt.StartsWith('…') && excerpt.EndsWith('…'));
            Assert.DoesNotContain(excerpt.EnumerateRunes(), static rune => rune.Value == 0xFFFD);
        }
    }
}
