using System.CommandLine;

namespace RootMas.Server.Cli;

/// <summary><c>rootmas approvals …</c>: what waits for a decision, and deciding it.</summary>
internal static class ApprovalsCommand
{
    private static readonly Argument<string> Id = new("id") { Description = "The approval." };
    private static readonly Option<string?> Reason = new("--reason") { Description = "Told to the agent." };

    public static Command Create() => new("approvals", "Decide about calls that wait for approval.") { List(), Decide("approve", "Let exactly this call run, once."), Decide("deny", "Refuse it.") };

    private static Command List()
    {
        var command = new Command("list", "List what waits for a decision.") { CliOptions.JsonOption };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var terminal = Terminal.Of(parsed);
            await using var connection = await ServerConnection.OpenAsync(CliOptions.From(parsed), cancellationToken);
            var answer = await connection.Api.GetAsync("/api/v1/approvals?status=pending", cancellationToken);
            if (parsed.GetValue(CliOptions.JsonOption))
            {
                terminal.WriteJson(answer);
                return ExitCodes.Ok;
            }

            terminal.Table(
                ["Approval", "Agent", "Tool", "Where", "Expires", "Arguments"],
                answer.Items().Select(a => (IReadOnlyList<string>)
                    [a.Text("id")!, a.Text("agent")!, a.Text("tool")!, a.Text("target_origin") ?? "", a.Text("expires_at")!, a.Text("arguments") ?? ""]));
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
            var waiting = (await connection.Api.GetAsync("/api/v1/approvals?status=pending&limit=200", cancellationToken)).Items().Where(a => a.Text("id") == id).ToList();
            if (waiting.Count == 0)
            {
                throw new CliException(ExitCodes.NotFound, $"No approval '{id}' waits for a decision. See: rootmas approvals list");
            }

            // What is shown is what is decided: the hash binds the decision to these bytes.
            Terminal.Of(parsed).Note($"{decision}: {waiting[0].Text("tool")} {waiting[0].Text("arguments")}");
            await connection.Api.PostAsync(
                "/api/v1/approvals/" + named,
                parsed.GetValue(Reason) is { } reason
                    ? new { decision, arguments_hash = waiting[0].Text("arguments_hash"), reason }
                    : new { decision, arguments_hash = waiting[0].Text("arguments_hash") },
                cancellationToken);
            return ExitCodes.Ok;
        });
        return command;
    }
}
