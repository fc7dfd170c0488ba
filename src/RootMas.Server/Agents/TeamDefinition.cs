using System.Text.Json.Serialization;
using RootMas.Runtime.Runs;
using RootMas.Runtime.Teams;
using RootMas.Server.Platform.Http;

namespace RootMas.Server.Agents;

/// <summary>A team as it is written in <c>teams.yaml</c> or put by the API, before it is checked against the agents.</summary>
public sealed record TeamDefinition
{
    /// <summary>Unique name: a lower-case letter, then letters, digits, underscores and hyphens, 64 at most. In a PUT it may be left out or must equal the one in the path.</summary>
    /// <example>translation</example>
    public string Name { get; init; } = "";

    /// <summary>What the team is for, 500 characters at most.</summary>
    /// <example>Translates a text, then checks it.</example>
    public string Description { get; init; } = "";

    /// <summary>How it works together: direct, handoff, sequential, concurrent, group_chat, plan.</summary>
    /// <example>sequential</example>
    public string Pattern { get; init; } = "direct";

    /// <summary>Who enters first: required for direct, handoff and plan (the planner); otherwise the first member.</summary>
    /// <example>null</example>
    public string? Entry { get; init; }

    /// <summary>Two or more agents for sequential (in order), concurrent and group_chat; empty for the other patterns, whose members follow from the edges.</summary>
    /// <example>["researcher", "communicator"]</example>
    public IReadOnlyList<string> Members { get; init; } = [];

    /// <summary>Concurrent: who aggregates (required). Plan: who writes the answer. Otherwise null.</summary>
    /// <example>null</example>
    public string? Writer { get; init; }

    /// <summary>Group chat: the agent whose model picks the next speaker; null: in turn.</summary>
    /// <example>null</example>
    public string? Selector { get; init; }

    /// <summary>Plan, or a team that delegates to a planner: who is asked when a task failed, is blocked or late.</summary>
    /// <example>null</example>
    public string? Coordinator { get; init; }

    /// <summary>Group chat: at most this many turns, 1–100.</summary>
    /// <example>8</example>
    public int MaxRounds { get; init; } = 8;

    /// <summary>Child runs of one run at the same time, 1–64.</summary>
    /// <example>8</example>
    public int MaxParallel { get; init; } = 8;

    /// <summary>The routing graph: agent → agents that it may delegate to. <c>*</c> means every specialist.</summary>
    /// <example>{"researcher": ["fact_checker"]}</example>
    public IReadOnlyDictionary<string, IReadOnlyList<string>> Edges { get; init; } = new Dictionary<string, IReadOnlyList<string>>(StringComparer.Ordinal);

    /// <summary>Agent → agents that it may hand the run to; the way back is always allowed.</summary>
    /// <example>{}</example>
    public IReadOnlyDictionary<string, IReadOnlyList<string>> Handoffs { get; init; } = new Dictionary<string, IReadOnlyList<string>>(StringComparer.Ordinal);

    /// <summary>Agent → pattern (direct or plan) of its child runs when work is delegated to it; direct where nothing is said.</summary>
    /// <example>{}</example>
    public IReadOnlyDictionary<string, string> DelegatePatterns { get; init; } = new Dictionary<string, string>(StringComparer.Ordinal);

    /// <summary>Guards over the whole tree of a run.</summary>
    public TeamLimits Limits { get; init; } = new();

    /// <summary>Follows from the other members. Taken, so that what GET gives can be put back, and ignored.</summary>
    /// <example>null</example>
    public IReadOnlyList<string>? Agents { get; init; }

    /// <summary>Says what teams.yaml says. Taken, so that what GET gives can be put back, and ignored.</summary>
    /// <example>null</example>
    public bool? IsDefault { get; init; }

    /// <summary>Where GET found the team. Taken, so that what GET gives can be put back, and ignored.</summary>
    /// <example>null</example>
    public string? Source { get; init; }

    /// <summary>Without what only GET tells: the rest is what is checked and stored.</summary>
    internal TeamDefinition WithoutShown() => this with { Agents = null, IsDefault = null, Source = null };
}

/// <summary>Guards of a team, counted over a run and all its descendants. What is left out keeps its default.</summary>
public sealed record TeamLimits
{
    /// <summary>Model calls and tool batches, 1–10,000. Default 200.</summary>
    /// <example>200</example>
    public int? MaxSteps { get; init; }

    /// <summary>Child runs, 0–1,000. Default 64.</summary>
    /// <example>64</example>
    public int? MaxChildren { get; init; }

    /// <summary>Depth of delegation below the root, 0–16. Default 4.</summary>
    /// <example>4</example>
    public int? MaxDepth { get; init; }

    /// <summary>Input plus output tokens, 1,000 or more; 0: no limit. Default 2,000,000.</summary>
    /// <example>2000000</example>
    public long? MaxTokens { get; init; }

    /// <summary>US dollars, up to 10,000 with at most six decimals; 0: no limit. Default 5. A decimal text such as "1.5" is taken too.</summary>
    /// <example>5</example>
    [JsonConverter(typeof(DollarsConverter))]
    public decimal? MaxCostUsd { get; init; }

    /// <summary>Seconds since the run was created without the time parked on humans, 1–604,800. Default 3,600.</summary>
    /// <example>3600</example>
    public int? MaxWallSeconds { get; init; }

    internal RunLimits ToRunLimits()
    {
        var defaults = new RunLimits();
        return new RunLimits
        {
            MaxSteps = MaxSteps ?? defaults.MaxSteps,
            MaxChildren = MaxChildren ?? defaults.MaxChildren,
            MaxDepth = MaxDepth ?? defaults.MaxDepth,
            MaxTokens = MaxTokens ?? defaults.MaxTokens,
            MaxCostMicroUsd = MaxCostUsd is { } usd ? (long)(usd * 1_000_000m) : defaults.MaxCostMicroUsd,
            MaxWallSeconds = MaxWallSeconds ?? defaults.MaxWallSeconds,
        };
    }
}

/// <summary>Names of patterns in files and in the API.</summary>
internal static class PatternNames
{
    private static readonly Dictionary<string, PatternKind> ByName = new(StringComparer.Ordinal)
    {
        ["direct"] = PatternKind.Direct,
        ["handoff"] = PatternKind.Handoff,
        ["sequential"] = PatternKind.Sequential,
        ["concurrent"] = PatternKind.Concurrent,
        ["group_chat"] = PatternKind.GroupChat,
        ["plan"] = PatternKind.Plan,
    };

    public const string Legal = "direct, handoff, sequential, concurrent, group_chat, plan";

    public static bool TryParse(string name, out PatternKind pattern) => ByName.TryGetValue(name, out pattern);

    public static string ToName(this PatternKind pattern) => ByName.First(p => p.Value == pattern).Key;
}
