using RootMas.Server.Platform.Data;

namespace RootMas.Server.Knowledge.Vectors;

/// <summary>A text to be found by its meaning.</summary>
/// <param name="Id">The row that it belongs to; unique in its space.</param>
/// <param name="Partition">Searches name the partitions that they may see: a collection, a user, … Equal match.</param>
/// <param name="Text">What is embedded; not stored here.</param>
public sealed record VectorEntry(Guid Id, string Partition, string Text);

/// <summary>Something that was found.</summary>
/// <param name="Id">Of the entry.</param>
/// <param name="Partition">Of the entry.</param>
/// <param name="Score">Cosine with the query, −1…1.</param>
public sealed record VectorHit(Guid Id, string Partition, float Score);

/// <summary>
/// Vectors by space (<c>chunks</c>, <c>memory</c>, <c>entities</c>) and partition. The database has the truth. What another process put or removed is seen here within seconds, so a hit may name
/// what has just been deleted: join hits with your own rows, owner in the query.
/// </summary>
public interface IVectorStore
{
    /// <summary>Embeds and stores; replaces what has the same id. When the task completes, searches of this process find it.</summary>
    ValueTask PutAsync(string space, IReadOnlyList<VectorEntry> entries, string ownerId, CancellationToken cancellationToken);

    /// <summary>Removes what is there; unknown ids are no error.</summary>
    ValueTask RemoveAsync(string space, IReadOnlyCollection<Guid> ids, CancellationToken cancellationToken);

    /// <summary>The same within the caller's transaction; searches stop finding them at its commit.</summary>
    ValueTask RemoveAsync(DbSession session, string space, IReadOnlyCollection<Guid> ids);

    /// <summary>Removes a whole partition within the caller's transaction: of a collection that is deleted, of a user who is erased.</summary>
    ValueTask RemovePartitionAsync(DbSession session, string space, string partition);

    /// <summary>The nearest entries of these partitions, best first, at most <paramref name="k"/>. The query comes from <see cref="Embeddings.IEmbedder"/> of this installation.</summary>
    ValueTask<IReadOnlyList<VectorHit>> SearchAsync(string space, ReadOnlyMemory<float> query, IReadOnlyCollection<string> partitions, int k, CancellationToken cancellationToken);

    /// <summary>The nearest of these entries, as far as they lie in these partitions, best first, at most <paramref name="k"/>. Each of them is compared, so none is missed however many others are nearer. Time and memory grow with <paramref name="among"/>.</summary>
    ValueTask<IReadOnlyList<VectorHit>> SearchAmongAsync(
        string space, ReadOnlyMemory<float> query, IReadOnlyCollection<Guid> among, IReadOnlyCollection<string> partitions, int k, CancellationToken cancellationToken);
}

/// <summary>Gives the texts of a space back, so that they can be embedded anew when the model changed. Each space registers one.</summary>
public interface IVectorTexts
{
    /// <summary>Name of the space.</summary>
    string Space { get; }

    /// <summary>The next entries in the order of their ids (as text, <c>N</c> or <c>D</c> form alike), after <paramref name="after"/> (<see cref="Guid.Empty"/>: from the first); fewer than <paramref name="count"/> only at the end.</summary>
    ValueTask<IReadOnlyList<VectorEntry>> ReadAsync(Guid after, int count, CancellationToken cancellationToken);
}
