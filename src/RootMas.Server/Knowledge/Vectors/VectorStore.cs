using RootMas.Server.Knowledge.Embeddings;
using RootMas.Server.Platform.Data;

namespace RootMas.Server.Knowledge.Vectors;

/// <summary>Embeds, writes, and asks the index of this installation.</summary>
internal sealed class VectorStore(IDatabase database, IEmbedder embedder, VectorIndexes indexes, VectorMetrics metrics, TimeProvider clock) : IVectorStore
{
    /// <summary>Rows of one transaction; others write between two.</summary>
    private const int Batch = 96;

    public async ValueTask PutAsync(string space, IReadOnlyList<VectorEntry> entries, string ownerId, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(entries);
        if (entries.Count == 0)
        {
            return;
        }

        var index = await indexes.CurrentAsync();
        foreach (var some in entries.Chunk(Batch))
        {
            var (model, vectors) = await EmbedAsync(some, ownerId, cancellationToken);
            var rows = some.Zip(vectors, static (e, v) => new StoredVector(e.Id, e.Partition, v)).DistinctBy(static r => r.Id)
                .OrderBy(static r => VectorTable.TextOf(r.Id), StringComparer.Ordinal).ToList();
            await database.WriteAsync(session => index.PutAsync(session, space, model, rows), cancellationToken);
            metrics.Embedded(space, rows.Count);
        }
    }

    public async ValueTask RemoveAsync(string space, IReadOnlyCollection<Guid> ids, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(ids);
        if (ids.Count > 0)
        {
            var index = await indexes.CurrentAsync();
            await database.WriteAsync(session => index.RemoveAsync(session, space, ids), cancellationToken);
        }
    }

    public async ValueTask RemoveAsync(DbSession session, string space, IReadOnlyCollection<Guid> ids)
    {
        ArgumentNullException.ThrowIfNull(ids);
        if (ids.Count > 0)
        {
            await (await indexes.CurrentAsync()).RemoveAsync(session, space, ids);
        }
    }

    public async ValueTask RemovePartitionAsync(DbSession session, string space, string partition)
    {
        var ids = await VectorTable.OfPartitionAsync(session, space, partition);
        await RemoveAsync(session, space, ids);
    }

    public async ValueTask<IReadOnlyList<VectorHit>> SearchAsync(
        string space, ReadOnlyMemory<float> query, IReadOnlyCollection<string> partitions, int k, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(partitions);
        return await FindAsync(space, query, partitions.Count > 0 && k > 0, (index, model) => index.SearchAsync(space, model, query, partitions, k, cancellationToken));
    }

    public async ValueTask<IReadOnlyList<VectorHit>> SearchAmongAsync(
        string space, ReadOnlyMemory<float> query, IReadOnlyCollection<Guid> among, IReadOnlyCollection<string> partitions, int k, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(among);
        ArgumentNullException.ThrowIfNull(partitions);
        return await FindAsync(
            space, query, among.Count > 0 && partitions.Count > 0 && k > 0, (index, model) => index.SearchAmongAsync(space, model, query, among, new VectorLook(partitions, k), cancellationToken));
    }

    /// <summary>Vectors under the name of what made them: if another model takes over meanwhile, whose they are nobody knows.</summary>
    private async ValueTask<(string Model, float[][] Vectors)> EmbedAsync(VectorEntry[] some, string ownerId, CancellationToken cancellationToken)
    {
        while (true)
        {
            var identity = embedder.Identity;
            var vectors = await embedder.EmbedAsync([.. some.Select(static e => e.Text)], EmbedPurpose.Document, ownerId, cancellationToken);
            if (embedder.Identity == identity)
            {
                return (VectorTable.ModelOf(identity), vectors);
            }
        }
    }

    private async ValueTask<IReadOnlyList<VectorHit>> FindAsync(string space, ReadOnlyMemory<float> query, bool isAny, Func<IVectorIndex, string, ValueTask<IReadOnlyList<VectorHit>>> search)
    {
        var identity = embedder.Identity;
        if (!isAny || query.Length != identity.Dimension)
        {
            return []; // a query of another model is like nothing that is here
        }

        var index = await indexes.CurrentAsync();
        var began = clock.GetTimestamp();
        var hits = await search(index, VectorTable.ModelOf(identity));
        metrics.Searched(space, index.Name, clock.GetElapsedTime(began));
        return hits;
    }
}
