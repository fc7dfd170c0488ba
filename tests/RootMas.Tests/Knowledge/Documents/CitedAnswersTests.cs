using System.Net;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using RootMas.LlmSimulator;
using RootMas.Runtime.Runs;
using RootMas.Server.Knowledge.Documents;
using RootMas.Server.Platform.Data;
using RootMas.Server.Runs;
using RootMas.Tests.Chat;
using RootMas.Tests.Support;

namespace RootMas.Tests.Knowledge.Documents;

public sealed class CitedAnswersOnSqliteTests() : CitedAnswersTests(DatabaseKind.Sqlite);

public sealed class CitedAnswersOnPostgresTests() : CitedAnswersTests(DatabaseKind.Postgres), IOnPostgres;

/// <summary>From a question over a document to an answer whose citations hold, and what is left of them when the document goes.</summary>
public abstract class CitedAnswersTests(DatabaseKind kind) : OnDatabase(kind)
{
    private const string Text = "# Leave\n\nEvery employee has 28 days of leave a year. It can be split.";

    [DatabaseFact]
    public async Task Without_a_key_a_question_about_an_attached_document_is_answered_with_its_words()
    {
        await using var app = await TestApp.StartAsync();
        using var ann = await app.AsAsync("ann");
        var document = await ann.UploadAsync("handbook.md", Text);
        await ann.UploadAsync("other.md", "The canteen closes at three.");
        var answer = await ann.PostAsync("/api/v1/chat", new { message = "How long is it?", team = "solo", attachments = new[] { document.Id() } });
        Assert.Contains("28 days of leave", answer.GetProperty("response").GetString(), StringComparison.Ordinal);
        var citation = Assert.Single(answer.GetProperty("metadata").GetProperty("citations").EnumerateArray());
        Assert.Equal((document.Id(), "handbook.md"), (citation.GetProperty("document_id").GetString(), citation.GetProperty("title").GetString()));
        Assert.Contains($"[{citation.GetProperty("id").GetString()}]", answer.GetProperty("response").GetString(), StringComparison.Ordinal);

        var messages = (await ann.GetAsync($"/api/v1/conversations/{answer.GetProperty("conversation_id").GetString()}/messages")).GetProperty("items").EnumerateArray().ToList();
        Assert.Equal(document.Id(), messages[0].GetProperty("attachments")[0].GetProperty("id").GetString());
        Assert.True(messages[1].GetProperty("tainted").GetBoolean());
        Assert.Contains("canteen", (await ann.PostAsync("/api/v1/chat", new { message = "What do my documents say about the canteen?", team = "solo" })).GetProperty("response").GetString(), StringComparison.Ordinal);
    }

    [DatabaseFact]
    public async Task Somebody_elses_document_cannot_be_attached()
    {
        await using var app = await TestApp.StartAsync();
        using var ann = await app.AsAsync("ann");
        using var bob = await app.AsAsync("bob");
        var document = await ann.UploadAsync("handbook.md", Text);
        foreach (var id in (string[])[document.Id(), "nonsense", Guid.CreateVersion7().ToString()])
        {
            var refused = await bob.PostAsync("/api/v1/chat", new { message = "Read it", attachments = new[] { id } }, HttpStatusCode.NotFound);
            Assert.Equal("document_not_found", refused.GetProperty("code").GetString());
        }

        Assert.Empty((await bob.GetAsync("/api/v1/conversations")).GetProperty("items").EnumerateArray());
        await bob.PostAsync("/api/v1/chat", new { message = "Read it", attachments = Enumerable.Repeat(document.Id(), 21) }, HttpStatusCode.BadRequest);
    }

    [DatabaseFact]
    public async Task An_invented_citation_is_dropped_in_every_view_of_the_answer()
    {
        await using var world = await WorldAsync("It is \\\"28 days of leave\\\" [{{group_1}}], and \\\"thirty days\\\" [kdeadbeef].");
        using var ann = await world.App.AsAsync("ann");
        var document = await ann.UploadAsync("handbook.md", Text);
        var answer = await ann.PostAsync("/api/v1/chat", new { message = "leave?", agent = "communicator" });
        var run = answer.GetProperty("run_id").GetString();
        var log = (await ann.GetAsync($"/api/v1/runs/{run}/events")).GetProperty("items").EnumerateArray().ToList();
        var dropped = Assert.Single(log, static e => e.GetProperty("type").GetString() == "citation.dropped");
        Assert.Equal(("kdeadbeef", "not_retrieved"), (dropped.GetProperty("citation_id").GetString(), dropped.GetProperty("reason").GetString()));
        foreach (var citations in (JsonElement[])[answer.GetProperty("metadata").GetProperty("citations"), log.Single(static e => e.GetProperty("type").GetString() == "message.completed").GetProperty("citations")])
        {
            var citation = Assert.Single(citations.EnumerateArray());
            Assert.Equal((document.Id(), "28 days of leave"), (citation.GetProperty("document_id").GetString(), citation.GetProperty("excerpt").GetString()));
            var there = await ann.GetAsync($"/api/v1/documents/{document.Id()}/text?start={citation.GetProperty("start")}&end={citation.GetProperty("end")}");
            Assert.Equal("28 days of leave", there.GetProperty("text").GetString());
        }
    }

