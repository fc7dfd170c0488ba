using System.CommandLine;
using RootMas.Server.Platform.Settings;

namespace RootMas.Server.Cli;

/// <summary><c>rootmas login</c>: stores the address and key of a remote server. The key is read from stdin or <c>ROOTMAS_API_KEY</c>, never from an argument.</summary>
internal static class LoginCommand
{
    public static Command Create()
    {
        var server = new Argument<string>("server") { Description = "Address of the server." };
        var command = new Command("login", "Remember a remote server and an API key (read from stdin or ROOTMAS_API_KEY).") { server };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var tree = SettingsTree.Read(CliOptions.From(parsed).ToArguments());
            var terminal = Terminal.Of(parsed);
            var key = tree.Variables.Get("ROOTMAS_API_KEY")
                ?? (terminal.Console.IsInputRedirected ? await terminal.Console.Input.ReadLineAsync(cancellationToken) : await terminal.AskAsync("API key:", cancellationToken));
            if (string.IsNullOrWhiteSpace(key))
            {
                throw new CliException(ExitCodes.Usage, "No key was given. Pipe it in, or set ROOTMAS_API_KEY.");
            }

            var login = new StoredLogin(parsed.GetValue(server)!, key.Trim());
            await using (var connection = await ServerConnection.OpenAsync(CliOptions.From(parsed) with { Server = login.Server }, cancellationToken))
            {
                await connection.Api.ProbeAsync("/health", cancellationToken);
            }

            terminal.Note($"Stored in {login.Write(tree.Variables)} (mode 600).");
            return ExitCodes.Ok;
        });
        return command;
    }
}
