using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using RootMas.Runtime.Tools;
using RootMas.Server.Agents;
using RootMas.Server.Platform.Settings;
using YamlDotNet.Core;

namespace RootMas.Server.Cli.Import;

/// <summary>The config directory that agents are taken into. All is made and checked beside it first; then files are replaced one by one, agents.yaml last, each as a whole.</summary>
internal sealed class ImportTarget(string config, bool replace, ImportReport report)
{
    /// <summary>Where variables are put, below the config directory.</summary>
    public const string Variables = Aside + "/rootmas.env";

    private const string Aside = "imported";
    private const UnixFileMode Private = UnixFileMode.UserRead | UnixFileMode.UserWrite;
    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true };

    /// <summary>Names of our agents that theirs do not replace.</summary>
    /// <exception cref="CliException">What is there cannot be read.</exception>
    public async Task<IReadOnlySet<string>> StayingAsync(CancellationToken cancellationToken) =>
        replace ? new HashSet<string>(StringComparer.Ordinal) : (await OursAsync(cancellationToken)).Names.ToHashSet(StringComparer.Ordinal);

    /// <summary>Our agents that theirs may replace, by name. What is wrong with the files they stand in is told when they are written to.</summary>
    public async Task<IReadOnlyDictionary<string, AgentDefinition>> ReplacedAsync(CancellationToken cancellationToken)
    {
        IReadOnlyList<Sourced<AgentDefinition>> ours = replace ? (await CatalogFiles.ReadAsync(config, cancellationToken)).Agents : [];
        return ours.ToDictionary(static a => a.Definition.Name, static a => a.Definition, StringComparer.Ordinal);
    }

    /// <summary>The files that would be written, by path below the config directory: those that do not say the same already.</summary>
    /// <exception cref="CliException">The catalog would not be usable, or what is there cannot be read.</exception>
    public async Task<SortedDictionary<string, string>> PrepareAsync(Imported imported, IToolCatalog tools, AgentsOptions options, CancellationToken cancellationToken)
    {
        var files = new SortedDictionary<string, string>(StringComparer.Ordinal);
        var yaml = await OursAsync(cancellationToken);
        foreach (var agent in imported.Agents.IntersectBy(yaml.Names, static a => a.Name, StringComparer.Ordinal))
        {
            report.Changed(CatalogFiles.AgentsFile, $"agent '{agent.Name}' replaces ours; what was there is kept as …before-import");
        }

        if (imported.Agents.Count > 0)
        {
            files[CatalogFiles.AgentsFile] = yaml.With(imported.Agents);
            foreach (var agent in imported.Agents)
            {
                files[$"{CatalogFiles.PromptsFolder}/{agent.Name}.md"] = agent.Instructions + "\n";
            }

            await CheckAsync(files, tools, options, cancellationToken);
        }

        if (imported.Registry is { } registry)
        {
            files[$"{Aside}/registry.json"] = registry.ToJsonString(Indented) + "\n";
        }

        if (imported.Variables.Count > 0)
        {
            files[Variables] = string.Concat(imported.Variables.Select(static v => $"{v.Name}={DotEnv.Quoted(v.Value) ?? v.Value}\n"));
        }

        foreach (var (name, text) in files.ToList())
        {
            if (await SaysAsync(Path.Combine(config, name), text, cancellationToken))
            {
                files.Remove(name);
            }
        }

        return files;
    }

    /// <exception cref="CliException">A file cannot be written.</exception>
    public async Task WriteAsync(SortedDictionary<string, string> files, CancellationToken cancellationToken)
    {
        var written = new List<string>();
        // Prompts without an agent do no harm to a running server; an agent without its prompt would.
        foreach (var (name, text) in files.OrderBy(static f => f.Key == CatalogFiles.AgentsFile))
        {
            var path = Path.Combine(config, name);
            try
            {
                await WriteOneAsync(path, text, cancellationToken);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                var so = written.Count == 0 ? "Nothing was changed." : $"Written before it: {string.Join(", ", written)}. {CatalogFiles.AgentsFile} is as it was, so no agent changed. Import again when it can be written.";
                throw new CliException(ExitCodes.Failed, $"{path} cannot be written ({e.GetType().Name}). {so}", e);
            }

            written.Add(name);
        }
    }

    /// <summary>Written again, the same would also be kept aside: a second copy, and of secrets.</summary>
    private static async Task<bool> SaysAsync(string path, string text, CancellationToken cancellationToken)
    {
        try
        {
            return File.Exists(path) && (await File.ReadAllBytesAsync(path, cancellationToken)).AsSpan().SequenceEqual(Encoding.UTF8.GetBytes(text));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return false; // whoever writes it says why that is not possible
        }
    }

    private async Task WriteOneAsync(string path, string text, CancellationToken cancellationToken)
    {
        MakeFolder(Path.GetDirectoryName(path)!);
        if (File.Exists(path))
        {
            var kept = FreeName(path + ".before-import");
            File.Copy(path, kept);
            SameRights.Give(kept, path);
        }

        var isPrivate = path.EndsWith(".env", StringComparison.Ordinal);
        var how = new FileStreamOptions { Mode = FileMode.Create, Access = FileAccess.Write, Options = FileOptions.Asynchronous };
        if (!OperatingSystem.IsWindows() && isPrivate)
        {
            how.UnixCreateMode = Private;
        }

        var next = path + ".new";
        await using (var file = new StreamWriter(next, how))
        {
            await file.WriteAsync(text.AsMemory(), cancellationToken);
        }

        if (!isPrivate)
        {
            SameRights.Give(next, ModelOf(path));
        }

        File.Move(next, path, overwrite: true);
    }

    private void MakeFolder(string path)
    {
        if (!Directory.Exists(path))
        {
            Directory.CreateDirectory(path);
            SameRights.Give(path, config);
        }
    }

    /// <summary>What a file is to be like: the one that it replaces, else one of its kind beside it, else the folder.</summary>
    private static string ModelOf(string path)
    {
        var folder = Path.GetDirectoryName(path)!;
        return File.Exists(path) ? path : Directory.EnumerateFiles(folder, "*" + Path.GetExtension(path)).Order(StringComparer.Ordinal).FirstOrDefault(static f => new FileInfo(f).LinkTarget is null) ?? folder; // a link may lead nowhere
    }

    private async Task<AgentsYaml> OursAsync(CancellationToken cancellationToken)
    {
        var path = Path.Combine(config, CatalogFiles.AgentsFile);
        try
        {
            return new AgentsYaml(File.Exists(path) ? await ForeignFile.TextAsync(path, cancellationToken) : "");
        }
        catch (YamlException e)
        {
            throw new CliException(ExitCodes.Usage, $"{path}: line {e.Start.Line.ToString(CultureInfo.InvariantCulture)} cannot be read: {e.Message} Nothing was changed.", e);
        }
    }

    /// <summary>The first one holds what was there before any import.</summary>
    private static string FreeName(string path) => Enumerable.Range(1, int.MaxValue).Select(n => n == 1 ? path : string.Create(CultureInfo.InvariantCulture, $"{path}.{n}")).First(static p => !File.Exists(p));

    /// <summary>The whole catalog as it would be, read and checked by the server's own rules.</summary>
    private async Task CheckAsync(SortedDictionary<string, string> files, IToolCatalog tools, AgentsOptions options, CancellationToken cancellationToken)
    {
        if (!Directory.Exists(config))
        {
            throw new CliException(ExitCodes.NotFound, $"{config} is not a folder, and agents need the teams, models and prompts in it. Nothing was changed. Copy the config folder of the release there, or name another one with --config.");
        }

        var trial = Directory.CreateTempSubdirectory("rootmas-import-");
        try
        {
            Directory.CreateDirectory(Path.Combine(trial.FullName, CatalogFiles.PromptsFolder));
            foreach (var path in Directory.EnumerateFiles(config, "*.yaml").Concat(Prompts()).Where(static p => !CatalogFiles.IsHidden(p)))
            {
                File.Copy(path, Path.Combine(trial.FullName, Path.GetRelativePath(config, path)));
            }

            foreach (var (name, text) in files)
            {
                await File.WriteAllTextAsync(Path.Combine(trial.FullName, name), text, cancellationToken);
            }

            var build = CatalogBuild.Make(await CatalogFiles.ReadAsync(trial.FullName, cancellationToken), [], tools, options);
            if (build.Catalog is null)
            {
                throw new CliException(ExitCodes.Usage, "The catalog would not be usable with these agents. Nothing was changed:\n  " + string.Join("\n  ", build.Problems.Where(static p => !p.IsWarning)));
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new CliException(ExitCodes.Failed, $"{config} cannot be read, or not copied to {trial.FullName} to be checked: {e.Message} Nothing was changed.", e);
        }
        finally
        {
            trial.Delete(recursive: true);
        }
    }

    private IEnumerable<string> Prompts() =>
        Path.Combine(config, CatalogFiles.PromptsFolder) is var folder && Directory.Exists(folder) ? Directory.EnumerateFiles(folder, "*.md") : [];
}
