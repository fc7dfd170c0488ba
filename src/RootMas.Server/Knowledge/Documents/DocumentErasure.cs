using System.Text.Json;
using RootMas.Server.Knowledge.AnswerCache;
using RootMas.Server.Knowledge.Vectors;
using RootMas.Server.Platform.Data;
using RootMas.Server.Platform.Outbox;

namespace RootMas.Server.Knowledge.Documents;

/// <summary>What others are told of documents, after the commit.</summary>
public static class DocumentEvents
{
    /// <summary>A document is gone; the payload is its id. What was taken out of it has to go too.</summary>
    public const string Deleted = "documents.deleted";

    /// <summary>What a document says is another now, or nobody can read it any more; the payload is its id.</summary>
    public const string Changed = "documents.changed";

    /// <summary>Chunks are gone; the payload is a JSON array of their ids.</summary>
    public const string ChunksRemoved = "documents.chunks_removed";
}

/// <summary>
/// Takes documents out: rows, words, and by the outbox, so that a crash leaves nothing behind, vectors and kept answers.
/// </summary>
internal sealed class DocumentErasure(Outbox outbox, IServiceProvider services)
{
    public const string Space = "chunks";
    private const int IdsPerMessage = 500;

    private readonly Lazy<IVectorStore?> _vectors = new(services.GetService<IVectorStore>);

    /// <summary>The whole document, in this transaction.</summary>
    /// <returns>Its chunks, for <see cref="ForgetVectorsAsync"/>.</returns>
    public async ValueTask<IReadOnlyList<Guid>> EraseAsync(DbSession session, string documentId)
    {
        var chunks = await RemoveChunksAsync(session, documentId, keep: null);
        await session.Prepared("delete from document_contents where document_id = @id").Set("id", documentId).RunAsync();
        await session.Prepared("delete from document_texts where document_id = @id").Set("id", documentId).RunAsync();
        await session.Prepared("delete from documents where id = @id").Set("id", documentId).RunAsync();
        await outbox.AddAsync(session, DocumentEvents.Changed, documentId);
        await outbox.AddAsync(session, DocumentEvents.Deleted, documentId);
        return chunks;
    }

    /// <summary>Chunks of all generations but one.</summary>
    public async ValueTask<IReadOnlyList<Guid>> RemoveChunksAsync(DbSession session, string documentId, long? keep)
    {
        var chunks = await session.Prepared("select uid from chunks where document_id = @id and generation <> @keep").Set("id", documentId).Set("keep", keep ?? -1)
            .ListAsync(static r => Guid.Parse(r.GetString(0)));
        if (chunks.Count == 0)
        {
            return [];
        }

        await session.Prepared("delete from fts_chunks where rowid in (select id from chunks where document_id = @id and generation <> @keep)").Set("id", documentId).Set("keep", keep ?? -1).RunAsync();
        await session.Prepared("delete from chunks where document_id = @id and generation <> @keep").Set("id", documentId).Set("keep", keep ?? -1).RunAsync();
        foreach (var part in chunks.Chunk(IdsPerMessage))
        {
            await outbox.AddAsync(session, DocumentEvents.ChunksRemoved, JsonSerializer.Serialize(part));
        }

        return chunks;
    }

    /// <summary>At once, where the outbox would do it in a moment.</summary>
    public async ValueTask ForgetVectorsAsync(IReadOnlyCollection<Guid> chunks)
    {
        if (chunks.Count > 0 && _vectors.Value is { } vectors)
        {
            await vectors.RemoveAsync(Space, chunks, CancellationToken.None);
        }
    }
}

/// <summary>Vectors of chunks that are gone.</summary>
internal sealed class RemovedChunks(DocumentErasure erasure) : IOutboxHandler
{
    public async Task HandleAsync(OutboxMessage message, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(message);
        await erasure.ForgetVectorsAsync(JsonSerializer.Deserialize<Guid[]>(message.Payload) ?? []);
    }
}

/// <summary>Answers that were kept, and that may have been made from what the document said.</summary>
internal sealed class ChangedDocuments(IServiceProvider services) : IOutboxHandler
{
    public async Task HandleAsync(OutboxMessage message, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(message);
        if (services.GetService<IAnswerCachePurge>() is { } cache)
        {
            await cache.PurgeAsync(new PurgeScope("document", message.Payload), cancellationToken);
        }
    }
}
