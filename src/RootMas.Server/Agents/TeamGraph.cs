using RootMas.Runtime.Teams;

namespace RootMas.Server.Agents;

/// <summary>The routing graph of a team: edges with <c>*</c> expanded, and who can be reached.</summary>
internal sealed class TeamGraph
{
    /// <summary>In a list of targets: every specialist of the catalog, so that a new agent joins without an edit here.</summary>
    public const string Everyone = "*";

    private readonly List<TeamEdge> _edges = [];

    public TeamGraph(TeamDefinition definition, IReadOnlyDictionary<string, AgentDefinition> agents)
    {
        foreach (var (from, targets) in definition.Handoffs)
        {
            Add(from, targets, isHandoff: true, agents);
        }

        foreach (var (from, targets) in definition.Edges)
        {
            Add(from, targets, isHandoff: false, agents);
        }

        Mentioned = [.. Mentions(definition)];
        Reached = Reach(definition, agents);
    }

    public IReadOnlyList<TeamEdge> Edges => _edges;

    /// <summary>Every agent that the definition names, with the key that names it.</summary>
    public IReadOnlyList<(string Key, string Agent)> Mentioned { get; }

    /// <summary>The entry first, then in the order of discovery.</summary>
    public IReadOnlyList<string> Reached { get; }

    public static string? EntryOf(TeamDefinition definition) => definition.Entry ?? (definition.Members.Count > 0 ? definition.Members[0] : null);

    /// <summary>Agents on a circle of delegations, the first one repeated at the end; null: there is none.</summary>
    public IReadOnlyList<string>? DelegationCycle()
    {
        HashSet<string> done = new(StringComparer.Ordinal);
        foreach (var start in _edges.Select(e => e.From))
        {
            if (Circle(start, [], done) is { } cycle)
            {
                return cycle;
            }
        }

        return null;
    }

    private List<string>? Circle(string agent, List<string> path, HashSet<string> done)
    {
        if (path.IndexOf(agent) is >= 0 and var first)
        {
            return [.. path[first..], agent];
        }

        if (done.Contains(agent))
        {
            return null;
        }

        path.Add(agent);
        foreach (var next in _edges.Where(e => !e.IsHandoff && e.From == agent && e.To != agent).Select(e => e.To))
        {
            if (Circle(next, path, done) is { } cycle)
            {
                return cycle;
            }
        }

        path.RemoveAt(path.Count - 1);
        done.Add(agent);
        return null;
    }

    private void Add(string from, IReadOnlyList<string> targets, bool isHandoff, IReadOnlyDictionary<string, AgentDefinition> agents)
    {
        var named = targets.Where(t => t != Everyone);
        var everyone = targets.Contains(Everyone, StringComparer.Ordinal)
            ? agents.Values.Where(a => a.Specialist && a.Name != from && !_edges.Exists(e => e.From == from && e.To == a.Name)).Select(a => a.Name)
            : [];
        foreach (var to in named.Concat(everyone).Distinct(StringComparer.Ordinal).ToList())
        {
            _edges.Add(new TeamEdge(from, to, isHandoff));
        }
    }

    private static IEnumerable<(string Key, string Agent)> Mentions(TeamDefinition definition)
    {
        (string Key, string? Agent)[] roles =
            [("entry", definition.Entry), ("writer", definition.Writer), ("selector", definition.Selector), ("coordinator", definition.Coordinator)];
        return roles.Where(r => r.Agent is not null).Select(r => (r.Key, r.Agent!))
            .Concat(definition.Members.Select(m => ("members", m)))
            .Concat(Targets("edges", definition.Edges))
            .Concat(Targets("handoffs", definition.Handoffs));
    }

    private static IEnumerable<(string Key, string Agent)> Targets(string key, IReadOnlyDictionary<string, IReadOnlyList<string>> lists) =>
        lists.SelectMany(l => l.Value.Where(t => t != Everyone).Prepend(l.Key).Select(t => ($"{key}.{l.Key}", t)));

    private List<string> Reach(TeamDefinition definition, IReadOnlyDictionary<string, AgentDefinition> agents)
    {
        List<string> reached = [];
        var open = new Queue<string>(new[] { EntryOf(definition) }.Concat(definition.Members)
            .Append(definition.Writer).Append(definition.Selector).Append(definition.Coordinator).OfType<string>());
        while (open.TryDequeue(out var agent))
        {
            if (!agents.ContainsKey(agent) || reached.Contains(agent, StringComparer.Ordinal))
            {
                continue;
            }

            reached.Add(agent);
            foreach (var edge in _edges.Where(e => e.From == agent || (e.IsHandoff && e.To == agent)))
            {
                open.Enqueue(edge.From == agent ? edge.To : edge.From);
            }
        }

        return reached;
    }
}
