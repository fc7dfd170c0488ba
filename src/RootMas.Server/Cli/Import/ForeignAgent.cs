using System.Text;
using System.Text.Json.Nodes;
using RootMas.Server.Agents;

namespace RootMas.Server.Cli.Import;

/// <summary>Turns one agent of the Python system (AutoGen's names among them) into ours.</summary>
internal sealed class ForeignAgent(IReadOnlySet<string> models, IReadOnlySet<string> tools, ImportReport report)
{
    private const int LongestName = 64;
    private const int LongestDescription = 500;
    private static readonly string[] Tiers = ["cheap", "standard", "premium"];

    private static readonly Dictionary<string, string> ToolNames = new(StringComparer.OrdinalIgnoreCase)
    {
        ["calc"] = "calculator", ["math"] = "calculator", ["search"] = "web_search", ["google_search"] = "web_search", ["duckduckgo"] = "web_search", ["browser"] = "fetch_page",
        ["fetch"] = "fetch_page", ["web_fetch"] = "fetch_page", ["scrape"] = "fetch_page", ["http"] = "http_request", ["api_call"] = "http_request", ["rest"] = "http_request",
        ["time"] = "current_time", ["datetime"] = "current_time", ["clock"] = "current_time", ["human_input"] = "ask_user", ["ask_human"] = "ask_user",
    };

    /// <summary>Members that say what this system does in another place, and where.</summary>
    private static readonly Dictionary<string, string> Elsewhere = new(StringComparer.OrdinalIgnoreCase)
    {
        ["human_input_mode"] = "each tool says whether a call needs approval (docs/tools.md); agents ask with ask_user",
        ["max_consecutive_auto_reply"] = "guards count over the whole run: limits in teams.yaml",
        ["max_turns"] = "limits.max_steps in teams.yaml",
        ["is_termination_msg"] = "a run ends by its pattern, not by a word",
        ["code_execution_config"] = "there is no tool that executes code",
        ["class"] = "agents are data, not classes",
        ["type"] = "how agents work together is the team's pattern (teams.yaml)",
        ["timeout"] = "endpoints have time-outs in models.yaml",
        ["max_tokens"] = "limits.max_tokens in teams.yaml bounds the whole run",
    };

    /// <param name="name">The key it stands under; null: it names itself.</param>
    /// <param name="prompt">What its prompt file says, by its original name.</param>
    /// <returns>Null: it was left out, and the report says why.</returns>
    public AgentDefinition? Read(string? name, ForeignFields fields, Func<string, string?> prompt)
    {
        var original = fields.Text("name", "id", "agent_id") ?? name;
        if (original is null || NameOf(original) is not { Length: > 0 } ours)
        {
            report.Left(fields.Source, "it has no name");
            return null;
        }

        if (fields.Flag("enabled", "active") == false)
        {
            report.Left(fields.Source, $"agent '{original}' is switched off there");
            return null;
        }

        if (ours != original)
        {
            report.Changed(fields.Source, $"'{original}' is called '{ours}' here");
        }

        var role = fields.Text("role", "title", "display_name") ?? Titled(ours);
        var (tier, model, temperature) = Model(fields);
        var (usable, planned) = Tools(fields);
        var agent = new AgentDefinition
        {
            Name = ours,
            Role = Clip(role, 100, fields.Source, "role"),
            Description = Clip(fields.Text("description", "desc", "goal", "summary") ?? role, LongestDescription, fields.Source, "description"),
            Instructions = Instructions(original, ours, role, fields, prompt),
            Tier = tier,
            Model = model,
            Temperature = temperature,
            Tools = usable,
            PlannedTools = planned,
            Capabilities = [.. fields.Names("capabilities", "skills", "tags").Take(20)],
            Avatar = fields.Text("avatar", "emoji", "icon") is { Length: <= 8 } emoji && !char.IsAscii(emoji[0]) ? emoji : null,
        };
        Routes(ours, fields);
        Rest(fields);
        return agent;
    }

    /// <summary>A lower-case letter, then letters, digits and underscores.</summary>
    public static string NameOf(string original)
    {
        var name = new StringBuilder();
        var previous = '_';
        foreach (var c in original.Trim())
        {
            var next = char.IsAsciiLetterOrDigit(c) ? char.ToLowerInvariant(c) : '_';
            // FactChecker → fact_checker
            if (char.IsAsciiLetterUpper(c) && (char.IsAsciiLetterLower(previous) || char.IsAsciiDigit(previous)))
            {
                name.Append('_');
            }

            if (next != '_' || (name.Length > 0 && name[^1] != '_'))
            {
                name.Append(next);
            }

            previous = c;
        }

        var text = name.ToString().Trim('_');
        text = text.Length > 0 && char.IsAsciiDigit(text[0]) ? "agent_" + text : text;
        return text.Length <= LongestName ? text : text[..LongestName].TrimEnd('_');
    }

