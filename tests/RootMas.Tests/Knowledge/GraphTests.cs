using System.Net;
using System.Text.Json;
using Microsoft.Extensions.Logging.Abstractions;
using RootMas.Server.Knowledge.Graph;
using RootMas.Server.Knowledge.Memory;
using RootMas.Server.Platform.Data;
using RootMas.Server.Platform.Migrations;
using RootMas.Tests.Knowledge.Documents;
using RootMas.Tests.Support;

namespace RootMas.Tests.Knowledge;

public sealed class GraphOnSqliteTests() : GraphTests(DatabaseKind.Sqlite);

public sealed class GraphOnPostgresTests() : GraphTests(DatabaseKind.Postgres), IOnPostgres;

/// <summary>The knowledge graph: from memory and documents, over HTTP.</summary>
public abstract class GraphTests(DatabaseKind kind) : OnDatabase(kind)
{
    [DatabaseFact]
    public async Task What_is_remembered_becomes_relations_that_end_when_they_are_contradicted_and_go_when_they_are_forgotten()
    {
        await using var app = await TestApp.StartAsync();
        using var alice = await app.AsAsync("alice");
        await alice.PostAsync("/api/v1/memory", new { text = "I live in Kazan" }, HttpStatusCode.Created);
        var moscow = await alice.PostAsync("/api/v1/memory", new { text = "I live in Moscow" }, HttpStatusCode.Created);
        Assert.Equal(["user lives_in Moscow"], await RelationsAsync(alice, new { kind = "neighbours", entity = "user" }));
        Assert.Equal(["user lives_in Kazan", "user lives_in Moscow"], await RelationsAsync(alice, new { kind = "neighbours", entity = "user", past = true }));
        using var read = await alice.Client.GetAsync($"/api/v1/memory/{moscow.Id()}");
        using var request = new HttpRequestMessage(HttpMethod.Delete, $"/api/v1/memory/{moscow.Id()}");
        request.Headers.TryAddWithoutValidation("If-Match", read.Headers.ETag!.ToString());
        using var gone = await alice.Client.SendAsync(request);
        Assert.Empty(await RelationsAsync(alice, new { kind = "neighbours", entity = "user", past = true }));
        Assert.Empty((await alice.PostAsync("/api/v1/graph/query", new { kind = "search", text = "Moscow" })).GetProperty("nodes").EnumerateArray());
    }

    [DatabaseFact]
    public async Task A_stronger_way_is_shorter_than_one_with_fewer_steps_and_paths_can_be_held_to_types()
    {
        await using var app = await TestApp.StartAsync();
        using var alice = await app.AsAsync("alice");
        await WriteAsync(app, alice.Id, ("A", "knows", "D", 20), ("A", "works_at", "B", 100), ("B", "owns", "C", 100), ("C", "owns", "D", 100));
        var path = await alice.PostAsync("/api/v1/graph/query", new { kind = "path", entity = "A", to = "D" });
        Assert.Equal(3, path.GetProperty("path").GetArrayLength());
        Assert.InRange(path.GetProperty("length").GetDouble(), 3.0, 3.5);
        Assert.Equal(["A knows D"], await RelationsAsync(alice, new { kind = "path", entity = "A", to = "D", types = new[] { "knows" } }));
        Assert.Equal(["A knows D"], await RelationsAsync(alice, new { kind = "path", entity = "A", to = "D", depth = 2 }));
        Assert.Equal(JsonValueKind.Null, (await alice.PostAsync("/api/v1/graph/query", new { kind = "path", entity = "D", to = "A", directed = true })).GetProperty("path").ValueKind);
        Assert.Equal(["A knows D", "A works_at B", "B owns C", "C owns D"], await RelationsAsync(alice, new { kind = "subgraph", entity = "B", depth = 2 }));

        // What a second source says too is surer, and so shorter.
        await WriteAsync(app, alice.Id, [("A", "knows", "D", 100)], "second");
        Assert.Equal(["A knows D"], await RelationsAsync(alice, new { kind = "path", entity = "A", to = "D" }));
    }

