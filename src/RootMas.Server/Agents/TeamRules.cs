using System.Text.RegularExpressions;
using RootMas.Runtime.Runs;
using RootMas.Runtime.Teams;

namespace RootMas.Server.Agents;

/// <summary>What one team must fulfil against the agents there are. All problems are told, not only the first.</summary>
internal sealed partial class TeamRules(IReadOnlyDictionary<string, AgentDefinition> agents, CatalogProblems problems)
{
    private static readonly PatternKind[] WithMembers = [PatternKind.Sequential, PatternKind.Concurrent, PatternKind.GroupChat];

    private const int MaxMentions = 2_000;

    private string _source = "";
    private string _key = "";

    /// <summary>The team with its expanded graph and the agents that it reaches; null when it is not usable.</summary>
    public CatalogTeam? Build(Sourced<TeamDefinition> sourced)
    {
        var (definition, source, version) = sourced;
        (_source, _key) = (source, $"teams.{definition.Name}");
        var before = problems.Items.Count(p => !p.IsWarning);
        if (!IsSound(definition))
        {
            return null;
        }

        CheckShape(definition);
        if (!PatternNames.TryParse(definition.Pattern ?? "", out var pattern))
        {
            Error("pattern", $"'{CatalogProblems.Clip(definition.Pattern)}' is no pattern. Legal: {PatternNames.Legal}.");
            return null;
        }

        CheckRoles(definition, pattern);
        var graph = new TeamGraph(definition, agents);
        CheckGraph(definition, graph);
        CheckDelegatePatterns(definition, graph);
        CheckRoom(definition, pattern);
        if (problems.Items.Count(p => !p.IsWarning) > before)
        {
            return null;
        }

        var team = new Team
        {
            Name = definition.Name,
            Description = definition.Description,
            Pattern = pattern,
            Entry = TeamGraph.EntryOf(definition)!,
            Members = definition.Members,
            Writer = definition.Writer,
            Selector = definition.Selector,
            Coordinator = definition.Coordinator,
            MaxRounds = definition.MaxRounds,
            MaxParallel = definition.MaxParallel,
            Edges = graph.Edges,
            DelegatePatterns = definition.DelegatePatterns.OrderBy(p => p.Key, StringComparer.Ordinal)
                .ToDictionary(p => p.Key, p => PatternNames.TryParse(p.Value, out var kind) ? kind : PatternKind.Direct, StringComparer.Ordinal),
            Limits = definition.Limits.ToRunLimits(),
        };
        return new CatalogTeam(team, graph.Reached, definition, version, AgentsJson.ETag(AgentsJson.Serialize(definition), version));
    }

    /// <summary>No nulls inside lists, and a size that the checks below can bear: bodies come from outside.</summary>
    private bool IsSound(TeamDefinition definition)
    {
        var lists = definition.Edges.Values.Concat(definition.Handoffs.Values).Append(definition.Members).ToList();
        if (lists.Exists(l => l is null || l.Any(string.IsNullOrEmpty)) || definition.DelegatePatterns.Values.Any(p => p is null))
        {
            Error("edges", "members, edges, handoffs and delegate_patterns must hold names only.");
            return false;
        }

        if (lists.Sum(l => l.Count) + lists.Count + definition.DelegatePatterns.Count > MaxMentions)
        {
            Error("edges", $"members, edges and handoffs must not hold more than {MaxMentions} names together.");
            return false;
        }

        return true;
    }

    private void CheckShape(TeamDefinition definition)
    {
        if (!Name().IsMatch(definition.Name))
        {
            Error("name", "must be a lower-case letter, then at most 63 lower-case letters, digits, underscores or hyphens.");
        }

        AgentRules.CheckText(definition.Description, 1, 500, _source, $"{_key}.description", problems);
        Range("max_rounds", definition.MaxRounds, 1, 100);
        Range("max_parallel", definition.MaxParallel, 1, 64);
        var limits = definition.Limits;
        Range("limits.max_steps", limits.MaxSteps, 1, 10_000);
        Range("limits.max_children", limits.MaxChildren, 0, 1_000);
        Range("limits.max_depth", limits.MaxDepth, 0, 16);
        Range("limits.max_wall_seconds", limits.MaxWallSeconds, 1, 604_800);
        CheckSpending(limits);
    }

    private void CheckSpending(TeamLimits limits)
    {
        if (limits.MaxTokens is { } tokens and not 0 and (< 1_000 or > 1_000_000_000_000))
        {
            Error("limits.max_tokens", $"must be 0 (no limit) or from 1,000 to 1,000,000,000,000; it is {tokens}.");
        }

        if (limits.MaxCostUsd is { } usd && (usd is < 0 or > 10_000 || decimal.Truncate(usd * 1_000_000m) != usd * 1_000_000m))
        {
            Error("limits.max_cost_usd", "must be from 0 (no limit) to 10,000 US dollars with at most six decimals.");
        }
    }

