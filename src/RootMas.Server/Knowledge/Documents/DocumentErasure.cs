using RootMas.Server.Knowledge.AnswerCache;
using RootMas.Server.Knowledge.Graph;
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
}

/// <summary>Takes documents out: rows, words and vectors in one transaction, and by the outbox what was made of them.</summary>
internal sealed class DocumentErasure(Outbox outbox, IVectorStore vectors)
{
    public const string Space = "chunks";

    private static readonly SqlText Hold = SqlDialect.Held("select 1 from documents where id = @id");

    /// <summary>The whole document, in this transaction.</summary>
    public async ValueTask EraseAsync(DbSession session, string documentId)
    {
        await session.HoldAsync(Hold, documentId); // what its indexing writes just now is waited for, and seen below
        await RemoveChunksAsync(session, documentId, keep: null);
        await GraphRemoval.RemoveDocumentAsync(session, documentId);
        await session.Prepared("delete from document_contents where document_id = @id").Set("id", documentId).RunAsync();
        await session.Prepared("delete from document_texts where document_id = @id").Set("id", documentId).RunAsync();
        await session.Prepared("delete from documents where id = @id").Set("id", documentId).RunAsync();
        await outbox.AddAsync(session, DocumentEvents.Changed, documentId);
        await outbox.AddAsync(session, DocumentEvents.Deleted, documentId);
    }

    /// <summary>Chunks of all generations but one.</summary>
    public async ValueTask RemoveChunksAsync(DbSession session, string documentId, long? keep)
    {
        var chunks = await session.Prepared("select uid from chunks where document_id = @id and generation <> @keep").Set("id", documentId).Set("keep", keep ?? -1)
            .ListAsync(static r => Guid.Parse(r.GetString(0)));
        if (chunks.Count > 0)
        {
            await session.Prepared("delete from fts_chunks where rowid in (select id from chunks where document_id = @id and generation <> @keep)").Set("id", documentId).Set("keep", keep ?? -1).RunAsync();
            await session.Prepared("delete from chunks where document_id = @id and generation <> @keep").Set("id", documentId).Set("keep", keep ?? -1).RunAsync();
            await vectors.RemoveAsync(session, Space, chunks);
        }
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
