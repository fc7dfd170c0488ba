using System.Security.Cryptography;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using RootMas.Runtime.Agents;

namespace RootMas.Server.Agents;

/// <summary>An agent as it is written in <c>agents.yaml</c> or put by the API, before it is checked against the rest of the catalog.</summary>
public sealed record AgentDefinition
{
    /// <summary>Unique name: a lower-case letter, then letters, digits and underscores, 64 at most. In a PUT it may be left out or must equal the one in the path.</summary>
    /// <example>translator</example>
    public string Name { get; init; } = "";

    /// <summary>Short title for people, 100 characters at most.</summary>
    /// <example>Translator</example>
    public string Role { get; init; } = "";

    /// <summary>What it does, in one or two sentences; other agents read this when they choose whom to ask. 500 characters at most.</summary>
    /// <example>Translates between Russian and English and keeps names and figures.</example>
    public string Description { get; init; } = "";

    /// <summary>The agent's prompt: who it is, what it receives, what it returns, what it must never do. 16,000 characters at most.</summary>
    /// <example>You translate the text that you are given between Russian and English. Return only the translation.</example>
    public string Instructions { get; init; } = "";

    /// <summary>cheap, standard, premium, or fixed together with <c>model</c>.</summary>
    /// <example>cheap</example>
    public string Tier { get; init; } = "standard";

    /// <summary>A model id; only, and then always, with tier fixed.</summary>
    /// <example>null</example>
    public string? Model { get; init; }

    /// <summary>Tools that the agent uses, beyond delegation and handoff. A name that this server does not have is kept, shown as missing, and told to the agent.</summary>
    /// <example>["calculator"]</example>
    public IReadOnlyList<string> Tools { get; init; } = [];

    /// <summary>Tools that the agent is meant to have and that do not exist yet. They count as missing until they are there, without a warning.</summary>
    /// <example>[]</example>
    public IReadOnlyList<string> PlannedTools { get; init; } = [];

    /// <summary>Sampling temperature from 0 to 2; null: the model's own.</summary>
    /// <example>0.2</example>
    public double? Temperature { get; init; }

    /// <summary>JSON schema of the final answer where another part reads it; null: free text.</summary>
    /// <example>null</example>
    public IReadOnlyDictionary<string, JsonElement>? OutputSchema { get; init; }

    /// <summary>What the cache of answers may do with this agent's: null, each user's are kept for that user alone; none, nothing is kept; public, they are given to everybody who asks the same.</summary>
    /// <example>null</example>
    public string? Cache { get; init; }

    /// <summary>True: the agent joins every team whose edges name <c>*</c>. False for those who lead others.</summary>
    /// <example>true</example>
    public bool Specialist { get; init; } = true;

    /// <summary>What it can be asked for, a few words each; shown in profiles. 20 at most.</summary>
    /// <example>["translation"]</example>
    public IReadOnlyList<string> Capabilities { get; init; } = [];

    /// <summary>An emoji; null: the first letter of the role.</summary>
    /// <example>🌐</example>
    public string? Avatar { get; init; }

    /// <summary>Follows from the tools of this server. Taken, so that what GET gives can be put back, and ignored.</summary>
    /// <example>null</example>
    public IReadOnlyList<string>? MissingTools { get; init; }

    /// <summary>Follows from the teams. Taken, so that what GET gives can be put back, and ignored.</summary>
    /// <example>null</example>
    public IReadOnlyList<string>? Teams { get; init; }

    /// <summary>Where GET found the agent. Taken, so that what GET gives can be put back, and ignored.</summary>
    /// <example>null</example>
    public string? Source { get; init; }

    /// <summary>Of what GET found; If-Match says which version is replaced. Taken, so that what GET gives can be put back, and ignored.</summary>
    /// <example>null</example>
    public string? Version { get; init; }

    /// <summary>Without what only GET tells: the rest is what is checked and stored.</summary>
    internal AgentDefinition WithoutShown() => this with { MissingTools = null, Teams = null, Source = null, Version = null };

    /// <summary>The agent that runs keep. Its version covers the preamble, because a changed house rule is a changed prompt.</summary>
    internal Agent ToAgent(string preamble)
    {
        var agent = new Agent
        {
            Name = Name,
            Role = Role,
            Description = Description,
            Instructions = Instructions,
            Tier = Tier,
            Model = Model,
            Tools = [.. Tools.Concat(PlannedTools).Distinct(StringComparer.Ordinal)],
            Temperature = Temperature,
            Cache = Cache,
            OutputSchema = OutputSchema is null ? null : AgentsJson.Serialize(OutputSchema),
        };
        return agent with { Version = AgentsJson.Hash(agent, preamble) };
    }
}

/// <summary>JSON of stored definitions and of what hashes are made from.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(AgentDefinition))]
[JsonSerializable(typeof(TeamDefinition))]
[JsonSerializable(typeof(Agent))]
[JsonSerializable(typeof(IReadOnlyDictionary<string, JsonElement>), TypeInfoPropertyName = "Schema")]
internal sealed partial class AgentsJsonContext : JsonSerializerContext;

internal static class AgentsJson
{
    private static readonly AgentsJsonContext Context = new(new JsonSerializerOptions(AgentsJsonContext.Default.Options)
    {
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    });

    public static string Serialize(AgentDefinition value) => JsonSerializer.Serialize(value, Context.AgentDefinition);

    public static string Serialize(TeamDefinition value) => JsonSerializer.Serialize(value, Context.TeamDefinition);

    public static string Serialize(IReadOnlyDictionary<string, JsonElement> schema) => JsonSerializer.Serialize(schema, Context.Schema);

    public static AgentDefinition Agent(string json) =>
        JsonSerializer.Deserialize(json, Context.AgentDefinition) ?? throw new JsonException("A stored agent is null.");

    public static TeamDefinition Team(string json) =>
        JsonSerializer.Deserialize(json, Context.TeamDefinition) ?? throw new JsonException("A stored team is null.");

    /// <summary>12 hex digits over the agent and the preamble.</summary>
    public static string Hash(Agent agent, string preamble)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(JsonSerializer.SerializeToUtf8Bytes(agent, Context.Agent));
        hash.AppendData(System.Text.Encoding.UTF8.GetBytes(preamble));
        return Convert.ToHexStringLower(hash.GetHashAndReset())[..12];
    }

    /// <summary>An entity tag (without quotes) that changes with the content, with its origin and with each stored version.</summary>
    public static string ETag(string json, int version) =>
        $"{(version == 0 ? "file" : $"v{version}")}-{Convert.ToHexStringLower(SHA256.HashData(System.Text.Encoding.UTF8.GetBytes(json)))[..16]}";
}
