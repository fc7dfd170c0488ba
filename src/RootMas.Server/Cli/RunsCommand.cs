using System.CommandLine;
using System.Text.Json;

namespace RootMas.Server.Cli;

/// <summary><c>rootmas runs …</c>: list, show, attach, cancel, retry, answer, resolve.</summary>
internal static class RunsCommand
{
    private static readonly Argument<string> Id = new("id") { Description = "The run." };

    public static Command Create() => new("runs", "See runs and act on them.") { List(), Show(), Attach(), Cancel(), Retry(), Answer(), Resolve() };

    private static Command List()
    {
        var status = new Option<string?>("--status") { Description = "Only runs in this state." };
        var limit = new Option<int>("--limit") { Description = "How many (1–200).", DefaultValueFactory = _ => 20 };
        var all = new Option<bool>("--all") { Description = "Everybody's runs, for administrators." };
        var command = new Command("list", "List runs, newest first.") { status, limit, all, CliOptions.JsonOption };
        command.SetAction((parsed, cancellationToken) => WithAsync(parsed, async (connection, terminal) =>
        {
            var isAll = parsed.GetValue(all);
            var filter = (parsed.GetValue(status) is { } s ? "&status=" + Uri.EscapeDataString(s) : "") + (isAll ? "&user=*" : "");
            var answer = await connection.Api.ListAsync($"/api/v1/runs?limit={parsed.GetValue(limit)}{filter}", cancellationToken);
            if (parsed.GetValue(CliOptions.JsonOption))
            {
                terminal.WriteJson(answer);
                return;
            }

            string[] whose = isAll ? ["User"] : [];
            terminal.Table(
                ["Run", "Status", "Agent", "Cost USD", "Started", .. whose, "Waits or failed because"],
                answer.Items().Select(r => (IReadOnlyList<string>)
                    [r.Text("id")!, r.Text("status")!, r.Text("agent")!, r.Text("tree_cost_usd") ?? "", r.Text("created_at")!, .. whose.Select(_ => r.Text("owner_id")!), r.Text("reason") ?? ""]));
        }, cancellationToken));
        return command;
    }

    private static Command Show()
    {
        var command = new Command("show", "Show one run with its children.") { Id, CliOptions.JsonOption };
        command.SetAction((parsed, cancellationToken) => WithAsync(parsed, async (connection, terminal) =>
        {
            var run = await connection.Api.GetAsync($"/api/v1/runs/{Named(parsed)}?tree=1", cancellationToken, "id");
            if (parsed.GetValue(CliOptions.JsonOption))
            {
                terminal.WriteJson(run);
                return;
            }

            Print(terminal, run, 0);
            if (run.TryGetProperty("answer", out var answer) && answer.Text("text") is { } text)
            {
                terminal.WriteLine();
                terminal.WriteLine(text);
                RunFollower.SayWhatCutIt(terminal, answer);
            }
        }, cancellationToken));
        return command;
    }

    private static void Print(Terminal terminal, JsonElement run, int depth)
    {
        terminal.WriteLine($"{new string(' ', depth * 2)}{run.Text("id")}  {run.Text("status")}  {run.Text("agent")}  {run.Text("cost_usd")} USD  {run.Text("reason")}".TrimEnd());
        foreach (var child in run.Items("children"))
        {
            Print(terminal, child, depth + 1);
        }
    }

    private static Command Attach()
    {
        var command = new Command("attach", "Follow a run from its beginning; Ctrl-C leaves it running.") { Id, CliOptions.JsonOption };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var options = CliOptions.From(parsed);
            var terminal = Terminal.Of(parsed);
            await using var connection = await ServerConnection.OpenAsync(options, cancellationToken);
            var id = parsed.GetValue(Id)!;
            await connection.Api.GetAsync("/api/v1/runs/" + Named(parsed), cancellationToken, "id");
            return await ChatCommand.FollowAsync(connection, terminal, id, parsed.GetValue(CliOptions.JsonOption), cancels: false, cancellationToken);
        });
        return command;
    }

    private static Command Cancel() => Verb("cancel", "Cancel a run and its children.", [], (parsed, id) => ($"/api/v1/runs/{id}/cancel", new { }), static run => run.Text("status") is "completed" or "failed"
        ? throw new CliException(ExitCodes.Conflict, $"The run had ended ({run.Text("status")}).")
        : "Cancelled.");

    private static Command Retry()
    {
        var from = new Option<long?>("--from-seq") { Description = "Copy what was done before this event; without it, start over." };
        from.Bound(1L, long.MaxValue, "--from-seq must be the number of an event: 1 or more.");
        return Verb("retry", "Make a new run of the same input.", [from],
            (parsed, id) => ($"/api/v1/runs/{id}/retry", parsed.GetValue(from) is { } seq ? new { from_seq = seq } : new { }), static _ => "A new run was started.");
    }

    private static Command Answer()
    {
        var text = new Argument<string>("text") { Description = "The answer." };
        return Verb("answer", "Answer a run that asks its user.", [text], (parsed, id) => ($"/api/v1/runs/{id}/input", new { text = parsed.GetValue(text) }), static _ => "Answered.");
    }

    private static Command Resolve()
    {
        var call = new Argument<string>("call") { Description = "The call in doubt, like call_3." };
        var outcome = new Argument<string>("outcome") { Description = "done, repeat or cancel." };
        outcome.AcceptOnlyFromAmong("done", "repeat", "cancel");
        return Verb("resolve", "Decide about a call that may or may not have taken effect.", [call, outcome],
            (parsed, id) => ($"/api/v1/runs/{id}/resolve", new { call_id = parsed.GetValue(call), outcome = parsed.GetValue(outcome) }), static _ => "Decided.");
    }

    private static Command Verb(string name, string description, IReadOnlyList<Symbol> symbols, Func<ParseResult, string, (string Path, object Body)> request, Func<JsonElement, string> done)
    {
        var command = new Command(name, description) { Id };
        foreach (var symbol in symbols)
        {
            if (symbol is Argument argument)
            {
                command.Arguments.Add(argument);
            }
            else
            {
                command.Options.Add((Option)symbol);
            }
        }

        command.SetAction((parsed, cancellationToken) => WithAsync(parsed, async (connection, terminal) =>
        {
            var (path, body) = request(parsed, Named(parsed));
            var answer = await connection.Api.PostAsync(path, body, cancellationToken, "id");
            terminal.Note(done(answer) + (answer.Text("id") is { } run && run != parsed.GetValue(Id) ? $" See it with: rootmas runs attach {run}" : ""));
        }, cancellationToken));
        return command;
    }

    private static string Named(ParseResult parsed) => Segment.Of(parsed.GetValue(Id), "run");

    private static async Task<int> WithAsync(ParseResult parsed, Func<ServerConnection, Terminal, Task> work, CancellationToken cancellationToken)
    {
        var options = CliOptions.From(parsed);
        var terminal = Terminal.Of(parsed);
        await using var connection = await ServerConnection.OpenAsync(options, cancellationToken);
        await work(connection, terminal);
        return ExitCodes.Ok;
    }
}
