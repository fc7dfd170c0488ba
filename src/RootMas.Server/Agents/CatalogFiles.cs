using System.Security.Cryptography;
using System.Text;

namespace RootMas.Server.Agents;

/// <summary>A definition and where it stands. <see cref="Version"/> is 0 for a file, else the stored version of an override.</summary>
internal sealed record Sourced<T>(T Definition, string Source, int Version = 0);

/// <summary>What the files of the config folder say, read in one go.</summary>
/// <param name="Fingerprint">Hash of all bytes: equal means that nothing changed.</param>
internal sealed record CatalogFiles(
    IReadOnlyList<Sourced<AgentDefinition>> Agents, IReadOnlyList<Sourced<TeamDefinition>> Teams, string DefaultTeam, string Preamble,
    IReadOnlyList<CatalogProblem> Problems, string Fingerprint)
{
    public const string AgentsFile = "agents.yaml";
    public const string TeamsFile = "teams.yaml";
    public const string PromptsFolder = "prompts";
    public const string PreambleFile = "prompts/_preamble.md";
    private const int MaxFileBytes = 1024 * 1024;

    /// <summary>Reads <c>agents.yaml</c>, <c>teams.yaml</c> and <c>prompts/*.md</c>. A file that cannot be read is a problem, never an exception.</summary>
    public static async Task<CatalogFiles> ReadAsync(string directory, CancellationToken cancellationToken)
    {
        var problems = new CatalogProblems();
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);

        async Task<string?> TextAsync(string name)
        {
            var text = await ReadTextAsync(directory, name, problems, cancellationToken);
            hash.AppendData(Encoding.UTF8.GetBytes($"{name}\0{text}\0"));
            return text;
        }

        var agentsYaml = await TextAsync(AgentsFile);
        var teamsYaml = await TextAsync(TeamsFile);
        var preamble = await TextAsync(PreambleFile) ?? "";
        var prompts = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var name in PromptNames(directory, problems))
        {
            prompts[name] = await TextAsync($"{PromptsFolder}/{name}.md") ?? "";
        }

        var agents = Section(AgentsFile, agentsYaml, problems) is { } a ? ReadAgents(a, prompts, problems) : [];
        var (teams, defaultTeam) = Section(TeamsFile, teamsYaml, problems) is { } t ? ReadTeams(t) : ([], "");
        return new CatalogFiles(agents, teams, defaultTeam, preamble.Trim(), problems.Items, Convert.ToHexStringLower(hash.GetHashAndReset()));
    }

    private static YamlSection? Section(string file, string? text, CatalogProblems problems) =>
        text is null ? null : YamlSection.Parse(file, text, problems);

    /// <summary>What editors and file systems put beside a file: <c>.#name.md</c>, <c>._name.md</c>.</summary>
    public static bool IsHidden(string path) => Path.GetFileName(path).StartsWith('.');

    private static List<string> PromptNames(string directory, CatalogProblems problems)
    {
        var folder = Path.Combine(directory, PromptsFolder);
        try
        {
            return Directory.Exists(folder)
                ? [.. Directory.EnumerateFiles(folder, "*.md").Where(static f => !IsHidden(f)).Select(static f => Path.GetFileNameWithoutExtension(f)).Where(static n => !n.StartsWith('_')).Order(StringComparer.Ordinal)]
                : [];
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            problems.Error(PromptsFolder, "(folder)", "cannot be read: check that the folder is readable for the server's user.");
            return [];
        }
    }

    private static async Task<string?> ReadTextAsync(string directory, string name, CatalogProblems problems, CancellationToken cancellationToken)
    {
        try
        {
            var path = Path.Combine(directory, name);
            if (new FileInfo(path) is { Exists: true, Length: > MaxFileBytes })
            {
                problems.Error(name, "(file)", "is larger than 1 MiB.");
                return null;
            }

            // Shared for writing and deleting: reading must never be what makes an editor's save fail.
            await using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, 4096, useAsync: true);
            using var reader = new StreamReader(file, new UTF8Encoding(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true), detectEncodingFromByteOrderMarks: false);
            return (await reader.ReadToEndAsync(cancellationToken)).TrimStart('\uFEFF').ReplaceLineEndings("\n");
        }
        catch (DecoderFallbackException)
        {
            problems.Error(name, "(file)", "is not UTF-8 text.");
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            problems.Error(name, "(file)", $"is missing in the config folder {Path.GetFullPath(directory)} (set --config or ROOTMAS_CONFIG).");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            problems.Error(name, "(file)", "cannot be read: check that the file is readable for the server's user.");
        }

        return null;
    }

    private static List<Sourced<AgentDefinition>> ReadAgents(YamlSection root, Dictionary<string, string> prompts, CatalogProblems problems)
    {
        List<Sourced<AgentDefinition>> agents = [];
        foreach (var (name, section) in root.Sections("agents"))
        {
            agents.Add(new Sourced<AgentDefinition>(Agent(name, section, prompts.GetValueOrDefault(name)), AgentsFile));
            section.RefuseUnknown();
        }

        root.RefuseUnknown();
        foreach (var orphan in prompts.Keys.Where(p => !agents.Exists(a => a.Definition.Name == p)))
        {
            problems.Warn($"{PromptsFolder}/{orphan}.md", "(file)", $"belongs to no agent of {AgentsFile}.");
        }

        return agents;
    }

    private static AgentDefinition Agent(string name, YamlSection section, string? prompt) => new()
    {
        Name = name,
        Role = section.Text("role") ?? "",
        Description = Folded(section.Text("description")),
        Instructions = (section.Text("instructions") ?? prompt ?? "").Trim(),
        Tier = section.Text("tier") ?? "standard",
        Model = section.Text("model"),
        Tools = section.Names("tools"),
        PlannedTools = section.Names("planned_tools"),
        Temperature = (double?)section.Number("temperature"),
        OutputSchema = section.Json("output_schema"),
        Cache = section.Text("cache"),
        Specialist = section.Flag("specialist") ?? true,
        Capabilities = section.Names("capabilities"),
        Avatar = section.Text("avatar"),
    };

    private static (List<Sourced<TeamDefinition>> Teams, string DefaultTeam) ReadTeams(YamlSection root)
    {
        var defaultTeam = root.Text("default") ?? "";
        List<Sourced<TeamDefinition>> teams = [];
        foreach (var (name, section) in root.Sections("teams"))
        {
            teams.Add(new Sourced<TeamDefinition>(Team(name, section), TeamsFile));
            section.RefuseUnknown();
        }

        root.RefuseUnknown();
        return (teams, defaultTeam);
    }

    private static TeamDefinition Team(string name, YamlSection section)
    {
        var defaults = new TeamDefinition();
        return new TeamDefinition
        {
            Name = name,
            Description = Folded(section.Text("description")),
            Pattern = section.Text("pattern") ?? "",
            Entry = section.Text("entry"),
            Members = section.Names("members"),
            Writer = section.Text("writer"),
            Selector = section.Text("selector"),
            Coordinator = section.Text("coordinator"),
            MaxRounds = section.Integer("max_rounds") ?? defaults.MaxRounds,
            MaxParallel = section.Integer("max_parallel") ?? defaults.MaxParallel,
            Edges = section.NameLists("edges"),
            Handoffs = section.NameLists("handoffs"),
            DelegatePatterns = section.Texts("delegate_patterns"),
            Limits = section.Section("limits") is { } limits ? Limits(limits) : new TeamLimits(),
        };
    }

    private static TeamLimits Limits(YamlSection section)
    {
        var limits = new TeamLimits
        {
            MaxSteps = section.Integer("max_steps"),
            MaxChildren = section.Integer("max_children"),
            MaxDepth = section.Integer("max_depth"),
            MaxTokens = section.Long("max_tokens"),
            MaxCostUsd = section.Number("max_cost_usd"),
            MaxWallSeconds = section.Integer("max_wall_seconds"),
        };
        section.RefuseUnknown();
        return limits;
    }

    private static string Folded(string? text) => text is null ? "" : string.Join(' ', text.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries));
}
