namespace RootMas.Server.Knowledge.Vectors;

/// <summary>The links of a graph: 32 of each row on the lowest layer, 16 on each higher one, which one row in 16 has.</summary>
internal sealed class HnswLayers
{
    private readonly RowBlocks<int> _lowest = new(1 + Room(0));
    private readonly RowBlocks<int> _upperAt = new(1);
    private readonly RowBlocks<int> _upper = new(1 + Room(1));
    private int _upperCount;

    public long Bytes => _lowest.Bytes + _upperAt.Bytes + _upper.Bytes;

    /// <summary>Lists of the higher layers, of all rows.</summary>
    public int UpperCount => _upperCount;

    /// <summary>Most links of one row.</summary>
    public static int Room(int layer) => layer == 0 ? 2 * HnswGraph.Links : HnswGraph.Links;

    /// <summary>Makes the row's lists, without links.</summary>
    public void Add(int row, int level)
    {
        _lowest.Grow(row)[0] = 0;
        _upperAt.Grow(row)[0] = _upperCount;
        for (var i = 0; i < level; i++)
        {
            _upper.Grow(_upperCount + i)[0] = 0;
        }

        _upperCount += level;
    }

    public ReadOnlySpan<int> Of(int row, int layer)
    {
        var list = ListOf(row, layer);
        return list.Slice(1, Volatile.Read(ref list[0]));
    }

    /// <summary>The row's links on the lowest layer will be followed soon.</summary>
    public void Prefetch(int row) => _lowest.Prefetch(row);

    /// <summary>False: there is no room.</summary>
    public bool TryAppend(int row, int layer, int link)
    {
        var list = ListOf(row, layer);
        var count = list[0];
        if (count == Room(layer))
        {
            return false;
        }

        list[1 + count] = link;
        Volatile.Write(ref list[0], count + 1);
        return true;
    }

    public void Replace(int row, int layer, List<int> links)
    {
        var list = ListOf(row, layer);
        for (var i = 0; i < links.Count; i++)
        {
            list[1 + i] = links[i];
        }

        Volatile.Write(ref list[0], links.Count);
    }

    public async Task SaveAsync(Stream stream, int count, CancellationToken cancellationToken)
    {
        await _lowest.WriteAsync(stream, count, cancellationToken);
        await _upperAt.WriteAsync(stream, count, cancellationToken);
        await _upper.WriteAsync(stream, _upperCount, cancellationToken);
    }

    /// <exception cref="InvalidDataException">A link leads nowhere.</exception>
    public async Task LoadAsync(Stream stream, int count, int upperCount, CancellationToken cancellationToken)
    {
        await _lowest.ReadAsync(stream, count, cancellationToken);
        await _upperAt.ReadAsync(stream, count, cancellationToken);
        await _upper.ReadAsync(stream, upperCount, cancellationToken);
        _upperCount = upperCount;
        for (var row = 0; row < count; row++)
        {
            Check(_lowest[row], count, 0);
            var levels = HnswGraph.LevelOf(row);
            if (_upperAt[row][0] is var at && (at < 0 || at + levels > upperCount))
            {
                throw new InvalidDataException("A list of links is missing.");
            }
        }

        for (var list = 0; list < upperCount; list++)
        {
            Check(_upper[list], count, 1);
        }
    }

    private static void Check(ReadOnlySpan<int> list, int count, int layer)
    {
        if (list[0] < 0 || list[0] > Room(layer) || list.Slice(1, list[0]).ContainsAnyExceptInRange(0, count - 1))
        {
            throw new InvalidDataException("A link leads nowhere.");
        }
    }

    private Span<int> ListOf(int row, int layer) => layer == 0 ? _lowest[row] : _upper[_upperAt[row][0] + layer - 1];
}
