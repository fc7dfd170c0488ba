using System.Text.Json;
using System.Text.RegularExpressions;
using RootMas.Runtime.Tools;

namespace RootMas.Server.Agents;

/// <summary>What one agent must fulfil, from a file or from the API.</summary>
internal static partial class AgentRules
{
    private static readonly string[] Tiers = ["cheap", "standard", "premium", "fixed"];

    private static readonly string[] FromEdges = [BuiltInTools.Delegate, BuiltInTools.Handoff];

    public static void Check(Sourced<AgentDefinition> sourced, IToolCatalog tools, AgentsOptions options, CatalogProblems problems)
    {
        var (agent, source, _) = sourced;
        var key = $"agents.{agent.Name}";
        if (!Name().IsMatch(agent.Name ?? ""))
        {
            problems.Error(source, $"{key}.name", "must be a lower-case letter, then at most 63 lower-case letters, digits or underscores.");
        }

        if (agent.Name is "status" or "profiles")
        {
            problems.Error(source, $"{key}.name", "is an address of the API by itself; choose another.");
        }

        CheckText(agent.Role, 1, 100, source, $"{key}.role", problems);
        CheckText(agent.Description, 1, 500, source, $"{key}.description", problems);
        CheckPrompt(agent, source, key, options, problems);
        CheckModel(agent, source, key, problems);
        CheckTools(agent, tools, source, key, problems);
        CheckProfile(agent, source, key, problems);
        if (agent.Cache is not (null or "none" or "public"))
        {
            problems.Error(source, $"{key}.cache", $"'{CatalogProblems.Clip(agent.Cache)}' is not known. Legal: none, public; leave it out to keep each user's answers for that user.");
        }

        if (agent.OutputSchema is { } schema && SchemaProblem(schema) is { } wrong)
        {
            problems.Error(source, $"{key}.output_schema", wrong);
        }
    }

    /// <summary>Characters, not control characters (line breaks and tabs aside), and no half of a surrogate pair: such text breaks prompts, logs and headers.</summary>
    public static void CheckText(string? text, int min, int max, string source, string key, CatalogProblems problems)
    {
        text ??= "";
        if (text.Trim().Length < min || text.Length > max)
        {
            problems.Error(source, key, min == 0 ? $"must have at most {max} characters; it has {text.Length}." : $"must have {min}–{max} characters; it has {text.Trim().Length}.");
        }
        else if (!IsClean(text))
        {
            problems.Error(source, key, "must not hold control characters or broken Unicode.");
        }
    }

    private static bool IsClean(string text)
    {
        foreach (var rune in text.EnumerateRunes())
        {
            if (rune.Value == 0xFFFD || (System.Text.Rune.IsControl(rune) && rune.Value is not ('\n' or '\r' or '\t')))
            {
                return false;
            }
        }

        return true;
    }

    private static void CheckPrompt(AgentDefinition agent, string source, string key, AgentsOptions options, CatalogProblems problems)
    {
        if (string.IsNullOrWhiteSpace(agent.Instructions))
        {
            problems.Error(source, $"{key}.instructions", source == CatalogFiles.AgentsFile
                ? $"the prompt is missing: write {CatalogFiles.PromptsFolder}/{agent.Name}.md, or 'instructions' here."
                : "must not be empty.");
            return;
        }

        CheckText(agent.Instructions, 1, options.MaxPromptCharacters, source, $"{key}.instructions", problems);
    }

    private static void CheckModel(AgentDefinition agent, string source, string key, CatalogProblems problems)
    {
        if (!Tiers.Contains(agent.Tier, StringComparer.Ordinal))
        {
            problems.Error(source, $"{key}.tier", $"'{CatalogProblems.Clip(agent.Tier)}' is no tier. Legal: {string.Join(", ", Tiers)}.");
        }
        else if (agent.Tier == "fixed" != !string.IsNullOrWhiteSpace(agent.Model))
        {
            problems.Error(source, $"{key}.model", "must be given with tier fixed, and only then.");
        }

        if (agent.Temperature is { } temperature && temperature is not (>= 0 and <= 2))
        {
            problems.Error(source, $"{key}.temperature", "must be from 0 to 2.");
        }
    }

    private static void CheckTools(AgentDefinition agent, IToolCatalog tools, string source, string key, CatalogProblems problems)
    {
        foreach (var (list, name) in (agent.Tools ?? []).Select(t => ("tools", t)).Concat((agent.PlannedTools ?? []).Select(t => ("planned_tools", t))))
        {
            if (name is null || !ToolName().IsMatch(name))
            {
                problems.Error(source, $"{key}.{list}", "must hold tool names: 1–64 letters, digits, underscores or hyphens each.");
            }
            else if (FromEdges.Contains(name, StringComparer.Ordinal))
            {
                problems.Error(source, $"{key}.{list}", $"'{name}' is built in and comes from the team's edges; leave it out.");
            }
            else if (list == "tools" && !BuiltInTools.IsBuiltIn(name) && tools.Find(name) is null)
            {
                problems.Warn(source, $"{key}.tools", $"this server has no tool '{name}'; the agent says so when it is needed.");
            }
        }

        if (agent.Tools is { Count: > 64 } || agent.PlannedTools is { Count: > 64 })
        {
            problems.Error(source, $"{key}.tools", "must not hold more than 64 names.");
        }
    }

    private static void CheckProfile(AgentDefinition agent, string source, string key, CatalogProblems problems)
    {
        if (agent.Capabilities is { Count: > 20 })
        {
            problems.Error(source, $"{key}.capabilities", "must not hold more than 20 entries.");
        }

        foreach (var capability in agent.Capabilities ?? [])
        {
            CheckText(capability, 1, 60, source, $"{key}.capabilities", problems);
        }

        if (agent.Avatar is { } avatar)
        {
            CheckText(avatar, 1, 16, source, $"{key}.avatar", problems);
        }
    }

    private static string? SchemaProblem(IReadOnlyDictionary<string, JsonElement> schema)
    {
        if (!schema.TryGetValue("type", out var type) || type.ValueKind != JsonValueKind.String || type.GetString() != "object")
        {
            return "must be a JSON schema with \"type\": \"object\": answers are objects.";
        }

        try
        {
            JsonSchemaValidator.Compile(AgentsJson.Serialize(schema));
            return null;
        }
        catch (JsonSchemaException e)
        {
            return e.Message;
        }
    }

    [GeneratedRegex("^[a-z][a-z0-9_]{0,63}\\z", RegexOptions.None, 5_000)]
    private static partial Regex Name();

    [GeneratedRegex("^[A-Za-z0-9_-]{1,64}\\z", RegexOptions.None, 5_000)]
    private static partial Regex ToolName();
}
