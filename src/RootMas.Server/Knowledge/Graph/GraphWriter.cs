using RootMas.Server.Knowledge.Memory;
using RootMas.Server.Platform.Data;

namespace RootMas.Server.Knowledge.Graph;

/// <summary>Writes what a source states into the graph of a realm, inside a transaction that holds the realm (<see cref="FactWrites.HoldAsync"/>). Writing the same source again changes nothing.</summary>
internal static class GraphWriter
{
    private const string Named = "select entity_id from graph_names where realm = @realm and norm = @norm and type = @type";

    /// <summary>A name whose kind one side does not know is the same name.</summary>
    private const string NamedLoosely = "select entity_id, type from graph_names where realm = @realm and norm = @norm order by type limit 8";

    private const string InsertEntity = """
        insert into graph_entities (id, realm, name, norm, type, created_at, updated_at) values (@id, @realm, @name, @norm, @type, @now, @now)
        """;

    private const string SetType = "update graph_entities set type = @type, embedded = 0, updated_at = @now where id = @id and type = 'thing'";

    /// <summary>One that is there is held: whoever takes it back meanwhile waits, and finds it used.</summary>
    private const string InsertName = "insert into graph_names (realm, norm, type, entity_id, name) values (@realm, @norm, @type, @entity, @name) on conflict (realm, norm, type) do update set name = graph_names.name";

    private const string InsertUse = """
        insert into graph_name_uses (source_kind, source_id, realm, norm, type, document_id) values (@kind, @source, @realm, @norm, @type, @document)
        on conflict (source_kind, source_id, realm, norm, type) do nothing
        """;

    private const string InsertWord = "insert into graph_words (realm, word, entity_id) values (@realm, @word, @entity) on conflict (realm, word, entity_id) do nothing";

    private const string Existing = "select id from graph_relations where from_id = @from and type = @type and to_id = @to";

    private const string InsertRelation = """
        insert into graph_relations (id, realm, from_id, to_id, type, weight, valid_from, valid_until, created_at, updated_at)
        values (@id, @realm, @from, @to, @type, 0, @valid_from, @valid_until, @now, @now)
        """;

    private const string InsertEvidence = """
        insert into graph_evidence (relation_id, source_kind, source_id, document_id, excerpt, confidence, tainted, created_at)
        values (@relation, @kind, @source, @document, @excerpt, @confidence, @tainted, @now)
        on conflict (relation_id, source_kind, source_id) do update set confidence = excluded.confidence, excerpt = excluded.excerpt
        """;

    public static async ValueTask WriteAsync(DbSession session, string realm, IReadOnlyList<StatedRelation> relations, GraphSource source)
    {
        foreach (var relation in relations)
        {
            var from = await EntityAsync(session, realm, (relation.From, relation.FromType), source);
            var to = await EntityAsync(session, realm, (relation.To, relation.ToType), source);
            if (from == to)
            {
                continue;
            }

            var excerpt = FactText.Cut(relation.Excerpt ?? source.Excerpt, 400);
            var id = await RelationAsync(session, realm, (from, relation.Type, to), source);
            await session.Prepared(InsertEvidence).Set("relation", id).Set("kind", source.Kind).Set("source", source.Id).Set("document", source.DocumentId)
                .Set("excerpt", excerpt).Set("confidence", source.Confidence).Set("tainted", source.Tainted).Set("now", session.Now).RunAsync();
            await GraphRemoval.WeighAsync(session, id);
            await WordsAsync(session, realm, from, excerpt);
            await WordsAsync(session, realm, to, excerpt);
        }
    }

    public static async ValueTask WordsAsync(DbSession session, string realm, string entity, string text)
    {
        foreach (var word in Words.Of(text).Distinct(StringComparer.Ordinal).Take(60))
        {
            await session.Prepared(InsertWord).Set("realm", realm).Set("word", word).Set("entity", entity).RunAsync();
        }
    }

    /// <summary>What the source calls so. Its names are noted with it: what nothing calls so any more is no name.</summary>
    private static async ValueTask<string> EntityAsync(DbSession session, string realm, (string Name, string Type) called, GraphSource source)
    {
        var norm = FactText.Normalize(called.Name);
        var id = await EntityAsync(session, realm, norm, called);
        await session.Prepared(InsertName).Set("realm", realm).Set("norm", norm).Set("type", called.Type).Set("entity", id).Set("name", called.Name).RunAsync();
        await session.Prepared(InsertUse).Set("kind", source.Kind).Set("source", source.Id).Set("realm", realm).Set("norm", norm).Set("type", called.Type).Set("document", source.DocumentId).RunAsync();
        return id;
    }

    private static async ValueTask<string> EntityAsync(DbSession session, string realm, string norm, (string Name, string Type) called)
    {
        var (name, type) = called;
        if (await session.Prepared(Named).Set("realm", realm).Set("norm", norm).Set("type", type).StringAsync() is { } known)
        {
            return known;
        }

        var others = await session.Prepared(NamedLoosely).Set("realm", realm).Set("norm", norm).ListAsync(static r => (Id: r.GetString(0), Type: r.GetString(1)));
        if (others.FirstOrDefault(o => type == GraphWords.Thing || o.Type == GraphWords.Thing) is { Id: { } same })
        {
            await session.Prepared(SetType).Set("type", type).Set("now", session.Now).Set("id", same).RunAsync();
            return same;
        }

        var id = Guid.CreateVersion7(session.Now).ToString();
        await session.Prepared(InsertEntity).Set("id", id).Set("realm", realm).Set("name", name).Set("norm", norm).Set("type", type).Set("now", session.Now).RunAsync();
        await WordsAsync(session, realm, id, name);
        return id;
    }

    private static async ValueTask<string> RelationAsync(DbSession session, string realm, (string From, string Type, string To) ends, GraphSource source)
    {
        if (await session.Prepared(Existing).Set("from", ends.From).Set("type", ends.Type).Set("to", ends.To).StringAsync() is { } known)
        {
            return known;
        }

        var id = Guid.CreateVersion7(session.Now).ToString();
        await session.Prepared(InsertRelation).Set("id", id).Set("realm", realm).Set("from", ends.From).Set("to", ends.To).Set("type", ends.Type)
            .Set("valid_from", source.ValidFrom).Set("valid_until", source.ValidUntil).Set("now", session.Now).RunAsync();
        return id;
    }
}

/// <summary>The graph's part of a fact.</summary>
internal static class GraphFacts
{
    /// <param name="relations">What a model found in it; none: what its form says.</param>
    public static async ValueTask WriteAsync(DbSession session, Fact fact, IReadOnlyList<StatedRelation>? relations = null)
    {
        if (fact.Status == FactWords.Proposed || fact.IsSensitive)
        {
            return;
        }

        var stated = relations is { Count: > 0 } ? relations : GraphRules.OfFact(fact.Text);
        await GraphWriter.WriteAsync(
            session, fact.OwnerId, stated, new GraphSource(GraphWords.FromFact, fact.Id, null, fact.Text, fact.Confidence, fact.Tainted, fact.ValidFrom, fact.ValidUntil));
    }

    /// <summary>Its time or its sensitivity is another: what it states follows.</summary>
    public static async ValueTask ReviseAsync(DbSession session, Fact fact)
    {
        if (fact.IsSensitive)
        {
            await GraphRemoval.RemoveSourceAsync(session, GraphWords.FromFact, fact.Id);
        }
        else if (!await GraphRemoval.FollowAsync(session, fact.Id))
        {
            await WriteAsync(session, fact);
        }
    }
}
