using RootMas.Server.Platform.Data;

namespace RootMas.Server.Knowledge.Vectors;

/// <summary>How the nearest vectors are found. A seam: in process (<see cref="MemoryVectors"/>), or in PostgreSQL (<see cref="PgVectors"/>); the same tests hold for both.</summary>
internal interface IVectorIndex
{
    /// <summary>As metrics name it.</summary>
    string Name { get; }

    /// <summary>Writes rows, sorted by id, within the caller's transaction.</summary>
    ValueTask PutAsync(DbSession session, string space, string model, IReadOnlyList<StoredVector> rows);

    /// <summary>Removes them within the caller's transaction, whatever the model.</summary>
    ValueTask RemoveAsync(DbSession session, string space, IReadOnlyCollection<Guid> ids);

    /// <summary>Removes some of the vectors of a model that nobody searches with any more, within the caller's transaction. How many; 0: none are left, and what was derived from them is gone.</summary>
    ValueTask<int> DropAsync(DbSession session, string space, string model, int most);

    /// <summary>Best first, at most <paramref name="k"/>.</summary>
    ValueTask<IReadOnlyList<VectorHit>> SearchAsync(string space, string model, ReadOnlyMemory<float> query, IReadOnlyCollection<string> partitions, int k, CancellationToken cancellationToken);

    /// <summary>The best of these entries within the partitions, all of them compared; best first, at most as many as are wanted.</summary>
    ValueTask<IReadOnlyList<VectorHit>> SearchAmongAsync(
        string space, string model, ReadOnlyMemory<float> query, IReadOnlyCollection<Guid> among, VectorLook look, CancellationToken cancellationToken);
}

/// <summary>Where is looked, and how much of it is wanted.</summary>
internal sealed record VectorLook(IReadOnlyCollection<string> Partitions, int Count);
