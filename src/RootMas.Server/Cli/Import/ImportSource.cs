using System.Text.Json.Nodes;
using RootMas.Server.Agents;
using RootMas.Server.Platform.Settings;

namespace RootMas.Server.Cli.Import;

/// <summary>What was found in the folder of the Python system, in our terms.</summary>
/// <param name="Registry">Everything of registry.json that is no agent; null: nothing.</param>
internal sealed record Imported(IReadOnlyList<AgentDefinition> Agents, IReadOnlyList<(string Name, string Value)> Variables, JsonObject? Registry);

/// <summary>Finds and reads agents.yaml, prompts, registry.json and .env below a folder.</summary>
/// <param name="staying">Names of our agents that theirs do not replace.</param>
internal sealed class ImportSource(string folder, ForeignAgent agents, IReadOnlySet<string> staying, ImportReport report)
{
    private static readonly string[] AgentFiles = ["agents.yaml", "agents.yml", "config/agents.yaml", "config/agents.yml"];
    private static readonly string[] PromptFolders = ["prompts", "config/prompts"];
    private static readonly string[] PromptEndings = [".md", ".txt", ".prompt"];
    private static readonly string[] RegistryFiles = ["registry.json", "data/registry.json", "config/registry.json"];

    private readonly Dictionary<string, (string Path, string Text)> _prompts = new(StringComparer.Ordinal);
    private readonly HashSet<string> _used = new(StringComparer.Ordinal);

    /// <exception cref="CliException">There is nothing to import, or a file cannot be read.</exception>
    public async Task<Imported> ReadAsync(CancellationToken cancellationToken)
    {
        await ReadPromptsAsync(cancellationToken);
        Dictionary<string, AgentDefinition> found = new(StringComparer.Ordinal);
        var agentsFile = First(AgentFiles);
        if (agentsFile is not null && await ForeignFile.TreeAsync(Path.Combine(folder, agentsFile), cancellationToken) is { } tree)
        {
            Take(tree is JsonObject root && root.TryGetPropertyValue("agents", out var inner) ? Rest(root, inner, agentsFile) : tree, agentsFile, found);
        }

        var registryFile = First(RegistryFiles);
        var registry = registryFile is null ? null : await RegistryAsync(registryFile, found, cancellationToken);
        var variables = await ReadVariablesAsync(cancellationToken);
        if (agentsFile is null && registryFile is null && _prompts.Count == 0 && variables is null)
        {
            throw new CliException(ExitCodes.NotFound, $"There is nothing to import in {folder}: looked for {string.Join(", ", AgentFiles)}, {string.Join(", ", RegistryFiles)}, prompts/ and .env.");
        }

        foreach (var (name, prompt) in _prompts.Where(p => !_used.Contains(p.Key)))
        {
            report.Left(prompt.Path, $"no agent is called '{name}'");
        }

        return new([.. found.Values], variables ?? [], registry);
    }

    private string? First(string[] names) => names.FirstOrDefault(n => File.Exists(Path.Combine(folder, n)));

    private async Task ReadPromptsAsync(CancellationToken cancellationToken)
    {
        foreach (var place in PromptFolders.Where(p => Directory.Exists(Path.Combine(folder, p))))
        {
            foreach (var path in Directory.EnumerateFiles(Path.Combine(folder, place)).Order(StringComparer.Ordinal))
            {
                var shown = Path.GetRelativePath(folder, path);
                if (CatalogFiles.IsHidden(path))
                {
                    report.Left(shown, "a hidden file, no prompt");
                }
                else if (!PromptEndings.Contains(Path.GetExtension(path), StringComparer.OrdinalIgnoreCase))
                {
                    report.Left(shown, $"not a prompt: those end in {string.Join(", ", PromptEndings)}");
                }
                else if (!_prompts.TryAdd(ForeignName.KeyOf(Path.GetFileNameWithoutExtension(path)), (shown, (await ForeignFile.TextAsync(path, cancellationToken)).Trim())))
                {
                    report.Left(shown, "another file has the same name with another ending");
                }
            }
        }
    }

    /// <summary>Keys beside <c>agents:</c> that nothing here understands.</summary>
    private JsonNode? Rest(JsonObject root, JsonNode? inner, string file)
    {
        foreach (var key in root.Select(static m => m.Key).Where(static k => k != "agents"))
        {
            report.Left($"{file}: {key}", key is "models" or "llm" or "llm_config" ? "models and providers stand in models.yaml" : "unknown here");
        }

        return inner;
    }

    private void Take(JsonNode? definitions, string file, Dictionary<string, AgentDefinition> found)
    {
        List<(string? Key, JsonNode? Node)> entries = definitions switch
        {
            JsonObject map => [.. map.Select(static m => ((string?)m.Key, m.Value))],
            JsonArray list => [.. list.Select(static n => ((string?)null, n))],
            _ => [],
        };
        agents.Meet([.. entries.Where(static e => e.Node is JsonObject).Select(e => ForeignName.Of(e.Key, new ForeignFields((JsonObject)e.Node!, file)))]);
        foreach (var (index, (key, node)) in entries.Index())
        {
            var source = $"{file}: {key ?? $"agents[{index}]"}";
            if (node is not JsonObject members)
            {
                report.Left(source, "not the definition of an agent");
                continue;
            }

            if (agents.Read(key, new ForeignFields(members, source), PromptOf) is not { } agent)
            {
                continue;
            }

            if (staying.Contains(agent.Name))
            {
                report.Left(source, $"there is an agent '{agent.Name}' already and it stays; --replace takes theirs");
                continue;
            }

            if (!found.TryAdd(agent.Name, agent))
            {
                report.Left(source, $"an agent '{agent.Name}' was read before");
                continue;
            }

            report.Taken(source, $"agent {agent.Name}, tier {agent.Tier}, {agent.Tools.Count} tools, prompt of {agent.Instructions.Length} characters");
        }
    }

    private string? PromptOf(string name)
    {
        var key = ForeignName.KeyOf(name);
        if (!_prompts.TryGetValue(key, out var prompt))
        {
            return null;
        }

        _used.Add(key);
        return prompt.Text;
    }

    private async Task<JsonObject?> RegistryAsync(string file, Dictionary<string, AgentDefinition> found, CancellationToken cancellationToken)
    {
        if (await ForeignFile.TreeAsync(Path.Combine(folder, file), cancellationToken) is not JsonObject registry)
        {
            report.Left(file, "not an object");
            return null;
        }

        var kept = new JsonObject();
        foreach (var (key, value) in registry)
        {
            if (key == "agents")
            {
                Take(value, file, found);
                continue;
            }

            kept[key] = value?.DeepClone();
            report.Kept($"{file}: {key}", $"{Count(value)} put aside in imported/registry.json: the registry comes in a later version");
        }

        return kept.Count == 0 ? null : kept;
    }

    private static string Count(JsonNode? value) => value switch
    {
        JsonArray list => $"{list.Count} entries",
        JsonObject map => $"{map.Count} entries",
        _ => "one value",
    };

    private async Task<IReadOnlyList<(string Name, string Value)>?> ReadVariablesAsync(CancellationToken cancellationToken)
    {
        var path = Path.Combine(folder, ".env");
        if (!File.Exists(path))
        {
            return null;
        }

        // The lines alone: files that they name are not ours to open.
        List<string> problems = [];
        var theirs = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var (name, value) in DotEnv.Read((await ForeignFile.TextAsync(path, cancellationToken)).Split('\n'), problems))
        {
            theirs[name] = value;
        }

        problems.ForEach(p => report.Left(".env", p));
        return ForeignVariables.Of(theirs, ".env", report);
    }
}