    private static string Titled(string name) => char.ToUpperInvariant(name[0]) + name[1..].Replace('_', ' ');

    private string Instructions(string original, string ours, string role, ForeignFields fields, Func<string, string?> prompt)
    {
        var inline = fields.Text("system_message", "system_prompt", "prompt", "instructions", "backstory");
        var file = fields.Text("prompt_file", "prompt_path");
        var text = (file is null ? null : prompt(Path.GetFileNameWithoutExtension(file))) ?? prompt(original) ?? prompt(ours);
        if (file is not null && text is null)
        {
            report.Left($"{fields.Source}.prompt_file", $"'{file}' was not found among the prompts");
        }

        if (inline is not null && text is not null && inline != text)
        {
            report.Left($"{fields.Source}.prompt", "there is a prompt file too, and it wins");
        }

        if ((text ?? inline) is { } found)
        {
            return found;
        }

        report.Changed(fields.Source, $"it has no prompt; one line was made from its role. Write prompts/{ours}.md");
        return $"You are {role}. Do the task that you are given and return the result.";
    }

    private (string Tier, string? Model, double? Temperature) Model(ForeignFields fields)
    {
        var nested = fields.Below("llm_config", "llm", "model_config");
        var model = fields.Text("model", "model_name", "llm_model") ?? nested?.Text("model", "model_name") ?? FirstOf(nested);
        var temperature = fields.Number("temperature") ?? nested?.Number("temperature");
        if (nested is not null)
        {
            foreach (var key in nested.LeftOver.Except(["config_list"], StringComparer.OrdinalIgnoreCase))
            {
                report.Left($"{nested.Source}.{key}", "providers, keys, time-outs and prices stand in models.yaml");
            }
        }

        if (temperature is < 0 or > 2)
        {
            report.Left($"{fields.Source}.temperature", "must be 0 to 2; the model's own is used");
            temperature = null;
        }

        var tier = fields.Text("tier", "model_tier", "cost_tier")?.ToLowerInvariant();
        if (tier is not null && !Tiers.Contains(tier, StringComparer.Ordinal))
        {
            report.Changed($"{fields.Source}.tier", $"'{tier}' is no tier here; 'standard' is used");
            tier = null;
        }

        if (tier is null && model is not null && models.Contains(model))
        {
            return ("fixed", model, temperature);
        }

        if (model is not null)
        {
            report.Changed($"{fields.Source}.model", tier is null ? $"'{model}' is not in models.yaml; tier standard is used until it is (then: tier: fixed, model: {model})" : $"tier {tier} chooses the model, not '{model}'");
        }

        return (tier ?? "standard", null, temperature);
    }

    private static string? FirstOf(ForeignFields? llm) =>
        llm?.Node("config_list") is JsonArray { Count: > 0 } list && list[0] is JsonObject first ? first["model"]?.ToString() : null;

    private (IReadOnlyList<string> Usable, IReadOnlyList<string> Planned) Tools(ForeignFields fields)
    {
        List<string> usable = [];
        List<string> planned = [];
        foreach (var name in fields.Names("tools", "functions", "function_map").Select(n => ToolNames.GetValueOrDefault(n, NameOf(n))).Where(static n => n.Length > 0).Distinct(StringComparer.Ordinal))
        {
            if (tools.Contains(name))
            {
                usable.Add(name);
            }
            else
            {
                planned.Add(name);
                report.Changed($"{fields.Source}.tools", $"there is no tool '{name}' here; it is a planned tool, which the agent knows to be missing");
            }
        }

        return (usable, planned);
    }

    private void Routes(string name, ForeignFields fields)
    {
        if (fields.Names("can_delegate_to", "delegates_to", "allowed_transitions", "transitions", "routes", "allowed_agents") is { Count: > 0 } routes)
        {
            report.Left($"{fields.Source}.routes", $"who may ask whom is the team's: add to edges in teams.yaml: {name}: [{string.Join(", ", routes.Select(NameOf))}]");
        }
    }

    private void Rest(ForeignFields fields)
    {
        foreach (var key in fields.LeftOver)
        {
            report.Left($"{fields.Source}.{key}", Elsewhere.GetValueOrDefault(key, "unknown here"));
        }
    }

    private string Clip(string text, int longest, string source, string key)
    {
        text = string.Join(' ', text.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries));
        if (text.Length <= longest)
        {
            return text;
        }

        report.Changed($"{source}.{key}", $"was cut to {longest} characters");
        return text[..(char.IsHighSurrogate(text[longest - 1]) ? longest - 1 : longest)];
    }
}
