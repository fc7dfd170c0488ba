using RootMas.Runtime.Agents;
using RootMas.Server.Knowledge.Embeddings;
using RootMas.Server.Knowledge.Vectors;

namespace RootMas.Server.Knowledge.Documents.Indexing;

/// <summary>Vectors of the chunks that are being indexed.</summary>
internal sealed class ChunkVectors(IVectorStore vectors, IEmbedder embedder)
{
    /// <exception cref="ModelException">The embedding model gave none.</exception>
    public ValueTask PutAsync(IndexJob job, IReadOnlyList<StoredChunk> chunks, CancellationToken cancellationToken) =>
        vectors.PutAsync(DocumentErasure.Space, [.. chunks.Select(c => ChunkTexts.EntryOf(c.Uid, job.CollectionId, c.Chunk.Heading, c.Chunk.Text))], job.OwnerId, cancellationToken);

    public ValueTask RemoveAsync(IReadOnlyList<StoredChunk> chunks) => vectors.RemoveAsync(DocumentErasure.Space, [.. chunks.Select(static c => c.Uid)], CancellationToken.None);

    /// <summary>Whether the model embeds a text that nobody can object to. If not, the fault is none of a document's: a key, a name or a length in the settings.</summary>
    public async Task<bool> AreMadeAsync(CancellationToken cancellationToken)
    {
        try
        {
            await embedder.EmbedAsync(["text"], EmbedPurpose.Document, "system", cancellationToken);
            return true;
        }
        catch (ModelException)
        {
            return false; // what it said of the document is in the log, and it is much the same
        }
    }
}
