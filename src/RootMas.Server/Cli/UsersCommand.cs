using System.CommandLine;
using System.Text.Json;

namespace RootMas.Server.Cli;

/// <summary><c>rootmas users …</c>: who may log in. Passwords come from the terminal or from stdin, never from an argument.</summary>
internal static class UsersCommand
{
    private const string Path = "/api/v1/users";
    private static readonly Argument<string> Username = new("username") { Description = "The user's name." };
    private static readonly Argument<string> NewRole = new("role") { Description = "admin, user, agent or readonly." };
    private static readonly Option<string> RoleOption = new("--role") { Description = "admin, user, agent or readonly.", DefaultValueFactory = static _ => "user" };

    public static Command Create() => new("users", "Manage who may log in.")
    {
        Add(),
        List(),
        Change("disable", "End all sessions of a user and stop what works for them.", new { disabled = true }),
        Change("enable", "Let a disabled user log in again.", new { disabled = false }),
        Password(),
        Role(),
        Remove(),
    };

    private static Command Add()
    {
        var command = new Command("add", "Add a user; the password is asked for, or read from stdin.") { Username, RoleOption };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var options = CliOptions.From(parsed);
            var terminal = Terminal.Of(parsed);
            var password = await NewPasswordAsync(terminal, cancellationToken);
            await using var connection = await ServerConnection.OpenAsync(options, cancellationToken);
            var made = await connection.Api.PostAsync(Path, new { username = parsed.GetValue(Username), password, role = parsed.GetValue(RoleOption) }, cancellationToken, "id");
            Terminal.Of(parsed).WriteLine(made.Text("id")!);
            return ExitCodes.Ok;
        });
        return command;
    }

    private static Command List()
    {
        var command = new Command("list", "List users.") { CliOptions.JsonOption };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var options = CliOptions.From(parsed);
            await using var connection = await ServerConnection.OpenAsync(options, cancellationToken);
            var users = new List<JsonElement>();
            for (var cursor = ""; cursor is not null;)
            {
                var page = await connection.Api.ListAsync($"{Path}?limit=200{(cursor.Length == 0 ? "" : "&cursor=" + Uri.EscapeDataString(cursor))}", cancellationToken);
                users.AddRange(page.Items());
                cursor = page.Text("next_cursor");
            }

            if (parsed.GetValue(CliOptions.JsonOption))
            {
                Terminal.Of(parsed).WriteJson(JsonSerializer.SerializeToElement(new { items = users }));
                return ExitCodes.Ok;
            }

            Terminal.Of(parsed).Table(
                ["User", "Name", "Role", "State", "Last login"],
                users.Select(u => (IReadOnlyList<string>)[u.Text("id")!, u.Text("username")!, u.Text("role")!, u.Text("disabled") == "true" ? "disabled" : "active", u.Text("last_login_at") ?? ""]));
            return ExitCodes.Ok;
        });
        return command;
    }

    private static Command Change(string name, string description, object change)
    {
        var command = new Command(name, description) { Username };
        command.SetAction((parsed, cancellationToken) => SendAsync(parsed, HttpMethod.Patch, change, cancellationToken));
        return command;
    }

    private static Command Role()
    {
        var command = new Command("role", "Give a user another role.") { Username, NewRole };
        command.SetAction((parsed, cancellationToken) => SendAsync(parsed, HttpMethod.Patch, new { role = parsed.GetValue(NewRole) }, cancellationToken));
        return command;
    }

    private static Command Remove()
    {
        var command = new Command("remove", "Erase a user with their conversations and runs.") { Username };
        command.SetAction((parsed, cancellationToken) => SendAsync(parsed, HttpMethod.Delete, null, cancellationToken));
        return command;
    }

    private static Command Password()
    {
        var command = new Command("password", "Set a user's password; it is asked for, or read from stdin. All their sessions end.") { Username };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var options = CliOptions.From(parsed);
            Segment.Of(parsed.GetValue(Username), "user"); // before anything is asked
            var password = await NewPasswordAsync(Terminal.Of(parsed), cancellationToken);
            await using var connection = await ServerConnection.OpenAsync(options, cancellationToken);
            await connection.Api.PostAsync($"{await PathOfAsync(connection, parsed.GetValue(Username)!, cancellationToken)}/password", new { password }, cancellationToken, ApiClient.Nothing);
            return ExitCodes.Ok;
        });
        return command;
    }

    private static async Task<int> SendAsync(ParseResult parsed, HttpMethod method, object? change, CancellationToken cancellationToken)
    {
        await using var connection = await ServerConnection.OpenAsync(CliOptions.From(parsed), cancellationToken);
        await connection.Api.ChangeAsync(method, await PathOfAsync(connection, parsed.GetValue(Username)!, cancellationToken), change, cancellationToken);
        return ExitCodes.Ok;
    }

    private static async Task<string> PathOfAsync(ServerConnection connection, string username, CancellationToken cancellationToken)
    {
        var found = (await connection.Api.ListAsync($"{Path}?username={Segment.Of(username, "user")}", cancellationToken)).Items().ToList();
        return found is [var user]
            ? $"{Path}/{user.Text("id")}"
            : throw new CliException(ExitCodes.NotFound, $"There is no user '{username}'. See: rootmas users list");
    }

    private static async Task<string> NewPasswordAsync(Terminal terminal, CancellationToken cancellationToken)
    {
        var password = await terminal.SecretAsync("Password:", cancellationToken);
        if (string.IsNullOrEmpty(password))
        {
            throw new CliException(ExitCodes.Usage, "No password was given. Pipe it in, or run this in a terminal.");
        }

        return !terminal.CanAsk || await terminal.SecretAsync("Once more:", cancellationToken) == password
            ? password
            : throw new CliException(ExitCodes.Usage, "The two passwords are not the same. Nothing was done.");
    }
}
