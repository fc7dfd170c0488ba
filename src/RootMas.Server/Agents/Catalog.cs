using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text;
using RootMas.Runtime.Agents;
using RootMas.Runtime.Runs;
using RootMas.Runtime.Teams;
using RootMas.Runtime.Tools;

namespace RootMas.Server.Agents;

/// <summary>An agent of the catalog: what runs keep, what was written, and where it came from.</summary>
/// <param name="Version">0: from a file; else the stored version of an override.</param>
/// <param name="ETag">Changes with the definition, its origin and each stored version; without quotes.</param>
public sealed record CatalogAgent(Agent Agent, AgentDefinition Definition, int Version, string ETag)
{
    public bool IsFromFile => Version == 0;
}

/// <summary>A team of the catalog with its expanded routing graph.</summary>
/// <param name="Agents">Every agent that a run of the team can reach, the entry first.</param>
/// <param name="Version">0: from a file; else the stored version of an override.</param>
/// <param name="ETag">Changes with the definition, its origin and each stored version; without quotes.</param>
public sealed record CatalogTeam(Team Team, IReadOnlyList<string> Agents, TeamDefinition Definition, int Version, string ETag)
{
    public bool IsFromFile => Version == 0;
}

/// <summary>A snapshot with its stored form. <see cref="Hash"/> is the SHA-256 (hex) of <see cref="Json"/>.</summary>
public sealed record StoredSnapshot(TeamSnapshot Snapshot, string Hash, byte[] Json)
{
    public static StoredSnapshot Of(TeamSnapshot snapshot)
    {
        var json = RunJson.Serialize(snapshot);
        return new StoredSnapshot(snapshot, Convert.ToHexStringLower(SHA256.HashData(json)), json);
    }
}

/// <summary>A snapshot, or why there is none: <see cref="Code"/> is <c>team_not_found</c> or <c>agent_not_found</c>, <see cref="Detail"/> is for people.</summary>
public sealed record SnapshotLookup(StoredSnapshot? Snapshot, string Code = "", string Detail = "");

/// <summary>Agents and teams that fit together. Immutable: a change makes a new one, and whoever holds this one goes on with it.</summary>
public sealed class Catalog
{
    /// <summary>Prefix of the name of the one-agent team that is made when an agent is addressed directly.</summary>
    public const string AgentTeamPrefix = "agent:";

    private readonly Dictionary<string, CatalogAgent> _agents;
    private readonly Dictionary<string, CatalogTeam> _teams;
    private readonly ConcurrentDictionary<(string Team, string Agent), StoredSnapshot> _snapshots = new();
    private readonly IToolCatalog _tools;

    internal Catalog(IReadOnlyList<CatalogAgent> agents, IReadOnlyList<CatalogTeam> teams, string defaultTeam, string preamble, IToolCatalog tools)
    {
        Agents = agents;
        Teams = teams;
        DefaultTeam = defaultTeam;
        Preamble = preamble;
        _tools = tools;
        _agents = agents.ToDictionary(a => a.Agent.Name, StringComparer.Ordinal);
        _teams = teams.ToDictionary(t => t.Team.Name, StringComparer.Ordinal);
    }

    public IReadOnlyList<CatalogAgent> Agents { get; }

    public IReadOnlyList<CatalogTeam> Teams { get; }

    public string DefaultTeam { get; }

    public string Preamble { get; }

    public CatalogAgent? FindAgent(string name) => _agents.GetValueOrDefault(name);

    public CatalogTeam? FindTeam(string name) => _teams.GetValueOrDefault(name);

    /// <summary>Tools that the agent should have and that this server lacks, or has without their configuration.</summary>
    public IReadOnlyList<string> MissingTools(Agent agent) => [.. agent.Tools.Where(name => !BuiltInTools.IsBuiltIn(name) && _tools.Find(name) is not { IsConfigured: true })];

