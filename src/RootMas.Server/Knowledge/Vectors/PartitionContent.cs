namespace RootMas.Server.Knowledge.Vectors;

/// <summary>The rows of a partition with their ids, and the graph over the first of them where there is one. Replaced as a whole by a rebuild.</summary>
internal sealed class PartitionContent(VectorRows rows)
{
    private readonly RowBlocks<Guid> _ids = new(1);
    private readonly RowBlocks<long> _stamps = new(1);
    private readonly Dictionary<Guid, int> _rowOf = [];
    private volatile HnswGraph? _graph;

    public VectorRows Rows => rows;

    /// <summary>Zero: the row was deleted.</summary>
    public RowBlocks<byte> Alive { get; } = new(1);

    public HnswGraph? Graph
    {
        get => _graph;
        set => _graph = value;
    }

    /// <summary>Entries that can be found.</summary>
    public int LiveCount => _rowOf.Count;

    public int DeadCount => rows.Count - _rowOf.Count;

    public IEnumerable<Guid> Ids => _rowOf.Keys;

    public RowBlocks<Guid> AllIds => _ids;

    public RowBlocks<long> Stamps => _stamps;

    /// <summary>Bytes of rows, ids and links; the table of ids is an estimate.</summary>
    public long Bytes => rows.Bytes + _ids.Bytes + _stamps.Bytes + Alive.Bytes + (_rowOf.Count * 36L) + (_graph?.Layers.Bytes ?? 0);

    public Guid IdOf(int row) => _ids[row][0];

    public long? StampOf(Guid id) => _rowOf.TryGetValue(id, out var row) ? _stamps[row][0] : null;

    public void Put(Guid id, ReadOnlySpan<float> vector, long stamp)
    {
        Remove(id);
        var row = rows.Count;
        _ids.Grow(row)[0] = id;
        _stamps.Grow(row)[0] = stamp;
        Alive.Grow(row)[0] = 1;
        _rowOf[id] = row;
        rows.Append(vector);
    }

    public bool Remove(Guid id)
    {
        if (!_rowOf.Remove(id, out var row))
        {
            return false;
        }

        Alive[row][0] = 0;
        return true;
    }

    /// <summary>After the blocks were read from a file.</summary>
    public void Index(int count)
    {
        for (var row = 0; row < count; row++)
        {
            if (Alive[row][0] != 0)
            {
                _rowOf[_ids[row][0]] = row;
            }
        }
    }

    /// <summary>The best <paramref name="k"/> in <paramref name="found"/>: by the graph, and what it does not have yet one by one.</summary>
    public void Search(ReadOnlyMemory<float> query, int width, int k, ScoreHeap found)
    {
        var prepared = rows.Prepare(query);
        var from = 0;
        if (_graph is { } graph)
        {
            from = graph.Count;
            graph.Search(prepared, width, k, new HnswLook(Alive, from), found);
        }

        var count = rows.Count;
        for (var row = from; row < count; row++)
        {
            if (Alive[row][0] != 0)
            {
                found.Offer(rows.Score(prepared, row), row, k);
            }
        }
    }

    /// <summary>Rows of those of the ids that are here; only for whoever may write.</summary>
    public List<int> RowsOf(IReadOnlyCollection<Guid> ids)
    {
        var found = new List<int>(Math.Min(ids.Count, _rowOf.Count));
        foreach (var id in ids)
        {
            if (_rowOf.TryGetValue(id, out var row))
            {
                found.Add(row);
            }
        }

        return found;
    }

    /// <summary>The best <paramref name="k"/> of some rows in <paramref name="found"/>, whatever the graph says.</summary>
    public void Compare(ReadOnlyMemory<float> query, List<int> some, int k, ScoreHeap found)
    {
        var prepared = rows.Prepare(query);
        foreach (var row in some)
        {
            found.Offer(rows.Score(prepared, row), row, k);
        }
    }
}
