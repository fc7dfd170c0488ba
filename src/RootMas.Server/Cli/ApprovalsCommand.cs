using System.CommandLine;
using System.Text.Json;

namespace RootMas.Server.Cli;

/// <summary><c>rootmas approvals …</c>: what waits for a decision, and deciding it.</summary>
internal static class ApprovalsCommand
{
    private static readonly Argument<string> Id = new("id") { Description = "The approval." };
    private static readonly Option<string?> Reason = new("--reason") { Description = "Told to the agent." };
    private static readonly Option<int> Limit = new("--limit") { Description = "How many (1–200).", DefaultValueFactory = static _ => 50 };

    public static Command Create() => new("approvals", "Decide about calls that wait for approval.") { List(), Decide("approve", "Let exactly this call run, once."), Decide("deny", "Refuse it.") };

    private static Command List()
    {
        var command = new Command("list", "List what waits for a decision, newest first.") { Limit, CliOptions.JsonOption };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var terminal = Terminal.Of(parsed);
            await using var connection = await ServerConnection.OpenAsync(CliOptions.From(parsed), cancellationToken);
            var answer = await connection.Api.ListAsync($"/api/v1/approvals?status=pending&limit={parsed.GetValue(Limit)}", cancellationToken);
            if (answer.Text("next_cursor") is not null)
            {
                terminal.Note($"More wait than these {answer.Items().Count()}, the newest. --limit shows up to 200; any of them is decided by its id.");
            }

            if (parsed.GetValue(CliOptions.JsonOption))
            {
                terminal.WriteJson(answer);
                return ExitCodes.Ok;
            }

            terminal.Table(
                ["Approval", "Agent", "Tool", "Where", "Expires", "Arguments"],
                answer.Items().Select(a => (IReadOnlyList<string>)
                    [a.Text("id")!, a.Text("agent")!, a.Text("tool")!, a.Text("target_origin") ?? "", a.Text("expires_at")!, ExactText.OfArguments(a)]));
            return ExitCodes.Ok;
        });
        return command;
    }

    private static Command Decide(string decision, string description)
    {
        var command = new Command(decision, description) { Id, Reason };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var id = parsed.GetValue(Id)!;
            var named = Segment.Of(id, "approval");
            await using var connection = await ServerConnection.OpenAsync(CliOptions.From(parsed), cancellationToken);
            var found = await FindAsync($"status=all&id={named}");
            if (found.Count == 0)
            {
                found = await FindAsync("status=pending"); // a server of before knows no id here
            }

            if (found.Count == 0)
            {
                throw new CliException(ExitCodes.NotFound, $"There is no approval '{id}'. See: rootmas approvals list");
            }

            // What is shown is what is decided: the hash binds the decision to these bytes. Of one that was decided already the server says so.
            Terminal.Of(parsed).Note($"{decision}: {found[0].Text("tool")} {ExactText.OfArguments(found[0])}");
            await connection.Api.PostAsync(
                "/api/v1/approvals/" + named,
                parsed.GetValue(Reason) is { } reason
                    ? new { decision, arguments_hash = found[0].Text("arguments_hash"), reason }
                    : new { decision, arguments_hash = found[0].Text("arguments_hash") },
                cancellationToken,
                "id");
            return ExitCodes.Ok;

            async Task<List<JsonElement>> FindAsync(string which) =>
                [.. (await connection.Api.ListAsync($"/api/v1/approvals?{which}&limit=200", cancellationToken)).Items().Where(a => a.Text("id") == id)];
        });
        return command;
    }
}