    [DatabaseFact]
    public async Task A_document_is_read_in_the_background_once_and_takes_what_it_said_with_it()
    {
        await using var app = await TestApp.StartAsync();
        using var alice = await app.AsAsync("alice");
        using var bob = await app.AsAsync("bob");
        var (queue, database) = (app.Get<GraphQueue>(), app.Get<IDatabase>());
        await database.WriteAsync(
            async session =>
            {
                await queue.OfferAsync(session, new GraphJob("chunk-1", alice.Id, alice.Id, "doc-1", Tainted: true, "Anna Petrova works at Romashka. Romashka is located in Kazan. Иван Сидоров работает в компании Ромашка."));
                await queue.OfferAsync(session, new GraphJob("chunk-2", alice.Id, alice.Id, "doc-2", Tainted: true, "Boris Volkov works at Romashka."));
            },
            CancellationToken.None);
        var expected = new[] { "Anna Petrova works_at Romashka", "Boris Volkov works_at Romashka", "Romashka located_in Kazan" };
        await Wait.UntilAsync(async user => (await RelationsAsync(user, new { kind = "subgraph", entity = "Romashka" })).SequenceEqual(expected), alice, "the documents were not read");
        var found = await alice.PostAsync("/api/v1/graph/query", new { kind = "neighbours", entity = "Anna Petrova" });
        var evidence = found.GetProperty("relations")[0].GetProperty("evidence")[0];
        Assert.Equal(("document", "doc-1", true), (evidence.GetProperty("kind").GetString(), evidence.GetProperty("document_id").GetString(), evidence.GetProperty("tainted").GetBoolean()));
        Assert.Empty((await bob.PostAsync("/api/v1/graph/query", new { kind = "search", text = "Romashka Anna Petrova" })).GetProperty("nodes").EnumerateArray());

        await database.WriteAsync(session => GraphRemoval.RemoveDocumentAsync(session, "doc-1"), CancellationToken.None);
        Assert.Equal(["Boris Volkov works_at Romashka"], await RelationsAsync(alice, new { kind = "subgraph", entity = "Romashka" }));
        Assert.Empty((await alice.PostAsync("/api/v1/graph/query", new { kind = "search", text = "Petrova" })).GetProperty("nodes").EnumerateArray());
    }

    [DatabaseFact]
    public async Task A_part_that_cannot_be_read_is_left_out_after_some_tries_and_the_others_are_read()
    {
        await using var app = await StartWithoutReaderAsync();
        using var alice = await app.AsAsync("alice");
        var (database, queue, reading) = ReadersOf(app);
        var models = new ScriptedChatClient(static asked => asked.LastText.Contains("Mallory", StringComparison.Ordinal)
            ? throw new NotSupportedException("whatever is wrong with one part")
            : [ScriptedChatClient.Say("""{"relations":[{"from":"Anna","from_type":"person","type":"works_at","to":"Romashka","to_type":"organization","evidence":"Anna works at Romashka"}]}""")]);
        using var reader = reading(models);
        await database.WriteAsync(
            async session =>
            {
                await queue.OfferAsync(session, new GraphJob("chunk-1", alice.Id, alice.Id, "doc-1", Tainted: true, "Mallory breaks what reads this."));
                await queue.OfferAsync(session, new GraphJob("chunk-2", alice.Id, alice.Id, "doc-1", Tainted: true, "Anna works at Romashka."));
            },
            CancellationToken.None);
        var read = 0;
        for (var tries = 0; tries < 8; tries++)
        {
            read += await reader.ReadSomeAsync(CancellationToken.None);
            await database.WriteAsync(static async session => await session.Prepared("update graph_jobs set claimed_until = null").RunAsync(), CancellationToken.None); // its time has come
        }

        Assert.Equal((5, 5), (read, models.Calls)); // the one four times, the other once
        Assert.Equal(["Anna works_at Romashka"], await RelationsAsync(alice, new { kind = "neighbours", entity = "Romashka" }));
    }

