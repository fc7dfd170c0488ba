using System.Data.Common;
using RootMas.Server.Knowledge.Memory;
using RootMas.Server.Platform.Data;

namespace RootMas.Server.Knowledge.Graph;

/// <summary>Takes back what a source said: a relation that nothing else states goes, a name that nothing else uses, and entities that are related to nothing any more.</summary>
internal static class GraphRemoval
{
    private const string OfSource = "select relation_id from graph_evidence where source_kind = @kind and source_id = @id";

    private const string OfDocument = "select distinct relation_id from graph_evidence where document_id = @id";

    private const string RemoveOfSource = "delete from graph_evidence where source_kind = @kind and source_id = @id";

    private const string RemoveOfDocument = "delete from graph_evidence where document_id = @id";

    private const string NamesOfSource = """
        select u.realm, u.norm, u.type, n.entity_id from graph_name_uses u join graph_names n on n.realm = u.realm and n.norm = u.norm and n.type = u.type
        where u.source_kind = @kind and u.source_id = @id
        """;

    private const string NamesOfDocument = """
        select distinct u.realm, u.norm, u.type, n.entity_id from graph_name_uses u join graph_names n on n.realm = u.realm and n.norm = u.norm and n.type = u.type
        where u.document_id = @id
        """;

    private const string RemoveUsesOfSource = "delete from graph_name_uses where source_kind = @kind and source_id = @id";

    private const string RemoveUsesOfDocument = "delete from graph_name_uses where document_id = @id";

    /// <summary>Whoever writes it at this moment is waited for.</summary>
    private const string HoldName = "update graph_names set name = name where realm = @realm and norm = @norm and type = @type";

    private const string RemoveUnused = """
        delete from graph_names where realm = @realm and norm = @norm and type = @type
            and not exists (select 1 from graph_name_uses u where u.realm = @realm and u.norm = @norm and u.type = @type)
        """;

    /// <summary>What it was called is no name of it any more: it is called as it still is.</summary>
    private const string Rename = """
        update graph_entities set embedded = 0, updated_at = @now,
            name = coalesce((select n.name from graph_names n where n.entity_id = @id order by n.norm, n.type limit 1), name),
            norm = coalesce((select n.norm from graph_names n where n.entity_id = @id order by n.norm, n.type limit 1), norm)
        where id = @id and not exists (select 1 from graph_names n where n.entity_id = @id and n.norm = graph_entities.norm)
        """;

    private const string Realms = "select realm from graph_jobs where document_id = @id union select realm from graph_name_uses where document_id = @id order by realm";

    private const string RemoveJobs = "delete from graph_jobs where document_id = @id";

    /// <summary>A superseded fact was true until it was; what a document says is true since it was read and for as long as it says so.</summary>
    private const string Said = """
        select e.confidence, coalesce(f.valid_from, e.created_at), f.valid_until from graph_evidence e
            left join memory_facts f on f.id = e.source_id and e.source_kind = 'fact'
        where e.relation_id = @id order by e.source_kind, e.source_id
        """;

    private const string Weigh = "update graph_relations set weight = @weight, valid_from = @from, valid_until = @until, updated_at = @now where id = @id";

    private const string Ends = "select from_id, to_id from graph_relations where id = @id";

    private const string RemoveRelation = "delete from graph_relations where id = @id";

    private const string NoWords = "delete from graph_words where entity_id = @id";

    private const string Texts = """
        select realm, name from graph_names where entity_id = @id
        union all
        select r.realm, e.excerpt from graph_relations r join graph_evidence e on e.relation_id = r.id where r.from_id = @id
        union all
        select r.realm, e.excerpt from graph_relations r join graph_evidence e on e.relation_id = r.id where r.to_id = @id
        """;

    private const string IsRelated = "select 1 from graph_relations where from_id = @id or to_id = @id limit 1";

    public static async ValueTask RemoveSourceAsync(DbSession session, string kind, string id)
    {
        var relations = await session.Prepared(OfSource).Set("kind", kind).Set("id", id).ListAsync(static r => r.GetString(0));
        var names = await session.Prepared(NamesOfSource).Set("kind", kind).Set("id", id).ListAsync(UsedName.Read);
        await session.Prepared(RemoveOfSource).Set("kind", kind).Set("id", id).RunAsync();
        await session.Prepared(RemoveUsesOfSource).Set("kind", kind).Set("id", id).RunAsync();
        await SettleAsync(session, relations, names);
    }

