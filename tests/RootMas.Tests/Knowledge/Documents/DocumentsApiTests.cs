using System.Net;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using RootMas.Server.Knowledge.Documents;
using RootMas.Server.Knowledge.Documents.Indexing;
using RootMas.Server.Knowledge.Documents.Search;
using RootMas.Server.Platform.Data;
using RootMas.Tests.Support;

namespace RootMas.Tests.Knowledge.Documents;

public sealed class DocumentsOnSqliteTests() : DocumentsApiTests(DatabaseKind.Sqlite);

public sealed class DocumentsOnPostgresTests() : DocumentsApiTests(DatabaseKind.Postgres), IOnPostgres;

/// <summary>Documents from upload to deletion, on both databases.</summary>
[Covers(typeof(DocumentStore), typeof(CollectionStore), typeof(IndexStore), typeof(PassageStore))]
public abstract class DocumentsApiTests(DatabaseKind kind) : OnDatabase(kind)
{
    private const string Handbook = """
        # Handbook

        ## Leave

        Every employee has 28 days of leave a year. Requests go to the team lead two weeks before.

        ## Travel

        Flights are booked by the office. A train ride in second class is paid in full.
        """;

    private const string Russian = """
        # Устав

        ## Отпуск

        Сотруднику положено двадцать восемь дней отпуска. Перенос отпусков согласует руководитель.

        ## Командировки

        Суточные в командировке составляют семьсот рублей. Билеты на поезд оплачиваются полностью.
        """;

    [DatabaseFact]
    public async Task An_uploaded_document_is_found_in_both_languages_with_its_place()
    {
        await using var app = await TestApp.StartAsync();
        using var ann = await app.AsAsync("ann");
        using var form = new MultipartFormDataContent { { new ByteArrayContent(Encoding.UTF8.GetBytes(Handbook)), "file", "handbook.md" } };
        var uploaded = await TestUser.JsonAsync(await ann.Client.PostAsync("/api/v1/documents", form), HttpStatusCode.Created);
        Assert.Equal(("markdown", "ready", "handbook.md"), (uploaded.GetProperty("kind").GetString(), uploaded.GetProperty("status").GetString(), uploaded.GetProperty("name").GetString()));
        await ann.UploadAsync("устав.md", Russian);
        await ann.UploadAsync("contract.docx", SampleFiles.Docx("# Договор", "Стороны заключили договор аренды.", "---", "# Оплата", "Арендная плата вносится до пятого числа."));

        foreach (var (question, title, words) in ((string, string, string)[])[("How many days of leaves do employees have?", "handbook.md", "28 days of leave"), ("сколько дней отпусков положено сотрудникам", "устав.md", "двадцать восемь дней отпуска"), ("Когда вносят арендную плату?", "contract.docx", "до пятого числа")])
        {
            var best = (await ann.SearchAsync(question))[0];
            Assert.Equal(title, best.GetProperty("title").GetString());
            Assert.Contains(words, best.GetProperty("text").GetString(), StringComparison.Ordinal);
            var (start, end) = (best.GetProperty("start").GetInt32(), best.GetProperty("end").GetInt32());
            var there = await ann.GetAsync($"/api/v1/documents/{best.GetProperty("document_id").GetString()}/text?start={start}&end={end}");
            Assert.Equal(best.GetProperty("text").GetString(), there.GetProperty("text").GetString());
        }

        Assert.Equal(2, (await ann.SearchAsync("арендная плата"))[0].GetProperty("page").GetInt32());
        Assert.Equal("Handbook › Travel", (await ann.SearchAsync("flights office"))[0].GetProperty("heading").GetString());
        Assert.All(await ann.SearchAsync("отпуск leave", new { kinds = new[] { "docx" } }), static p => Assert.Equal("contract.docx", p.GetProperty("title").GetString()));
        Assert.All(await ann.SearchAsync("leave отпуск", new { documents = new[] { uploaded.Id() } }), p => Assert.Equal(uploaded.Id(), p.GetProperty("document_id").GetString()));
        Assert.Empty(await ann.SearchAsync("?!"));
    }

