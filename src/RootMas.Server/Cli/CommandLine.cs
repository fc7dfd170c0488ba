using System.CommandLine;
using System.Globalization;
using RootMas.Server.Cli.Import;
using RootMas.Server.Platform;

namespace RootMas.Server.Cli;

/// <summary>The command line: parses, runs one command, and turns what went wrong into a message and an exit code.</summary>
public static class CommandLine
{
    private static readonly Lock Parsing = new();

    /// <summary>The whole program. Numbers and times are read and written alike everywhere, whatever the locale of the machine says of points, commas and calendars.</summary>
    public static Task<int> RunAsync(string[] args)
    {
        CultureInfo.DefaultThreadCurrentCulture = CultureInfo.CurrentCulture = CultureInfo.InvariantCulture;
        return RunAsync(args, new CliConsole());
    }

    internal static async Task<int> RunAsync(IReadOnlyList<string> args, CliConsole console)
    {
        var parsed = Parse(args);
        if (parsed.Errors.Count > 0 || Misunderstood.StrayOption(parsed) is not null)
        {
            return await Misunderstood.AnswerAsync(parsed, console);
        }

        try
        {
            return await parsed.InvokeAsync(console);
        }
        catch (OperationCanceledException)
        {
            return ExitCodes.Interrupted;
        }
        catch (Exception e) when (Trouble.Of(e) is { } trouble)
        {
            await TellAsync(console, trouble.Message);
            return trouble.ExitCode;
        }
    }

    private static async Task TellAsync(CliConsole console, string message)
    {
        try
        {
            await console.Error.WriteLineAsync(message);
        }
        catch (IOException)
        {
            // There is nowhere to say it; the exit code does.
        }
    }

    internal static ParseResult Parse(IReadOnlyList<string> args)
    {
        lock (Parsing)
        {
            return Root().Parse(args);
        }
    }

    /// <summary>One at a time: all trees share their options, which change as they are taken into one.</summary>
    internal static RootCommand Root()
    {
        lock (Parsing)
        {
            return Build();
        }
    }

    private static RootCommand Build()
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
