using System.Diagnostics;
using RootMas.Runtime.Agents;
using RootMas.Server.Knowledge.Embeddings;
using RootMas.Server.Knowledge.Vectors;

namespace RootMas.Server.Knowledge.Documents.Search;

/// <summary>
/// Hybrid search: the same question to the full-text index and to the vectors, both rankings fused, on wish ordered anew by a model, and then without repeating itself.
/// What finds nothing by words may be found by meaning, and names, numbers and rare words that no vector knows are found by words.
/// </summary>
internal sealed partial class KnowledgeSearch(PassageStore passages, Reranker reranker, QuestionEmbedder embedder, IVectorStore vectors, DocumentsOptions options, ILogger<KnowledgeSearch> logger)
{
    /// <summary>Of each ranking.</summary>
    private const int Candidates = 50;

    /// <summary>Vectors know nothing of documents and kinds. Where a filter leaves no more chunks than this, each of them is compared.</summary>
    private const int FewChunks = 5_000;

    /// <summary>Where it leaves more, so many of the nearest are looked at first: mostly enough of them fit.</summary>
    private const int FilteredCandidates = 400;

    /// <summary>What was found may have been replaced before it was read; then it is looked for again, so often at most.</summary>
    private const int Looks = 3;

    private static readonly IReadOnlySet<string> Kinds = new HashSet<string>(["text", "markdown", "html", "csv", "json", "code", "docx", "pdf"], StringComparer.Ordinal);

    /// <summary>Of the fused ranking, for the model.</summary>
    private const int Reranked = 20;

    /// <summary>What is less like the question than this has nothing to do with it, unless the documents were named: then the likest is wanted all the same.</summary>
    private const float MinCosine = 0.1f;

    public async Task<IReadOnlyList<Passage>> FindAsync(SearchQuery query, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(query);
        var began = Stopwatch.GetTimestamp();
        var found = await SearchAsync(query, cancellationToken);
        DocumentMetrics.Searched(Stopwatch.GetElapsedTime(began));
        return found;
    }

    private async Task<IReadOnlyList<Passage>> SearchAsync(SearchQuery query, CancellationToken cancellationToken)
    {
        var (documents, kinds) = (query.Documents.Where(static id => Guid.TryParse(id, out _)).ToList(), query.Kinds.Where(Kinds.Contains).ToList());
        var collections = await passages.CollectionsAsync(query, cancellationToken);
        if (collections.Count == 0 || (query.Documents.Count > 0 && documents.Count == 0) || (query.Kinds.Count > 0 && kinds.Count == 0))
        {
            return []; // only what there cannot be was asked for
        }

        query = query with { Documents = documents, Kinds = kinds };

        var vector = await VectorAsync(query, cancellationToken);
        var found = await LookAsync(query, collections, vector, cancellationToken);
        for (var look = 1; look < Looks && found.Vanished; look++)
        {
            found = await LookAsync(query, collections, vector, cancellationToken);
        }

        var ranked = await OrderAsync(query, found.Passages, cancellationToken);
        return query.Diversify ? Diverse(ranked, query.Limit) : [.. ranked.Take(query.Limit)];
    }

    /// <summary>
    /// Ids first, then what they say. Vanished: a document was replaced or deleted between the two. Vectors alone say that only where nothing is left: they are there before their document is, and other instances drop them a little later.
    /// </summary>
    private async Task<(IReadOnlyList<Passage> Passages, bool Vanished)> LookAsync(SearchQuery query, IReadOnlyList<string> collections, float[]? vector, CancellationToken cancellationToken)
    {
        var words = SearchWords.OfQuestion(query.Text);
        var byWords = words.Count == 0 ? [] : await passages.ByWordsAsync(words, collections, query, Candidates, cancellationToken);
        var byMeaning = vector is null ? [] : await ByMeaningAsync(query, collections, vector, cancellationToken);
        var known = await passages.ReadAsync([.. byWords.Union(byMeaning)], query, cancellationToken);
        var fused = Ranking.Fuse<Guid>([.. byWords.Where(known.ContainsKey)], [.. byMeaning.Where(known.ContainsKey).Take(Candidates)]);
        var found = fused.Select(f => known[f.Item] with { Score = f.Score, WordRank = PlaceIn(byWords, f.Item), VectorRank = PlaceIn(byMeaning, f.Item) }).ToList();
        return (found, byWords.Any(id => !known.ContainsKey(id)) || (known.Count == 0 && byMeaning.Count > 0));
    }

