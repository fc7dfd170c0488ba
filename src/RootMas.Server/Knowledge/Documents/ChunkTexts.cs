using RootMas.Server.Knowledge.Vectors;
using RootMas.Server.Platform.Data;

namespace RootMas.Server.Knowledge.Documents;

/// <summary>Chunks for embedding anew.</summary>
internal sealed class ChunkTexts(IDatabase database) : IVectorTexts
{
    public string Space => DocumentErasure.Space;

    public async ValueTask<IReadOnlyList<VectorEntry>> ReadAsync(Guid after, int count, CancellationToken cancellationToken) => await database.LookAsync(
        session => session.Prepared("""
            select c.uid, d.collection_id, c.heading, c.text from chunks c join documents d on d.id = c.document_id where c.uid > @after order by c.uid limit @count
            """).Set("after", after == Guid.Empty ? "" : after.ToString()).Set("count", (long)count)
            .ListAsync(static r => EntryOf(Guid.Parse(r.GetString(0)), r.GetString(1), r.GetString(2), r.GetString(3))),
        cancellationToken);

    /// <summary>A chunk means what it says under what it stands under.</summary>
    public static VectorEntry EntryOf(Guid uid, string collectionId, string heading, string text) => new(uid, collectionId, heading.Length > 0 ? $"{heading}\n{text}" : text);
}