    [DatabaseFact]
    public async Task The_same_name_replaces_and_the_same_bytes_are_one_document()
    {
        await using var app = await TestApp.StartAsync();
        using var ann = await app.AsAsync("ann");
        var versions = app.Get<IKnowledgeVersion>();
        var empty = await versions.OfAsync(ann.Id, default);
        var first = await ann.UploadAsync("price.txt", "The price is seventy roubles.");
        var before = await versions.OfAsync(ann.Id, default);
        Assert.NotEqual(empty, before);
        Assert.Equal(first.Id(), (await ann.UploadAsync("price.txt", "The price is seventy roubles.", status: HttpStatusCode.OK)).Id());
        Assert.Equal(before, await versions.OfAsync(ann.Id, default));

        Assert.Equal(first.Id(), (await ann.UploadAsync("price.txt", "The price is ninety roubles.")).Id());
        Assert.NotEqual(before, await versions.OfAsync(ann.Id, default));
        var found = await ann.SearchAsync("price roubles");
        Assert.Equal("The price is ninety roubles.", Assert.Single(found).GetProperty("text").GetString());

        Assert.Equal("cost.txt", (await ann.UploadAsync("cost.txt", "The price is ninety roubles.", status: HttpStatusCode.OK)).GetProperty("name").GetString());
        Assert.Single((await ann.GetAsync("/api/v1/documents")).GetProperty("items").EnumerateArray());

        // What cannot be read does not take away what was there.
        using var broken = await ann.Client.PostAsync("/api/v1/documents?name=cost.txt", new ByteArrayContent(SampleFiles.Zip(("a", "b"))));
        Assert.Equal(HttpStatusCode.UnprocessableEntity, broken.StatusCode);
        Assert.Single(await ann.SearchAsync("price roubles"));
    }

    [DatabaseFact]
    public async Task A_document_with_a_new_name_is_found_by_that_and_no_longer_by_the_old_one()
    {
        await using var app = await TestApp.StartAsync();
        using var ann = await app.AsAsync("ann");
        var first = await ann.UploadAsync("alpha.txt", "The price is seventy roubles.");
        Assert.Single(await ann.SearchAsync("alpha"));
        await ann.UploadAsync("omega.txt", "The price is seventy roubles.", status: HttpStatusCode.OK);
        Assert.Equal(first.Id(), Assert.Single(await ann.SearchAsync("omega")).GetProperty("document_id").GetString());
        Assert.Empty(await ann.SearchAsync("alpha"));
        Assert.Single(await ann.SearchAsync("roubles"));
    }

    [DatabaseFact]
    public async Task A_file_that_is_to_replace_nothing_gets_a_number_after_its_name()
    {
        await using var app = await TestApp.StartAsync();
        using var ann = await app.AsAsync("ann");
        var first = await ann.UploadAsync("price.txt", "The price is seventy roubles.");
        var second = await ann.UploadAsync("price.txt", "The price is ninety roubles.", "&replace=false");
        var third = await ann.UploadAsync("price.txt", "The price is a hundred roubles.", "&replace=false");
        Assert.Equal(("price (2).txt", "price (3).txt"), (second.GetProperty("name").GetString(), third.GetProperty("name").GetString()));
        Assert.Equal(3, ((string[])[first.Id(), second.Id(), third.Id()]).Distinct().Count());
        Assert.Equal(3, (await ann.SearchAsync("price roubles")).Count);

        // The same bytes are still one document, under the name that it has.
        var again = await ann.UploadAsync("offer.txt", "The price is ninety roubles.", "&replace=false", HttpStatusCode.OK);
        Assert.Equal((second.Id(), "price (2).txt"), (again.Id(), again.GetProperty("name").GetString()));

        var longest = await ann.UploadAsync(new string('n', 300) + ".txt", "One.", "&replace=false");
        var numbered = await ann.UploadAsync(new string('n', 300) + ".txt", "Two.", "&replace=false");
        Assert.Equal(200, longest.GetProperty("name").GetString()!.Length);
        Assert.EndsWith("n (2).txt", numbered.GetProperty("name").GetString(), StringComparison.Ordinal);
        Assert.Equal(200, numbered.GetProperty("name").GetString()!.Length);
        // An ending as long as the name is none.
        var dotted = "a." + new string('x', 198);
        await ann.UploadAsync(dotted, "Three.", "&replace=false");
        var beside = (await ann.UploadAsync(dotted, "Four.", "&replace=false")).GetProperty("name").GetString()!;
        Assert.Equal((200, true), (beside.Length, beside.EndsWith("x (2)", StringComparison.Ordinal)));
        await TestUser.JsonAsync(await ann.Client.PostAsync("/api/v1/documents?name=a.txt&replace=perhaps", new StringContent("A")), HttpStatusCode.BadRequest);
    }

