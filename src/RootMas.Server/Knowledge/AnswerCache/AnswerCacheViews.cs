namespace RootMas.Server.Knowledge.AnswerCache;

/// <summary>The cache of answers, on the instance that answers, since its start.</summary>
public sealed record AnswerCacheView
{
    /// <summary>off, exact, threshold, verified or shadow.</summary>
    /// <example>verified</example>
    public required string Mode { get; init; }

    /// <summary>Start of the instance.</summary>
    public required DateTimeOffset Since { get; init; }

    /// <summary>Model calls that could have had a kept answer.</summary>
    /// <example>120</example>
    public required long Lookups { get; init; }

    /// <summary>Those of them that had none.</summary>
    /// <example>80</example>
    public required long Misses { get; init; }

    /// <summary>Those that had one, by kind: memory, redis, stored (equal requests), flight (an equal one was on its way), semantic (one that means the same).</summary>
    /// <example>{"memory":30,"redis":0,"stored":2,"flight":1,"semantic":7}</example>
    public required IReadOnlyDictionary<string, long> Hits { get; init; }

    /// <summary>Hits divided by lookups.</summary>
    /// <example>0.3333</example>
    public required double HitRate { get; init; }

    /// <summary>Model calls that are never kept, by reason: tool_results, time, personal, too_long, not_for_cache; bypass: the caller wanted a fresh answer.</summary>
    /// <example>{"tool_results":14}</example>
    public required IReadOnlyDictionary<string, long> NotForCache { get; init; }

    /// <summary>What kept answers would have cost, in US dollars.</summary>
    public required string SavedUsd { get; init; }

    /// <summary>Tokens that kept answers would have taken.</summary>
    /// <example>18200</example>
    public required long SavedTokens { get; init; }

    /// <summary>Answers in the database that may be given again, of all users.</summary>
    /// <example>64</example>
    public required long Entries { get; init; }

    /// <summary>Answers in the memory of the instance.</summary>
    /// <example>64</example>
    public required long EntriesInMemory { get; init; }

    /// <summary>How often answers to similar questions are wrong.</summary>
    public required AnswerErrorView Error { get; init; }

    /// <summary>The answers that were given most often: one's own; for administrators those of all users, with the texts of their own questions only.</summary>
    public required IReadOnlyList<TopAnswerView> TopQueries { get; init; }
}

/// <summary>What is known about wrong answers of the cache.</summary>
public sealed record AnswerErrorView
{
    /// <summary>The part of all lookups that may get a wrong answer (setting Knowledge:AnswerCache:MaxWrong).</summary>
    /// <example>0.01</example>
    public required double MaxWrong { get; init; }

    /// <summary>Upper bound of wrong answers in the mean, as a part of all lookups: what was given was expected to be wrong at most so often (in mode shadow: what would have been given). Null in mode threshold, where it is not known.</summary>
    /// <example>0.0062</example>
    public required double? Bound { get; init; }

    /// <summary>Comparisons of kept with fresh answers that were learned from.</summary>
    /// <example>410</example>
    public required long Comparisons { get; init; }

    /// <summary>Answers that could have been given and were asked for all the same.</summary>
    /// <example>12</example>
    public required long Audited { get; init; }

    /// <summary>Those of them that would have been wrong.</summary>
    /// <example>0</example>
    public required long AuditedWrong { get; init; }

    /// <summary>Estimated share of wrong ones among semantic hits, from the audited ones; null: none was audited yet.</summary>
    /// <example>0</example>
    public double? FalseHitRate { get; init; }

    /// <summary>Lower end of its 95 % interval.</summary>
    /// <example>0</example>
    public double? FalseHitRateLow { get; init; }

    /// <summary>Upper end of its 95 % interval.</summary>
    /// <example>0.2425</example>
    public double? FalseHitRateHigh { get; init; }
}

/// <summary>An answer that was given again.</summary>
public sealed record TopAnswerView
{
    /// <summary>Of the kept answer.</summary>
    /// <example>0197b1c2-0000-7000-8000-000000000001</example>
    public required string Id { get; init; }

    /// <summary>The agent whose answer it is.</summary>
    /// <example>communicator</example>
    public required string Agent { get; init; }

    /// <summary>How often it was given.</summary>
    /// <example>9</example>
    public required long Hits { get; init; }

    /// <summary>What that saved, in US dollars.</summary>
    public required string SavedUsd { get; init; }

    /// <summary>The question, if it is one's own; else null.</summary>
    /// <example>How do I reset my password?</example>
    public string? Text { get; init; }

    /// <summary>When the answer was made.</summary>
    public required DateTimeOffset CreatedAt { get; init; }

    /// <summary>When it is no longer given.</summary>
    public required DateTimeOffset ExpiresAt { get; init; }
}

/// <summary>What clearing the cache did.</summary>
public sealed record CacheCleared
{
    /// <summary>success.</summary>
    /// <example>success</example>
    public required string Status { get; init; }

    /// <summary>For people.</summary>
    /// <example>3 answers were removed.</example>
    public required string Message { get; init; }

    /// <summary>Answers that were removed from the database.</summary>
    /// <example>3</example>
    public required int Removed { get; init; }
}