    /// <summary>Everything that was read in a document, and what is still to be read of it.</summary>
    public static async ValueTask RemoveDocumentAsync(DbSession session, string documentId)
    {
        // As its writers do, and like them before anything of the graph: what is taken out here is nothing to which another relates something meanwhile.
        foreach (var realm in await session.Prepared(Realms).Set("id", documentId).ListAsync(static r => r.GetString(0)))
        {
            await FactWrites.HoldAsync(session, realm);
        }

        // Then what is still to be read: whoever was writing what came of it is done, and what they wrote goes next.
        await session.Prepared(RemoveJobs).Set("id", documentId).RunAsync();
        var relations = await session.Prepared(OfDocument).Set("id", documentId).ListAsync(static r => r.GetString(0));
        var names = await session.Prepared(NamesOfDocument).Set("id", documentId).ListAsync(UsedName.Read);
        await session.Prepared(RemoveOfDocument).Set("id", documentId).RunAsync();
        await session.Prepared(RemoveUsesOfDocument).Set("id", documentId).RunAsync();
        await SettleAsync(session, relations, names);
    }

    /// <summary>The fact was superseded, or is true for another time: so is what only it states. False: it states nothing.</summary>
    public static async ValueTask<bool> FollowAsync(DbSession session, string factId)
    {
        var relations = await session.Prepared(OfSource).Set("kind", GraphWords.FromFact).Set("id", factId).ListAsync(static r => r.GetString(0));
        foreach (var relation in relations)
        {
            await WeighAsync(session, relation);
        }

        return relations.Count > 0;
    }

    /// <summary>
    /// How sure a relation is: 1 − ∏(1 − cᵢ) over what says so, as if each could err by itself (noisy or; Pearl, 1988). One source alone never makes it certain. 0: nothing says so.
    /// And when it is so: from the first of its sources on, until the last one ends.
    /// </summary>
    public static async ValueTask<double> WeighAsync(DbSession session, string relationId)
    {
        var said = await session.Prepared(Said).Set("id", relationId).ListAsync(static r => (Confidence: r.GetInt32(0), From: r.Time(1), Until: r.TimeOrNull(2)));
        if (said.Count == 0)
        {
            return 0;
        }

        var sure = 1 - said.Aggregate(1d, static (doubt, source) => doubt * (1 - (0.9 * Math.Clamp(source.Confidence, 1, 100) / 100)));
        var until = said.Exists(static source => source.Until is null) ? null : said.Max(static source => source.Until);
        await session.Prepared(Weigh).Set("weight", (long)Math.Round(sure * GraphRelation.Whole)).Set("from", said.Min(static source => source.From)).Set("until", until)
            .Set("now", session.Now).Set("id", relationId).RunAsync();
        return sure;
    }

    public static async ValueTask RemoveEntityAsync(DbSession session, string id)
    {
        foreach (var table in (string[])["graph_names", "graph_words"])
        {
            await session.Prepared($"delete from {table} where entity_id = @id").Set("id", id).RunAsync();
        }

        await session.Prepared("delete from graph_entities where id = @id").Set("id", id).RunAsync();
        await FactWrites.BuryAsync(session, MemorySpaces.Entities, id);
    }

    private static async ValueTask SettleAsync(DbSession session, IReadOnlyList<string> relations, IReadOnlyList<UsedName> names)
    {
        var touched = new HashSet<string>(StringComparer.Ordinal);
        foreach (var name in names.OrderBy(static n => n.Norm, StringComparer.Ordinal).ThenBy(static n => n.Type, StringComparer.Ordinal))
        {
            await name.Set(session.Prepared(HoldName)).RunAsync();
            if (await name.Set(session.Prepared(RemoveUnused)).RunAsync() > 0)
            {
                touched.Add(name.EntityId);
            }
        }

        foreach (var id in relations)
        {
            if (await session.Prepared(Ends).Set("id", id).FirstOrDefaultAsync(static r => Tuple.Create(r.GetString(0), r.GetString(1))) is not var (from, to))
            {
                continue;
            }

            touched.UnionWith([from, to]);
            if (await WeighAsync(session, id) == 0)
            {
                await session.Prepared(RemoveRelation).Set("id", id).RunAsync();
            }
        }

        foreach (var entity in touched.Order(StringComparer.Ordinal))
        {
            if (await session.Prepared(IsRelated).Set("id", entity).AnyAsync())
            {
                await session.Prepared(Rename).Set("id", entity).Set("now", session.Now).RunAsync();
                await IndexAsync(session, entity);
            }
            else
            {
                await RemoveEntityAsync(session, entity);
            }
        }
    }

    /// <summary>The words of an entity anew: of what is gone not one is left to be found.</summary>
    private static async ValueTask IndexAsync(DbSession session, string entity)
    {
        await session.Prepared(NoWords).Set("id", entity).RunAsync();
        foreach (var (realm, text) in await session.Prepared(Texts).Set("id", entity).ListAsync(static r => (r.GetString(0), r.GetString(1))))
        {
            await GraphWriter.WordsAsync(session, realm, entity, text);
        }
    }

    /// <summary>A name that a source uses.</summary>
    private sealed record UsedName(string Realm, string Norm, string Type, string EntityId)
    {
        public static UsedName Read(DbDataReader row) => new(row.GetString(0), row.GetString(1), row.GetString(2), row.GetString(3));

        public DbCommand Set(DbCommand command) => command.Set("realm", Realm).Set("norm", Norm).Set("type", Type);
    }
}