    /// <summary>Offsets are those of the text that was read out of the file, whatever stood around it there.</summary>
    [DatabaseTheory]
    [InlineData("handbook.docx", "docx")]
    [InlineData("handbook.html", "html")]
    public async Task A_citation_of_a_file_with_markup_points_to_its_words_in_the_text(string name, string kind)
    {
        await using var world = await WorldAsync("It is \\\"28 days & a half\\\" [{{group_1}}].");
        using var ann = await world.App.AsAsync("ann");
        var content = kind == "docx"
            ? SampleFiles.Docx("# Handbook", "Приветствие 🙂 <nobody> & all.", "---", "## Leave", "Every employee has 28 days & a half of leave a year.", "It can be split.")
            : Encoding.UTF8.GetBytes("<!doctype html><html><head><title>Handbook</title><style>p { color: red }</style></head><body><h1>Handbook</h1><p>Приветствие &#x1F642; &lt;nobody&gt; &amp; all.</p><!-- 28 days &amp; a half --><h2>Leave</h2><p>Every <b>employee</b>\n   has 28 <i>days</i> &amp; a&nbsp;half of leave a year.</p><p>It can be split.</p></body></html>");
        var document = await ann.UploadAsync(name, content);
        Assert.Equal(kind, document.GetProperty("kind").GetString());
        var answer = await ann.PostAsync("/api/v1/chat", new { message = "leave?", agent = "communicator" });
        var citation = Assert.Single(answer.GetProperty("metadata").GetProperty("citations").EnumerateArray());
        Assert.Equal((document.Id(), name), (citation.GetProperty("document_id").GetString(), citation.GetProperty("title").GetString()));
        var (start, end) = (citation.GetProperty("start").GetInt32(), citation.GetProperty("end").GetInt32());
        var there = (await ann.GetAsync($"/api/v1/documents/{document.Id()}/text?start={start}&end={end}")).GetProperty("text").GetString()!;
        Assert.Equal("28 days & a half", there.Replace('\u00A0', ' '));
        Assert.Equal(there, citation.GetProperty("excerpt").GetString());
        Assert.Equal(there, (await ann.GetAsync($"/api/v1/documents/{document.Id()}/text")).GetProperty("text").GetString()![start..end]);
    }

    [DatabaseFact]
    public async Task What_may_no_longer_be_read_when_the_answer_is_done_is_not_cited()
    {
        await using var world = await WorldAsync("It is \\\"28 days of leave\\\" [{{group_1}}].");
        using var ann = await world.App.AsAsync("ann");
        using var bob = await world.App.AsAsync("bob");
        var shared = (await ann.PostAsync("/api/v1/collections", new { name = "shared" }, HttpStatusCode.Created)).Id();
        await ann.UploadAsync("handbook.md", Text, $"&collection={shared}");
        using (await ann.Client.PutAsJsonAsync($"/api/v1/collections/{shared}/members/{bob.Id}", new { may_write = false }))
        {
            var hold = world.Sim.Hold(new HoldSpec { Call = 2 });
            var asking = bob.PostAsync("/api/v1/chat", new { message = "leave?", agent = "communicator" });
            await hold.Reached.WaitAsync(TimeSpan.FromSeconds(60)); // he was given the passage, and is no longer to see it
            Assert.Equal(HttpStatusCode.NoContent, await ann.DeleteAsync($"/api/v1/collections/{shared}/members/{bob.Id}"));
            hold.Release();
            var answer = await asking;
            Assert.Empty(answer.GetProperty("metadata").GetProperty("citations").EnumerateArray());
            var log = (await bob.GetAsync($"/api/v1/runs/{answer.GetProperty("run_id").GetString()}/events")).GetProperty("items").EnumerateArray();
            Assert.Equal("not_accessible", Assert.Single(log, static e => e.GetProperty("type").GetString() == "citation.dropped").GetProperty("reason").GetString());
        }
    }

