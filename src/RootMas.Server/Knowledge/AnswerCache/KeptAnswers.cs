using System.Globalization;
using RootMas.Server.Knowledge.Embeddings;

namespace RootMas.Server.Knowledge.AnswerCache;

/// <summary>Where answers are kept, from the fastest on.</summary>
/// <param name="Redis">Null: there is none.</param>
internal sealed record AnswerLevels(ExactAnswers Memory, AnswerIndex Index, RedisAnswers? Redis, AnswerStore Store)
{
    private long _epoch;

    /// <summary>Rises with every purge, and when one may have been missed. What was asked before one is not kept after it.</summary>
    public long Epoch => Interlocked.Read(ref _epoch);

    /// <summary>Held by whoever adds to index and database, and by whoever removes from them.</summary>
    public SemaphoreSlim Writing { get; } = new(1, 1);

    public void NextEpoch() => Interlocked.Increment(ref _epoch);

    /// <summary>The text of an answer that the index knows; null: it was deleted.</summary>
    public async ValueTask<(CachedAnswer? Answer, string Kind)> ReadAsync(KnownAnswer known, CancellationToken cancellationToken)
    {
        if (Redis is not null && await Redis.FindAsync(known.Id, cancellationToken) is { } near)
        {
            return (near, "redis");
        }

        var epoch = Epoch;
        var answer = await Store.FindAnswerAsync(known.Id, cancellationToken);
        if (answer is not null && Redis is not null)
        {
            await Redis.KeepAsync(answer);
            if (epoch != Epoch)
            {
                await Redis.RemoveAsync([known.Id]); // whoever purged it may have looked there before it came
            }
        }

        return (answer, "stored");
    }
}

/// <summary>What was compared before the model was asked.</summary>
/// <param name="Embedder">What made the vector.</param>
internal sealed record Considered(QuestionMarks Marks, float[] Vector, string Embedder, Neighbours? Near, Verdict Verdict);

/// <summary>What a look gave.</summary>
/// <param name="Answer">Null: the model has to be asked.</param>
/// <param name="Kind">redis, stored, semantic.</param>
internal readonly record struct Found(CachedAnswer? Answer, string Kind, Considered? Considered);

/// <summary>Looks for an answer: first to an equal request, then to one that means the same.</summary>
internal sealed partial class AnswerLookup(AnswerLevels levels, IEmbedder? embedder, VerifiedPolicy policy, AnswerCacheOptions options, TimeProvider clock, ILogger<AnswerLookup> logger)
{
    /// <summary>So long a user waits for the vector of a question. Another one in tests.</summary>
    internal TimeSpan Patience { get; set; } = EmbeddingInTime.Patience;

    /// <summary>What makes the vectors now; empty: nothing does. A change of models.yaml changes it.</summary>
    public string EmbedderName => embedder is { Identity: var i } ? string.Create(CultureInfo.InvariantCulture, $"{i.Model}/{i.Version}/{i.Dimension}") : "";

    /// <summary>In memory: no wait, no allocation.</summary>
    public CachedAnswer? FindInMemory(in AnswerRequest request) => levels.Memory.Find(request.Key, clock.GetUtcNow());

    public async ValueTask<Found> FindAsync(AnswerRequest request, CancellationToken cancellationToken)
    {
        var now = clock.GetUtcNow();
        if (levels.Index.Find(request.Key, now) is { } equal)
        {
            var epoch = levels.Epoch;
            var (answer, kind) = await levels.ReadAsync(equal, cancellationToken);
            if (answer is not null && epoch == levels.Epoch)
            {
                equal.Hit();
                return new Found(answer, kind, null);
            }
        }

        policy.Looked();
        if (!options.IsSemantic || embedder is null || request.Question.Length > options.LongestQuestion || !levels.Index.Has(request.Partition))
        {
            return default;
        }

        return await CompareAsync(request, now, cancellationToken);
    }

    /// <summary>The vector of a question.</summary>
    /// <param name="isAwaited">A user waits for it: what takes long is not worth it.</param>
    /// <returns>Null: a configured model gave none.</returns>
    public async ValueTask<float[]?> EmbedAsync(AnswerRequest request, bool isAwaited, CancellationToken cancellationToken)
    {
        if (!options.IsSemantic || embedder is null || request.Question.Length > options.LongestQuestion)
        {
            return null;
        }

        try
        {
            return isAwaited
                ? await embedder.EmbedInTimeAsync(request.Question, request.Call.OwnerId, Patience, clock, cancellationToken)
                : (await embedder.EmbedAsync([request.Question], EmbedPurpose.Query, request.Call.OwnerId, cancellationToken))[0];
        }
        catch (Runtime.Agents.ModelException e)
        {
            if (isAwaited)
            {
                AnswerCacheMetrics.NotCompared(e.ErrorClass);
            }

            LogNoVector(e.ErrorClass);
            return null;
        }
    }

    private async ValueTask<Found> CompareAsync(AnswerRequest request, DateTimeOffset now, CancellationToken cancellationToken)
    {
        // After a change of the embedder nothing is like anything until the learner has made the vectors anew.
        var name = EmbedderName;
        if (name != levels.Index.Embedder || await EmbedAsync(request, isAwaited: true, cancellationToken) is not { } vector || name != EmbedderName)
        {
            return default;
        }

        var marks = MeaningMarks.Of(request.Question);
        if (levels.Index.Nearest(request.Partition, marks, vector, name, now) is not { } near)
        {
            return new Found(null, "", new Considered(marks, vector, name, null, Verdict.None));
        }

        var verdict = Decide(near);
        if (!verdict.Serve)
        {
            return new Found(null, "", new Considered(marks, vector, name, near, verdict));
        }

        var epoch = levels.Epoch;
        var (answer, _) = await levels.ReadAsync(near.Best, cancellationToken);
        if (answer is null || epoch != levels.Epoch)
        {
            TakeBack(verdict);
            levels.Index.Remove(gone => gone.Id == near.Best.Id);
            return new Found(null, "", new Considered(marks, vector, name, null, Verdict.None));
        }

        near.Best.Hit();
        return new Found(answer, "semantic", null);
    }

    private Verdict Decide(Neighbours near)
    {
        if (options.Mode == AnswerCacheMode.Threshold)
        {
            return new Verdict(near.At.Similarity >= options.Threshold, 1, false);
        }

        var verdict = policy.Decide(near.At, near.Best.Evidence);
        if (options.Mode == AnswerCacheMode.Shadow && verdict.Serve)
        {
            return verdict with { Serve = false, Audited = true };
        }

        return verdict;
    }

    private void TakeBack(Verdict verdict)
    {
        if (options.Mode == AnswerCacheMode.Verified)
        {
            policy.TakeBack(verdict);
        }
    }

    [LoggerMessage(Level = LogLevel.Debug, Message = "A question got no vector ({Reason}); it is only compared for equality")]
    private partial void LogNoVector(string reason);
}
