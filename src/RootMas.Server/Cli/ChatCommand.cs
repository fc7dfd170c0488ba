using System.CommandLine;
using System.Runtime.InteropServices;
using RootMas.Server.Platform.Settings;

namespace RootMas.Server.Cli;

/// <summary><c>rootmas chat "…"</c>: one message, one answer. Without a text it reads stdin.</summary>
internal static class ChatCommand
{
    private static readonly Argument<string?> Message = new("message") { Description = "What to ask; without it, stdin is read.", Arity = ArgumentArity.ZeroOrOne };
    private static readonly Option<string?> Conversation = new("--conversation") { Description = "Go on with this conversation." };
    private static readonly Option<string?> Team = new("--team") { Description = "The team that answers (default root-mas)." };
    private static readonly Option<string?> Agent = new("--agent") { Description = "The agent that enters, or answers alone without --team." };
    private static readonly Option<string?> Model = new("--model") { Description = "A model id or tier instead of the agents' own." };

    public static Command Create()
    {
        var command = new Command("chat", "Ask the team. Ctrl-C cancels the run; a second Ctrl-C leaves it running.") { Message, Conversation, Team, Agent, Model, CliOptions.JsonOption };
        command.SetAction(RunAsync);
        return command;
    }

    /// <summary>Follows a run; the first Ctrl-C cancels it, the second leaves it.</summary>
    public static async Task<int> FollowAsync(ServerConnection connection, Terminal terminal, string runId, bool json, bool cancels, CancellationToken cancellationToken)
    {
        using var leave = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var presses = 0;
        using var signal = PosixSignalRegistration.Create(PosixSignal.SIGINT, context =>
        {
            context.Cancel = true;
            if (Interlocked.Increment(ref presses) > 1 || !cancels)
            {
                leave.Cancel();
                return;
            }

            terminal.Note("Cancelling … (Ctrl-C again leaves the run running)");
            _ = CancelAsync(connection, terminal, runId);
        });
        try
        {
            return await new RunFollower(connection, terminal, json).FollowAsync(runId, leave.Token);
        }
        catch (OperationCanceledException) when (leave.IsCancellationRequested)
        {
            terminal.Warn(connection.IsOwn
                ? $"The run is kept and goes on when a server starts (rootmas serve). Then: rootmas runs attach {runId}"
                : $"The run goes on. See it with: rootmas runs attach {runId}");
            return ExitCodes.Interrupted;
        }
    }

    private static async Task CancelAsync(ServerConnection connection, Terminal terminal, string runId)
    {
        try
        {
            await connection.Api.PostAsync($"/api/v1/runs/{runId}/cancel", new { reason = "Ctrl-C" }, CancellationToken.None);
        }
        catch (CliException e)
        {
            terminal.Warn($"The run could not be cancelled: {e.Message}");
        }
    }

    private static async Task<int> RunAsync(ParseResult parsed, CancellationToken cancellationToken)
    {
        var options = CliOptions.From(parsed);
        var terminal = new Terminal(SettingsTree.Read(options.ToArguments()).Variables);
        var text = parsed.GetValue(Message) ?? await ReadAsync(terminal, cancellationToken);
        if (string.IsNullOrWhiteSpace(text))
        {
            throw new CliException(ExitCodes.Usage, "There is nothing to ask. Give a text: rootmas chat \"…\", or pipe one in.");
        }

        await using var connection = await ServerConnection.OpenAsync(options, cancellationToken);
        var conversation = parsed.GetValue(Conversation)
            ?? (await connection.Api.PostAsync("/api/v1/conversations", new { }, cancellationToken)).Text("id")!;
        var body = new Dictionary<string, string?>(StringComparer.Ordinal)
        {
            ["message"] = text,
            ["team"] = parsed.GetValue(Team),
            ["agent"] = parsed.GetValue(Agent),
            ["model"] = parsed.GetValue(Model),
        };
        var accepted = await connection.Api.PostAsync(
            $"/api/v1/conversations/{Uri.EscapeDataString(conversation)}/runs",
            body.Where(m => m.Value is not null).ToDictionary(m => m.Key, m => m.Value, StringComparer.Ordinal),
            cancellationToken);
        var run = accepted.Text("run_id")!;
        terminal.Note($"  run {run} in conversation {conversation}");
        return await FollowAsync(connection, terminal, run, parsed.GetValue(CliOptions.JsonOption), cancels: true, cancellationToken);
    }

    private static async Task<string?> ReadAsync(Terminal terminal, CancellationToken cancellationToken) =>
        Console.IsInputRedirected ? await Console.In.ReadToEndAsync(cancellationToken) : await terminal.AskAsync("You:", cancellationToken);
}
