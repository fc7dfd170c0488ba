using System.CommandLine;
using System.Text.Json;
using RootMas.Runtime.Tools;
using RootMas.Server.Agents;
using RootMas.Server.Platform.Settings;

namespace RootMas.Server.Cli.Import;

/// <summary><c>rootmas import FOLDER</c>: takes agents, prompts, registry and variables of the Python system over into the config directory, and says of every key what became of it.</summary>
internal static class ImportCommand
{
    private static readonly Argument<string> Folder = new("folder") { Description = "The folder of the Python system, or one with its agents.yaml, prompts, registry.json, .env." };
    private static readonly Option<bool> DryRun = new("--dry-run") { Description = "Only say what would be done." };
    private static readonly Option<bool> Replace = new("--replace") { Description = "Agents of the same name replace ours." };

    public static Command Create()
    {
        var command = new Command("import", "Take agents, prompts and settings of the Python system over.") { Folder, DryRun, Replace, CliOptions.JsonOption };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var terminal = Terminal.Of(parsed);
            var options = CliOptions.From(parsed);
            var folder = Path.GetFullPath(parsed.GetValue(Folder)!, terminal.Console.WorkingDirectory ?? Directory.GetCurrentDirectory());
            if (!Directory.Exists(folder))
            {
                throw new CliException(ExitCodes.NotFound, $"{folder} is not a folder. Nothing was changed.");
            }

            // Built, not started: it knows its tools and rules, and touches no data.
            await using var app = ServerHost.Build(options.ToArguments() with { IsEmbedded = true });
            var settings = app.Services.GetRequiredService<SettingsTree>();
            var tools = app.Services.GetRequiredService<IToolCatalog>();
            var report = new ImportReport();
            var target = new ImportTarget(settings.ConfigPath, parsed.GetValue(Replace), report);
            var agents = new ForeignAgent(
                await ModelsAsync(settings.ConfigPath, cancellationToken), tools.All.Select(static t => t.Name).ToHashSet(StringComparer.Ordinal), await target.ReplacedAsync(cancellationToken), report);
            var imported = await ReadAsync(folder, agents, await target.StayingAsync(cancellationToken), report, cancellationToken);
            foreach (var problem in Refused(options.ToArguments(), settings.Variables, imported.Variables))
            {
                report.Refused(".env", problem);
            }

            var files = await target.PrepareAsync(imported, tools, app.Services.GetRequiredService<AgentsOptions>(), cancellationToken);
            var isDry = parsed.GetValue(DryRun);
            if (!isDry)
            {
                await target.WriteAsync(files, cancellationToken);
            }

            Tell(terminal, parsed.GetValue(CliOptions.JsonOption), isDry, settings.ConfigPath, [.. files.Keys], report);
            return ExitCodes.Ok;
        });
        return command;
    }

    private static async Task<Imported> ReadAsync(string folder, ForeignAgent agents, IReadOnlySet<string> staying, ImportReport report, CancellationToken cancellationToken)
    {
        try
        {
            return await new ImportSource(folder, agents, staying, report).ReadAsync(cancellationToken);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new CliException(ExitCodes.NotFound, $"{folder} cannot be read: {e.Message} Nothing was changed.", e);
        }
    }

    /// <summary>What a start would say of the variables that are taken over, beside those of here, which are well: the program works with them.</summary>
    private static IReadOnlyList<string> Refused(ServerArguments here, Variables known, IReadOnlyList<(string Name, string Value)> ours)
    {
        if (ours.Count == 0)
        {
            return [];
        }

        var variables = known.Names.ToDictionary(static n => n, n => known.Get(n) ?? "", StringComparer.Ordinal);
        foreach (var (name, value) in ours)
        {
            variables[name] = value;
        }

        return ServerHost.ReadSettings(here with { Environment = variables, Urls = null }).Problems;
    }

    /// <summary>Names of models.yaml; its other rules are the server's.</summary>
    private static async Task<HashSet<string>> ModelsAsync(string config, CancellationToken cancellationToken)
    {
        var path = Path.Combine(config, "models.yaml");
        var tree = File.Exists(path) ? await ForeignFile.TreeAsync(path, cancellationToken) : null;
        return tree?["models"] is System.Text.Json.Nodes.JsonObject models ? [.. models.Select(static m => m.Key)] : [];
    }

    private static void Tell(Terminal terminal, bool json, bool isDry, string config, IReadOnlyList<string> files, ImportReport report)
    {
        if (json)
        {
            terminal.WriteJson(JsonSerializer.SerializeToElement(new { dry_run = isDry, config, files, lines = report.Lines }));
            return;
        }

        foreach (var line in report.Lines)
        {
            terminal.WriteLine($"{line.Outcome,-8} {line.Source}: {line.Text}");
        }

        terminal.Note(files.Count == 0 ? "Nothing is to be written." : $"{(isDry ? "Would write" : "Wrote")} to {config}: {string.Join(", ", files)}");
        if (!isDry && Path.Combine(config, ImportTarget.Variables) is var variables && File.Exists(variables))
        {
            terminal.Note($"Look at {variables}, move its lines into your .env, and remove it: it holds secrets.");
        }
    }
}