    [DatabaseFact]
    public async Task The_limits_say_what_a_file_may_be_and_a_larger_one_is_refused()
    {
        await using var app = await TestApp.StartAsync(static o =>
        {
            o.Settings["Knowledge:Documents:MaxFileMegabytes"] = "1";
            o.Settings["Knowledge:Documents:PdfProgram"] = "/nowhere/pdftotext";
        });
        using var ann = await app.AsAsync("ann");
        var limits = await ann.GetAsync("/api/v1/documents/limits");
        Assert.Equal(1_048_576, limits.GetProperty("max_file_bytes").GetInt64());
        Assert.Equal(["text", "markdown", "html", "csv", "json", "code", "docx"], limits.GetProperty("kinds").EnumerateArray().Select(static k => k.GetString()!));
        await ann.UploadAsync("exact.txt", new string('a', 1_048_576));
        var refused = await ann.UploadAsync("large.txt", new string('a', 1_048_577), status: HttpStatusCode.RequestEntityTooLarge);
        Assert.Equal("body_too_large", refused.GetProperty("code").GetString());
    }

    [DatabaseFact]
    public async Task A_message_keeps_the_documents_that_it_brings_and_brings_none_of_somebody_else()
    {
        await using var app = await TestApp.StartAsync();
        using var ann = await app.AsAsync("ann");
        using var bob = await app.AsAsync("bob");
        var document = await ann.UploadAsync("handbook.md", Handbook);
        var answer = await ann.PostAsync("/api/v1/chat", new { message = "How many days of leave are there?", team = "solo", attachments = new[] { document.Id() } });
        var messages = (await ann.GetAsync($"/api/v1/conversations/{answer.GetProperty("conversation_id").GetString()}/messages")).GetProperty("items").EnumerateArray().ToList();
        var attached = Assert.Single(messages[0].GetProperty("attachments").EnumerateArray());
        Assert.Equal((document.Id(), "handbook.md"), (attached.Id(), attached.GetProperty("name").GetString()));
        Assert.Equal(document.Id(), messages[1].GetProperty("citations")[0].GetProperty("document_id").GetString());

        var begun = await bob.PostAsync("/api/v1/conversations", new { }, HttpStatusCode.Created);
        var refused = await bob.PostAsync($"/api/v1/conversations/{begun.Id()}/runs", new { message = "Read it", attachments = new[] { document.Id() } }, HttpStatusCode.NotFound);
        Assert.Equal("document_not_found", refused.GetProperty("code").GetString());
        Assert.Empty((await bob.GetAsync($"/api/v1/conversations/{begun.Id()}/messages")).GetProperty("items").EnumerateArray());
    }

    [DatabaseFact]
    public async Task A_deleted_document_leaves_no_text_no_chunk_and_no_word()
    {
        await using var app = await TestApp.StartAsync();
        using var ann = await app.AsAsync("ann");
        var document = await ann.UploadAsync("secret.txt", "The treasure lies under the old oak.");
        await ann.UploadAsync("other.txt", "An old oak stands in the garden.");
        Assert.Equal(HttpStatusCode.NoContent, await ann.DeleteAsync($"/api/v1/documents/{document.Id()}"));
        Assert.Equal(HttpStatusCode.NotFound, await ann.DeleteAsync($"/api/v1/documents/{document.Id()}"));
        await ann.GetAsync($"/api/v1/documents/{document.Id()}", HttpStatusCode.NotFound);
        await ann.GetAsync($"/api/v1/documents/{document.Id()}/text", HttpStatusCode.NotFound);
        Assert.Equal("other.txt", Assert.Single(await ann.SearchAsync("treasure under the old oak")).GetProperty("title").GetString());
        Assert.Equal("1, 1, 1, 0, 1, 1", await CountsAsync(app));

        var collection = (await ann.GetAsync("/api/v1/collections")).GetProperty("items")[0].Id();
        using var read = await ann.Client.GetAsync($"/api/v1/collections/{collection}");
        Assert.Equal(HttpStatusCode.NoContent, await ann.DeleteAsync($"/api/v1/collections/{collection}", read.Headers.ETag!.ToString()));
        Assert.Equal("0, 0, 0, 0, 0, 0", await CountsAsync(app));
    }

