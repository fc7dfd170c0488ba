using System.CommandLine;
using RootMas.Server.Backups;
using RootMas.Server.Cli.Import;
using RootMas.Server.Platform;
using RootMas.Server.Platform.Data;
using RootMas.Server.Platform.Settings;

namespace RootMas.Server.Cli;

/// <summary>The command line: parses, runs one command, and turns what went wrong into a message and an exit code.</summary>
public static class CommandLine
{
    public static Task<int> RunAsync(string[] args) => RunAsync(args, new CliConsole());

    internal static async Task<int> RunAsync(IReadOnlyList<string> args, CliConsole console)
    {
        var parsed = Root().Parse(args);
        if (parsed.Errors.Count > 0)
        {
            return await Misunderstood.AnswerAsync(parsed, console);
        }

        try
        {
            return await parsed.InvokeAsync(console);
        }
        catch (CliException e)
        {
            await console.Error.WriteLineAsync(e.Message);
            return e.ExitCode;
        }
        catch (BackupException e)
        {
            await console.Error.WriteLineAsync(e.Message);
            return BackupCommand.ExitCodeOf(e.Failure);
        }
        catch (SettingsException e)
        {
            await console.Error.WriteLineAsync(e.Message);
            return ExitCodes.Usage;
        }
        catch (StartupRefusedException e)
        {
            await console.Error.WriteLineAsync(e.Message);
            return e.ExitCode;
        }
        catch (StorageUnavailableException e)
        {
            await console.Error.WriteLineAsync(e.Message);
            return ExitCodes.Failed;
        }
        catch (UnauthorizedAccessException e)
        {
            await console.Error.WriteLineAsync($"{e.Message} Run this as the user that owns the data directory.");
            return ExitCodes.Failed;
        }
        catch (OperationCanceledException)
        {
            return ExitCodes.Interrupted;
        }
    }

    internal static RootCommand Root()
    {
        var root = new RootCommand("Root-MAS: a self-hosted assistant that answers with a team of agents.")
        {
            ServeCommand.Create(),
            WorkerCommand.Create(),
            ChatCommand.Create(),
            RunsCommand.Create(),
            QueueCommand.Create(),
            ApprovalsCommand.Create(),
            AuditCommand.Create(),
            DocumentsCommand.Create(),
            EvalCommand.Create(),
            SecretsCommand.Create(),
            ApiKeysCommand.Create(),
            MemoryCommand.Create(),
            ConfigCommand.Create(),
            MigrateCommand.Create(),
            DataCommand.Create(),
            BackupCommand.Create(),
            DoctorCommand.Create(),
            TopCommand.Create(),
            LoginCommand.Create(),
            UsersCommand.Create(),
            KeysCommand.Create(),
            HealthCommand.Create(),
            InitCommand.Create(),
            ImportCommand.Create(),
            VersionCommand(),
        };
        root.Options.Add(CliOptions.ServerOption);
        root.Options.Add(CliOptions.DataOption);
        root.Options.Add(CliOptions.ConfigOption);
        return root;
    }

    private static Command VersionCommand()
    {
        var command = new Command("version", "Print the version.");
        command.SetAction(parsed => CliConsole.Of(parsed).Output.WriteLine(ProgramVersion.Text));
        return command;
    }
}
