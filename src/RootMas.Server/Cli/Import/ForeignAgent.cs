using System.Text.Json.Nodes;
using RootMas.Server.Agents;

namespace RootMas.Server.Cli.Import;

/// <summary>Turns one agent of the Python system (AutoGen's names among them) into ours.</summary>
/// <param name="replaced">Agents of ours whose place one of theirs takes, by name.</param>
internal sealed class ForeignAgent(IReadOnlySet<string> models, IReadOnlySet<string> tools, IReadOnlyDictionary<string, AgentDefinition> replaced, ImportReport report)
{
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

    private readonly Dictionary<string, string> _known = new(StringComparer.Ordinal);

    /// <summary>Those of a file, before any of them is read: each may be named by those above it, by any of its names. What others are called here comes first.</summary>
    public void Meet(IReadOnlyList<ForeignName> names)
    {
        var usable = names.Where(static n => n.Ours.Length > 0).ToList();
        foreach (var name in usable)
        {
            _known.TryAdd(name.Ours, name.Ours);
        }

        foreach (var name in usable)
        {
            foreach (var called in name.Called)
            {
                _known.TryAdd(ForeignName.KeyOf(called), name.Ours);
            }
        }
    }

    /// <param name="key">The key it stands under; null: it names itself.</param>
    /// <param name="prompt">What its prompt file says, by one of its names.</param>
    /// <returns>Null: it was left out, and the report says why.</returns>
    public AgentDefinition? Read(string? key, ForeignFields fields, Func<string, string?> prompt)
    {
        var name = ForeignName.Of(key, fields);
        if (name.Original is not { } original || name.Ours.Length == 0)
        {
            report.Left(fields.Source, name.Original is null ? "it has no name" : $"a name here has letters a to z, and '{name.Original}' has none; give it a key or an id that has");
            return null;
        }

        if (fields.Flag("enabled", "active") == false)
        {
            report.Left(fields.Source, $"agent '{original}' is switched off there");
            return null;
        }

        var ours = name.Ours;
        if (ours != original)
        {
            report.Changed(fields.Source, $"'{original}' is called '{ours}' here");
        }

        var role = Role(name, fields);
        var (tier, model, temperature) = Model(fields);
        var (usable, planned) = Tools(fields);
        var agent = Keeping(fields, new AgentDefinition
        {
            Name = ours,
            Role = Clip(role, 100, fields.Source, "role"),
            Description = Clip(fields.Text("description", "desc", "goal", "summary") ?? role, LongestDescription, fields.Source, "description"),
            Instructions = Instructions(name, role, fields, prompt),
            Tier = tier,
            Model = model,
            Temperature = temperature,
            Tools = usable,
            PlannedTools = planned,
            Capabilities = [.. fields.Names("capabilities", "skills", "tags").Take(20)],
            Avatar = fields.Text("avatar", "emoji", "icon") is { Length: <= 8 } emoji && !char.IsAscii(emoji[0]) ? emoji : null,
        });
        Routes(ours, fields);
        Rest(fields);
        return agent;
    }

    /// <summary>What the Python system has no word for stays as it was with the agent that is replaced: teams and other parts rely on it.</summary>
    private AgentDefinition Keeping(ForeignFields fields, AgentDefinition theirs)
    {
        var specialist = fields.Flag("specialist");
        if (specialist is null && fields.Text("specialist") is not null)
        {
            report.Left($"{fields.Source}.specialist", "must be true or false");
        }

        if (!replaced.TryGetValue(theirs.Name, out var known))
        {
            return theirs with { Specialist = specialist ?? true };
        }

        List<string> kept = [];
        if (specialist is null && !known.Specialist)
        {
            kept.Add("specialist: false");
        }

        if (known.OutputSchema is not null)
        {
            kept.Add("output_schema");
        }

        if (known.Cache is not null)
        {
            kept.Add($"cache: {known.Cache}");
        }

        if (kept.Count > 0)
        {
            report.Changed(fields.Source, $"it keeps what our '{theirs.Name}' had and theirs does not say: {string.Join(", ", kept)}");
        }

        return theirs with { Specialist = specialist ?? known.Specialist, OutputSchema = known.OutputSchema, Cache = known.Cache };
    }

    private static string Titled(string name) => char.ToUpperInvariant(name[0]) + name[1..].Replace('_', ' ');

    /// <summary>Whoever stands under a key has a name for people: that is the role here.</summary>
    private string Role(ForeignName name, ForeignFields fields)
    {
        var role = fields.Text("role", "title", "display_name");
        if (name.Title is { } title)
        {
            report.Changed($"{fields.Source}.name", role is null ? $"'{title}' is the role of '{name.Ours}' here" : $"it is called '{name.Ours}' here, and its role says what it is; '{title}' is not kept");
        }

        return role ?? name.Title ?? Titled(name.Ours);
    }

    private string Instructions(ForeignName name, string role, ForeignFields fields, Func<string, string?> prompt)
    {
        var inline = fields.Text("system_message", "system_prompt", "prompt", "instructions", "backstory");
        var file = fields.Text("prompt_file", "prompt_path");
        var text = (file is null ? null : prompt(Path.GetFileNameWithoutExtension(file))) ?? name.Called.Append(name.Ours).Select(prompt).FirstOrDefault(static p => p is not null);
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

        report.Changed(fields.Source, $"it has no prompt; one line was made from its role. Write prompts/{name.Ours}.md");
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
        foreach (var name in fields.Names("tools", "functions", "function_map").Select(n => ToolNames.GetValueOrDefault(n, ForeignName.From(n))).Where(static n => n.Length > 0).Distinct(StringComparer.Ordinal))
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
            report.Left($"{fields.Source}.routes", $"who may ask whom is the team's: add to edges in teams.yaml: {name}: [{string.Join(", ", routes.Select(Known))}]");
        }
    }

    private string Known(string called) => _known.GetValueOrDefault(ForeignName.KeyOf(called)) ?? (ForeignName.From(called) is { Length: > 0 } name ? name : called.Trim());

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
