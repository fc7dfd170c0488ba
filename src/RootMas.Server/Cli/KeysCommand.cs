using System.CommandLine;
using System.Security.Cryptography;
using RootMas.Server.Platform.Secrets;

namespace RootMas.Server.Cli;

/// <summary><c>rootmas keys …</c>: the keys that sign access tokens, which running servers change without a restart, and a new master key for an operator to keep.</summary>
internal static class KeysCommand
{
    private const string Path = "/api/v1/auth/keys";
    private static readonly Option<bool> VoidOld = new("--void-old") { Description = "Old keys are void at once: after somebody else may have seen one." };

    public static Command Create() => new("keys", "Manage the keys that sign access tokens, and make a master key.") { List(), Rotate(), Master() };

    private static Command Master()
    {
        var command = new Command("master", "Print a new master key: 32 random bytes as base64. It is kept nowhere; give it to every instance as ROOTMAS_MASTER_KEY or ROOTMAS_MASTER_KEY_FILE.");
        command.SetAction(static parsed => CliConsole.Of(parsed).Output.WriteLine(Convert.ToBase64String(RandomNumberGenerator.GetBytes(KeyFile.Bytes))));
        return command;
    }

    private static Command List()
    {
        var command = new Command("list", "List signing keys by their ids.") { CliOptions.JsonOption };
        command.SetAction((parsed, cancellationToken) => ShowAsync(parsed, static (api, stop) => api.ListAsync(Path, stop), cancellationToken));
        return command;
    }

    private static Command Rotate()
    {
        var command = new Command("rotate", "Sign with a new key from now on; the old one verifies until its tokens are over.") { VoidOld, CliOptions.JsonOption };
        command.SetAction((parsed, cancellationToken) =>
        {
            var path = parsed.GetValue(VoidOld) ? Path + "/rotate?void_old=true" : Path + "/rotate";
            return ShowAsync(parsed, (api, stop) => api.PostAsync(path, new { }, stop, JsonText.List), cancellationToken);
        });
        return command;
    }

    private static async Task<int> ShowAsync(ParseResult parsed, Func<ApiClient, CancellationToken, Task<System.Text.Json.JsonElement>> call, CancellationToken cancellationToken)
    {
        var options = CliOptions.From(parsed);
        await using var connection = await ServerConnection.OpenAsync(options, cancellationToken);
        var keys = await call(connection.Api, cancellationToken);
        if (parsed.GetValue(CliOptions.JsonOption))
        {
            Terminal.Of(parsed).WriteJson(keys);
            return ExitCodes.Ok;
        }

        Terminal.Of(parsed).Table(
            ["Key", "Made", "Verifies until"],
            keys.Items().Select(k => (IReadOnlyList<string>)[k.Text("kid")!, k.Text("created_at")!, k.Text("verify_until") ?? "signs"]));
        return ExitCodes.Ok;
    }
}
