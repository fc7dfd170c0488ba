namespace RootMas.Server.Knowledge.Vectors;

/// <summary>Rows by score, the best or the worst of them at hand.</summary>
/// <param name="bestFirst">The root is the best one; else the worst.</param>
internal sealed class ScoreHeap(bool bestFirst)
{
    private readonly float _sign = bestFirst ? -1 : 1;
    private (float Key, int Row)[] _items = new (float, int)[64];

    public int Count { get; private set; }

    public float RootScore => _items[0].Key * _sign;

    public int Root => _items[0].Row;

    public void Clear() => Count = 0;

    public void Push(float score, int row)
    {
        if (Count == _items.Length)
        {
            Array.Resize(ref _items, Count * 2);
        }

        var (items, at, key) = (_items, Count++, score * _sign);
        while (at > 0 && items[(at - 1) >> 1].Key > key)
        {
            items[at] = items[(at - 1) >> 1];
            at = (at - 1) >> 1;
        }

        items[at] = (key, row);
    }

    /// <summary>Keeps the best <paramref name="k"/> of all that are offered; the root is the worst.</summary>
    public void Offer(float score, int row, int k)
    {
        if (Count < k)
        {
            Push(score, row);
        }
        else if (score > RootScore)
        {
            ReplaceRoot(score, row);
        }
    }

    public (float Score, int Row) Pop()
    {
        var root = _items[0];
        Count--;
        if (Count > 0)
        {
            Sink(_items[Count]);
        }

        return (root.Key * _sign, root.Row);
    }

    private void ReplaceRoot(float score, int row) => Sink((score * _sign, row));

    private void Sink((float Key, int Row) item)
    {
        var (items, at) = (_items, 0);
        for (var child = 1; child < Count; child = (2 * at) + 1)
        {
            if (child + 1 < Count && items[child + 1].Key < items[child].Key)
            {
                child++;
            }

            if (items[child].Key >= item.Key)
            {
                break;
            }

            items[at] = items[child];
            at = child;
        }

        items[at] = item;
    }
}