    [DatabaseFact]
    public async Task When_a_document_is_deleted_its_words_leave_the_citations_of_earlier_answers()
    {
        await using var world = await WorldAsync("\\\"28 days of leave\\\" [{{group_1}}]");
        using var ann = await world.App.AsAsync("ann");
        var document = await ann.UploadAsync("handbook.md", Text);
        var conversation = (await ann.PostAsync("/api/v1/chat", new { message = "leave?", agent = "communicator" })).GetProperty("conversation_id").GetString();
        async Task<string> PagesAsync() => (await ann.GetAsync($"/api/v1/conversations/{conversation}/messages/pages")).GetRawText();
        var pages = await PagesAsync();
        Assert.Equal(HttpStatusCode.NoContent, await ann.DeleteAsync($"/api/v1/documents/{document.Id()}"));
        var database = world.App.Get<IDatabase>();
        await TestCluster.UntilAsync(async () => await database.ReadAsync(static s => s.Prepared("select count(*) from outbox").Int64Async(), default) == 0, "the deletion is told to the chat");

        var answer = (await ann.GetAsync($"/api/v1/conversations/{conversation}/messages")).GetProperty("items").EnumerateArray().Last();
        var citation = Assert.Single(answer.GetProperty("citations").EnumerateArray());
        Assert.Equal(document.Id(), citation.GetProperty("document_id").GetString());
        Assert.False(citation.TryGetProperty("excerpt", out var excerpt) && excerpt.ValueKind == JsonValueKind.String);
        Assert.NotEqual(pages, await PagesAsync()); // whoever has read the conversation is told
    }

    [DatabaseFact]
    public async Task When_a_document_is_deleted_no_run_of_a_tree_tells_its_words_any_more_in_page_stream_list_or_retry()
    {
        await using var world = await WorldAsync("\\\"28 days of leave\\\" [{{group_1}}]");
        using var ann = await world.App.AsAsync("ann");
        var document = await ann.UploadAsync("handbook.md", Text);
        var run = (await ann.PostAsync("/api/v1/chat", new { message = "ask the specialist" })).GetProperty("run_id").GetString()!;
        var child = (await ann.GetAsync($"/api/v1/runs/{run}?tree=1")).GetProperty("children")[0].Id();
        async Task<string[]> ToldAsync() =>
        [
            (await ann.GetAsync($"/api/v1/runs/{run}/events")).GetRawText(), await StreamAsync(ann, run), (await ann.GetAsync($"/api/v1/runs/{child}/events")).GetRawText(), await StreamAsync(ann, child),
            (await ann.GetAsync($"/api/v1/runs/{run}?tree=1")).GetRawText(), (await ann.GetAsync("/api/v1/runs")).GetRawText(),
        ];
        Assert.All((await ToldAsync())[..5], static told => Assert.Contains("It can be split", told, StringComparison.Ordinal)); // in the passage, and in nothing that was answered
        Assert.All(await ToldAsync(), static told => Assert.Contains("handbook.md", told, StringComparison.Ordinal));

        Assert.Equal(HttpStatusCode.NoContent, await ann.DeleteAsync($"/api/v1/documents/{document.Id()}"));
        Assert.All(await ToldAsync(), static told => Assert.DoesNotContain("It can be split", told, StringComparison.Ordinal));
        Assert.All(await ToldAsync(), static told => Assert.DoesNotContain("handbook.md", told, StringComparison.Ordinal));
        Assert.All((await ToldAsync())[2..4], static told => Assert.Contains(DeletedSources.Notice, told, StringComparison.Ordinal));
        var citation = Assert.Single((await ann.GetAsync($"/api/v1/runs/{run}")).GetProperty("answer").GetProperty("citations").EnumerateArray());
        Assert.Equal((document.Id(), JsonValueKind.Null, JsonValueKind.Null), (citation.GetProperty("document_id").GetString(), citation.GetProperty("excerpt").ValueKind, citation.GetProperty("title").ValueKind));
    }

