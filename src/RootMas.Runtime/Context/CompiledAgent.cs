using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using System.Text;
using System.Text.Json;
using Microsoft.Extensions.AI;
using RootMas.Runtime.Agents;
using RootMas.Runtime.Teams;
using RootMas.Runtime.Tools;

namespace RootMas.Runtime.Context;

/// <summary>An agent of a snapshot, ready for use: system message, tools as the model sees them, argument schemas. Built once per snapshot.</summary>
internal sealed class CompiledAgent
{
    private static readonly ConditionalWeakTable<TeamSnapshot, ConcurrentDictionary<(string, bool, bool), CompiledAgent>> Cache = [];

    private CompiledAgent(TeamSnapshot snapshot, Agent agent, bool mayDelegate, bool mayHandOff)
    {
        Agent = agent;
        foreach (var name in agent.Tools)
        {
            if (name == BuiltInTools.AskUser)
            {
                Definitions[name] = BuiltInTools.AskUserDefinition;
            }
            else if (snapshot.Tools.TryGetValue(name, out var definition))
            {
                Definitions[name] = definition;
            }
        }

        Delegates = mayDelegate ? [.. snapshot.Team.DelegatesOf(agent.Name).Where(snapshot.Agents.ContainsKey)] : [];
        Handoffs = mayHandOff ? [.. snapshot.Team.HandoffsOf(agent.Name).Where(snapshot.Agents.ContainsKey)] : [];
        if (Delegates.Count > 0)
        {
            Definitions[BuiltInTools.Delegate] = BuiltInTools.DelegateTo(Delegates);
        }

        if (Handoffs.Count > 0)
        {
            Definitions[BuiltInTools.Handoff] = BuiltInTools.HandoffTo(Handoffs);
        }

        System = new(ChatRole.System, SystemText(snapshot));
        Tools = [.. Definitions.Values.Select(Declare)];
        ToolTokens = Definitions.Values.Sum(static d => TokenEstimate.Of(d));
    }

    public Agent Agent { get; }

    public ChatMessage System { get; }

    public IReadOnlyList<AITool> Tools { get; }

    /// <summary>What the definitions of all of them take of a context.</summary>
    public int ToolTokens { get; }

    public Dictionary<string, ToolDefinition> Definitions { get; } = new(StringComparer.Ordinal);

    public IReadOnlyList<string> Delegates { get; }

    public IReadOnlyList<string> Handoffs { get; }

    public static CompiledAgent Get(TeamSnapshot snapshot, string agent, bool mayDelegate, bool mayHandOff) =>
        Cache.GetValue(snapshot, static _ => new()).GetOrAdd(
            (agent, mayDelegate, mayHandOff),
            static (key, s) => new(s, s.Agents.TryGetValue(key.Item1, out var a) ? a : Unknown(key.Item1), key.Item2, key.Item3),
            snapshot);

    private static Agent Unknown(string name) =>
        throw new InvalidOperationException($"The team has no agent '{name}': the catalog must refuse such a team at load.");

    private static AIFunctionDeclaration Declare(ToolDefinition definition)
    {
        using var schema = JsonDocument.Parse(definition.Schema);
        return AIFunctionFactory.CreateDeclaration(definition.Name, definition.Description, schema.RootElement.Clone());
    }

    private string SystemText(TeamSnapshot snapshot)
    {
        var text = new StringBuilder(snapshot.Preamble.TrimEnd());
        text.Append("\n\nAgent: ").Append(Agent.Name).Append('\n').Append(Agent.Instructions.Trim());
        var missing = Agent.Tools.Where(t => !Definitions.ContainsKey(t)).ToList();
        if (missing.Count > 0)
        {
            text.Append("\n\nThese tools of yours are not available here: ").AppendJoin(", ", missing)
                .Append(". If a request needs one of them, say plainly what cannot be done here and why.");
        }

        AppendAgents(text, snapshot, Delegates, "\n\nYou may delegate tasks (tool `delegate`) to:");
        AppendAgents(text, snapshot, Handoffs, "\n\nYou may hand the conversation over (tool `handoff`) to:");
        if (snapshot.Facts.Length > 0)
        {
            text.Append("\n\n").Append(snapshot.Facts.TrimEnd());
        }

        return text.ToString();
    }

    private static void AppendAgents(StringBuilder text, TeamSnapshot snapshot, IReadOnlyList<string> names, string heading)
    {
        if (names.Count == 0)
        {
            return;
        }

        text.Append(heading);
        foreach (var name in names)
        {
            text.Append("\n- ").Append(name).Append(": ").Append(snapshot.Agents[name].Description);
        }
    }
}