    [DatabaseFact]
    public async Task An_outage_of_the_model_is_waited_for_however_long_and_counts_as_no_attempt()
    {
        await using var app = await StartWithoutReaderAsync();
        using var alice = await app.AsAsync("alice");
        var (database, queue, reading) = ReadersOf(app);
        var calls = 0;
        var models = new ScriptedChatClient(_ => ++calls < 9
            ? throw new RootMas.Runtime.Agents.ModelException("unreachable", "It is away.", retryLater: true)
            : [ScriptedChatClient.Say("""{"relations":[{"from":"Anna","from_type":"person","type":"founded","to":"Romashka","to_type":"organization","evidence":"Anna, mother of Romashka"}]}""")]);
        using var reader = reading(models);
        await database.WriteAsync(
            session => queue.OfferAsync(session, new GraphJob("chunk-1", alice.Id, alice.Id, "doc-1", Tainted: true, "Anna, mother of Romashka, was here.")), CancellationToken.None);
        for (var tries = 0; tries < 9; tries++)
        {
            Assert.Equal(1, await reader.ReadSomeAsync(CancellationToken.None));
            await database.WriteAsync(static async session => await session.Prepared("update graph_jobs set claimed_until = null").RunAsync(), CancellationToken.None); // its time has come
        }

        Assert.Equal(["Anna founded Romashka"], await RelationsAsync(alice, new { kind = "neighbours", entity = "Romashka" }));
    }

    [DatabaseFact]
    public async Task Parts_that_another_instance_has_taken_while_a_slow_model_read_the_first_are_not_paid_for_twice()
    {
        await using var app = await StartWithoutReaderAsync();
        using var alice = await app.AsAsync("alice");
        var (database, queue, reading) = ReadersOf(app);
        static ScriptedChatClient Model() => new(static _ => [ScriptedChatClient.Say("""{"relations":[]}""")]);
        var (slow, quick) = (Model(), Model());
        using var first = reading(slow);
        using var second = reading(quick);
        slow.Before = async (_, cancellationToken) =>
        {
            if (slow.Calls == 1)
            {
                await database.WriteAsync(static async session => await session.Prepared("update graph_jobs set claimed_until = 1 where source_id <> 'chunk-1'").RunAsync(), cancellationToken); // the lease of those that wait is over
                Assert.Equal(2, await second.ReadSomeAsync(cancellationToken));
            }
        };
        foreach (var number in (int[])[1, 2, 3])
        {
            await database.WriteAsync(session => queue.OfferAsync(session, new GraphJob($"chunk-{number}", alice.Id, alice.Id, "doc-1", Tainted: true, $"Part {number}.")), CancellationToken.None);
        }

        await first.ReadSomeAsync(CancellationToken.None);
        Assert.Equal((1, 2), (slow.Calls, quick.Calls));
        Assert.Equal(0, await database.ReadAsync(static session => session.Prepared("select count(*) from graph_jobs").Int64Async(), CancellationToken.None));
    }

    [DatabaseFact]
    public async Task An_uploaded_document_is_in_the_graph_of_who_may_read_it_as_long_as_it_is_there()
    {
        await using var app = await TestApp.StartAsync();
        using var alice = await app.AsAsync("alice");
        using var bob = await app.AsAsync("bob");
        await alice.PostAsync("/api/v1/memory", new { text = "I work at Romashka" }, HttpStatusCode.Created);
        var document = await alice.UploadAsync("people.txt", "Anna Petrova works at Romashka. Romashka is located in Kazan.");
        // Memory and document meet in one node: the way from the user to the city leads through both.
        await Wait.UntilAsync(
            async user => (await RelationsAsync(user, new { kind = "path", entity = "user", to = "Kazan" })).SequenceEqual(["Romashka located_in Kazan", "user works_at Romashka"]), alice, "the document was not read");
        Assert.Empty(await RelationsAsync(bob, new { kind = "neighbours", entity = "Romashka" }));
        using var read = await alice.Client.GetAsync($"/api/v1/documents/{document.Id()}");
        using var request = new HttpRequestMessage(HttpMethod.Delete, $"/api/v1/documents/{document.Id()}");
        request.Headers.TryAddWithoutValidation("If-Match", read.Headers.ETag?.ToString() ?? "*");
        using var gone = await alice.Client.SendAsync(request);
        Assert.True(gone.IsSuccessStatusCode, await gone.Content.ReadAsStringAsync());
        Assert.Equal(["user works_at Romashka"], await RelationsAsync(alice, new { kind = "subgraph", entity = "Romashka" }));
    }

