using RootMas.Runtime.Tools;

namespace RootMas.Server.Agents;

/// <summary>Files and overrides put together and checked. <see cref="Catalog"/> is null when there is an error.</summary>
internal sealed record CatalogBuild(Catalog? Catalog, IReadOnlyList<CatalogProblem> Problems)
{
    /// <summary>The source that problems of overrides name.</summary>
    public const string Api = "api";

    private const int MaxAgents = 500;

    public static CatalogBuild Make(CatalogFiles files, IReadOnlyList<CatalogOverride> overrides, IToolCatalog tools, AgentsOptions options)
    {
        var problems = new CatalogProblems();
        problems.AddRange(files.Problems);
        AgentRules.CheckText(files.Preamble, 0, options.MaxPromptCharacters, CatalogFiles.PreambleFile, "(file)", problems);

        var agents = Merge(files.Agents, overrides.Where(o => o.Kind == CatalogKind.Agent), a => a.Name, AgentsJson.Agent);
        foreach (var agent in agents)
        {
            AgentRules.Check(agent, tools, options, problems);
        }

        if (agents.Count > MaxAgents)
        {
            problems.Error(CatalogFiles.AgentsFile, "agents", $"must not hold more than {MaxAgents} agents.");
        }

        if (agents.Count == 0)
        {
            problems.Error(CatalogFiles.AgentsFile, "agents", "must hold at least one agent.");
            return new CatalogBuild(null, problems.Items); // Every team would only repeat this.
        }

        var byName = agents.ToDictionary(a => a.Definition.Name, a => a.Definition, StringComparer.Ordinal);
        var rules = new TeamRules(byName, problems);
        var teams = Merge(files.Teams, overrides.Where(o => o.Kind == CatalogKind.Team), t => t.Name, AgentsJson.Team).Select(rules.Build).ToList();
        CheckWhole(files, byName.Keys, teams, problems);
        return problems.HasErrors
            ? new CatalogBuild(null, problems.Items)
            : new CatalogBuild(new Catalog([.. agents.Select(a => Agent(a, files.Preamble))], [.. teams.OfType<CatalogTeam>()], files.DefaultTeam, files.Preamble, tools), problems.Items);
    }

    private static void CheckWhole(CatalogFiles files, IEnumerable<string> agents, List<CatalogTeam?> teams, CatalogProblems problems)
    {
        var names = teams.OfType<CatalogTeam>().Select(t => t.Team.Name).ToList();
        if (files.Problems.Any(p => !p.IsWarning) || teams.Contains(null))
        {
            return; // What follows would only repeat these errors.
        }

        if (!names.Contains(files.DefaultTeam, StringComparer.Ordinal))
        {
            problems.Missing(CatalogFiles.TeamsFile, "default", $"must name a team that exists. Legal: {string.Join(", ", names)}.");
        }

        foreach (var lonely in agents.Except(teams.SelectMany(t => t!.Agents), StringComparer.Ordinal))
        {
            problems.Warn(CatalogFiles.TeamsFile, "teams", $"no team reaches the agent '{lonely}'; it answers only when it is asked for by name.");
        }
    }

    private static CatalogAgent Agent(Sourced<AgentDefinition> sourced, string preamble) =>
        new(sourced.Definition.ToAgent(preamble), sourced.Definition, sourced.Version, AgentsJson.ETag(AgentsJson.Serialize(sourced.Definition), sourced.Version));

    private static List<Sourced<T>> Merge<T>(IReadOnlyList<Sourced<T>> files, IEnumerable<CatalogOverride> overrides, Func<T, string> nameOf, Func<string, T> parse)
    {
        List<Sourced<T>> merged = [.. files];
        foreach (var change in overrides.Where(o => o.State != OverrideState.Reverted))
        {
            var index = merged.FindIndex(m => nameOf(m.Definition) == change.Name);
            Sourced<T>? replacement = change.State == OverrideState.Live ? new Sourced<T>(parse(change.Json!), Api, change.Version) : null;
            if (index >= 0)
            {
                merged.RemoveAt(index);
            }

            if (replacement is not null)
            {
                merged.Insert(index >= 0 ? index : merged.Count, replacement);
            }
        }

        return merged;
    }
}
