using System.CommandLine;
using Microsoft.Extensions.Logging.Abstractions;
using RootMas.Server.Platform.Data;
using RootMas.Server.Platform.Settings;
using Migrations = RootMas.Server.Platform.Migrations;

namespace RootMas.Server.Cli;

/// <summary><c>rootmas migrate [--plan]</c>: what the start of the server does by itself, apart from it.</summary>
internal static class MigrateCommand
{
    public static Command Create()
    {
        var plan = new Option<bool>("--plan") { Description = "Only show what is pending." };
        var command = new Command("migrate", "Bring the database up to date.") { plan, CliOptions.JsonOption };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var console = CliConsole.Of(parsed);
            var tree = SettingsTree.Read(CliOptions.From(parsed).ToArguments());
            var options = tree.Take<DatabaseOptions>("Database");
            using var data = new DataDirectory(tree.DataPath);
            data.Create();
            var target = Migrations.MigrationTarget.Of(options, data, TimeProvider.System, NullLoggerFactory.Instance);
            return await Migrations.MigrateCommand.RunAsync(target, data, parsed.GetValue(plan), parsed.GetValue(CliOptions.JsonOption), console.Output, console.Error, cancellationToken);
        });
        return command;
    }
}
