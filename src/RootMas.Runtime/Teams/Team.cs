using RootMas.Runtime.Agents;
using RootMas.Runtime.Runs;
using RootMas.Runtime.Tools;

namespace RootMas.Runtime.Teams;

/// <summary>How a team works together (DESIGN §4.8).</summary>
[System.Text.Json.Serialization.JsonConverter(typeof(System.Text.Json.Serialization.JsonStringEnumConverter<PatternKind>))]
public enum PatternKind
{
    Direct,
    Handoff,
    Sequential,
    Concurrent,
    GroupChat,
    Plan,
}

/// <summary>A directed edge of the routing graph.</summary>
/// <param name="IsHandoff">True: the run goes on with <paramref name="To"/> (and the way back is allowed); false: a delegation as a child run.</param>
public sealed record TeamEdge(string From, string To, bool IsHandoff = false);

/// <summary>Agents plus a pattern for working together and its limits.</summary>
public sealed record Team
{
    public required string Name { get; init; }

    public string Description { get; init; } = "";

    public required PatternKind Pattern { get; init; }

    /// <summary>Direct, handoff: who enters. Plan: the planner. Group chat: the first speaker if there is no selector.</summary>
    public required string Entry { get; init; }

    /// <summary>In order for sequential; the speakers of a group chat; the members of a concurrent team.</summary>
    public IReadOnlyList<string> Members { get; init; } = [];

    /// <summary>Concurrent: who aggregates. Plan as a root team: who writes the answer.</summary>
    public string? Writer { get; init; }

    /// <summary>Group chat: the agent whose model picks the next speaker; null: in turn (round robin).</summary>
    public string? Selector { get; init; }

    /// <summary>Plan: who is asked when a task failed, is blocked or late; null: nobody, the planner reviews.</summary>
    public string? Coordinator { get; init; }

    /// <summary>Group chat: at most this many turns. Concurrent and plan: at most this many children at once come from <see cref="MaxParallel"/>.</summary>
    public int MaxRounds { get; init; } = 8;

    public int MaxParallel { get; init; } = 8;

    public IReadOnlyList<TeamEdge> Edges { get; init; } = [];

    /// <summary>Agent name → the pattern it runs when work is delegated to it; agents that are not named run <see cref="PatternKind.Direct"/>.</summary>
    public IReadOnlyDictionary<string, PatternKind> DelegatePatterns { get; init; } = new Dictionary<string, PatternKind>(StringComparer.Ordinal);

    public RunLimits Limits { get; init; } = new();

    /// <summary>The pattern of a child run of <paramref name="agent"/>.</summary>
    public PatternKind DelegatePatternOf(string agent) => DelegatePatterns.GetValueOrDefault(agent, PatternKind.Direct);

    /// <summary>The agents that <paramref name="agent"/> may delegate to.</summary>
    public IEnumerable<string> DelegatesOf(string agent) => Edges.Where(e => !e.IsHandoff && e.From == agent).Select(e => e.To);

    /// <summary>The agents that <paramref name="agent"/> may hand off to, the way back included.</summary>
    public IEnumerable<string> HandoffsOf(string agent) =>
        Edges.Where(e => e.IsHandoff && (e.From == agent || e.To == agent)).Select(e => e.From == agent ? e.To : e.From).Distinct(StringComparer.Ordinal);
}

/// <summary>
/// Everything a run keeps of what it started with: team, agents, prompts and tool definitions, addressed by content hash.
/// Agents are all agents that can be reached, so that children start from the same snapshot.
/// </summary>
public sealed record TeamSnapshot
{
    public required Team Team { get; init; }

    public required IReadOnlyDictionary<string, Agent> Agents { get; init; }

    /// <summary>The house rules that precede every agent's own prompt.</summary>
    public string Preamble { get; init; } = "";

    /// <summary>Facts about the team that every prompt carries.</summary>
    public string Facts { get; init; } = "";

    public IReadOnlyDictionary<string, ToolDefinition> Tools { get; init; } = new Dictionary<string, ToolDefinition>(StringComparer.Ordinal);
}
