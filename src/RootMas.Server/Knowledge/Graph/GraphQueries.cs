using System.Text.Json;
using RootMas.Server.Knowledge.Memory;
using RootMas.Server.Platform.Data;

namespace RootMas.Server.Knowledge.Graph;

/// <summary>A question to the graph.</summary>
/// <param name="Kind"><c>neighbours</c>, <c>path</c>, <c>subgraph</c> or <c>search</c>.</param>
internal sealed record GraphQuestion(string Kind, string? Entity, string? To, string? Text, IReadOnlyList<string> Types, int Depth, int Limit, bool Directed, bool Past);

/// <summary>A node of an answer: entities of one name.</summary>
internal sealed record GraphNode(string Key, IReadOnlyList<GraphEntity> Entities, IReadOnlyList<string> Names)
{
    public GraphEntity First => Entities.FirstOrDefault(static e => e.Type != GraphWords.Thing) ?? Entities[0];
}

/// <param name="Path">Relations from start to end, in order; null: no path was asked for, or there is none.</param>
/// <param name="Length">Of the path: the sum of 1 ÷ weight.</param>
/// <param name="IsCut">There is more than is shown.</param>
internal sealed record GraphAnswer(
    IReadOnlyList<GraphNode> Nodes, IReadOnlyList<GraphRelation> Relations, IReadOnlyList<GraphEvidence> Evidence, Func<string, string> KeyOf, IReadOnlyList<GraphRelation>? Path, double? Length, bool IsCut)
{
    public static readonly GraphAnswer Empty = new([], [], [], static id => id, null, null, false) { Sources = [] };

    /// <summary>Of everything that is named here: what says the relations, and, of nodes that are named without one, all that their name may come from.</summary>
    public required IReadOnlyList<GraphOrigin> Sources { get; init; }

    public bool IsTainted => Sources.Any(static s => s.Tainted);
}

/// <summary>Where words of an answer come from.</summary>
internal sealed record GraphOrigin(string Kind, string Id, string? DocumentId, bool Tainted);

/// <summary>Which realms a user may read, beyond their own and the team's. A seam: Documents knows whose collections are whose.</summary>
internal interface IGraphRealms
{
    /// <summary>Realms such as <c>collection:ID</c>.</summary>
    ValueTask<IReadOnlyList<string>> OfAsync(string ownerId, CancellationToken cancellationToken);
}

/// <summary>Neighbours, typed paths, subgraphs and full text, over the realms that the user may read and no other.</summary>
internal sealed class GraphQueries(IDatabase database, IEnumerable<IGraphRealms> further)
{
    /// <summary>The permission without which nothing that memory says is shown.</summary>
    public const string MemoryPermission = "memory:read";

    /// <summary>At most so much of each: one document may say the same in each of thousands of chunks. What is tainted comes first, so that an answer never looks better than it is.</summary>
    private static readonly SqlText EvidenceOf = SqlDialect.InList(
        """
        select relation_id, source_kind, source_id, document_id, excerpt, confidence, tainted, created_at
        from (select g.*, row_number() over (partition by relation_id order by tainted desc, confidence desc, source_id) as place from graph_evidence g where
        """,
        "relation_id", "list", ") e where place <= 200 order by relation_id, confidence desc");

    private static readonly SqlText SourcesFrom = SqlDialect.InList(
        "select distinct e.source_kind, e.source_id, e.document_id, e.tainted from graph_relations r join graph_evidence e on e.relation_id = r.id where", "r.from_id", "list", "");

    private static readonly SqlText SourcesTo = SqlDialect.InList(
        "select distinct e.source_kind, e.source_id, e.document_id, e.tainted from graph_relations r join graph_evidence e on e.relation_id = r.id where", "r.to_id", "list", "");

    private static readonly SqlText NamesOf = SqlDialect.InList("select entity_id, name from graph_names where", "entity_id", "list", "order by entity_id, name");

    private static readonly SqlText WithWords = SqlDialect.InList(
        $"select {GraphEntity.Columns}, count(*) from graph_words w join graph_entities e on e.id = w.entity_id where w.realm = @realm and", "w.word", "list",
        "group by e.id, e.realm, e.name, e.norm, e.type order by count(*) desc, e.id limit @limit");

    /// <param name="withMemory">See <see cref="RealmsAsync"/>.</param>
    public async Task<GraphAnswer> AskAsync(string ownerId, bool withMemory, GraphQuestion question, CancellationToken cancellationToken)
    {
        var realms = await RealmsAsync(ownerId, withMemory, cancellationToken);
        var answer = await database.ReadAsync(
            session =>
            {
                var now = session.Now;
                var load = new GraphLoad(session, realms, r => Counts(r, question, now));
                return question.Kind switch
                {
                    "neighbours" => NeighboursAsync(session, load, question),
                    "path" => PathAsync(session, load, question),
                    "subgraph" => AroundAsync(session, load, question),
                    _ => SearchAsync(session, load, realms, question),
                };
            },
            cancellationToken);
        return realms.Count < CollectionRealms.Most ? answer : answer with { IsCut = true };
    }

