using System.CommandLine;
using System.Text.Json;

namespace RootMas.Server.Cli;

/// <summary><c>rootmas api-keys …</c>: one's own keys for programs.</summary>
internal static class ApiKeysCommand
{
    private static readonly Argument<string> Name = new("name") { Description = "What the key is for." };
    private static readonly Argument<string> Id = new("id") { Description = "The key." };
    private static readonly Option<string[]> Scope = new("--scope") { Description = "A permission that the key is cut down to, for example chat:write. May be given several times; without: all that you may do.", AllowMultipleArgumentsPerToken = true };
    private static readonly Option<int?> Days = new("--days") { Description = "Days until it ends by itself; without: never." };

    public static Command Create() => new("api-keys", "Keys with which programs sign in as you.") { New(), List(), Revoke() };

    private static Command New()
    {
        Days.Bound(1, 36_500, "--days must be 1 to 36500.");
        var command = new Command("create", "Make a key. Its secret goes to the standard output, this once.") { Name, Scope, Days, CliOptions.JsonOption };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            await using var connection = await ServerConnection.OpenAsync(CliOptions.From(parsed), cancellationToken);
            var body = new Dictionary<string, object>(StringComparer.Ordinal) { ["name"] = parsed.GetValue(Name)!, ["scopes"] = parsed.GetValue(Scope) ?? [] };
            if (parsed.GetValue(Days) is { } days)
            {
                body["expires_at"] = TimeProvider.System.GetUtcNow().AddDays(days);
            }

            var made = await connection.Api.PostAsync("/api/v1/api-keys", body, cancellationToken, "id", "secret");
            var terminal = Terminal.Of(parsed);
            var isJson = parsed.GetValue(CliOptions.JsonOption);
            Show(terminal, made, isJson);
            if (isJson)
            {
                return ExitCodes.Ok;
            }

            terminal.Note($"Key {made.Text("id")} was made. The line above is its secret; it cannot be shown again.");
            return ExitCodes.Ok;
        });
        return command;
    }

    private static void Show(Terminal terminal, JsonElement made, bool isJson)
    {
        try
        {
            if (isJson)
            {
                terminal.WriteJson(made);
            }
            else
            {
                terminal.WriteLine(made.Text("secret")!);
            }
        }
        catch (OutputException e)
        {
            throw new CliException(ExitCodes.Failed, $"{e.Message} Key {made.Text("id")} was made, and its secret is lost: it cannot be shown again. Say: rootmas api-keys revoke {made.Text("id")}. Then make another.", e);
        }
    }

    private static Command List()
    {
        var command = new Command("list", "List your keys.") { CliOptions.JsonOption };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var options = CliOptions.From(parsed);
            await using var connection = await ServerConnection.OpenAsync(options, cancellationToken);
            var answer = await connection.Api.ListAsync("/api/v1/api-keys?limit=200", cancellationToken);
            if (parsed.GetValue(CliOptions.JsonOption))
            {
                Terminal.Of(parsed).WriteJson(answer);
                return ExitCodes.Ok;
            }

            Terminal.Of(parsed).Table(
                ["Key", "Name", "Begins with", "Scopes", "Ends", "Last used"],
                answer.Items().Select(k => (IReadOnlyList<string>)
                    [k.Text("id")!, k.Text("name")!, k.Text("hint")!, string.Join(' ', k.Items("scopes").Select(static s => s.GetString())), k.Text("expires_at") ?? "never", k.Text("last_used_at") ?? "not yet"]));
            return ExitCodes.Ok;
        });
        return command;
    }

    private static Command Revoke()
    {
        var command = new Command("revoke", "Revoke a key, at once.") { Id };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var id = Segment.Of(parsed.GetValue(Id), "key");
            await using var connection = await ServerConnection.OpenAsync(CliOptions.From(parsed), cancellationToken);
            await connection.Api.DeleteAsync("/api/v1/api-keys/" + id, cancellationToken);
            return ExitCodes.Ok;
        });
        return command;
    }
}
