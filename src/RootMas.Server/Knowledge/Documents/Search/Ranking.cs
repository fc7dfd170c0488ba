namespace RootMas.Server.Knowledge.Documents.Search;

/// <summary>Puts lists of findings together.</summary>
internal static class Ranking
{
    /// <summary>Of reciprocal rank fusion; the value of the paper, which hardly matters.</summary>
    private const int Smoothing = 60;

    /// <summary>What counts more: fitting the question (1), or being unlike what stands above (0).</summary>
    private const double Relevance = 0.75;

    /// <summary>Reciprocal rank fusion (Cormack, Clarke and Büttcher, 2009): what stands high in several lists comes first. Ranks are all it needs, so scores of different kinds need no common scale.</summary>
    public static IReadOnlyList<(T Item, double Score)> Fuse<T>(params IReadOnlyList<IReadOnlyList<T>> lists)
        where T : notnull
    {
        var scores = new Dictionary<T, double>();
        foreach (var list in lists)
        {
            for (var i = 0; i < list.Count; i++)
            {
                scores[list[i]] = scores.GetValueOrDefault(list[i]) + (1.0 / (Smoothing + i + 1));
            }
        }

        // Equal scores: in the order of the first list that has it.
        var order = lists.SelectMany(static l => l).Distinct().Select(static (item, i) => (item, i)).ToDictionary(static p => p.item, static p => p.i);
        return [.. scores.OrderByDescending(static s => s.Value).ThenBy(s => order[s.Key]).Select(static s => (s.Key, s.Value))];
    }

    /// <summary>Maximal marginal relevance (Carbonell and Goldstein, 1998): the next one is the best that does not repeat what stands above it.</summary>
    /// <param name="ranked">Best first, with scores of 0 or more.</param>
    /// <param name="likeness">Of two items, 0…1.</param>
    public static IReadOnlyList<T> Diversify<T>(IReadOnlyList<(T Item, double Score)> ranked, int count, Func<T, T, double> likeness)
    {
        ArgumentNullException.ThrowIfNull(ranked);
        ArgumentNullException.ThrowIfNull(likeness);
        var best = ranked.Count == 0 ? 1 : Math.Max(ranked[0].Score, double.Epsilon);
        var left = ranked.Select(static r => (r.Item, r.Score, Closest: 0.0)).ToList();
        var chosen = new List<T>(Math.Min(count, left.Count));
        while (chosen.Count < count && left.Count > 0)
        {
            var next = 0;
            for (var i = 1; i < left.Count; i++)
            {
                next = Value(left[i]) > Value(left[next]) ? i : next;
            }

            var taken = left[next].Item;
            chosen.Add(taken);
            left.RemoveAt(next);
            left = [.. left.Select(l => l with { Closest = Math.Max(l.Closest, likeness(l.Item, taken)) })];
        }

        return chosen;

        double Value((T Item, double Score, double Closest) one) => (Relevance * one.Score / best) - ((1 - Relevance) * one.Closest);
    }

    /// <summary>Share of stems that two texts have in common (Jaccard): two chunks that say the same in the same words are alike.</summary>
    public static double Likeness(IReadOnlySet<string> one, IReadOnlySet<string> other)
    {
        ArgumentNullException.ThrowIfNull(one);
        ArgumentNullException.ThrowIfNull(other);
        var common = one.Count(other.Contains);
        var all = one.Count + other.Count - common;
        return all == 0 ? 0 : (double)common / all;
    }
}
