namespace RootMas.Server.Knowledge.Vectors;

/// <summary>From which size on a partition is kept how.</summary>
/// <param name="GraphFrom">Entries from which a graph is built; below, comparing with each is as quick.</param>
/// <param name="BytesFrom">Entries from which 8 bits a number are kept in memory.</param>
/// <param name="SearchWidth">Candidates of a search in a graph (ef).</param>
internal sealed record VectorLimits(int GraphFrom, int BytesFrom, int SearchWidth);

/// <summary>A hit before it has its partition.</summary>
/// <param name="Id">Of the entry.</param>
/// <param name="Score">Cosine.</param>
/// <param name="IsExact">Else it is that of rounded vectors.</param>
internal readonly record struct PartitionHit(Guid Id, float Score, bool IsExact);

/// <summary>
/// The entries of one partition: all that a search may see, or nothing of it. So the filter costs nothing and takes nothing from the recall of the graph. Writes and searches may come from anywhere; rebuilding is done by one at a time.
/// </summary>
internal sealed class VectorPartition(int dimension, VectorLimits limits)
{
    /// <summary>A graph with more dead rows than one in so many is built anew.</summary>
    private const int DeadShare = 5;

    private const int FewDead = 64;

    private readonly Lock _writing = new();
    private volatile PartitionContent _content = new(new FloatRows(dimension));
    private volatile PartitionContent? _tidied;

    public PartitionContent Content => _content;

    public int Count => _content.LiveCount;

    /// <summary>What a rebuild would change. Reading it is cheap.</summary>
    public PartitionWork Work
    {
        get
        {
            var content = _content;
            var (live, graph) = (content.LiveCount, content.Graph);
            var isWrong = (live >= limits.BytesFrom && content.Rows.IsExact)
                || (live >= limits.GraphFrom && graph is null)
                || (_tidied == content && content.DeadCount > 0)
                || (content.DeadCount > FewDead && content.DeadCount > content.Rows.Count / DeadShare);
            return isWrong ? PartitionWork.Rebuild : graph is not null && graph.Count < content.Rows.Count ? PartitionWork.Extend : PartitionWork.None;
        }
    }

    /// <summary>What was removed until now is to go altogether, also from the file of the graph: true if there is any.</summary>
    public bool Tidy()
    {
        var content = _content;
        if (content.Graph is null || content.DeadCount == 0)
        {
            return false;
        }

        _tidied = content; // a rebuild takes its place
        return true;
    }

    public long? StampOf(Guid id)
    {
        lock (_writing)
        {
            return _content.StampOf(id);
        }
    }

    public void Put(Guid id, ReadOnlySpan<float> vector, long stamp)
    {
        lock (_writing)
        {
            _content.Put(id, vector, stamp);
        }
    }

    public bool Remove(Guid id)
    {
        lock (_writing)
        {
            return _content.Remove(id);
        }
    }

    /// <summary>The best <paramref name="k"/>, best first.</summary>
    /// <param name="query">L2-normalised.</param>
    /// <param name="k">How many.</param>
    /// <param name="spare">How many more where scores are not exact.</param>
    public List<PartitionHit> Search(ReadOnlyMemory<float> query, int k, int spare)
    {
        var content = _content;
        var most = content.Rows.IsExact ? k : k + spare;
        var found = new ScoreHeap(bestFirst: false);
        content.Search(query, Math.Max(limits.SearchWidth, most), most, found);
        return HitsOf(content, found);
    }

    /// <summary>The best <paramref name="k"/> of the entries that are named, each compared, best first.</summary>
    /// <param name="query">L2-normalised.</param>
    /// <param name="among">Ids; what is not here is passed over.</param>
    /// <param name="k">How many.</param>
    /// <param name="spare">How many more where scores are not exact.</param>
    public List<PartitionHit> SearchAmong(ReadOnlyMemory<float> query, IReadOnlyCollection<Guid> among, int k, int spare)
    {
        PartitionContent content;
        List<int> rows;
        lock (_writing)
        {
            content = _content;
            rows = content.RowsOf(among);
        }

        var found = new ScoreHeap(bestFirst: false);
        content.Compare(query, rows, content.Rows.IsExact ? k : k + spare, found);
        return HitsOf(content, found);
    }

    /// <summary>Takes a content that was read from a file; only before anybody searches.</summary>
    public void Restore(PartitionContent content) => _content = content;

    /// <summary>Puts the rows that came since into the graph. Returns early when told to.</summary>
    public void Extend(CancellationToken cancellationToken)
    {
        var content = _content;
        while (content.Graph is { } graph && graph.Count < content.Rows.Count && !cancellationToken.IsCancellationRequested)
        {
            graph.InsertNext();
        }
    }

    /// <summary>Makes the content anew, as its size wants it and without dead rows, while searches and writes go on with the old one.</summary>
    public void Rebuild(CancellationToken cancellationToken)
    {
        var old = _content;
        var taken = old.Rows.Count;
        var live = old.LiveCount;

        // What was rounded never becomes exact again, however few are left: it is only called so, and the best are compared with the table's.
        var fresh = new PartitionContent(live >= limits.BytesFrom || !old.Rows.IsExact ? new ByteRows(dimension) : new FloatRows(dimension));
        CopyLive(old, fresh, 0, taken);
        if (live >= limits.GraphFrom)
        {
            var graph = new HnswGraph(fresh.Rows);
            while (graph.Count < fresh.Rows.Count)
            {
                cancellationToken.ThrowIfCancellationRequested();
                graph.InsertNext();
            }

            fresh.Graph = graph;
        }

        lock (_writing)
        {
            foreach (var id in fresh.Ids.Where(id => old.StampOf(id) is null).ToList())
            {
                fresh.Remove(id); // while we built
            }

            CopyLive(old, fresh, taken, old.Rows.Count); // what was replaced comes again, and takes the place of the old one
            _content = fresh;
        }
    }

    private static List<PartitionHit> HitsOf(PartitionContent content, ScoreHeap found)
    {
        var hits = new List<PartitionHit>(found.Count);
        while (found.Count > 0)
        {
            var (score, row) = found.Pop();
            hits.Add(new PartitionHit(content.IdOf(row), score, content.Rows.IsExact));
        }

        hits.Reverse();
        return [.. hits.DistinctBy(static h => h.Id)]; // one that was put again meanwhile may be found in its old row and in its new one
    }

    private static void CopyLive(PartitionContent from, PartitionContent to, int first, int end)
    {
        var vector = new float[from.Rows.Dimension];
        for (var row = first; row < end; row++)
        {
            if (from.Alive[row][0] != 0)
            {
                from.Rows.CopyTo(row, vector);
                to.Put(from.IdOf(row), vector, from.Stamps[row][0]);
            }
        }
    }
}

/// <summary>What a partition needs.</summary>
internal enum PartitionWork
{
    /// <summary>Nothing.</summary>
    None,

    /// <summary>The graph lacks the newest rows.</summary>
    Extend,

    /// <summary>Another form, or fewer dead rows.</summary>
    Rebuild,
}