    [DatabaseFact]
    public async Task A_collection_is_its_owners_until_others_are_let_in()
    {
        await using var app = await TestApp.StartAsync();
        using var ann = await app.AsAsync("ann");
        using var bob = await app.AsAsync("bob");
        using var root = await app.AsAsync("root", "admin");
        var collection = (await ann.PostAsync("/api/v1/collections", new { name = "Plans" }, HttpStatusCode.Created)).Id();
        await ann.PostAsync("/api/v1/collections", new { name = "Plans" }, HttpStatusCode.Conflict);
        var document = await ann.UploadAsync("plan.txt", "The launch is in October.", $"&collection={collection}");
        async Task<int> SeenAsync(TestUser user) => (await user.SearchAsync("launch October")).Count;

        Assert.Equal((1, 0, 0), (await SeenAsync(ann), await SeenAsync(bob), await SeenAsync(root)));
        await bob.GetAsync($"/api/v1/documents/{document.Id()}", HttpStatusCode.NotFound);
        await bob.GetAsync($"/api/v1/collections/{collection}", HttpStatusCode.NotFound);
        await bob.UploadAsync("x.txt", "x", $"&collection={collection}", HttpStatusCode.NotFound);

        var version = app.Get<IKnowledgeVersion>();
        var before = await version.OfAsync(bob.Id, default);
        Assert.Equal(HttpStatusCode.NoContent, await ShareAsync(ann, collection, bob.Id, write: false));
        Assert.NotEqual(before, await version.OfAsync(bob.Id, default));
        Assert.Equal(1, await SeenAsync(bob));
        await bob.UploadAsync("x.txt", "x", $"&collection={collection}", HttpStatusCode.NotFound);
        Assert.Equal(HttpStatusCode.NotFound, await bob.DeleteAsync($"/api/v1/documents/{document.Id()}"));
        Assert.Equal(HttpStatusCode.NotFound, await ShareAsync(bob, collection, root.Id, write: true));
        await ShareAsync(ann, collection, bob.Id, write: true);
        await bob.UploadAsync("bobs.txt", "Bob adds that the launch in October is uncertain.", $"&collection={collection}");
        Assert.Equal(2, await SeenAsync(ann));
        Assert.Equal(HttpStatusCode.NoContent, await ann.DeleteAsync($"/api/v1/collections/{collection}/members/{bob.Id}"));
        Assert.Equal(0, await SeenAsync(bob));

        Assert.Equal(HttpStatusCode.Forbidden, await ShareAsync(ann, collection, "*", write: false));
        Assert.Equal(HttpStatusCode.BadRequest, await ShareAsync(ann, collection, "nobody", write: false));
        var open = (await root.PostAsync("/api/v1/collections", new { name = "For all" }, HttpStatusCode.Created)).Id();
        await root.UploadAsync("rules.txt", "Nobody smokes in the server room.", $"&collection={open}");
        Assert.Equal(HttpStatusCode.NoContent, await ShareAsync(root, open, "*", write: false));
        Assert.Single(await bob.SearchAsync("smoking server room smokes"));
        Assert.Equal(["collection.share", "collection.share", "collection.unshare", "collection.share"], (await app.AuditAsync()).Where(static r => r.Action.StartsWith("collection.", StringComparison.Ordinal)).Select(static r => r.Action));
    }