    [DatabaseFact]
    public async Task Entities_are_found_by_words_in_another_form_and_exported_as_linked_data()
    {
        await using var app = await TestApp.StartAsync();
        using var alice = await app.AsAsync("alice");
        await alice.PostAsync("/api/v1/memory", new { text = "Анна Петрова работает в Ромашка" }, HttpStatusCode.Created);
        var nodes = (await alice.PostAsync("/api/v1/graph/query", new { kind = "search", text = "где работает Петровой Анны?" })).GetProperty("nodes");
        Assert.Equal("Анна Петрова", nodes[0].GetProperty("name").GetString());
        var export = await alice.GetAsync("/api/v1/graph/export");
        Assert.Equal("https://schema.org/", export.GetProperty("@context").GetProperty("@vocab").GetString());
        var things = export.GetProperty("@graph").EnumerateArray().ToList();
        var person = Assert.Single(things, static t => t.GetProperty("@type").GetString() == "Person");
        var statement = Assert.Single(things, static t => t.GetProperty("@type").GetString() == "rdf:Statement");
        Assert.Equal(person.GetProperty("@id").GetString(), statement.GetProperty("rdf:subject").GetProperty("@id").GetString());
        Assert.Equal("rm:works_at", statement.GetProperty("rdf:predicate").GetProperty("@id").GetString());
        Assert.InRange(statement.GetProperty("rm:weight").GetDouble(), 0.5, 1);
        Assert.False(statement.GetProperty("rm:tainted").GetBoolean());
        Assert.DoesNotContain("rm:isCut", export.ToString(), StringComparison.Ordinal);
    }

    [DatabaseFact]
    public async Task An_answer_that_its_limit_cut_says_so()
    {
        await using var app = await TestApp.StartAsync();
        using var alice = await app.AsAsync("alice");
        await WriteAsync(app, alice.Id, ("A", "knows", "B", 100), ("A", "knows", "C", 90));
        async Task<bool> IsCutAsync(string kind, int limit) => (await alice.PostAsync("/api/v1/graph/query", new { kind, entity = "A", limit })).GetProperty("truncated").GetBoolean();
        foreach (var question in (string[])["neighbours", "subgraph"])
        {
            Assert.Equal((true, false), (await IsCutAsync(question, 1), await IsCutAsync(question, 2)));
        }
    }

    /// <summary>A document may say one thing in each of its thousands of chunks.</summary>
    [DatabaseFact]
    public async Task Of_what_is_said_tens_of_thousands_of_times_answers_and_exports_hold_so_much_and_no_more()
    {
        await using var app = await TestApp.StartAsync();
        using var alice = await app.AsAsync("alice");
        await WriteAsync(app, alice.Id, ("A", "knows", "B", 90));
        await app.Get<IDatabase>().WriteAsync(
            static session => session.Prepared("""
                insert into graph_evidence (relation_id, source_kind, source_id, excerpt, confidence, tainted, created_at)
                with recursive n (i) as (select 1 union all select i + 1 from n where i < 50100)
                select r.id, 'fact', 'said-' || n.i, 'A knows B.', case when n.i = 7 then 1 else 50 end, case when n.i = 7 then 1 else 0 end, 0 from n cross join graph_relations r
                """).RunAsync(),
            CancellationToken.None);
        var answer = await alice.PostAsync("/api/v1/graph/query", new { kind = "neighbours", entity = "A" });
        Assert.Equal(200, answer.GetProperty("relations")[0].GetProperty("evidence").GetArrayLength());
        Assert.Contains("\"tainted\":true", answer.ToString(), StringComparison.Ordinal); // the weakest of all, and still told
        var things = (await alice.GetAsync("/api/v1/graph/export")).GetProperty("@graph").EnumerateArray().ToList();
        Assert.Equal(50_000, Assert.Single(things, static t => t.TryGetProperty("rm:evidence", out _)).GetProperty("rm:evidence").GetArrayLength());
        Assert.Single(things, static t => t.TryGetProperty("rm:isCut", out _));
    }