    private async Task<float[]?> VectorAsync(SearchQuery query, CancellationToken cancellationToken)
    {
        try
        {
            return await embedder.EmbedAsync(query.Text, query.UserId, cancellationToken);
        }
        catch (ModelException e)
        {
            LogWordsOnly(e);
            return null; // words find most of it, and a search that fails finds nothing
        }
    }

    private async Task<IReadOnlyList<Guid>> ByMeaningAsync(SearchQuery query, IReadOnlyList<string> collections, float[] vector, CancellationToken cancellationToken)
    {
        var hits = query.Documents.Count + query.Kinds.Count > 0
            ? await FilteredAsync(query, collections, vector, cancellationToken)
            : await vectors.SearchAsync(DocumentErasure.Space, vector, collections, Candidates, cancellationToken);
        return [.. hits.Where(h => h.Score >= MinCosine || query.Documents.Count > 0).Select(static h => h.Id)];
    }

    /// <summary>What fits may be far away: however many others are nearer, it is found.</summary>
    private async Task<IReadOnlyList<VectorHit>> FilteredAsync(SearchQuery query, IReadOnlyList<string> collections, float[] vector, CancellationToken cancellationToken)
    {
        var fitting = await passages.FittingAsync(collections, query, FewChunks + 1, cancellationToken);
        if (fitting.Count > FewChunks)
        {
            var near = await vectors.SearchAsync(DocumentErasure.Space, vector, collections, FilteredCandidates, cancellationToken);
            var read = await passages.ReadAsync([.. near.Select(static h => h.Id)], query, cancellationToken);
            if (read.Count >= Candidates)
            {
                return [.. near.Where(h => read.ContainsKey(h.Id))];
            }

            fitting = await passages.FittingAsync(collections, query, int.MaxValue, cancellationToken);
        }

        return await vectors.SearchAmongAsync(DocumentErasure.Space, vector, fitting, collections, Candidates, cancellationToken);
    }

    private async Task<IReadOnlyList<Passage>> OrderAsync(SearchQuery query, IReadOnlyList<Passage> ranked, CancellationToken cancellationToken)
    {
        var tier = query.Rerank ?? options.Rerank;
        if (tier == "none" || ranked.Count < 2)
        {
            return ranked;
        }

        var head = await reranker.OrderAsync(query, tier, [.. ranked.Take(Reranked)], cancellationToken);
        return [.. head, .. ranked.Skip(Reranked)];
    }

    private static IReadOnlyList<Passage> Diverse(IReadOnlyList<Passage> ranked, int limit)
    {
        var considered = ranked.Take(Math.Max(limit * 3, limit)).ToList();
        var stems = considered.ToDictionary(static p => p.Uid, static p => SearchWords.SetOf(p.Text));
        return Ranking.Diversify([.. considered.Select(static p => (p, p.Score))], limit, (a, b) => Ranking.Likeness(stems[a.Uid], stems[b.Uid]));
    }

    private static int? PlaceIn(IReadOnlyList<Guid> list, Guid id)
    {
        for (var i = 0; i < list.Count; i++)
        {
            if (list[i] == id)
            {
                return i + 1;
            }
        }

        return null;
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "The embedding model gave no vector for a question; it is answered by words alone")]
    private partial void LogWordsOnly(Exception exception);
}