    [DatabaseFact]
    public async Task Somebody_is_let_in_by_name_and_a_name_tells_no_more_than_an_id()
    {
        await using var app = await TestApp.StartAsync();
        using var ann = await app.AsAsync("ann");
        using var bob = await app.AsAsync("bob");
        var collection = (await ann.PostAsync("/api/v1/collections", new { name = "Plans" }, HttpStatusCode.Created)).Id();
        Assert.Equal(HttpStatusCode.NoContent, await ShareAsync(ann, collection, "BOB?by_name=true", write: false));
        Assert.Equal(HttpStatusCode.NoContent, await ShareAsync(ann, collection, $"{bob.Id}?by_name=false", write: true));
        var member = Assert.Single((await ann.GetAsync($"/api/v1/collections/{collection}")).GetProperty("members").EnumerateArray());
        Assert.Equal((bob.Id, "bob", true), (member.GetProperty("user_id").GetString(), member.GetProperty("username").GetString(), member.GetProperty("may_write").GetBoolean()));
        Assert.Empty((await bob.GetAsync($"/api/v1/collections/{collection}")).GetProperty("members").EnumerateArray());

        // Somebody else's collection is not there, whether the name is or not; and what is no name is refused like what is no id.
        Assert.Equal(HttpStatusCode.NotFound, await ShareAsync(bob, collection, "ann?by_name=true", write: true));
        Assert.Equal(HttpStatusCode.NotFound, await ShareAsync(bob, collection, "nobody?by_name=true", write: true));
        var refused = new List<string>();
        foreach (var subject in (string[])["nobody", "nobody?by_name=true", $"{bob.Id}?by_name=true", "*?by_name=true"])
        {
            using var answer = await ann.Client.PutAsJsonAsync($"/api/v1/collections/{collection}/members/{subject}", new { may_write = false });
            refused.Add((await TestUser.JsonAsync(answer, HttpStatusCode.BadRequest)).GetProperty("errors").GetRawText());
        }

        Assert.Single(refused.Distinct());
        Assert.Equal([bob.Id, bob.Id], (await app.AuditAsync()).Where(static r => r.Action == "collection.share" && r.Outcome == "done").Select(static r => JsonElement.Parse(r.After!).GetProperty("user_id").GetString()!));
    }

    [DatabaseFact]
    public async Task Files_that_cannot_be_read_are_refused_with_the_reason_and_harm_nothing()
    {
        await using var app = await TestApp.StartAsync(static o => o.Settings["Knowledge:Documents:MaxFileMegabytes"] = "1");
        using var ann = await app.AsAsync("ann");
        (string Code, byte[] Content)[] bad =
        [
            ("document_empty", []), ("document_empty", " \n "u8.ToArray()), ("document_type_unknown", [0x7F, 0x45, 0x4C, 0x46, 0, 0, 1]), ("document_type_unknown", SampleFiles.Zip(("a.txt", "b"))),
            ("document_unreadable", SampleFiles.Docx("x")[..60]), ("document_too_large", SampleFiles.ZipBomb(200_000_000)),
        ];
        foreach (var (code, content) in bad)
        {
            var refused = await ann.UploadAsync($"bad-{content.Length}.docx", content, status: HttpStatusCode.UnprocessableEntity);
            Assert.Equal(code, refused.GetProperty("code").GetString());
        }

        // Who still sends is answered, too.
        for (var i = 0; i < 10; i++)
        {
            using var huge = await ann.Client.PostAsync("/api/v1/documents?name=huge.txt", new ByteArrayContent(new byte[3_000_000]));
            Assert.Equal(HttpStatusCode.RequestEntityTooLarge, huge.StatusCode);
        }

        foreach (var (type, body) in ((string, string)[])[("multipart/form-data", "x"), ("multipart/form-data; boundary=b", "x"), ("multipart/form-data; boundary=b", "--b\r\nContent-Disposition: form-data; name=\"evil\"\r\n\r\nx\r\n--b--\r\n"), ("multipart/form-data; boundary=b", "--b\r\n\r\nx\r\n--b--\r\n")])
        {
            using var content = new StringContent(body);
            content.Headers.Remove("Content-Type");
            content.Headers.TryAddWithoutValidation("Content-Type", type);
            using var answer = await ann.Client.PostAsync("/api/v1/documents", content);
            Assert.Equal(HttpStatusCode.BadRequest, answer.StatusCode);
        }

        var failed = (await ann.GetAsync("/api/v1/documents?status=failed")).GetProperty("items").EnumerateArray().ToList();
        Assert.All(failed, static d => Assert.NotEqual("", d.GetProperty("error").GetProperty("detail").GetString()));
        await ann.UploadAsync("good.txt", "All is well.");
        Assert.Single(await ann.SearchAsync("all is well"));
    }

