using System.Text.Json;

namespace RootMas.Server.Agents;

/// <summary>A page of agents.</summary>
public sealed record AgentList
{
    /// <summary>The agents of this page, in the catalog's order.</summary>
    public required IReadOnlyList<AgentView> Items { get; init; }

    /// <summary>Send it as cursor to get the next page; null: this is the last one.</summary>
    /// <example>null</example>
    public required string? NextCursor { get; init; }

    /// <summary>Errors of the newest edit that was not taken, and warnings; empty: all is well.</summary>
    public required IReadOnlyList<CatalogProblemView> Problems { get; init; }
}

/// <summary>An agent of the catalog.</summary>
public sealed record AgentView
{
    /// <summary>Unique name.</summary>
    /// <example>researcher</example>
    public required string Name { get; init; }

    /// <summary>Short title for people.</summary>
    /// <example>Researcher</example>
    public required string Role { get; init; }

    /// <summary>What it does, in one or two sentences.</summary>
    /// <example>Finds answers in several independent sources; every claim carries its source.</example>
    public required string Description { get; init; }

    /// <summary>The prompt; null in lists, and for those who may not change agents.</summary>
    /// <example>null</example>
    public string? Instructions { get; init; }

    /// <summary>cheap, standard, premium or fixed.</summary>
    /// <example>premium</example>
    public required string Tier { get; init; }

    /// <summary>The model id of tier fixed, else null.</summary>
    /// <example>null</example>
    public string? Model { get; init; }

    /// <summary>Tools that it uses, beyond delegation and handoff.</summary>
    /// <example>["web_search", "fetch_page"]</example>
    public required IReadOnlyList<string> Tools { get; init; }

    /// <summary>Tools that it is meant to have later.</summary>
    /// <example>["knowledge_search"]</example>
    public required IReadOnlyList<string> PlannedTools { get; init; }

    /// <summary>Tools of both lists that this server lacks, or has without their configuration. The agent knows and says so.</summary>
    /// <example>["knowledge_search"]</example>
    public required IReadOnlyList<string> MissingTools { get; init; }

    /// <summary>Sampling temperature; null: the model's own.</summary>
    /// <example>null</example>
    public double? Temperature { get; init; }

    /// <summary>JSON schema of its answer; null: free text.</summary>
    /// <example>null</example>
    public IReadOnlyDictionary<string, JsonElement>? OutputSchema { get; init; }

    /// <summary>What the cache of answers may do with its answers: null, each user's are kept for that user alone; none, nothing is kept; public, they are given to everybody who asks the same.</summary>
    /// <example>null</example>
    public string? Cache { get; init; }

    /// <summary>Whether it joins every team whose edges name '*'.</summary>
    /// <example>true</example>
    public required bool Specialist { get; init; }

    /// <summary>What it can be asked for.</summary>
    /// <example>["web research", "sources"]</example>
    public required IReadOnlyList<string> Capabilities { get; init; }

    /// <summary>Its emoji or letter.</summary>
    /// <example>🔎</example>
    public required string Avatar { get; init; }

    /// <summary>Teams in which it can take part.</summary>
    /// <example>["root-mas", "research"]</example>
    public required IReadOnlyList<string> Teams { get; init; }

    /// <summary>file, or api for a stored definition that overrides the files.</summary>
    /// <example>file</example>
    public required string Source { get; init; }

    /// <summary>Hash of what runs keep of it (12 hex digits); the same as prompt_version in events.</summary>
    /// <example>4f1d02a9c3be</example>
    public required string Version { get; init; }
}

/// <summary>Something wrong, or worth knowing, about the catalog.</summary>
public sealed record CatalogProblemView
{
    /// <summary>File, or api.</summary>
    /// <example>agents.yaml</example>
    public required string Source { get; init; }

    /// <summary>The key, dotted.</summary>
    /// <example>agents.researcher.tier</example>
    public required string Key { get; init; }

    /// <summary>What is wrong and what would be right.</summary>
    /// <example>'huge' is no tier. Legal: cheap, standard, premium, fixed.</example>
    public required string Message { get; init; }

    /// <summary>error: the edit is not in force; warning: it works all the same.</summary>
    /// <example>error</example>
    public required string Severity { get; init; }
}

/// <summary>What all agents are doing.</summary>
public sealed record AgentStatusList
{
    /// <summary>One entry for each agent of the catalog.</summary>
    public required IReadOnlyList<AgentStatus> Agents { get; init; }

    /// <summary>How many there are.</summary>
    /// <example>13</example>
    public required int Total { get; init; }
}

/// <summary>What one agent is doing.</summary>
public sealed record AgentStatus
{
    /// <summary>The agent.</summary>
    /// <example>researcher</example>
    public required string Name { get; init; }

    /// <summary>active: it works on a run now; idle: it does not.</summary>
    /// <example>idle</example>
    public required string Status { get; init; }

    /// <summary>When it last began or ended something; null: never.</summary>
    /// <example>2026-11-22T17:20:00Z</example>
    public required DateTimeOffset? LastActivity { get; init; }

    /// <summary>Answers that it wrote.</summary>
    /// <example>42</example>
    public required long MessageCount { get; init; }

    /// <summary>Part of its finished turns that succeeded, from 0 to 1; null: none has finished.</summary>
    /// <example>0.98</example>
    public required double? SuccessRate { get; init; }
}

/// <summary>An agent for showing to people.</summary>
public sealed record AgentProfile
{
    /// <summary>The agent's name.</summary>
    /// <example>researcher</example>
    public required string Id { get; init; }

    /// <summary>The same, under the name that drawings use.</summary>
    /// <example>researcher</example>
    public required string AgentId { get; init; }

    /// <summary>The agent's name.</summary>
    /// <example>researcher</example>
    public required string Name { get; init; }

    /// <summary>Short title for people.</summary>
    /// <example>Researcher</example>
    public required string Role { get; init; }

    /// <summary>What it does.</summary>
    /// <example>Finds answers in several independent sources; every claim carries its source.</example>
    public required string Description { get; init; }

    /// <summary>What it can be asked for.</summary>
    /// <example>["web research", "sources"]</example>
    public required IReadOnlyList<string> Capabilities { get; init; }

    /// <summary>Its emoji or letter.</summary>
    /// <example>🔎</example>
    public required string Avatar { get; init; }

    /// <summary>Path of its picture on this server.</summary>
    /// <example>/api/v1/agents/researcher/avatar.svg</example>
    public required string AvatarUrl { get; init; }

    /// <summary>active or idle.</summary>
    /// <example>idle</example>
    public required string Status { get; init; }
}
