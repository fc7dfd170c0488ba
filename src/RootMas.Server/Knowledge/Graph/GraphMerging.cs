using RootMas.Server.Knowledge.Embeddings;
using RootMas.Server.Knowledge.Memory;
using RootMas.Server.Knowledge.Vectors;
using RootMas.Server.Platform.Data;

namespace RootMas.Server.Knowledge.Graph;

/// <summary>
/// Brings together entities that are the same thing under two names, once their vectors are there: near in meaning, of one kind and with the same numbers in their names; and either very near, or made of the same words. The older one stays and takes names, relations and what says so.
/// </summary>
internal sealed class GraphMerging(IDatabase database, MemorySignals signals, IEmbedder? embedder = null, IVectorStore? vectors = null)
{
    /// <summary>So near that other words for the same are meant.</summary>
    private const float Same = 0.95f;

    /// <summary>Near enough if the words are the same but for their endings.</summary>
    private const float Alike = 0.6f;

    private const string One = $"select {GraphEntity.Columns} from graph_entities e where e.id = @id";

    private const string Moving = $"select {GraphRelation.Columns} from graph_relations where from_id = @id or to_id = @id order by id";

    private const string Existing = "select id from graph_relations where from_id = @from and type = @type and to_id = @to and id <> @id";

    private const string Move = "update graph_relations set from_id = @from, to_id = @to, updated_at = @now where id = @id";

    private const string TakeEvidence = "update graph_evidence set relation_id = @to where relation_id = @from and not exists (select 1 from graph_evidence e where e.relation_id = @to and e.source_kind = graph_evidence.source_kind and e.source_id = graph_evidence.source_id)";

    private const string DropEvidence = "delete from graph_evidence where relation_id = @id";

    private const string DropRelation = "delete from graph_relations where id = @id";

    private const string TakeNames = "update graph_names set entity_id = @to where entity_id = @from";

    private const string TakeWords = "insert into graph_words (realm, word, entity_id) select realm, word, @to from graph_words where entity_id = @from on conflict (realm, word, entity_id) do nothing";

    /// <summary>Looks whether what was just embedded is known under another name. How many were merged.</summary>
    public async Task<int> MergeAsync(IReadOnlyList<VectorEntry> fresh, CancellationToken cancellationToken)
    {
        if (embedder is null || vectors is null || fresh.Count == 0)
        {
            return 0;
        }

        var merged = 0;
        var model = VectorTable.ModelOf(embedder.Identity);
        var stored = await database.ReadAsync(session => VectorTable.ReadAsync(session, MemorySpaces.Entities, fresh.Select(static f => f.Id)), cancellationToken);
        foreach (var (_, row) in stored.Where(s => s.Model == model))
        {
            foreach (var hit in await vectors.SearchAsync(MemorySpaces.Entities, row.Values, [row.Partition], 6, cancellationToken))
            {
                if (hit.Id != row.Id && hit.Score >= Alike && await TryMergeAsync(row.Id, hit, cancellationToken))
                {
                    merged++;
                    break;
                }
            }
        }

        if (merged > 0)
        {
            signals.Changed();
        }

        return merged;
    }

    private Task<bool> TryMergeAsync(Guid one, VectorHit hit, CancellationToken cancellationToken) => database.WriteAsync(
        async session =>
        {
            if (!await FactWrites.HoldAsync(session, hit.Partition))
            {
                return false;
            }

            var (a, b) = (await FindAsync(session, one), await FindAsync(session, hit.Id));
            if (a is null || b is null || a.Realm != b.Realm || !AreSame(a, b, hit.Score))
            {
                return false;
            }

            var (stays, goes) = string.CompareOrdinal(a.Id, b.Id) < 0 ? (a, b) : (b, a);
            await MergeAsync(session, stays.Id, goes.Id);
            return true;
        },
        cancellationToken);

    internal static bool AreSame(GraphEntity a, GraphEntity b, float score)
    {
        if ((a.Type != b.Type && a.Type != GraphWords.Thing && b.Type != GraphWords.Thing) || a.Norm == GraphWords.User || b.Norm == GraphWords.User || Numbers(a.Name) != Numbers(b.Name))
        {
            return false;
        }

        return score >= Same || (score >= Alike && Words.Of(a.Name).ToHashSet(StringComparer.Ordinal).SetEquals(Words.Of(b.Name)));
    }

    private static string Numbers(string name) => new([.. name.Where(char.IsDigit)]);

    private static async ValueTask MergeAsync(DbSession session, string stays, string goes)
    {
        foreach (var relation in await session.Prepared(Moving).Set("id", goes).ListAsync(GraphRelation.Read))
        {
            var (from, to) = (relation.FromId == goes ? stays : relation.FromId, relation.ToId == goes ? stays : relation.ToId);
            var twin = from == to ? null : await session.Prepared(Existing).Set("from", from).Set("type", relation.Type).Set("to", to).Set("id", relation.Id).StringAsync();
            if (from != to && twin is null)
            {
                await session.Prepared(Move).Set("from", from).Set("to", to).Set("now", session.Now).Set("id", relation.Id).RunAsync();
                continue;
            }

            if (twin is not null)
            {
                await session.Prepared(TakeEvidence).Set("to", twin).Set("from", relation.Id).RunAsync();
                await GraphRemoval.WeighAsync(session, twin);
            }

            await session.Prepared(DropEvidence).Set("id", relation.Id).RunAsync();
            await session.Prepared(DropRelation).Set("id", relation.Id).RunAsync();
        }

        await session.Prepared(TakeWords).Set("to", stays).Set("from", goes).RunAsync();
        await session.Prepared(TakeNames).Set("to", stays).Set("from", goes).RunAsync();
        await GraphRemoval.RemoveEntityAsync(session, goes);
    }

    private static ValueTask<GraphEntity?> FindAsync(DbSession session, Guid id) => session.Prepared(One).Set("id", id.ToString()).FirstOrDefaultAsync(GraphEntity.Read);
}