    /// <summary>
    /// What a new run keeps. No team and no agent: the default team. A team and an agent: the team, entered at that agent. An agent alone: that agent without any edge;
    /// <c>agent:name</c> as the team says the same. Built, serialised and hashed once per catalog; every later call is a dictionary look-up.
    /// </summary>
    public SnapshotLookup SnapshotFor(string? team, string? agent)
    {
        if (team?.StartsWith(AgentTeamPrefix, StringComparison.Ordinal) == true)
        {
            agent ??= team[AgentTeamPrefix.Length..];
            team = null;
        }

        var key = (Team: team ?? (agent is null ? DefaultTeam : AgentTeamPrefix), Agent: agent ?? "");
        if (_snapshots.TryGetValue(key, out var known) && IsAsTold(known))
        {
            return new SnapshotLookup(known);
        }

        // Only names that exist get this far into the dictionary, so that it cannot grow with what callers invent.
        var (snapshot, code, detail) = key.Team == AgentTeamPrefix ? Alone(key.Agent) : InTeam(key.Team, agent);
        return snapshot is null ? new SnapshotLookup(null, code, detail) : new SnapshotLookup(_snapshots[key] = StoredSnapshot.Of(snapshot));
    }

    /// <summary>Tools say the same of themselves as then: one names the credentials there are, which change while the server runs.</summary>
    private bool IsAsTold(StoredSnapshot known)
    {
        foreach (var (name, definition) in known.Snapshot.Tools)
        {
            if (!ReferenceEquals(_tools.Find(name)?.Definition, definition))
            {
                return false;
            }
        }

        return true;
    }

    private (TeamSnapshot? Snapshot, string Code, string Detail) Alone(string name)
    {
        if (FindAgent(name) is not { } agent)
        {
            return (null, "agent_not_found", $"There is no agent named '{CatalogProblems.Clip(name)}'. GET /api/v1/agents lists them.");
        }

        var team = new Team { Name = AgentTeamPrefix + name, Description = $"{name} alone.", Pattern = PatternKind.Direct, Entry = name };
        return (Snapshot(team, [agent.Agent.Name]), "", "");
    }

    private (TeamSnapshot? Snapshot, string Code, string Detail) InTeam(string name, string? entry)
    {
        if (FindTeam(name) is not { } found)
        {
            return (null, "team_not_found", $"There is no team named '{CatalogProblems.Clip(name)}'. GET /api/v1/teams lists them.");
        }

        if (entry is null || entry == found.Team.Entry)
        {
            return (Snapshot(found.Team, found.Agents), "", "");
        }

        if (!found.Agents.Contains(entry, StringComparer.Ordinal))
        {
            return (null, "agent_not_found", $"The team '{name}' has no agent named '{CatalogProblems.Clip(entry)}'. Its agents: {string.Join(", ", found.Agents)}.");
        }

        // A pattern of several members has no single place to enter: the agent answers by itself, with its edges.
        var pattern = found.Team.Pattern is PatternKind.Handoff ? PatternKind.Handoff : found.Team.DelegatePatternOf(entry);
        return (Snapshot(found.Team with { Entry = entry, Pattern = pattern, Members = [], Writer = null, Selector = null }, found.Agents), "", "");
    }

    private TeamSnapshot Snapshot(Team team, IReadOnlyList<string> names)
    {
        var agents = names.Order(StringComparer.Ordinal).ToDictionary(n => n, n => _agents[n].Agent, StringComparer.Ordinal);
        var tools = agents.Values.SelectMany(a => a.Tools).Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal)
            .Select(_tools.Find).OfType<Tool>().ToDictionary(t => t.Name, t => t.Definition, StringComparer.Ordinal);
        return new TeamSnapshot { Team = team, Agents = agents, Preamble = Preamble, Facts = Facts(team, names), Tools = tools };
    }

    /// <summary>Who is in the team, one line each. What each does stands beside the edges of whoever may ask them.</summary>
    private string Facts(Team team, IReadOnlyList<string> names)
    {
        var facts = new StringBuilder("You work in the team '").Append(team.Name).Append("'. ").Append(team.Description).Append("\nIts agents:");
        foreach (var name in names)
        {
            facts.Append("\n- ").Append(name).Append(": ").Append(_agents[name].Agent.Role);
        }

        return facts.ToString();
    }
}
