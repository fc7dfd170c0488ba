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
            await using (var connection = ServerConnection.At(login.Server, login.Key, CliOptions.From(parsed)))
            {
                await CheckAsync(connection.Api, cancellationToken);
            }

            terminal.Note($"Stored in {login.Write(tree.Variables)} (mode 600).");
            return ExitCodes.Ok;
        });
        return command;
    }

    /// <exception cref="CliException">Nobody answers there, it is another program, or the key is not taken.</exception>
    private static async Task CheckAsync(ApiClient api, CancellationToken cancellationToken)
    {
        try
        {
            await api.LookAsync("/api/v1/auth/me", cancellationToken, "user", "permissions");
        }
        catch (CliException e)
        {
            throw new CliException(e.ExitCode, $"{e.Message}\nNothing was stored{(e.ExitCode == ExitCodes.NotAllowed ? ": the server does not take this key. Make one there: rootmas api-keys create NAME" : "")}.", e);
        }
    }
}
