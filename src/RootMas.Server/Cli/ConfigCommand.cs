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
            var tree = ServerHost.ReadSettings(CliOptions.From(parsed).ToArguments());
            var settings = tree.Sections.SelectMany(s => s.Settings).OrderBy(s => s.Key, StringComparer.Ordinal).ToList();
            if (parsed.GetValue(json))
            {
                Terminal.WriteJson(System.Text.Json.JsonSerializer.SerializeToElement(
                    settings.Select(s => new { key = s.Key, value = s.Current, source = s.Source, @default = s.Default, type = s.Type, legal = s.Legal })));
            }
            else
            {
                new Terminal(tree.Variables).Table(["Setting", "Value", "From"], settings.Select(s => (IReadOnlyList<string>)[s.Key, s.Current, s.Source]));
            }

            return Report(tree);
        });
        return command;
    }

    private static Command Check()
    {
        var command = new Command("check", "Check the settings and list every problem.");
        command.SetAction(parsed =>
        {
            var tree = ServerHost.ReadSettings(CliOptions.From(parsed).ToArguments());
            var status = Report(tree);
            if (status == ExitCodes.Ok)
            {
                Terminal.WriteLine("The settings are valid.");
            }

            return status;
        });
        return command;
    }

    private static int Report(SettingsTree tree)
    {
        foreach (var problem in tree.Problems)
        {
            Console.Error.WriteLine(problem);
        }

        return tree.Problems.Count == 0 ? ExitCodes.Ok : ExitCodes.Usage;
    }
}
