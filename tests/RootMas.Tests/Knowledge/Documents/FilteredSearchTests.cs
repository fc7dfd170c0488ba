using Microsoft.Extensions.Logging.Abstractions;
using RootMas.Server.Knowledge.Documents;
using RootMas.Server.Knowledge.Documents.Search;
using RootMas.Server.Knowledge.Embeddings;
using RootMas.Server.Knowledge.Vectors;
using RootMas.Server.Platform.Data;
using RootMas.Tests.Support;

namespace RootMas.Tests.Knowledge.Documents;

public sealed class FilteredSearchOnSqliteTests() : FilteredSearchTests(DatabaseKind.Sqlite);

public sealed class FilteredSearchOnPostgresTests() : FilteredSearchTests(DatabaseKind.Postgres), IOnPostgres;

/// <summary>What a filter lets through is found however far away it is, and what is replaced during a search is found in its new words.</summary>
public abstract class FilteredSearchTests(DatabaseKind kind) : OnDatabase(kind)
{
    [DatabaseFact]
    public async Task A_filter_finds_what_hundreds_of_nearer_passages_hide()
    {
        await using var app = await TestApp.StartAsync(static o => o.Settings["Knowledge:Documents:ChunkCharacters"] = "200");
        using var ann = await app.AsAsync("ann");
        await ann.UploadAsync("ferries.md", string.Join("\n\n", Enumerable.Range(1, 450).Select(i => $"# Ferry {i}\n\nThe ferry number {i} leaves for the island in the morning.")));
        var far = await ann.UploadAsync("bread.md", "# Loaf\n\nDough rests overnight before it is baked.");

        var found = Assert.Single(await ann.SearchAsync("When does the ferry leave for the island?", new { documents = new[] { far.Id() } }));
        Assert.Equal((far.Id(), 1), (found.GetProperty("document_id").GetString(), found.GetProperty("vector_rank").GetInt32()));
    }

    [DatabaseFact]
    public async Task What_repeats_a_passage_above_it_gives_way_to_what_says_something_else()
    {
        await using var app = await TestApp.StartAsync();
        using var ann = await app.AsAsync("ann");
        await ann.UploadAsync("one.txt", "The ferry to the island leaves at nine in the morning from the northern harbour.");
        await ann.UploadAsync("two.txt", "The ferry to the island leaves at nine in the morning from the northern harbour, daily.");
        await ann.UploadAsync("fares.txt", "A ticket for the ferry to the island costs five roubles, and children pay nothing.");
        var found = (await ann.SearchAsync("When does the ferry to the island leave in the morning?", new { limit = 3 })).ConvertAll(static p => p.GetProperty("title").GetString());
        Assert.Equal((3, 1), (found.Count, found.IndexOf("fares.txt")));
        Assert.Equal("fares.txt", (await ann.SearchAsync("When does the ferry to the island leave in the morning?", new { limit = 2 }))[1].GetProperty("title").GetString());
    }

    [DatabaseFact]
    public async Task A_document_replaced_between_finding_and_reading_is_found_in_its_new_words()
    {
        await using var app = await TestApp.StartAsync();
        using var ann = await app.AsAsync("ann");
        await ann.UploadAsync("price.txt", "The price is seventy roubles.");
        var vectors = new ReplacingVectors(app.Get<IVectorStore>(), () => ann.UploadAsync("price.txt", "The price is ninety roubles."));
        var search = new KnowledgeSearch(app.Get<PassageStore>(), app.Get<Reranker>(), app.Get<QuestionEmbedder>(), vectors, app.Get<DocumentsOptions>(), NullLogger<KnowledgeSearch>.Instance);
        var found = Assert.Single(await search.FindAsync(new SearchQuery(ann.Id, "What is the price in roubles?"), CancellationToken.None));
        Assert.Equal("The price is ninety roubles.", found.Text);
    }

    /// <summary>The vectors of the server; after the first search, before anything is read, something happens.</summary>
    private sealed class ReplacingVectors(IVectorStore vectors, Func<Task> happens) : IVectorStore
    {
        private Func<Task>? _happens = happens;

        public ValueTask PutAsync(string space, IReadOnlyList<VectorEntry> entries, string ownerId, CancellationToken cancellationToken) => vectors.PutAsync(space, entries, ownerId, cancellationToken);

        public ValueTask RemoveAsync(string space, IReadOnlyCollection<Guid> ids, CancellationToken cancellationToken) => vectors.RemoveAsync(space, ids, cancellationToken);

        public ValueTask RemoveAsync(DbSession session, string space, IReadOnlyCollection<Guid> ids) => vectors.RemoveAsync(session, space, ids);

        public ValueTask RemovePartitionAsync(DbSession session, string space, string partition) => vectors.RemovePartitionAsync(session, space, partition);

        public async ValueTask<IReadOnlyList<VectorHit>> SearchAsync(string space, ReadOnlyMemory<float> query, IReadOnlyCollection<string> partitions, int k, CancellationToken cancellationToken)
        {
            var hits = await vectors.SearchAsync(space, query, partitions, k, cancellationToken);
            if (Interlocked.Exchange(ref _happens, null) is { } once)
            {
                await once();
            }

            return hits;
        }

        public ValueTask<IReadOnlyList<VectorHit>> SearchAmongAsync(
            string space, ReadOnlyMemory<float> query, IReadOnlyCollection<Guid> among, IReadOnlyCollection<string> partitions, int k, CancellationToken cancellationToken) =>
            vectors.SearchAmongAsync(space, query, among, partitions, k, cancellationToken);
    }
}
