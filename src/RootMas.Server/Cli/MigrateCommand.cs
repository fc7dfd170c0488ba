using System.CommandLine;
using Microsoft.Extensions.Logging.Abstractions;
using RootMas.Server.Backups;
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
            var tree = ServerHost.ReadSettings(CliOptions.From(parsed).ToArguments());
            tree.ThrowIfInvalid();
            var options = tree.Take<DatabaseOptions>("Database");
            using var data = new DataDirectory(tree.DataPath);
            data.RefuseClosed();
            data.Create();
            var target = Migrations.MigrationTarget.Of(options, data, TimeProvider.System, NullLoggerFactory.Instance);
            var before = new BackupBeforeMigration(BackupCommand.SetupOf(tree, data), NullLogger<BackupBeforeMigration>.Instance);
            var guard = new Migrations.MigrationGuard(target, data, [before]);
            var guarded = target with
            {
                Migrate = async stop =>
                {
                    await guard.PassAsync(stop);
                    return await target.Migrate(stop);
                },
            };
            return await Migrations.MigrateCommand.RunAsync(guarded, data, parsed.GetValue(plan), parsed.GetValue(CliOptions.JsonOption), console.Output, console.Error, cancellationToken);
        });
        return command;
    }
}
