using System.Collections.Concurrent;

namespace RootMas.Server.Knowledge.Vectors;

/// <summary>
/// Hierarchical navigable small world graph over rows (Malkov and Yashunin, 2018, "Efficient and robust approximate nearest neighbor search using hierarchical navigable small world graphs", algorithms 1 to 5), with their heuristic for the choice of neighbours.
/// One inserts at a time, any number searches beside: links are changed in place, a reader may see old and new ones mixed, and each of them leads to a row that is there. Rows that were deleted stay as stepping stones until the next rebuild.
/// </summary>
internal sealed class HnswGraph
{
    /// <summary>Links of a row on the upper layers (M); twice as many on the lowest.</summary>
    public const int Links = 16;

    /// <summary>Candidates while a row is inserted.</summary>
    public const int BuildWidth = 160;

    private const int HighestLevel = 15;
    private static readonly double LevelScale = 1 / Math.Log(Links);

    private readonly VectorRows _rows;
    private readonly ConcurrentBag<HnswScratch> _scratches = [];
    private readonly HnswScratch _building = new();
    private int _count;
    private volatile Entry _entry = new(-1, -1);

    public HnswGraph(VectorRows rows) => (_rows, Layers) = (rows, new HnswLayers());

    /// <summary>Rows below it are in the graph.</summary>
    public int Count => Volatile.Read(ref _count);

    public HnswLayers Layers { get; }

    public (int Row, int Level) EntryPoint => (_entry.Row, _entry.Level);

    /// <summary>Takes up what was saved.</summary>
    public void Restore(int count, int entryRow, int entryLevel)
    {
        _entry = new Entry(entryRow, entryLevel);
        Volatile.Write(ref _count, count);
    }

    /// <summary>Algorithm 1. Takes the next row; it must be in the rows already.</summary>
    public void InsertNext()
    {
        var row = _count;
        var level = LevelOf(row);
        Layers.Add(row, level);
        if (_entry is { Row: >= 0 } entry)
        {
            Link(row, level, entry);
        }

        if (level > _entry.Level)
        {
            _entry = new Entry(row, level);
        }

        Volatile.Write(ref _count, row + 1);
    }

    /// <summary>Algorithm 5. The best <paramref name="k"/> rows that <paramref name="look"/> allows, into <paramref name="found"/>, whose root is the worst.</summary>
    /// <param name="query">Prepared by the rows of this graph.</param>
    /// <param name="width">Candidates that are kept (ef), at least <paramref name="k"/>: more find more and take longer.</param>
    /// <param name="k">How many.</param>
    /// <param name="look">Which rows may be found.</param>
    /// <param name="found">Takes what was found.</param>
    public void Search(VectorQuery query, int width, int k, HnswLook look, ScoreHeap found)
    {
        if (_entry is not { Row: >= 0 } entry)
        {
            return;
        }

        if (!_scratches.TryTake(out var scratch))
        {
            scratch = new HnswScratch();
        }

        var scorer = new Scorer(_rows, query, -1);
        var start = Descend(scorer, entry, 0);
        SearchLayer(scorer, start, 0, Math.Max(width, k), look, scratch);
        while (scratch.Best.Count > 0)
        {
            var (score, row) = scratch.Best.Pop();
            found.Offer(score, row, k);
        }

        _scratches.Add(scratch);
    }

    /// <summary>The same for the same row in every build: −ln(U) · 1/ln(M).</summary>
    internal static int LevelOf(int row)
    {
        var z = ((ulong)row + 1) * 0x9E3779B97F4A7C15UL;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9UL;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EBUL;
        var uniform = (((z ^ (z >> 31)) >> 11) + 1) * (1.0 / (1UL << 53));
        return Math.Min((int)(-Math.Log(uniform) * LevelScale), HighestLevel);
    }

    private void Link(int row, int level, Entry entry)
    {
        var scorer = new Scorer(_rows, null, row);
        var start = Descend(scorer, entry, level);
        for (var layer = Math.Min(level, entry.Level); layer >= 0; layer--)
        {
            SearchLayer(scorer, start, layer, BuildWidth, null, _building);
            var candidates = _building.TakeBestFirst();
            start = candidates[0].Row;
            var neighbours = Select(candidates, Links);
            Layers.Replace(row, layer, neighbours);
            foreach (var neighbour in neighbours)
            {
                LinkBack(neighbour, row, layer);
            }
        }
    }

    /// <summary>Adds a link; where there is no room the heuristic decides which ones stay.</summary>
    private void LinkBack(int from, int to, int layer)
    {
        if (Layers.TryAppend(from, layer, to))
        {
            return;
        }

        var list = Layers.Of(from, layer);
        foreach (var row in list)
        {
            _rows.Prefetch(row);
        }

        var candidates = new List<(float Score, int Row)>(list.Length + 1) { (_rows.Score(from, to), to) };
        foreach (var row in list)
        {
            candidates.Add((_rows.Score(from, row), row));
        }

        candidates.Sort(static (a, b) => b.Score.CompareTo(a.Score));
        Layers.Replace(from, layer, Select(candidates, HnswLayers.Room(layer)));
    }

