using RootMas.Runtime.Runs;
using RootMas.Server.Platform.Data;

namespace RootMas.Server.Knowledge.Documents;

/// <summary>Documents that a message may bring along.</summary>
public sealed class AttachableDocuments(IDatabase database)
{
    /// <summary>
    /// Others' words: somebody else put there what the document says. While new content is on its way the old one is what it says, and where others may write nobody knows any more whose that was.
    /// </summary>
    private static readonly SqlText Find = SqlDialect.InList(
        """
        select d.id, d.name, case when d.owner_id <> @user or (d.generation > 0 and d.generation <> d.next
            and exists (select 1 from collection_members m where m.collection_id = d.collection_id and m.may_write = 1)) then 1 else 0 end
        from documents d where
        """, "d.id", "ids", $"and d.collection_id in {CollectionAccess.Readable}");

    /// <summary>These documents in this order; null: the user cannot read one of them. Tainted: what it says or is called comes from somebody else.</summary>
    public async Task<(IReadOnlyList<AttachedDocument> Documents, bool Tainted)?> FindAsync(IReadOnlyList<string> ids, string userId, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(ids);
        if (!ids.All(static id => Guid.TryParse(id, out _)))
        {
            return null;
        }

        var found = await database.ReadAsync(
            session => session.Prepared(Find).Set("ids", System.Text.Json.JsonSerializer.Serialize(ids)).Set("user", userId)
                .ListAsync(static r => (Document: new AttachedDocument(r.GetString(0), r.GetString(1)), IsOthers: r.Flag(2))),
            cancellationToken);
        var byId = found.ToDictionary(static f => f.Document.Id, StringComparer.Ordinal);
        var wanted = ids.Distinct(StringComparer.Ordinal).ToList();
        return wanted.TrueForAll(byId.ContainsKey) ? (wanted.ConvertAll(id => byId[id].Document), wanted.Exists(id => byId[id].IsOthers)) : null;
    }
}

/// <summary>Tells which documents are there no more. Not a question of rights: whoever was given a passage keeps it until the document goes.</summary>
public static class DeletedAmong
{
    private static readonly SqlText There = SqlDialect.InList("select id from documents where", "id", "ids", "");

    /// <summary>A deletion waits for whoever holds its row, and whoever waits for a deletion finds no row any more. Others may hold it too.</summary>
    private static readonly SqlText Held = There with { Postgres = There.Postgres + " order by id for key share" };

    /// <summary>Those of these ids that no document has.</summary>
    public static async ValueTask<IReadOnlySet<string>> FindAsync(DbSession session, IReadOnlySet<string> ids)
    {
        ArgumentNullException.ThrowIfNull(session);
        return await FindAsync(session, There, ids);
    }

    /// <summary>The same for a transaction that writes down what documents say: those that are there stay until it ends, so what happens at a deletion finds what was written.</summary>
    public static async ValueTask<IReadOnlySet<string>> HoldOthersAsync(DbSession session, IReadOnlySet<string> ids)
    {
        ArgumentNullException.ThrowIfNull(session);
        return await FindAsync(session, Held, ids);
    }

    private static async ValueTask<IReadOnlySet<string>> FindAsync(DbSession session, SqlText sql, IReadOnlySet<string> ids)
    {
        var there = await session.Prepared(sql).Set("ids", System.Text.Json.JsonSerializer.Serialize(ids)).ListAsync(static r => r.GetString(0));
        return ids.Except(there, StringComparer.Ordinal).ToHashSet(StringComparer.Ordinal);
    }
}

/// <summary>What answers may cite now.</summary>
internal sealed class CitedDocuments(DocumentStore documents) : ICitedDocuments
{
    public async ValueTask<IReadOnlySet<string>> ReadableAsync(NewRun run, IReadOnlyCollection<string> documentIds, CancellationToken cancellationToken)
    {
        var found = await documents.FindAllAsync(documentIds, run.OwnerId, cancellationToken);
        return found.Select(static d => d.Id).ToHashSet(StringComparer.Ordinal);
    }
}