    [DatabaseFact]
    public async Task What_was_accepted_is_indexed_by_the_next_process_and_words_that_are_missing_are_made_anew()
    {
        using var folder = new TempFolder();
        var data = Path.Combine(folder.Path, "data");
        string id;
        await using (var first = await TestApp.StartAsync(o => (o.Data, o.Settings["Knowledge:Documents:Parallelism"]) = (data, "0")))
        {
            using var ann = await first.AsAsync("ann");
            ann.Client.DefaultRequestHeaders.Add("Prefer", "wait=0");
            var queued = await ann.UploadAsync("later.txt", "The parcel arrives on Thursday.", status: HttpStatusCode.Accepted);
            Assert.Equal("queued", queued.GetProperty("status").GetString());
            id = queued.Id();
        }

        await using (var second = await TestApp.StartAsync(o => o.Data = data))
        {
            using var ann = await second.AsAsync("ann");
            var events = await ann.Client.GetStringAsync($"/api/v1/documents/{id}/events");
            Assert.StartsWith("retry: 2000\n\nevent: document.progress\ndata: {", events, StringComparison.Ordinal);
            Assert.Equal("ready", (await ann.GetAsync($"/api/v1/documents/{id}")).GetProperty("status").GetString());
            Assert.Single(await ann.SearchAsync("parcel Thursday"));
            await second.Get<IDatabase>().WriteAsync(static session => session.Prepared("delete from fts_chunks").RunAsync(), default);
        }

        await using var third = await TestApp.StartAsync(o => o.Data = data);
        await third.Get<RootMas.Server.Knowledge.Documents.Indexing.IndexStore>().RestoreWordsAsync(100, default);
        using var again = await third.AsAsync("ann");
        await Wait.UntilAsync(static async u => (await u.SearchAsync("parcel Thursday"))[0].GetProperty("word_rank") is { ValueKind: JsonValueKind.Number } rank && rank.GetInt32() == 1, again, "its words did not come back");
    }

    [DatabaseFact]
    public async Task An_erased_users_documents_go_and_what_they_gave_to_others_stays()
    {
        await using var app = await TestApp.StartAsync();
        using var ann = await app.AsAsync("ann");
        using var bob = await app.AsAsync("bob");
        await bob.UploadAsync("own.txt", "Bob likes violins.");
        var shared = (await ann.PostAsync("/api/v1/collections", new { name = "Shared" }, HttpStatusCode.Created)).Id();
        await ShareAsync(ann, shared, bob.Id, write: true);
        await bob.UploadAsync("given.txt", "Violins need rosin.", $"&collection={shared}");
        using var user = await app.Client.GetAsync($"/api/v1/users/{bob.Id}");
        using var erased = await app.SendAsync(HttpMethod.Delete, $"/api/v1/users/{bob.Id}", null, ("If-Match", user.Headers.ETag!.ToString()));
        Assert.True(erased.IsSuccessStatusCode, await erased.Content.ReadAsStringAsync());
        var left = Assert.Single((await ann.GetAsync("/api/v1/documents")).GetProperty("items").EnumerateArray());
        Assert.Equal(("given.txt", ann.Id), (left.GetProperty("name").GetString(), left.GetProperty("owner_id").GetString()));
        Assert.Equal("1, 1, 1, 0, 1, 1", await CountsAsync(app));
    }

    private static async Task<HttpStatusCode> ShareAsync(TestUser user, string collection, string subject, bool write)
    {
        using var answer = await user.Client.PutAsJsonAsync($"/api/v1/collections/{collection}/members/{subject}", new { may_write = write });
        return answer.StatusCode;
    }

    /// <summary>Documents, chunks, words, files that wait to be read, texts, and vectors.</summary>
    private static async Task<string> CountsAsync(TestApp app) => await app.Get<IDatabase>().ReadAsync(
        static async session =>
        {
            var counts = new List<long>();
            foreach (var table in (string[])["documents", "chunks", "fts_chunks", "document_contents", "document_texts", "vectors where space = 'chunks'"])
            {
                counts.Add(await session.Prepared($"select count(*) from {table}").Int64Async() ?? -1);
            }

            return string.Join(", ", counts);
        },
        default);
}
