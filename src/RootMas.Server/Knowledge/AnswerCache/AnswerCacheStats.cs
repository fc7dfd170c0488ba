using RootMas.Server.Platform.Telemetry;

namespace RootMas.Server.Knowledge.AnswerCache;

/// <summary>What the cache did, as figures.</summary>
internal sealed class AnswerCacheStats(AnswerLevels levels, VerifiedPolicy policy, AnswerCacheMetrics metrics, AnswerCacheOptions options, TimeProvider clock)
{
    private const int MostTop = 20;

    private static readonly string[] HitKinds = ["memory", "redis", "stored", "flight", "semantic"];

    private readonly DateTimeOffset _since = clock.GetUtcNow();

    /// <summary>Null: a fixed threshold gives what is similar, and nobody knows how often that is wrong.</summary>
    private double? Bound => options.Mode == AnswerCacheMode.Threshold ? null : policy.Lookups == 0 ? 0 : policy.Spent / policy.Lookups;

    /// <param name="owner">Whose texts are shown.</param>
    /// <param name="all">Others' entries too, without their texts.</param>
    public async Task<AnswerCacheView> ReadAsync(string owner, bool all, CancellationToken cancellationToken)
    {
        var outcomes = metrics.Outcomes;
        var hits = HitKinds.ToDictionary(static k => k, k => outcomes.GetValueOrDefault(k), StringComparer.Ordinal);
        var misses = outcomes.GetValueOrDefault("miss");
        var (audits, wrong) = policy.Audits;
        var (low, high) = Wilson.Interval(wrong, audits);
        var served = hits.Values.Sum();
        var top = await levels.Store.TopAsync(all ? null : owner, MostTop, cancellationToken);
        return new AnswerCacheView
        {
            Mode = options.Mode.ToString().ToLowerInvariant(),
            Since = _since,
            Lookups = served + misses,
            Misses = misses,
            Hits = hits,
            HitRate = served + misses == 0 ? 0 : Math.Round(served / (double)(served + misses), 4),
            NotForCache = outcomes.Where(o => o.Key != "miss" && !hits.ContainsKey(o.Key)).ToDictionary(static o => o.Key, static o => o.Value, StringComparer.Ordinal),
            SavedUsd = new Runtime.Runs.Money(metrics.SavedMicroUsd).ToString(),
            SavedTokens = metrics.SavedTokens,
            Entries = levels.Index.Count,
            EntriesInMemory = levels.Memory.Count,
            Error = new AnswerErrorView
            {
                MaxWrong = options.MaxWrong,
                Bound = Bound is { } bound ? Math.Round(bound, 6) : null,
                Comparisons = policy.Observations,
                Audited = audits,
                AuditedWrong = wrong,
                FalseHitRate = audits == 0 ? null : Math.Round(wrong / (double)audits, 4),
                FalseHitRateLow = audits == 0 ? null : Math.Round(low, 4),
                FalseHitRateHigh = audits == 0 ? null : Math.Round(high, 4),
            },
            TopQueries = [.. top.Select(t => new TopAnswerView
            {
                Id = t.Id,
                Agent = t.Agent,
                Hits = t.Hits,
                SavedUsd = new Runtime.Runs.Money(t.MicroUsd * t.Hits).ToString(),
                Text = t.OwnerId == owner ? t.Question : null,
                CreatedAt = t.CreatedAt,
                ExpiresAt = t.ExpiresAt,
            })],
        };
    }

    internal void Publish(ServerMeter meter)
    {
        meter.Observe("rootmas.cache.answers.entries", "{answer}", "Answers that may be given again: in the database, and in the memory of this instance.",
            () => [new Reading(levels.Index.Count, "level", "database"), new Reading(levels.Memory.Count, "level", "memory")]);
        meter.Observe("rootmas.cache.answers.error_bound", "1", "Upper bound of wrong answers in the mean, as a part of all lookups since the start; Knowledge:AnswerCache:MaxWrong is what it may be. Not there in mode threshold, where it is not known.",
            () => Bound is { } bound ? [new Reading(bound)] : []);
    }
}

/// <summary>The score interval of Wilson (1927) for a share, at 95 %.</summary>
internal static class Wilson
{
    private const double Z = 1.959964;

    public static (double Low, double High) Interval(long count, long of)
    {
        if (of == 0)
        {
            return (0, 1);
        }

        var p = count / (double)of;
        var centre = (p + (Z * Z / (2 * of))) / (1 + (Z * Z / of));
        var half = Z / (1 + (Z * Z / of)) * Math.Sqrt((p * (1 - p) / of) + (Z * Z / (4.0 * of * of)));
        return (Math.Max(0, centre - half), Math.Min(1, centre + half));
    }
}
