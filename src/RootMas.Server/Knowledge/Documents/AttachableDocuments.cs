using RootMas.Runtime.Runs;
using RootMas.Server.Platform.Data;

namespace RootMas.Server.Knowledge.Documents;

/// <summary>Documents that a message may bring along.</summary>
public sealed class AttachableDocuments(IDatabase database)
{
    private static readonly SqlText Find = SqlDialect.InList("select d.id, d.name, d.owner_id from documents d where", "d.id", "ids", $"and d.collection_id in {CollectionAccess.Readable}");

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
                .ListAsync(static r => (Document: new AttachedDocument(r.GetString(0), r.GetString(1)), Owner: r.GetString(2))),
            cancellationToken);
        var byId = found.ToDictionary(static f => f.Document.Id, StringComparer.Ordinal);
        var wanted = ids.Distinct(StringComparer.Ordinal).ToList();
        return wanted.TrueForAll(byId.ContainsKey) ? (wanted.ConvertAll(id => byId[id].Document), wanted.Exists(id => byId[id].Owner != userId)) : null;
    }
}

/// <summary>Tells which documents are there no more. Not a question of rights: whoever was given a passage keeps it until the document goes.</summary>
public static class DeletedAmong
{
    private static readonly SqlText There = SqlDialect.InList("select id from documents where", "id", "ids", "");

    /// <summary>Those of these ids that no document has.</summary>
    public static async ValueTask<IReadOnlySet<string>> FindAsync(DbSession session, IReadOnlySet<string> ids)
    {
        ArgumentNullException.ThrowIfNull(session);
        var there = await session.Prepared(There).Set("ids", System.Text.Json.JsonSerializer.Serialize(ids)).ListAsync(static r => r.GetString(0));
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
