namespace RootMas.Server.Knowledge.Vectors;

/// <summary>All entries of one space and model in memory, by partition.</summary>
internal sealed class VectorSpace(int dimension, VectorLimits limits)
{
    private readonly Lock _writing = new();
    private readonly System.Collections.Concurrent.ConcurrentDictionary<string, VectorPartition> _partitions = new(StringComparer.Ordinal);
    private readonly Dictionary<Guid, string> _homes = [];

    /// <summary>Partitions that nothing is left of: what is kept of them on disk goes too.</summary>
    public System.Collections.Concurrent.ConcurrentQueue<string> Emptied { get; } = [];

    public IEnumerable<KeyValuePair<string, VectorPartition>> Partitions => _partitions;

    public int Count => _partitions.Values.Sum(static p => p.Count);

    public long Bytes => _partitions.Values.Sum(static p => p.Content.Bytes) + (_homes.Count * 48L);

    /// <summary>The partition, if anything is in it.</summary>
    public VectorPartition? Find(string partition) => _partitions.GetValueOrDefault(partition);

    /// <summary>Whether it is here as it is, and where it is.</summary>
    public bool Has(StoredVector row)
    {
        lock (_writing)
        {
            return _homes.TryGetValue(row.Id, out var home) && home == row.Partition && Find(home)?.StampOf(row.Id) == row.Stamp;
        }
    }

    public void Put(StoredVector row)
    {
        lock (_writing)
        {
            if (_homes.TryGetValue(row.Id, out var home) && home != row.Partition)
            {
                Leave(row.Id, home);
            }

            _homes[row.Id] = row.Partition;
            _partitions.GetOrAdd(row.Partition, static (_, made) => new VectorPartition(made.dimension, made.limits), (dimension, limits)).Put(row.Id, row.Values, row.Stamp);
        }
    }

    public void Remove(Guid id)
    {
        lock (_writing)
        {
            if (_homes.Remove(id, out var home))
            {
                Leave(id, home);
            }
        }
    }

    /// <summary>Takes what was kept in a file, without what <paramref name="wanted"/> does not have; gives what it lacks.</summary>
    public IEnumerable<Guid> Adopt(string partition, PartitionContent kept, Dictionary<Guid, long> wanted)
    {
        lock (_writing)
        {
            foreach (var id in kept.Ids.Where(id => !wanted.TryGetValue(id, out var stamp) || kept.StampOf(id) != stamp).ToList())
            {
                kept.Remove(id);
            }

            foreach (var id in kept.Ids)
            {
                _homes[id] = partition;
            }

            var made = new VectorPartition(dimension, limits);
            made.Restore(kept);
            _partitions[partition] = made;
            return [.. wanted.Keys.Where(id => kept.StampOf(id) is null)];
        }
    }

    private void Leave(Guid id, string home)
    {
        if (_partitions.TryGetValue(home, out var partition) && partition.Remove(id) && partition.Count == 0)
        {
            _partitions.TryRemove(home, out _);
            Emptied.Enqueue(home);
        }
    }
}
