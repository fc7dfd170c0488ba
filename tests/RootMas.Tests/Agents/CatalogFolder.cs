using System.Text.Json;
using Microsoft.Extensions.Logging.Abstractions;
using RootMas.Runtime.Tools;
using RootMas.Server.Agents;
using RootMas.Server.Platform.Data;
using RootMas.Tests.Support;

namespace RootMas.Tests.Agents;

/// <summary>A config folder of its own: a small valid catalog, or a copy of the shipped one.</summary>
internal sealed class CatalogFolder : IDisposable
{
    public const string Agents =
        """
        agents:
          front:
            role: Front
            description: Speaks to the user.
            tier: cheap
            specialist: false
            tools: [calculator]
          worker:
            role: Worker
            description: Works.
        """;

    public const string Teams =
        """
        default: main
        teams:
          main:
            description: The team.
            pattern: direct
            entry: front
            edges:
              front: ["*"]
        """;

    private CatalogFolder() => Path = Directory.CreateTempSubdirectory("rootmas-catalog-").FullName;

    public string Path { get; }

    public static CatalogFolder Small(string agents = Agents, string teams = Teams)
    {
        var folder = new CatalogFolder();
        folder.Write("agents.yaml", agents);
        folder.Write("teams.yaml", teams);
        folder.Write("prompts/_preamble.md", "House rules.");
        folder.Write("prompts/front.md", "You are the front.");
        folder.Write("prompts/worker.md", "You are the worker.");
        return folder;
    }

    public static CatalogFolder Shipped()
    {
        var folder = new CatalogFolder();
        foreach (var file in Directory.EnumerateFiles(Repository.PathOf("config"), "*", SearchOption.AllDirectories))
        {
            folder.Write(System.IO.Path.GetRelativePath(Repository.PathOf("config"), file), File.ReadAllText(file));
        }

        return folder;
    }

    public void Write(string name, string text)
    {
        var path = System.IO.Path.Combine(Path, name);
        Directory.CreateDirectory(System.IO.Path.GetDirectoryName(path)!);
        File.WriteAllText(path, text);
    }

    public void Append(string name, string text) => File.AppendAllText(System.IO.Path.Combine(Path, name), text);

    public AgentCatalog Catalog(IDatabase database, IToolCatalog? tools = null) => new(
        Path, new AgentsOptions(), new CatalogOverrides(database, TestChanges.Of(database)), new Lazy<IToolCatalog>(() => tools ?? ToolList.Existing), NullLogger<AgentCatalog>.Instance);

    public async Task<CatalogBuild> BuildAsync(params CatalogOverride[] overrides) =>
        CatalogBuild.Make(await CatalogFiles.ReadAsync(Path, CancellationToken.None), overrides, ToolList.Existing, new AgentsOptions());

    public void Dispose() => Directory.Delete(Path, recursive: true);
}

/// <summary>Tools by name only: the catalog looks at nothing else.</summary>
internal sealed class ToolList(params string[] names) : IToolCatalog
{
    /// <summary>The tools of this version.</summary>
    public static readonly ToolList Existing = new(
        "calculator", "current_time", "web_search", "fetch_page", "http_request", "usage_report", "model_stats", "plan_read", "task_status", "task_update",
        "knowledge_search", "knowledge_read");

    public IReadOnlyCollection<Tool> All { get; } = [.. names.Select(n => new NamedTool(n))];

    public Tool? Find(string name) => All.FirstOrDefault(t => t.Name == name);

    private sealed class NamedTool(string name) : Tool
    {
        public override ToolDefinition Definition { get; } = new(name, "A tool.", """{"type":"object"}""", "1");

        public override ToolEffect Effect => ToolEffect.Read;

        public override ValueTask<ToolResult> InvokeAsync(ToolContext context, JsonElement arguments, CancellationToken cancellationToken) =>
            throw new NotSupportedException("The catalog calls no tools.");
    }
}
