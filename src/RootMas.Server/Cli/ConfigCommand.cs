using System.CommandLine;
using RootMas.Server.Platform.Settings;

namespace RootMas.Server.Cli;

/// <summary><c>rootmas config print|check</c>: the effective settings without secrets and where each came from.</summary>
internal static class ConfigCommand
{
    public static Command Create() => new("config", "Show or check the settings.") { Print(), Check() };

    private static Command Print()
    {
        var json = CliOptions.JsonOption;
        var command = new Command("print", "Print every setting, its value and where it came from.") { json };
        command.SetAction(parsed =>
        {
            var console = CliConsole.Of(parsed);
            var tree = ServerHost.ReadSettings(CliOptions.From(parsed).ToArguments());
            console.Output.WriteLine(parsed.GetValue(json) ? SettingsReport.PrintJson(tree) : SettingsReport.Print(tree).TrimEnd());
            return Report(tree, console);
        });
        return command;
    }

    private static Command Check()
    {
        var command = new Command("check", "Check the settings and list every problem.");
        command.SetAction(parsed =>
        {
            var console = CliConsole.Of(parsed);
            var status = Report(ServerHost.ReadSettings(CliOptions.From(parsed).ToArguments()), console);
            if (status == ExitCodes.Ok)
            {
                console.Output.WriteLine("The settings are valid.");
            }

            return status;
        });
        return command;
    }

    private static int Report(SettingsTree tree, CliConsole console)
    {
        foreach (var problem in tree.Problems)
        {
            console.Error.WriteLine(problem);
        }

        return tree.Problems.Count == 0 ? ExitCodes.Ok : ExitCodes.Usage;
    }
}
