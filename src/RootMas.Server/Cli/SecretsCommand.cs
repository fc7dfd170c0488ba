using System.CommandLine;
using RootMas.Server.Platform.Settings;

namespace RootMas.Server.Cli;

/// <summary><c>rootmas secrets …</c>: keys and credentials that the server keeps encrypted. Values come from stdin, never as an argument.</summary>
internal static class SecretsCommand
{
    private static readonly Argument<string> Name = new("name") { Description = "The secret." };

    public static Command Create() => new("secrets", "Keys and credentials that the server keeps encrypted.") { Set(), List(), Remove() };

    private static Command Set()
    {
        var command = new Command("set", "Enter or replace a secret; its value is read from stdin.") { Name };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var options = CliOptions.From(parsed);
            var terminal = new Terminal(SettingsTree.Read(options.ToArguments()).Variables);
            var value = (Console.IsInputRedirected ? await Console.In.ReadToEndAsync(cancellationToken) : await terminal.AskAsync("Value:", cancellationToken))?.TrimEnd('\r', '\n');
            if (string.IsNullOrEmpty(value))
            {
                throw new CliException(ExitCodes.Usage, "No value was given. Pipe it in: rootmas secrets set NAME < FILE");
            }

            await using var connection = await ServerConnection.OpenAsync(options, cancellationToken);
            var path = PathOf(parsed.GetValue(Name)!);
            await connection.Api.PutAsync(path, new { value }, cancellationToken);
            terminal.Note("Stored.");
            return ExitCodes.Ok;
        });
        return command;
    }

    private static Command List()
    {
        var command = new Command("list", "List secrets, without their values.") { CliOptions.JsonOption };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var options = CliOptions.From(parsed);
            await using var connection = await ServerConnection.OpenAsync(options, cancellationToken);
            var answer = await connection.Api.GetAsync("/api/v1/secrets?limit=200", cancellationToken);
            if (parsed.GetValue(CliOptions.JsonOption))
            {
                Terminal.WriteJson(answer);
                return ExitCodes.Ok;
            }

            new Terminal(SettingsTree.Read(options.ToArguments()).Variables).Table(
                ["Name", "Entered", "Used by"],
                answer.Items().Select(s => (IReadOnlyList<string>)[s.Text("name")!, s.Text("updated_at")!, string.Join(", ", s.Items("used_by").Select(u => u.GetString()))]));
            return ExitCodes.Ok;
        });
        return command;
    }

    private static Command Remove()
    {
        var command = new Command("remove", "Remove a secret.") { Name };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            await using var connection = await ServerConnection.OpenAsync(CliOptions.From(parsed), cancellationToken);
            await connection.Api.ChangeAsync(HttpMethod.Delete, PathOf(parsed.GetValue(Name)!), null, cancellationToken);
            return ExitCodes.Ok;
        });
        return command;
    }

    private static string PathOf(string name) => "/api/v1/secrets/" + Uri.EscapeDataString(name);
}
