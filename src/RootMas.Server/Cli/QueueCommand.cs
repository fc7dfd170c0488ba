using System.CommandLine;
using System.Text.Json;

namespace RootMas.Server.Cli;

/// <summary><c>rootmas queue …</c>: what waits for a worker, and what is not tried again by itself.</summary>
internal static class QueueCommand
{
    private static readonly Argument<string> Id = new("id") { Description = "The dead letter." };

    public static Command Create() => new("queue", "See the queue of runs and act on dead letters.") { Status(), Dead(), Redrive(), Purge() };

    private static Command Status()
    {
        var command = new Command("status", "How many runs wait, since when, and who works on them.") { CliOptions.JsonOption };
        command.SetAction((parsed, cancellationToken) => WithAsync(parsed, async (connection, terminal) =>
        {
            var queue = await connection.Api.GetAsync("/api/v1/queue", cancellationToken, "waiting");
            if (parsed.GetValue(CliOptions.JsonOption))
            {
                terminal.WriteJson(queue);
                return;
            }

            terminal.WriteLine($"{queue.Text("waiting")} wait for a worker (oldest {queue.Text("oldest_since") ?? "-"}), {queue.Text("running")} run, {queue.Text("waiting_for_branch")} wait for their branch; dispatch: {queue.Text("dispatch")}, broker: {queue.Text("broker")}");
            terminal.WriteLine($"{queue.Text("dead_letters")} dead letters, {queue.Text("unsent")} messages unsent, {queue.Text("waiting_for_turn")} wait for their user's turn");
            Table(terminal, ["Worker", "Running"], queue.Items("workers"), static w => [w.Text("name")!, w.Text("running")!]);
            Table(terminal, ["Queue", "Messages", "Consumers"], queue.Items("queues"), static q => [q.Text("name")!, q.Text("messages")!, q.Text("consumers")!]);
        }, cancellationToken));
        return command;
    }

    private static Command Dead()
    {
        var limit = new Option<int>("--limit") { Description = "How many (1–200).", DefaultValueFactory = static _ => 50 };
        var command = new Command("dead", "List dead letters, newest first.") { limit, CliOptions.JsonOption };
        command.SetAction((parsed, cancellationToken) => WithAsync(parsed, async (connection, terminal) =>
        {
            var answer = await connection.Api.ListAsync($"/api/v1/queue/dead?limit={parsed.GetValue(limit)}", cancellationToken);
            if (parsed.GetValue(CliOptions.JsonOption))
            {
                terminal.WriteJson(answer);
                return;
            }

            terminal.Table(
                ["Id", "Kind", "Since", "Tries", "Run", "Because"],
                answer.Items().Select(d => (IReadOnlyList<string>)[d.Text("id")!, d.Text("kind")!, d.Text("created_at")!, d.Text("deliveries")!, d.Text("run_id") ?? "", d.Text("reason")!]));
        }, cancellationToken));
        return command;
    }

    private static Command Redrive()
    {
        var command = new Command("redrive", "Try a dead letter again.") { Id, CliOptions.JsonOption };
        command.SetAction((parsed, cancellationToken) => WithAsync(parsed, async (connection, terminal) =>
        {
            var answer = await connection.Api.PostAsync($"/api/v1/queue/dead/{Named(parsed)}/redrive", new { }, cancellationToken, "run_id");
            if (parsed.GetValue(CliOptions.JsonOption))
            {
                terminal.WriteJson(answer);
                return;
            }

            terminal.Note($"It is tried again as run {answer.Text("run_id")}. See it with: rootmas runs attach {answer.Text("run_id")}");
        }, cancellationToken));
        return command;
    }

    private static Command Purge()
    {
        var command = new Command("purge", "Delete a dead letter; its run stays as it is.") { Id };
        command.SetAction((parsed, cancellationToken) => WithAsync(parsed, async (connection, terminal) =>
        {
            await connection.Api.DeleteAsync($"/api/v1/queue/dead/{Named(parsed)}", cancellationToken);
            terminal.Note("Deleted.");
        }, cancellationToken));
        return command;
    }

    private static string Named(ParseResult parsed) => Segment.Of(parsed.GetValue(Id), "dead letter");

    private static void Table(Terminal terminal, IReadOnlyList<string> heads, IEnumerable<JsonElement> items, Func<JsonElement, IReadOnlyList<string>> row)
    {
        var rows = items.Select(row).ToList();
        if (rows.Count > 0)
        {
            terminal.Table(heads, rows);
        }
    }

    private static async Task<int> WithAsync(ParseResult parsed, Func<ServerConnection, Terminal, Task> work, CancellationToken cancellationToken)
    {
        await using var connection = await ServerConnection.OpenAsync(CliOptions.From(parsed), cancellationToken);
        await work(connection, Terminal.Of(parsed));
        return ExitCodes.Ok;
    }
}
