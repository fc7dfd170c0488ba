namespace RootMas.Runtime.Agents;

/// <summary>A name, a role, instructions, a model tier, tools. Immutable; <see cref="Version"/> identifies the content.</summary>
public sealed record Agent
{
    /// <summary><c>^[a-z][a-z0-9_]{0,63}$</c>.</summary>
    public required string Name { get; init; }

    /// <summary>Short, for people: "Planner".</summary>
    public string Role { get; init; } = "";

    /// <summary>What it does, one or two sentences; other agents read it when they choose whom to ask.</summary>
    public string Description { get; init; } = "";

    /// <summary>The agent's prompt.</summary>
    public required string Instructions { get; init; }

    /// <summary>cheap, standard, premium, or <c>fixed</c> together with <see cref="Model"/>.</summary>
    public string Tier { get; init; } = "standard";

    /// <summary>A model id; only with tier <c>fixed</c>.</summary>
    public string? Model { get; init; }

    /// <summary>Names of tools beyond delegation and handoff. A tool that is not there is told to the agent and shown as missing.</summary>
    public IReadOnlyList<string> Tools { get; init; } = [];

    public double? Temperature { get; init; }

    /// <summary>JSON schema (raw text) of this agent's final answer, where another part reads it; null: free text.</summary>
    public string? OutputSchema { get; init; }

    /// <summary>What the cache of answers may do with this agent's: null, each user's are kept for that user; <c>none</c>, none is kept; <c>public</c>, they are given to everybody who asks the same.</summary>
    public string? Cache { get; init; }

    /// <summary>Hash of everything above, 12 hex digits; set by the catalog.</summary>
    public string Version { get; init; } = "";
}
