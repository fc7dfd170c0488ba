using RootMas.Runtime.Agents;
using RootMas.Runtime.Runs;
using RootMas.Server.Knowledge.Embeddings;
using RootMas.Server.Knowledge.Vectors;

namespace RootMas.Server.Knowledge.Memory;

/// <summary>Finds what is remembered: by words and by meaning, both rankings fused (reciprocal rank fusion; Cormack et al., 2009). Only ever looks at the owner's own facts and the notes of the team.</summary>
internal sealed partial class MemoryRecall(MemoryStore store, MemoryOptions options, TimeProvider clock, ILogger<MemoryRecall> logger, IEmbedder? embedder = null, IVectorStore? vectors = null) : IRunMemory
{
    /// <summary>The usual constant of the fusion.</summary>
    private const double RankOffset = 60;

    /// <summary>Facts of an owner that are looked through.</summary>
    private const int MostSearched = 5_000;

    /// <summary>A model elsewhere that takes longer to embed the question is not waited for on the user's path: words decide then.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromMilliseconds(500);

    public async ValueTask<IReadOnlyList<RecalledFact>> RecallAsync(NewRun run, CancellationToken cancellationToken)
    {
        if (!options.Recall)
        {
            return [];
        }

        var known = await KnownAsync(run.OwnerId, sensitive: false, cancellationToken);
        var told = known.Count <= options.RecallLimit ? known : await RankAsync(run.OwnerId, known, run.Input, options.RecallLimit, fill: true, cancellationToken);
        return [.. told.Select(static f => new RecalledFact(f.Id, f.Text, f.Tainted, f.IsShared))];
    }

    /// <summary>The facts that fit the question best; without a question the newest.</summary>
    public async ValueTask<IReadOnlyList<Fact>> SearchAsync(string ownerId, string? query, int limit, CancellationToken cancellationToken)
    {
        var known = await KnownAsync(ownerId, sensitive: true, cancellationToken);
        return string.IsNullOrWhiteSpace(query) ? [.. known.Take(limit)] : await RankAsync(ownerId, known, query, limit, fill: false, cancellationToken);
    }

    /// <summary>Those of the owner's own facts that fit the question best and that a model may be told without being asked by anybody: nothing sensitive, and nothing from outside, which could talk it into taking the place of another.</summary>
    public async ValueTask<IReadOnlyList<Fact>> SearchPlainAsync(string ownerId, string query, int limit, CancellationToken cancellationToken)
    {
        var now = clock.GetUtcNow();
        var known = (await store.ActiveAsync(ownerId, cancellationToken)).Where(f => f.IsValidAt(now) && f is { IsSensitive: false, Tainted: false }).ToList();
        return await RankAsync(ownerId, known, query, limit, fill: false, cancellationToken);
    }

    /// <summary>Those of the owner's own facts that fit the question best, as a list of this status has them: proposals and what is no longer true are among them.</summary>
    /// <param name="status">As of a list.</param>
    public async ValueTask<IReadOnlyList<Fact>> SearchAmongAsync(string ownerId, string? status, string query, int limit, CancellationToken cancellationToken) =>
        await RankAsync(ownerId, await store.ListAsync(ownerId, new FactQuery(status, null, MostSearched), cancellationToken), query, limit, fill: false, cancellationToken);

    private async ValueTask<List<Fact>> KnownAsync(string ownerId, bool sensitive, CancellationToken cancellationToken)
    {
        var now = clock.GetUtcNow();
        var own = await store.ActiveAsync(ownerId, cancellationToken);
        var notes = await store.ActiveAsync(FactWords.Team, cancellationToken);
        return own.Count + notes.Count == 0 ? [] : [.. own.Concat(notes).Where(f => f.IsValidAt(now) && (sensitive || !f.IsSensitive))];
    }

    /// <param name="fill">Also what fits nothing, up to the limit, newest first: about oneself one says much that shares no word with the question.</param>
    private async ValueTask<IReadOnlyList<Fact>> RankAsync(string ownerId, List<Fact> known, string query, int limit, bool fill, CancellationToken cancellationToken)
    {
        var scores = new Dictionary<string, double>(StringComparer.Ordinal);
        Fuse(scores, ByWords(known, query));
        string[] partitions = [.. known.Select(static f => f.OwnerId).Distinct(StringComparer.Ordinal)];
        Fuse(scores, await ByMeaningAsync(ownerId, query, (partitions, limit * 4), cancellationToken));
        var ranked = known.Where(f => scores.ContainsKey(f.Id)).OrderByDescending(f => scores[f.Id]).ThenByDescending(static f => f.Id, StringComparer.Ordinal);
        return fill
            ? [.. ranked.Concat(known.Where(f => !scores.ContainsKey(f.Id)).OrderByDescending(static f => f.Id, StringComparer.Ordinal)).Take(limit)]
            : [.. ranked.Take(limit)];
    }

    private static void Fuse(Dictionary<string, double> scores, IEnumerable<string> ranking)
    {
        foreach (var (rank, id) in ranking.Index())
        {
            scores[id] = scores.GetValueOrDefault(id) + (1 / (RankOffset + rank + 1));
        }
    }

    /// <summary>Facts that share words with the question; rare words count more.</summary>
    private static IEnumerable<string> ByWords(List<Fact> known, string query)
    {
        var asked = Words.Of(query).ToHashSet(StringComparer.Ordinal);
        if (asked.Count == 0)
        {
            return [];
        }

        var words = known.ConvertAll(f => (f.Id, Words: Words.Of($"{f.Text} {f.Attribute} {AskedBy(f.Attribute)}").Where(asked.Contains).ToHashSet(StringComparer.Ordinal)));
        var spread = words.SelectMany(static w => w.Words).CountBy(static w => w, StringComparer.Ordinal).ToDictionary(StringComparer.Ordinal);
        return words.Where(static w => w.Words.Count > 0)
            .OrderByDescending(w => w.Words.Sum(word => Math.Log(1 + ((double)known.Count / spread[word]))))
            .Select(static w => w.Id);
    }

    /// <summary>Words by which people ask for it, in either language: "I moved to Moscow" shares none with "где я живу?".</summary>
    private static string AskedBy(string? attribute) => attribute switch
    {
        "home" => "live home city address живу дом город адрес",
        "employer" => "work company employer работаю компания работодатель",
        "job" => "work job profession работаю профессия должность",
        "name" => "name called имя зовут",
        _ => "",
    };

    private async ValueTask<IEnumerable<string>> ByMeaningAsync(string ownerId, string query, (string[] Partitions, int Count) look, CancellationToken cancellationToken)
    {
        if (embedder is null || vectors is null || look.Partitions.Length == 0)
        {
            return [];
        }

        using var patience = new CancellationTokenSource(Patience, clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(patience.Token, cancellationToken);
        try
        {
            var question = await embedder.EmbedAsync([query], EmbedPurpose.Query, ownerId, either.Token);
            var hits = await vectors.SearchAsync(MemorySpaces.Memory, question[0], look.Partitions, look.Count, either.Token);
            return hits.Where(static h => h.Score > 0.2f).Select(static h => h.Id.ToString());
        }
        catch (ModelException exception)
        {
            LogNoMeaning(exception.ErrorClass);
            return [];
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            LogNoMeaning("timeout");
            return [];
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "What is remembered was searched by its words only: the question could not be embedded in time ({ErrorClass})")]
    private partial void LogNoMeaning(string errorClass);
}