    /// <param name="withMemory">Also what was read in the user's facts and in the team's notes: for who may read them (<see cref="MemoryPermission"/>).</param>
    public async ValueTask<IReadOnlyList<string>> RealmsAsync(string ownerId, bool withMemory, CancellationToken cancellationToken)
    {
        List<string> realms = withMemory ? [ownerId, FactWords.Team] : [];
        foreach (var one in further)
        {
            realms.AddRange(await one.OfAsync(ownerId, cancellationToken));
        }

        return [.. realms.Distinct(StringComparer.Ordinal)];
    }

    private static bool Counts(GraphRelation relation, GraphQuestion question, DateTimeOffset now) =>
        (question.Past || (relation.ValidFrom <= now && !(relation.ValidUntil <= now))) && (question.Types.Count == 0 || question.Types.Contains(relation.Type, StringComparer.Ordinal));

    private static async ValueTask<GraphAnswer> NeighboursAsync(DbSession session, GraphLoad load, GraphQuestion question)
    {
        var start = await load.FindAsync(question.Entity!);
        await load.ExpandAsync(1);
        var near = load.Relations.Where(r => start.Contains(load.KeyOf(r.FromId), StringComparer.Ordinal) || (!question.Directed && start.Contains(load.KeyOf(r.ToId), StringComparer.Ordinal)))
            .OrderByDescending(static r => r.Weight).ThenBy(static r => r.Id, StringComparer.Ordinal).ToList();
        var answer = await AnswerAsync(session, load, [.. near.Take(question.Limit)], start, null);
        return answer with { IsCut = load.IsCut || near.Count > question.Limit };
    }

    private static async ValueTask<GraphAnswer> AroundAsync(DbSession session, GraphLoad load, GraphQuestion question)
    {
        var start = await load.FindAsync(question.Entity!);
        await load.ExpandAsync(question.Depth);
        await load.CloseAsync();
        var around = await AnswerAsync(session, load, [.. load.Relations.OrderByDescending(static r => r.Weight).ThenBy(static r => r.Id, StringComparer.Ordinal).Take(question.Limit)], start, null);
        return around with { IsCut = load.IsCut || load.Relations.Count > question.Limit };
    }

    private static async ValueTask<GraphAnswer> PathAsync(DbSession session, GraphLoad load, GraphQuestion question)
    {
        var from = await load.FindAsync(question.Entity!);
        await load.ExpandAsync(question.Depth);
        var to = await load.FindAsync(question.To!);
        var path = ShortestPath.Find(load, from, to, question.Depth, question.Directed);
        return await AnswerAsync(session, load, path ?? [], [.. from, .. to], path);
    }

    private static async ValueTask<GraphAnswer> SearchAsync(DbSession session, GraphLoad load, IReadOnlyList<string> realms, GraphQuestion question)
    {
        var words = Words.Of(question.Text!).Distinct(StringComparer.Ordinal).ToList();
        var found = new List<(GraphEntity Entity, long Hits)>();
        foreach (var realm in realms.Where(_ => words.Count > 0))
        {
            found.AddRange(await session.Prepared(WithWords).Set("realm", realm).Set("list", JsonSerializer.Serialize(words)).Set("limit", question.Limit + 1L)
                .ListAsync(static r => (GraphEntity.Read(r), r.GetInt64(5))));
        }

        // Of equal hits those come first that are called so, and not only named beside it.
        var best = found.OrderByDescending(static f => f.Hits).ThenByDescending(f => Words.Of(f.Entity.Name).Count(words.Contains)).ThenBy(static f => f.Entity.Id, StringComparer.Ordinal)
            .Take(question.Limit).Select(static f => f.Entity).ToList();
        await load.AddAsync(best);
        await load.CloseAsync();
        var answer = await AnswerAsync(session, load, [.. load.Relations.Take(question.Limit)], [.. best.Select(static e => e.Norm).Distinct(StringComparer.Ordinal)], null);
        return answer with { IsCut = load.IsCut || found.Count > question.Limit || load.Relations.Count > question.Limit };
    }