    [DatabaseFact]
    public async Task A_summary_of_what_was_shortened_away_is_hidden_once_a_document_that_it_may_retell_is_deleted()
    {
        await using var app = await TestApp.StartAsync();
        using var ann = await app.AsAsync("ann");
        var (gone, stays) = ((await ann.UploadAsync("handbook.md", Text)).Id(), (await ann.UploadAsync("other.md", "The canteen closes at three.")).Id());
        RunEvent[] log = [Reduced(gone, stays), Reduced(stays), Summary(gone), Summary(stays), Summary()];
        async Task<string[]> ToldAsync(IReadOnlyList<RunEvent> events) =>
        [
            .. (await app.Get<IDatabase>().ReadAsync(session => DeletedSources.HideAsync(session, events), default)).Select(TextOf), // a retry
            .. (await app.Get<IDatabase>().ReadAsync(session => DeletedSources.HideAsync(session, events.Select(Stored).ToList()), default)).Select(static e => TextOf(RunJson.DeserializeEvent(e.Json.Span))), // a page
        ];
        Assert.All(await ToldAsync(log), static told => Assert.Equal("28 days", told));
        Assert.Equal(HttpStatusCode.NoContent, await ann.DeleteAsync($"/api/v1/documents/{gone}"));
        string[] left = [DeletedSources.Notice, "28 days", DeletedSources.Notice, "28 days", "28 days"];
        Assert.Equal(left.Concat(left), await ToldAsync(log));

        static RunEvent Reduced(params string[] documents) => new ContextReduced(1, 0, 100, 10, "28 days") { Documents = documents };
        static RunEvent Summary(params string[] documents) =>
            new ModelCompleted("m", "28 days", [], "m", "cheap", TokenUsage.None, Money.Zero, 1, 1, "stop") { Documents = documents.Length == 0 ? null : documents };
        static StoredEvent Stored(RunEvent e) => new(1, e is ContextReduced ? "context.reduced" : "model.completed", RunJson.Serialize(e));
        static string TextOf(RunEvent e) => e is ContextReduced reduced ? reduced.Summary : ((ModelCompleted)e).Text;
    }

    [DatabaseFact]
    public async Task A_repeated_run_takes_over_nothing_that_a_deleted_document_said()
    {
        await using var world = await WorldAsync("\\\"28 days of leave\\\" [{{group_1}}]");
        using var ann = await world.App.AsAsync("ann");
        var document = await ann.UploadAsync("handbook.md", Text);
        var run = (await ann.PostAsync("/api/v1/chat", new { message = "leave?", agent = "communicator" })).GetProperty("run_id").GetString()!;
        var looked = (await ann.GetAsync($"/api/v1/runs/{run}/events")).GetProperty("items").EnumerateArray().Single(static e => e.GetProperty("type").GetString() == "tool.completed").GetProperty("seq").GetInt64();
        Assert.Equal(HttpStatusCode.NoContent, await ann.DeleteAsync($"/api/v1/documents/{document.Id()}"));
        var retry = (await ann.PostAsync($"/api/v1/runs/{run}/retry", new { from_seq = looked + 1 }, HttpStatusCode.Accepted)).Id();
        await Wait.UntilAsync(async id => (await ann.GetAsync($"/api/v1/runs/{id}")).GetProperty("status").GetString() == "completed", retry, "the repeated run did not end");
        var asked = world.Sim.Calls[^1].Body!;
        Assert.Contains("What it said is not shown any more", asked, StringComparison.Ordinal);
        Assert.DoesNotContain("It can be split", asked, StringComparison.Ordinal);
    }

    [DatabaseFact]
    public async Task A_run_goes_on_with_what_it_has_read_of_a_document_that_is_deleted_meanwhile()
    {
        await using var world = await WorldAsync("\\\"28 days of leave\\\" [{{group_1}}]");
        using var ann = await world.App.AsAsync("ann");
        var document = await ann.UploadAsync("handbook.md", Text);
        var hold = world.Sim.Hold(new HoldSpec { Call = 2 });
        var asking = ann.PostAsync("/api/v1/chat", new { message = "leave?", agent = "communicator" });
        await hold.Reached.WaitAsync(TimeSpan.FromSeconds(60));
        var run = (await ann.GetAsync("/api/v1/runs")).GetProperty("items")[0].Id();
        Assert.Contains("It can be split", (await ann.GetAsync($"/api/v1/runs/{run}/events")).GetRawText(), StringComparison.Ordinal);
        Assert.Equal(HttpStatusCode.NoContent, await ann.DeleteAsync($"/api/v1/documents/{document.Id()}"));
        Assert.DoesNotContain("It can be split", (await ann.GetAsync($"/api/v1/runs/{run}/events")).GetRawText(), StringComparison.Ordinal);
        hold.Release();
        var answer = await asking;
        Assert.Contains("28 days of leave", answer.GetProperty("response").GetString(), StringComparison.Ordinal);
        Assert.Empty(answer.GetProperty("metadata").GetProperty("citations").EnumerateArray());
    }

