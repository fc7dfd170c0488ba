using System.Data.Common;
using System.Text.Json;
using RootMas.Server.Knowledge.Memory;
using RootMas.Server.Platform.Data;

namespace RootMas.Server.Knowledge.Graph;

/// <summary>An entity of one realm.</summary>
internal sealed record GraphEntity(string Id, string Realm, string Name, string Norm, string Type)
{
    public const string Columns = "e.id, e.realm, e.name, e.norm, e.type";

    public static GraphEntity Read(DbDataReader row) => new(row.GetString(0), row.GetString(1), row.GetString(2), row.GetString(3), row.GetString(4));
}

/// <summary>A relation between entities of one realm.</summary>
internal sealed record GraphRelation(string Id, string FromId, string ToId, string Type, double Weight, DateTimeOffset ValidFrom, DateTimeOffset? ValidUntil)
{
    public const string Columns = "id, from_id, to_id, type, weight, valid_from, valid_until";

    /// <summary>The column's number for a relation that is certain.</summary>
    public const double Whole = 1_000_000;

    /// <summary>The stronger, the shorter: a sure relation has length 1, one that is half as sure length 2.</summary>
    public double Length => 1 / Math.Clamp(Weight, 0.01, 1);

    public static GraphRelation Read(DbDataReader row) =>
        new(row.GetString(0), row.GetString(1), row.GetString(2), row.GetString(3), row.GetInt64(4) / Whole, row.Time(5), row.TimeOrNull(6));
}

/// <summary>What says so, as answers show it.</summary>
internal sealed record GraphEvidence(string RelationId, string SourceKind, string SourceId, string? DocumentId, string Excerpt, int Confidence, bool Tainted, DateTimeOffset SaidAt);

/// <summary>
/// The part of the graph around some entities, in memory. Entities of the same name in several realms that the user may read are one node: what a document says about somebody and what is remembered about them meet there.
/// </summary>
internal sealed class GraphLoad(DbSession session, IReadOnlyList<string> realms, Func<GraphRelation, bool> counts)
{
    /// <summary>Nodes of one answer; beyond that it is cut, and says so.</summary>
    public const int MostNodes = 2_000;

    private const int MostRelations = 20_000;

    private static readonly SqlText ById = SqlDialect.InList($"select {GraphEntity.Columns} from graph_entities e where", "e.id", "list", "");

    private static readonly SqlText ByNorm = NormsOf(SqlDialect.InList("and", "n.norm", "list", ""));

    private static readonly SqlText ByFrom = SqlDialect.InList($"select {GraphRelation.Columns} from graph_relations where", "from_id", "list", "limit 20001");

    private static readonly SqlText ByTo = SqlDialect.InList($"select {GraphRelation.Columns} from graph_relations where", "to_id", "list", "limit 20001");

    private readonly Dictionary<string, GraphEntity> _entities = new(StringComparer.Ordinal);
    private readonly Dictionary<string, GraphRelation> _relations = new(StringComparer.Ordinal);

    /// <summary>Key of a node → entities that are it.</summary>
    public Dictionary<string, List<GraphEntity>> Nodes { get; } = new(StringComparer.Ordinal);

    public IReadOnlyCollection<GraphRelation> Relations => _relations.Values;

    public bool IsCut { get; private set; }

    public string KeyOf(string entityId) => _entities[entityId].Norm;

    /// <summary>Entities by id, or by one of their names. Keys of their nodes.</summary>
    public async ValueTask<IReadOnlyList<string>> FindAsync(string nameOrId)
    {
        var byId = await session.Prepared(ById).Set("list", List([nameOrId])).ListAsync(GraphEntity.Read);
        var found = byId.Where(e => realms.Contains(e.Realm, StringComparer.Ordinal)).ToList();
        if (found.Count == 0)
        {
            found = await NamedAsync([FactText.Normalize(nameOrId)]);
        }

        await AddAsync(found);
        return [.. found.Select(static e => e.Norm).Distinct(StringComparer.Ordinal)];
    }

    public async ValueTask AddAsync(IReadOnlyCollection<GraphEntity> entities)
    {
        var others = realms.Count > 1 ? await NamedAsync([.. entities.Select(static e => e.Norm).Distinct(StringComparer.Ordinal)]) : [];
        foreach (var entity in entities.Concat(others.Where(o => entities.Any(e => e.Norm == o.Norm))))
        {
            if (_entities.TryAdd(entity.Id, entity))
            {
                (Nodes.TryGetValue(entity.Norm, out var same) ? same : Nodes[entity.Norm] = []).Add(entity);
            }
        }
    }

    /// <summary>Everything within so many relations of what is there.</summary>
    public async ValueTask ExpandAsync(int hops)
    {
        var frontier = _entities.Keys.ToList();
        for (var hop = 0; hop < hops && frontier.Count > 0 && !IsCut; hop++)
        {
            frontier = await StepAsync(frontier);
        }
    }

    /// <summary>The relations among what is there, and no further.</summary>
    public async ValueTask CloseAsync()
    {
        foreach (var relation in await AroundAsync([.. _entities.Keys]))
        {
            if (_entities.ContainsKey(relation.FromId) && _entities.ContainsKey(relation.ToId))
            {
                _relations.TryAdd(relation.Id, relation);
            }
        }
    }

    private async ValueTask<List<string>> StepAsync(List<string> frontier)
    {
        var around = await AroundAsync(frontier);
        var fresh = around.SelectMany(static r => (string[])[r.FromId, r.ToId]).Where(id => !_entities.ContainsKey(id)).Distinct(StringComparer.Ordinal).ToList();
        if (_entities.Count + fresh.Count > MostNodes)
        {
            IsCut = true;
            fresh = fresh[..Math.Max(0, MostNodes - _entities.Count)];
        }

        var before = _entities.Keys.ToHashSet(StringComparer.Ordinal);
        await AddAsync(fresh.Count == 0 ? [] : await session.Prepared(ById).Set("list", List(fresh)).ListAsync(GraphEntity.Read));
        foreach (var relation in around.Where(r => _entities.ContainsKey(r.FromId) && _entities.ContainsKey(r.ToId)))
        {
            _relations.TryAdd(relation.Id, relation);
        }

        return [.. _entities.Keys.Where(id => !before.Contains(id))];
    }

    private async ValueTask<List<GraphRelation>> AroundAsync(IReadOnlyCollection<string> ids)
    {
        var list = List(ids);
        var found = await session.Prepared(ByFrom).Set("list", list).ListAsync(GraphRelation.Read);
        found.AddRange(await session.Prepared(ByTo).Set("list", list).ListAsync(GraphRelation.Read));
        IsCut |= found.Count > MostRelations;
        return [.. found.Where(counts).DistinctBy(static r => r.Id, StringComparer.Ordinal)];
    }

    private async ValueTask<List<GraphEntity>> NamedAsync(IReadOnlyCollection<string> norms) =>
        realms.Count == 0 || norms.Count == 0 ? [] : await session.Prepared(ByNorm).Set("realms", List(realms)).Set("list", List(norms)).ListAsync(GraphEntity.Read);

    private static SqlText NormsOf(SqlText named)
    {
        var ofRealms = SqlDialect.InList($"select distinct {GraphEntity.Columns} from graph_names n join graph_entities e on e.id = n.entity_id where", "n.realm", "realms", "");
        return new SqlText(ofRealms.Sqlite + named.Sqlite, ofRealms.Postgres + named.Postgres);
    }

    private static string List(IReadOnlyCollection<string> values) => JsonSerializer.Serialize(values);
}