    /// <summary>Of a graph from before nobody noted which source uses which name: the migration takes each for one that uses them all, so none goes too early, and none stays for ever.</summary>
    [DatabaseFact]
    public async Task Names_of_a_graph_from_before_go_with_the_last_source_of_their_entity()
    {
        await using var app = await TestApp.StartAsync();
        using var alice = await app.AsAsync("alice");
        await WriteAsync(app, alice.Id, [("A", "knows", "B", 100)], "first");
        await WriteAsync(app, alice.Id, [("A", "likes", "B", 100)], "second");
        var sql = Migration.Embedded(TestDatabase.Kind == DatabaseKind.Postgres ? "postgres" : "sqlite").Single(static m => m.Number == 68).Sql.TrimEnd().TrimEnd(';');
        await app.Get<IDatabase>().WriteAsync(
            async session =>
            {
                await session.Prepared("delete from graph_name_uses").RunAsync();
                await session.Prepared("insert into graph_names (realm, norm, type, entity_id, name) select realm, 'alpha', type, entity_id, 'Alpha' from graph_names where norm = 'a'").RunAsync();
                await session.Prepared(sql[sql.IndexOf("INSERT INTO graph_name_uses", StringComparison.Ordinal)..]).RunAsync();
                await GraphRemoval.RemoveSourceAsync(session, "document", "firstA");
            },
            CancellationToken.None);
        Assert.Equal(["A likes B"], await RelationsAsync(alice, new { kind = "neighbours", entity = "Alpha" }));
        await app.Get<IDatabase>().WriteAsync(static session => GraphRemoval.RemoveSourceAsync(session, "document", "secondA"), CancellationToken.None);
        Assert.Equal(0, await app.Get<IDatabase>().ReadAsync(
            static session => session.Prepared("select (select count(*) from graph_entities) + (select count(*) from graph_names) + (select count(*) from graph_name_uses) + (select count(*) from graph_words)").Int64Async(), CancellationToken.None));
    }

    [Theory]
    [InlineData("Acme Inc", "organization", "Acme Inc.", "organization", 0.7f, true)]
    [InlineData("Ромашка", "organization", "Ромашки", "thing", 0.7f, true)]
    [InlineData("Acme 1", "organization", "Acme 2", "organization", 0.99f, false)]
    [InlineData("Paris", "person", "Paris", "place", 0.99f, false)]
    [InlineData("Iran", "place", "Iraq", "place", 0.8f, false)]
    [InlineData("USA", "place", "United States", "place", 0.96f, true)]
    public void Two_names_are_one_thing_only_if_kind_numbers_and_meaning_agree(string one, string oneType, string other, string otherType, float score, bool same) =>
        Assert.Equal(same, GraphMerging.AreSame(Entity(one, oneType), Entity(other, otherType), score));

    private static GraphEntity Entity(string name, string type) => new(Guid.NewGuid().ToString(), "r", name, FactText.Normalize(name), type);

    private static Task WriteAsync(TestApp app, string realm, params (string From, string Type, string To, int Confidence)[] relations) => WriteAsync(app, realm, relations, "first");

    private static Task WriteAsync(TestApp app, string realm, (string From, string Type, string To, int Confidence)[] relations, string source) => app.Get<IDatabase>().WriteAsync(
        async session =>
        {
            await FactWrites.HoldAsync(session, realm);
            foreach (var (from, type, to, confidence) in relations)
            {
                await GraphWriter.WriteAsync(session, realm, [StatedRelation.Of(from, "person", type, to, "person")!], new GraphSource("document", source + from, null, "text", confidence, false, session.Now, null));
            }
        },
        CancellationToken.None);

    /// <summary>The server's own reader leaves the parts to those of the test.</summary>
    private static Task<TestApp> StartWithoutReaderAsync() => TestApp.StartAsync(static o => o.Settings["Knowledge:Memory:GraphDocuments"] = "Off");

    private static (IDatabase Database, GraphQueue Queue, Func<ScriptedChatClient, GraphReader> Reading) ReadersOf(TestApp app)
    {
        var (database, options) = (app.Get<IDatabase>(), app.Get<MemoryOptions>() with { GraphDocuments = GraphReading.Model });
        var queue = new GraphQueue(database, options, new MemorySignals());
        return (database, queue, models => new GraphReader(queue, app.Get<MemoryStore>(), options, new RelationReading(models), TimeProvider.System, NullLogger<GraphReader>.Instance));
    }

    private static async Task<List<string>> RelationsAsync(TestUser user, object question)
    {
        var answer = await user.PostAsync("/api/v1/graph/query", question);
        var names = answer.GetProperty("nodes").EnumerateArray().ToDictionary(static n => n.Id(), static n => n.GetProperty("name").GetString());
        return [.. answer.GetProperty("relations").EnumerateArray().Select(r => $"{names[r.GetProperty("from").GetString()!]} {r.GetProperty("type").GetString()} {names[r.GetProperty("to").GetString()!]}").Order(StringComparer.Ordinal)];
    }
}
