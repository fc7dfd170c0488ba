using System.Data.Common;
using System.Globalization;
using System.Text.Json.Nodes;
using RootMas.Server.Platform.Data;

namespace RootMas.Server.Knowledge.Graph;

/// <summary>
/// A part of the graph as JSON-LD 1.1 (W3C Recommendation, 2020): entities with schema.org's names, and each relation as a statement of its own, so that weight, times and what says so have a place.
/// </summary>
internal sealed class GraphExport(IDatabase database)
{
    private const int Most = 50_000;

    private const string Entities = $"select {GraphEntity.Columns} from graph_entities e where e.realm = @realm order by e.id limit @most";

    private const string Relations = $"select {GraphRelation.Columns} from graph_relations where realm = @realm order by id limit @most";

    private const string Names = "select entity_id, name from graph_names where realm = @realm order by entity_id, name limit @most";

    private const string Evidence = """
        select e.relation_id, e.source_kind, e.source_id, e.document_id, e.excerpt, e.confidence, e.tainted, e.created_at
        from graph_evidence e join graph_relations r on r.id = e.relation_id where r.realm = @realm order by e.relation_id, e.source_id limit @most
        """;

    public Task<JsonObject> WriteAsync(IReadOnlyList<string> realms, CancellationToken cancellationToken) => database.ReadAsync(
        async session =>
        {
            var graph = new JsonArray();
            var room = new Room { IsCut = realms.Count >= CollectionRealms.Most };
            foreach (var realm in realms)
            {
                await AddAsync(session, realm, graph, room);
            }

            if (room.IsCut)
            {
                graph.Add((JsonNode)new JsonObject { ["@id"] = "rm:export", ["rm:isCut"] = true }); // a node of its own: beside @graph it would make a named graph of it
            }

            return new JsonObject { ["@context"] = Context(), ["@graph"] = graph };
        },
        cancellationToken);

    /// <summary>What there is no room for is not read either: names and evidence may be many times as much as what they belong to.</summary>
    private static async ValueTask AddAsync(DbSession session, string realm, JsonArray graph, Room room)
    {
        var names = room.Take(ref room.Names, await ReadAsync(Names, room.Names, static r => (Id: r.GetString(0), Name: r.GetString(1)))).ToLookup(static n => n.Id, static n => n.Name, StringComparer.Ordinal);
        foreach (var entity in room.Take(ref room.Nodes, await ReadAsync(Entities, room.Nodes, GraphEntity.Read)))
        {
            var others = names[entity.Id].Where(n => n != entity.Name).Distinct(StringComparer.Ordinal).Select(static n => (JsonNode?)n).ToArray();
            var node = new JsonObject { ["@id"] = Urn(entity.Id), ["@type"] = TypeOf(entity.Type), ["name"] = entity.Name };
            if (others.Length > 0)
            {
                node["alternateName"] = new JsonArray(others);
            }

            graph.Add((JsonNode)node);
        }

        var said = room.Take(ref room.Evidence, await ReadAsync(Evidence, room.Evidence, static r =>
            new GraphEvidence(r.GetString(0), r.GetString(1), r.GetString(2), r.StringOrNull(3), r.GetString(4), r.GetInt32(5), r.Flag(6), r.Time(7)))).ToLookup(static e => e.RelationId, StringComparer.Ordinal);
        foreach (var relation in room.Take(ref room.Nodes, await ReadAsync(Relations, room.Nodes, GraphRelation.Read)))
        {
            graph.Add((JsonNode)Statement(relation, [.. said[relation.Id]]));
        }

        async ValueTask<List<T>> ReadAsync<T>(string sql, int most, Func<DbDataReader, T> read) =>
            await session.Prepared(sql).Set("realm", realm).Set("most", most + 1L).ListAsync(read); // one more, which says that there is more
    }

    private static JsonObject Statement(GraphRelation relation, IReadOnlyList<GraphEvidence> said)
    {
        var node = new JsonObject
        {
            ["@id"] = Urn(relation.Id),
            ["@type"] = "rdf:Statement",
            ["rdf:subject"] = new JsonObject { ["@id"] = Urn(relation.FromId) },
            ["rdf:predicate"] = new JsonObject { ["@id"] = "rm:" + relation.Type },
            ["rdf:object"] = new JsonObject { ["@id"] = Urn(relation.ToId) },
            ["rm:tainted"] = said.Any(static e => e.Tainted),
            ["rm:weight"] = Math.Round(relation.Weight, 6),
            ["validFrom"] = Time(relation.ValidFrom),
        };
        if (relation.ValidUntil is { } until)
        {
            node["validThrough"] = Time(until);
        }

        node["rm:evidence"] = new JsonArray([.. said.Select(static e => (JsonNode?)new JsonObject
        {
            ["rm:source"] = $"{e.SourceKind}:{e.SourceId}",
            ["rm:document"] = e.DocumentId,
            ["text"] = e.Excerpt,
            ["rm:confidence"] = e.Confidence / 100d,
            ["dateCreated"] = Time(e.SaidAt),
        })]);
        return node;
    }

    private static JsonObject Context() => new()
    {
        ["@version"] = 1.1,
        ["@vocab"] = "https://schema.org/",
        ["rdf"] = "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
        ["rm"] = "urn:root-mas:",
    };

    private static string Urn(string id) => "urn:uuid:" + id;

    private static string TypeOf(string type) => type switch
    {
        "person" => "Person",
        "organization" => "Organization",
        "place" => "Place",
        "product" => "Product",
        "event" => "Event",
        "concept" => "DefinedTerm",
        _ => "Thing",
    };

    private static string Time(DateTimeOffset time) => time.UtcDateTime.ToString("yyyy-MM-ddTHH:mm:ssZ", CultureInfo.InvariantCulture);

    /// <summary>How much more one export takes.</summary>
    private sealed class Room
    {
        /// <summary>Entities and relations.</summary>
        public int Nodes = Most;

        public int Names = Most;

        public int Evidence = Most;

        /// <summary>There is more than there was room for.</summary>
        public bool IsCut { get; set; }

        public List<T> Take<T>(ref int room, List<T> found)
        {
            IsCut |= found.Count > room;
            var taken = found.Count > room ? found[..room] : found;
            room -= taken.Count;
            return taken;
        }
    }
}
