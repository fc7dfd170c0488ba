using System.CommandLine;
using System.Globalization;

namespace RootMas.Server.Cli;

/// <summary><c>rootmas secrets …</c>: keys and credentials that the server keeps encrypted. Values come from stdin, never as an argument.</summary>
internal static class SecretsCommand
{
    private const int Longest = 16_000; // as the server has it

    private static readonly Argument<string> Name = new("name") { Description = "The secret." };

    public static Command Create() => new("secrets", "Keys and credentials that the server keeps encrypted.") { Set(), List(), Remove() };

    private static Command Set()
    {
        var command = new Command("set", "Enter or replace a secret; its value is read from stdin.") { Name };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var options = CliOptions.From(parsed);
            var terminal = Terminal.Of(parsed);
            var path = PathOf(parsed.GetValue(Name)!);
            var value = (Console.IsInputRedirected ? await Console.In.ReadToEndAsync(cancellationToken) : await terminal.AskAsync("Value:", cancellationToken))?.TrimEnd('\r', '\n');
            if (string.IsNullOrEmpty(value))
            {
                throw new CliException(ExitCodes.Usage, "No value was given. Pipe it in: rootmas secrets set NAME < FILE");
            }

            if (value.Length > Longest)
            {
                throw new CliException(ExitCodes.Usage, string.Create(CultureInfo.InvariantCulture, $"The value has {value.Length:N0} characters, and a secret has at most {Longest:N0}. Nothing was sent."));
            }

            await using var connection = await ServerConnection.OpenAsync(options, cancellationToken);
            await connection.Api.PutAsync(path, new { value }, cancellationToken, "name");
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
            var answer = await connection.Api.ListAsync("/api/v1/secrets?limit=200", cancellationToken);
            if (parsed.GetValue(CliOptions.JsonOption))
            {
                Terminal.Of(parsed).WriteJson(answer);
                return ExitCodes.Ok;
            }

            Terminal.Of(parsed).Table(
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
            var path = PathOf(parsed.GetValue(Name)!);
            await using var connection = await ServerConnection.OpenAsync(CliOptions.From(parsed), cancellationToken);
            await connection.Api.ChangeAsync(HttpMethod.Delete, path, null, cancellationToken);
            return ExitCodes.Ok;
        });
        return command;
    }

    private static string PathOf(string name) => "/api/v1/secrets/" + Segment.Of(name, "secret");
}
