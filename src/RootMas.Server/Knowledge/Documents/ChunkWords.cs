using RootMas.Server.Knowledge.Documents.Search;
using RootMas.Server.Platform.Data;

namespace RootMas.Server.Knowledge.Documents;

/// <summary>The words by which a chunk is found: what it says, what it stands under, and the name of its document.</summary>
internal static class ChunkWords
{
    /// <summary>Two processes that find the same words missing make the same ones.</summary>
    private static readonly SqlText Insert = new(
        "insert into fts_chunks (rowid, words) values (@id, @words)",
        "insert into fts_chunks (rowid, words) values (@id, to_tsvector('russian', @words) || to_tsvector('english', @words)) on conflict (rowid) do nothing");

    public static ValueTask<int> AddAsync(DbSession session, long chunk, string name, string heading, string text)
    {
        var words = $"{Path.GetFileNameWithoutExtension(name)}\n{heading}\n{text}";
        return session.Prepared(Insert).Set("id", chunk).Set("words", session.Kind == DatabaseKind.Postgres ? SearchWords.ForPostgres(words) : SearchWords.ForSqlite(words)).RunAsync();
    }

    /// <summary>Those of all chunks of a document that has another name now.</summary>
    public static async ValueTask WriteAnewAsync(DbSession session, string documentId, string name)
    {
        var chunks = await session.Prepared("select id, heading, text from chunks where document_id = @id").Set("id", documentId)
            .ListAsync(static r => (Id: r.GetInt64(0), Heading: r.GetString(1), Text: r.GetString(2)));
        await session.Prepared("delete from fts_chunks where rowid in (select id from chunks where document_id = @id)").Set("id", documentId).RunAsync();
        foreach (var (id, heading, text) in chunks)
        {
            await AddAsync(session, id, name, heading, text);
        }
    }
}