    /// <summary>Algorithm 4: a candidate that is nearer to one already chosen than to the row itself is left out, so that links lead in all directions.</summary>
    /// <param name="candidates">Best first.</param>
    /// <param name="most">How many.</param>
    private List<int> Select(List<(float Score, int Row)> candidates, int most)
    {
        var chosen = new List<int>(most);
        foreach (var (score, row) in candidates)
        {
            if (chosen.Count == most)
            {
                break;
            }

            if (!IsCloserToOneOf(chosen, row, score))
            {
                chosen.Add(row);
            }
        }

        return chosen;
    }

    private bool IsCloserToOneOf(List<int> chosen, int row, float score)
    {
        foreach (var other in chosen)
        {
            if (_rows.Score(row, other) > score)
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>Greedily to the nearest row of the layer above <paramref name="to"/>.</summary>
    private int Descend(Scorer scorer, Entry entry, int to)
    {
        var (best, score) = (entry.Row, scorer.Of(entry.Row));
        for (var layer = entry.Level; layer > to; layer--)
        {
            for (var moved = true; moved;)
            {
                moved = false;
                foreach (var row in Layers.Of(best, layer))
                {
                    if (scorer.Of(row) is var other && other > score)
                    {
                        (best, score, moved) = (row, other, true);
                    }
                }
            }
        }

        return best;
    }

    /// <summary>Algorithm 2. What was found is in <see cref="HnswScratch.Best"/>.</summary>
    private void SearchLayer(Scorer scorer, int start, int layer, int width, HnswLook? look, HnswScratch scratch)
    {
        scratch.Begin(Count + 1);
        var (open, best) = (scratch.Open, scratch.Best);
        scratch.Visit(start);
        var first = scorer.Of(start);
        open.Push(first, start);
        if (look is null || look.MayFind(start))
        {
            best.Push(first, start);
        }

        while (open.Count > 0)
        {
            var (score, row) = open.Pop();
            if (best.Count >= width && score < best.RootScore)
            {
                break;
            }

            foreach (var next in Unvisited(row, layer, scratch))
            {
                Consider(scorer.Of(next), next, width, look, scratch);
            }

            if (layer == 0 && open.Count > 0)
            {
                Layers.Prefetch(open.Root);
            }
        }
    }

    /// <summary>Where the row leads that this search was not. Memory is asked for all of them at once, instead of waited for one after the other.</summary>
    private ReadOnlySpan<int> Unvisited(int row, int layer, HnswScratch scratch)
    {
        var (fresh, count) = (scratch.Fresh, 0);
        foreach (var next in Layers.Of(row, layer))
        {
            if (scratch.Visit(next))
            {
                _rows.Prefetch(next);
                fresh[count++] = next;
            }
        }

        return fresh.AsSpan(0, count);
    }

    private static void Consider(float score, int row, int width, HnswLook? look, HnswScratch scratch)
    {
        if (scratch.Best.Count >= width && score <= scratch.Best.RootScore)
        {
            return;
        }

        scratch.Open.Push(score, row);
        if (look is null || look.MayFind(row))
        {
            scratch.Best.Offer(score, row, width);
        }
    }

    /// <summary>Compares rows with a query, or with one of them.</summary>
    private readonly struct Scorer(VectorRows rows, VectorQuery? query, int self)
    {
        public float Of(int row) => query is null ? rows.Score(self, row) : rows.Score(query, row);
    }

    private sealed record Entry(int Row, int Level);
}

/// <summary>Which rows a search may find. Others may lie on its way.</summary>
/// <param name="Alive">Zero: the row was deleted.</param>
/// <param name="Below">Rows from here on are looked through by whoever searches: one that is inserted at that moment is not found twice.</param>
internal sealed record HnswLook(RowBlocks<byte> Alive, int Below)
{
    public bool MayFind(int row) => row < Below && Alive[row][0] != 0;
}

/// <summary>What one search needs; kept for the next one.</summary>
internal sealed class HnswScratch
{
    private int[] _visited = [];
    private int _round;

    /// <summary>Rows whose links are not followed yet, the best at hand.</summary>
    public ScoreHeap Open { get; } = new(bestFirst: true);

    /// <summary>The best so far, the worst of them at hand.</summary>
    public ScoreHeap Best { get; } = new(bestFirst: false);

    /// <summary>Room for the links of one row.</summary>
    public int[] Fresh { get; } = new int[HnswLayers.Room(0)];

    public void Begin(int rows)
    {
        Open.Clear();
        Best.Clear();
        if (_visited.Length < rows)
        {
            _visited = new int[rows + (rows / 2)];
            _round = 0;
        }

        if (++_round == int.MaxValue)
        {
            Array.Clear(_visited);
            _round = 1;
        }
    }

    /// <summary>False: it was visited in this search, or is newer than what it has room for.</summary>
    public bool Visit(int row)
    {
        if (row >= _visited.Length || _visited[row] == _round)
        {
            return false;
        }

        _visited[row] = _round;
        return true;
    }

    /// <summary>Empties <see cref="Best"/>.</summary>
    public List<(float Score, int Row)> TakeBestFirst()
    {
        var list = new List<(float Score, int Row)>(Best.Count);
        while (Best.Count > 0)
        {
            list.Add(Best.Pop());
        }

        list.Reverse();
        return list;
    }
}