    [DatabaseFact]
    public async Task A_document_deleted_between_the_check_of_an_answer_and_its_commit_leaves_no_words_in_the_message()
    {
        Func<Task> delete = static () => Task.CompletedTask;
        await using var world = await WorldAsync("\\\"28 days of leave\\\" [{{group_1}}]", o => o.Services = services =>
            services.AddSingleton<ICitedDocuments>(p => new LateDeletion(new CitedDocuments(p.GetRequiredService<DocumentStore>()), () => delete())));
        using var ann = await world.App.AsAsync("ann");
        var document = await ann.UploadAsync("handbook.md", Text);
        var database = world.App.Get<IDatabase>();
        delete = async () =>
        {
            delete = static () => Task.CompletedTask;
            Assert.Equal(HttpStatusCode.NoContent, await ann.DeleteAsync($"/api/v1/documents/{document.Id()}"));
            await TestCluster.UntilAsync(async () => await database.ReadAsync(static s => s.Prepared("select count(*) from outbox").Int64Async(), default) == 0, "the deletion is told to the chat");
        };
        var conversation = (await ann.PostAsync("/api/v1/chat", new { message = "leave?", agent = "communicator" })).GetProperty("conversation_id").GetString();
        var citation = Assert.Single((await ann.GetAsync($"/api/v1/conversations/{conversation}/messages")).GetProperty("items").EnumerateArray().Last().GetProperty("citations").EnumerateArray());
        Assert.Equal(document.Id(), citation.GetProperty("document_id").GetString());
        Assert.DoesNotContain("28 days", citation.GetRawText(), StringComparison.Ordinal);
        Assert.DoesNotContain("handbook", citation.GetRawText(), StringComparison.Ordinal);
    }

    /// <summary>Something happens right after an answer's documents were found to be there.</summary>
    private sealed class LateDeletion(ICitedDocuments documents, Func<Task> happens) : ICitedDocuments
    {
        public async ValueTask<IReadOnlySet<string>> ReadableAsync(NewRun run, IReadOnlyCollection<string> documentIds, CancellationToken cancellationToken)
        {
            var readable = await documents.ReadableAsync(run, documentIds, cancellationToken);
            await happens();
            return readable;
        }
    }

    [DatabaseFact]
    public async Task Of_a_long_passage_that_is_cited_without_a_quotation_the_first_400_characters_are_shown()
    {
        await using var world = await WorldAsync("It is in there [{{group_1}}].");
        using var ann = await world.App.AsAsync("ann");
        var text = "Everybody has leave. " + new string('x', 378) + "\U0001F30D and whatever else there is to say about it."; // the 400th character is the first half of a globe
        await ann.UploadAsync("handbook.txt", text);
        var answer = await ann.PostAsync("/api/v1/chat", new { message = "leave?", agent = "communicator" });
        var citation = Assert.Single(answer.GetProperty("metadata").GetProperty("citations").EnumerateArray());
        Assert.Equal(text[..399], citation.GetProperty("excerpt").GetString());
    }

    private static async Task<string> StreamAsync(TestUser user, string run)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, $"/api/v1/runs/{run}/events?after=0");
        request.Headers.Accept.ParseAdd("text/event-stream");
        using var response = await user.Client.SendAsync(request);
        return await response.Content.ReadAsStringAsync();
    }

    /// <summary>The model looks, then says this; group_1 is the mark that it was given.</summary>
    private static Task<ChatWorld> WorldAsync(string answer, Action<TestAppOptions>? configure = null) => ChatWorld.StartAsync($$$"""
        rules:
          - match: { agent: communicator, last_role: user, last_user: "specialist" }
            answer: { tool_calls: [ { name: delegate, arguments: { agent: researcher, task: "leave?" } } ] }
          - match: { last_role: tool, last_message_regex: "\\[(k[0-9a-f]{8})\\]" }
            answer: { text: "{{{answer}}}" }
          - match: { last_role: user, last_user: "leave?" }
            answer: { tool_calls: [ { name: knowledge_search, arguments: { query: "leave", count: 3 } } ] }
        """, configure: configure);
}