    private void CheckRoles(TeamDefinition definition, PatternKind pattern)
    {
        var many = WithMembers.Contains(pattern);
        if (many ? definition.Members.Count is < 2 or > 32 : definition.Members.Count > 0)
        {
            Error("members", many ? $"{definition.Pattern} needs 2–32 members." : $"{definition.Pattern} has no members: who takes part follows from the edges.");
        }

        if (definition.Members.Distinct(StringComparer.Ordinal).Count() != definition.Members.Count)
        {
            Error("members", "names an agent twice.");
        }

        if (!many && string.IsNullOrEmpty(definition.Entry))
        {
            Error("entry", $"{definition.Pattern} needs the agent that enters first.");
        }

        Only("entry", definition.Entry, !many || definition.Members.Contains(definition.Entry ?? "", StringComparer.Ordinal), "must be one of the members.");
        Only("writer", definition.Writer, pattern is PatternKind.Concurrent or PatternKind.Plan, "is for concurrent (who aggregates) and plan (who writes the answer).");
        Only("selector", definition.Selector, pattern is PatternKind.GroupChat, "is for group_chat.");
        Only("coordinator", definition.Coordinator, pattern is PatternKind.Plan || definition.DelegatePatterns.Values.Contains("plan", StringComparer.Ordinal),
            "is for plan, or a team whose delegate_patterns name plan.");
        if (pattern is PatternKind.Concurrent && string.IsNullOrEmpty(definition.Writer))
        {
            Error("writer", "concurrent needs the agent that puts the results together.");
        }
    }

    private void CheckGraph(TeamDefinition definition, TeamGraph graph)
    {
        foreach (var (key, name) in graph.Mentioned.Where(m => !agents.ContainsKey(m.Agent)))
        {
            problems.Missing(_source, $"{_key}.{key}", $"there is no agent '{CatalogProblems.Clip(name)}'. Legal: {string.Join(", ", agents.Keys)}.");
        }

        foreach (var edge in graph.Edges.Where(e => e.From == e.To))
        {
            Error($"edges.{edge.From}", "leads to itself.");
        }

        foreach (var edge in graph.Edges.Where(e => e.IsHandoff && graph.Edges.Contains(e with { IsHandoff = false })))
        {
            Error($"handoffs.{edge.From}", $"'{edge.To}' is a delegation and a handoff; say which.");
        }

        foreach (var from in graph.Edges.Select(e => e.From).Distinct(StringComparer.Ordinal).Where(f => agents.ContainsKey(f) && !graph.Reached.Contains(f, StringComparer.Ordinal)))
        {
            Error($"edges.{from}", $"cannot be reached: no edge leads from '{TeamGraph.EntryOf(definition)}' or a member to '{from}'.");
        }

        if (graph.DelegationCycle() is { } cycle)
        {
            Error("edges", $"delegations go round in a circle: {string.Join(" → ", cycle)}. Work would come back to whoever gave it; remove one of these edges, or make it a handoff.");
        }
    }

    private void CheckDelegatePatterns(TeamDefinition definition, TeamGraph graph)
    {
        foreach (var (agent, pattern) in definition.DelegatePatterns)
        {
            if (pattern is not ("direct" or "plan"))
            {
                Error($"delegate_patterns.{agent}", $"'{CatalogProblems.Clip(pattern)}' cannot be the pattern of a delegated task. Legal: direct, plan.");
            }
            else if (!graph.Edges.Any(e => !e.IsHandoff && e.To == agent))
            {
                Error($"delegate_patterns.{agent}", "nobody delegates to this agent.");
            }
        }
    }

    /// <summary>These patterns are runs below their own: with no room for them the team is stopped each time. Others without room do the work themselves.</summary>
    private void CheckRoom(TeamDefinition definition, PatternKind pattern)
    {
        var (limits, usual) = (definition.Limits, new RunLimits());
        var least = pattern is PatternKind.Concurrent or PatternKind.Plan ? 1 : 0;
        Below("limits.max_depth", limits.MaxDepth ?? usual.MaxDepth, least);
        Below("limits.max_children", limits.MaxChildren ?? usual.MaxChildren, pattern is PatternKind.Concurrent ? Math.Max(least, definition.Members.Count) : least);
    }

    private void Below(string key, int value, int needed)
    {
        if (value >= 0 && value < needed)
        {
            Error(key, $"must be at least {needed}: members of concurrent, tasks of a plan and delegated work are runs of their own below it.");
        }
    }

    private void Range(string key, int? value, int min, int max)
    {
        if (value is { } number && (number < min || number > max))
        {
            Error(key, $"must be from {min} to {max}; it is {number}.");
        }
    }

    private void Only(string key, string? value, bool allowed, string message)
    {
        if (value is not null && !allowed)
        {
            Error(key, message);
        }
    }

    private void Error(string key, string message) => problems.Error(_source, $"{_key}.{key}", message);

    [GeneratedRegex("^[a-z][a-z0-9_-]{0,63}\\z", RegexOptions.None, 5_000)]
    private static partial Regex Name();
}
