using RootMas.Server.Identity.Users;
using RootMas.Server.Platform.Data;

namespace RootMas.Server.Knowledge.Documents;

/// <summary>A user's collections with their documents. What the user put into collections of others stays there: it is their owners'.</summary>
internal sealed class UserDocumentData(DocumentErasure erasure) : IUserData
{
    private const string Owned = "(owner_id = @user or (owner_id >= @user || '/' and owner_id < @user || '0'))";

    private static readonly SqlText Hold = SqlDialect.Held($"select id from collections where {Owned} order by id");

    /// <summary>Indexing notices by itself that a document is gone.</summary>
    public ValueTask<bool> IsBusyAsync(DbSession session, string userId) => ValueTask.FromResult(false);

    public async ValueTask EraseAsync(DbSession session, string userId)
    {
        await session.Prepared(Hold).Set("user", userId).ListAsync(static r => r.GetString(0)); // what others put into them meanwhile is waited for, and found below
        var documents = await session.Prepared($"select id from documents where collection_id in (select id from collections where {Owned}) order by collection_id").Set("user", userId).ListAsync(static r => r.GetString(0));
        foreach (var document in documents)
        {
            await erasure.EraseAsync(session, document);
        }

        await session.Prepared($"delete from memory_owners where owner_id in (select '{Graph.GraphWords.Collection}' || id from collections where {Owned})").Set("user", userId).RunAsync();
        await session.Prepared($"delete from collections where {Owned}").Set("user", userId).RunAsync();
        await session.Prepared($"delete from document_turns where {Owned}").Set("user", userId).RunAsync();
        await session.Prepared("delete from collection_members where subject_id = @user").Set("user", userId).RunAsync();
        await session.Prepared($"update documents set owner_id = (select c.owner_id from collections c where c.id = documents.collection_id) where {Owned}").Set("user", userId).RunAsync();

        // What of these still waits to be read for the graph is read on the account of who owns them now. The turns last: whoever takes parts holds them first.
        await session.Prepared($"update graph_jobs set owner_id = (select d.owner_id from documents d where d.id = graph_jobs.document_id) where {Owned} and exists (select 1 from documents d where d.id = graph_jobs.document_id)").Set("user", userId).RunAsync();
        await session.Prepared($"delete from graph_turns where {Owned}").Set("user", userId).RunAsync();
    }
}