    private static async ValueTask<GraphAnswer> AnswerAsync(DbSession session, GraphLoad load, IReadOnlyList<GraphRelation> relations, IReadOnlyList<string> start, IReadOnlyList<GraphRelation>? path)
    {
        List<string> keys = [.. start.Concat(relations.SelectMany(r => (string[])[load.KeyOf(r.FromId), load.KeyOf(r.ToId)])).Distinct(StringComparer.Ordinal)];
        var ids = JsonSerializer.Serialize(keys.SelectMany(k => load.Nodes[k]).Select(static e => e.Id));
        var names = (await session.Prepared(NamesOf).Set("list", ids).ListAsync(static r => (Id: r.GetString(0), Name: r.GetString(1)))).ToLookup(static n => n.Id, static n => n.Name, StringComparer.Ordinal);
        var evidence = await session.Prepared(EvidenceOf).Set("list", JsonSerializer.Serialize(relations.Select(static r => r.Id))).ListAsync(static r =>
            new GraphEvidence(r.GetString(0), r.GetString(1), r.GetString(2), r.StringOrNull(3), r.GetString(4), r.GetInt32(5), r.Flag(6), r.Time(7)));
        var nodes = keys.ConvertAll(k => new GraphNode(k, load.Nodes[k], [.. load.Nodes[k].SelectMany(e => names[e.Id]).Distinct(StringComparer.Ordinal)]));
        var shown = evidence.Select(static e => new GraphOrigin(e.SourceKind, e.SourceId, e.DocumentId, e.Tainted));
        return new GraphAnswer(nodes, relations, evidence, load.KeyOf, path, path?.Sum(static r => r.Length), load.IsCut) { Sources = [.. shown.Concat(await UnshownAsync(session, load, relations, nodes)).Distinct()] };
    }

    /// <summary>Names come from the same texts as relations. Of a node of which no relation is in the answer, all of them: whichever of them called it so.</summary>
    private static async ValueTask<List<GraphOrigin>> UnshownAsync(DbSession session, GraphLoad load, IReadOnlyList<GraphRelation> relations, List<GraphNode> nodes)
    {
        var related = relations.SelectMany(r => (string[])[load.KeyOf(r.FromId), load.KeyOf(r.ToId)]).ToHashSet(StringComparer.Ordinal);
        var alone = nodes.Where(n => !related.Contains(n.Key)).SelectMany(static n => n.Entities).Select(static e => e.Id).ToList();
        if (alone.Count == 0)
        {
            return [];
        }

        var list = JsonSerializer.Serialize(alone);
        var from = await session.Prepared(SourcesFrom).Set("list", list).ListAsync(ReadSource);
        return [.. from, .. await session.Prepared(SourcesTo).Set("list", list).ListAsync(ReadSource)];
    }

    private static GraphOrigin ReadSource(System.Data.Common.DbDataReader row) => new(row.GetString(0), row.GetString(1), row.StringOrNull(2), row.Flag(3));
}

/// <summary>The shortest way between two nodes by the lengths of relations (Dijkstra, 1959), of at most so many steps.</summary>
internal static class ShortestPath
{
    public static List<GraphRelation>? Find(GraphLoad load, IReadOnlyList<string> from, IReadOnlyList<string> to, int mostSteps, bool directed)
    {
        var edges = Edges(load, directed).ToLookup(static e => e.From, StringComparer.Ordinal);
        // The same node may be reached cheaply in many steps or dearly in few: both can lead on, so the steps are part of the state.
        var best = new Dictionary<(string Node, int Steps), (double Length, string Before, GraphRelation? By)>();
        var queue = new PriorityQueue<(string Node, int Steps), double>();
        foreach (var start in from)
        {
            best[(start, 0)] = (0, "", null);
            queue.Enqueue((start, 0), 0);
        }

        while (queue.TryDequeue(out var at, out var length))
        {
            if (to.Contains(at.Node, StringComparer.Ordinal))
            {
                return Way(best, at);
            }

            if (at.Steps == mostSteps || length > best[at].Length)
            {
                continue;
            }

            foreach (var edge in edges[at.Node])
            {
                var next = (edge.To, at.Steps + 1);
                var further = length + edge.By.Length;
                if (!best.TryGetValue(next, out var known) || further < known.Length)
                {
                    best[next] = (further, at.Node, edge.By);
                    queue.Enqueue(next, further);
                }
            }
        }

        return null;
    }

    private static IEnumerable<(string From, string To, GraphRelation By)> Edges(GraphLoad load, bool directed)
    {
        foreach (var relation in load.Relations)
        {
            var (a, b) = (load.KeyOf(relation.FromId), load.KeyOf(relation.ToId));
            yield return (a, b, relation);
            if (!directed)
            {
                yield return (b, a, relation);
            }
        }
    }

    private static List<GraphRelation> Way(Dictionary<(string Node, int Steps), (double Length, string Before, GraphRelation? By)> best, (string Node, int Steps) end)
    {
        var way = new List<GraphRelation>();
        for (var at = end; best[at] is { By: { } by, Before: var before }; at = (before, at.Steps - 1))
        {
            way.Insert(0, by);
        }

        return way;
    }
}
