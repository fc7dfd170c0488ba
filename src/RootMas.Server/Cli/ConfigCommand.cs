using System.CommandLine;
using System.Data.Common;
using Microsoft.Extensions.Logging.Abstractions;
using RootMas.Runtime.Tools;
using RootMas.Server.Agents;
using RootMas.Server.Platform;
using RootMas.Server.Platform.Data;
using RootMas.Server.Platform.Resilience;
using RootMas.Server.Platform.Settings;

namespace RootMas.Server.Cli;

/// <summary><c>rootmas config print|check</c>: the effective settings without secrets and where each came from; whether a start would take them, and the files of the config folder.</summary>
internal static class ConfigCommand
{
    /// <summary>With a database server. It is asked to be exact, and not needed.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    public static Command Create() => new("config", "Show or check the settings and the config folder.") { Print(), Check() };

    private static Command Print()
    {
        var json = CliOptions.JsonOption;
        var command = new Command("print", "Print every setting, its value and where it came from.") { json };
        command.SetAction(parsed =>
        {
            var console = CliConsole.Of(parsed);
            var tree = ServerHost.ReadSettings(CliOptions.From(parsed).ToArguments());
            console.Output.WriteLine(parsed.GetValue(json) ? SettingsReport.PrintJson(tree) : SettingsReport.Print(tree).TrimEnd());
            return Report(tree.Problems, console);
        });
        return command;
    }

    private static Command Check()
    {
        var command = new Command("check", "Check the settings, then agents, teams and prompts, and list every problem.");
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var console = CliConsole.Of(parsed);
            var arguments = CliOptions.From(parsed).ToArguments();
            var tree = ServerHost.ReadSettings(arguments);
            Report(tree.Notes, console);
            var status = Report(tree.Problems, console);
            if (status == ExitCodes.Ok)
            {
                var (problems, notes) = await CheckCatalogAsync(arguments, cancellationToken);
                Report(notes, console);
                status = Report(problems, console);
            }

            if (status == ExitCodes.Ok)
            {
                console.Output.WriteLine("The settings are valid, and so are agents, teams and prompts.");
            }

            return status;
        });
        return command;
    }

    /// <summary>
    /// What a start would refuse of the files of the config folder, together with what was changed by the API: a server that runs sets a broken edit aside, and the next one would not start with it.
    /// Where the database cannot be read, names that only it could have are no more than noted.
    /// </summary>
    private static async Task<(IReadOnlyCollection<string> Problems, IReadOnlyCollection<string> Notes)> CheckCatalogAsync(ServerArguments arguments, CancellationToken cancellationToken)
    {
        // Built, not started: it knows its tools and rules, and touches no data.
        await using var app = ServerHost.Build(arguments with { IsEmbedded = true });
        var config = app.Services.GetRequiredService<SettingsTree>().ConfigPath;
        if (!Directory.Exists(config))
        {
            return ([$"{config} is not a folder. Name that of agents, teams and prompts with --config or ROOTMAS_CONFIG."], []);
        }

        var files = await CatalogFiles.ReadAsync(config, cancellationToken);
        var stored = await StoredChangesAsync(app.Services, cancellationToken);
        var build = CatalogFit.Make(files, stored ?? [], [], app.Services.GetRequiredService<IToolCatalog>(), app.Services.GetRequiredService<AgentsOptions>()).Build;
        var errors = build.Problems.Where(static p => !p.IsWarning).ToLookup(p => stored is null && p.IsReference);
        return ([.. errors[false].Select(static p => p.ToString())], [.. errors[true].Select(static p => $"{p} The database cannot be read here: this is right if the name was made by the API.")]);
    }

    /// <summary>Agents and teams as the API changed them. Nothing is migrated or made; null: they cannot be read.</summary>
    private static async Task<IReadOnlyList<CatalogOverride>?> StoredChangesAsync(IServiceProvider services, CancellationToken cancellationToken)
    {
        var options = services.GetRequiredService<DatabaseOptions>();
        try
        {
            if (options.Kind == DatabaseKind.Postgres)
            {
                await using var server = new PostgresDatabase(
                    options with { PoolMin = 0, PoolMax = 2 }, static _ => Task.CompletedTask, TimeProvider.System, NullLogger<PostgresDatabase>.Instance, outbound: services.GetRequiredService<OutboundPolicies>());
                return await CatalogOverrides.LoadAsync(server, cancellationToken).WaitAsync(Patience, cancellationToken);
            }

            var data = services.GetRequiredService<DataDirectory>();
            if (!Directory.Exists(data.Path) || !Directory.EnumerateFiles(data.Path, Path.GetFileName(data.DatabasePath)).Any()) // not File.Exists: it does not tell what may not be looked into
            {
                return [];
            }

            data.RefuseRoot();
            await using var database = new SqliteDatabase(data.DatabasePath, options, static () => { }, TimeProvider.System, NullLogger<SqliteDatabase>.Instance);
            return await CatalogOverrides.LoadAsync(database, cancellationToken);
        }
        catch (Exception e) when (e is DbException or StorageUnavailableException or StartupRefusedException or TimeoutException or IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    private static int Report(IReadOnlyCollection<string> problems, CliConsole console)
    {
        foreach (var problem in problems)
        {
            console.Error.WriteLine(problem);
        }

        return problems.Count == 0 ? ExitCodes.Ok : ExitCodes.Usage;
    }
}
