using System.CommandLine;
using System.Diagnostics;
using System.Text.Json;
using RootMas.Server.Platform.Http;

namespace RootMas.Server.Cli;

/// <summary><c>rootmas chat "…"</c>: one message, one answer. Without a text it reads stdin.</summary>
internal static class ChatCommand
{
    private static readonly TimeSpan CancelWithin = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan LeaveWithin = TimeSpan.FromMilliseconds(300);
    private static readonly CharactersAttribute Sendable = new(1, 10_000); // as the server has it
    private static readonly Argument<string?> Message = new("message") { Description = "What to ask; without it, stdin is read.", Arity = ArgumentArity.ZeroOrOne };
    private static readonly Option<string?> Conversation = new("--conversation") { Description = "Go on with this conversation." };
    private static readonly Option<string?> Team = new("--team") { Description = "The team that answers (default root-mas)." };
    private static readonly Option<string?> Agent = new("--agent") { Description = "The agent that enters, or answers alone without --team." };
    private static readonly Option<string?> Model = new("--model") { Description = "A model id or tier instead of the agents' own." };

    public static Command Create()
    {
        var command = new Command("chat", "Ask the team. Ctrl-C cancels the run; a second Ctrl-C leaves without waiting for that.") { Message, Conversation, Team, Agent, Model, CliOptions.JsonOption };
        command.SetAction(RunAsync);
        return command;
    }

    /// <summary>Follows a run; the first Ctrl-C cancels it, the second leaves it.</summary>
    public static async Task<int> FollowAsync(ServerConnection connection, Terminal terminal, string runId, bool json, bool cancels, CancellationToken cancellationToken)
    {
        using var leave = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        using var ask = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        terminal.Questions = ask.Token;
        using var enough = new CancellationTokenSource();
        var noMore = enough.Token;
        var presses = 0;
        var cancelling = Task.FromResult(false);
        using var signal = terminal.Console.OnInterrupt(() =>
        {
            if (Interlocked.Increment(ref presses) > 1 || !cancels)
            {
                leave.Cancel();
                return;
            }

            terminal.Note("Cancelling … (Ctrl-C again leaves without waiting for it)");
            cancelling = CancelAsync(connection, terminal, runId, noMore);
            ask.Cancel();
        });
        try
        {
            return await new RunFollower(connection, terminal, json).FollowAsync(runId, leave.Token);
        }
        catch (OperationCanceledException) when (leave.IsCancellationRequested)
        {
            terminal.Warn(WhatBecomesOf(runId, connection.IsOwn, cancels && presses > 0 ? await CancelledAsync() : null));
            return ExitCodes.Interrupted;
        }
        catch (OutputException e)
        {
            throw new CliException(ExitCodes.Failed, $"{e.Message} The run is kept. When the output can be written: rootmas runs attach {runId}", e);
        }
        finally
        {
            await CancelledAsync();
        }

        // An answer that is on its way is worth a moment; a server that does not answer is not.
        async Task<bool> CancelledAsync()
        {
            enough.CancelAfter(LeaveWithin);
            return await cancelling;
        }
    }

    /// <param name="isOwn">The server was this command's own and ends with it.</param>
    /// <param name="isTaken">The server has taken the cancel; false: it refused it, or did not answer; null: it was not asked.</param>
    internal static string WhatBecomesOf(string runId, bool isOwn, bool? isTaken) => (isOwn, isTaken) switch
    {
        (true, true) => $"The run was asked to end. If it has not ended yet, it does so when a server starts (rootmas serve). Then: rootmas runs show {runId}",
        (true, false) => $"The cancel is not confirmed: the run may go on when a server starts (rootmas serve). Then cancel it with: rootmas runs cancel {runId}   or follow it with: rootmas runs attach {runId}",
        (true, null) => $"The run is kept and goes on when a server starts (rootmas serve). Then: rootmas runs attach {runId}",
        (false, true) => $"The run goes on until its cancel takes effect. See it with: rootmas runs attach {runId}",
        (false, false) => $"The cancel is not confirmed: the run may go on. Cancel it with: rootmas runs cancel {runId}   or follow it with: rootmas runs attach {runId}",
        (false, null) => $"The run goes on. See it with: rootmas runs attach {runId}",
    };

    private static readonly TimeSpan AskAgainFor = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan AskAgainEvery = TimeSpan.FromSeconds(1);

    /// <param name="enough">Nobody waits for the answer any longer.</param>
    /// <returns>Whether the server has taken it, or the run had ended.</returns>
    private static async Task<bool> CancelAsync(ServerConnection connection, Terminal terminal, string runId, CancellationToken enough)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(enough);
        limit.CancelAfter(CancelWithin);
        try
        {
            await connection.Api.PostAsync($"/api/v1/runs/{runId}/cancel", new { reason = "Ctrl-C" }, limit.Token);
            return true;
        }
        catch (CliException e) when (e.ExitCode == ExitCodes.Conflict)
        {
            return true; // it ended meanwhile, which the stream shows
        }
        catch (CliException e)
        {
            terminal.Warn($"The run could not be cancelled: {e.Message}");
            return false;
        }
        catch (OperationCanceledException) when (enough.IsCancellationRequested)
        {
            return false; // the command ends, and says what is known
        }
        catch (OperationCanceledException)
        {
            terminal.Warn($"The server did not answer the cancel within {CancelWithin.TotalSeconds:0} seconds. Try: rootmas runs cancel {runId}");
            return false;
        }
    }

    private static async Task<int> RunAsync(ParseResult parsed, CancellationToken cancellationToken)
    {
        var options = CliOptions.From(parsed);
        var terminal = Terminal.Of(parsed);
        var text = parsed.GetValue(Message) ?? await ReadAsync(terminal, cancellationToken);
        if (string.IsNullOrWhiteSpace(text))
        {
            throw new CliException(ExitCodes.Usage, "There is nothing to ask. Give a text: rootmas chat \"…\", or pipe one in.");
        }

        if (!Sendable.IsValid(text))
        {
            throw new CliException(ExitCodes.Usage, "The message has more than 10,000 characters, which is the most that one has. Nothing was sent. Put a long text in as a document (rootmas documents upload FILE), and ask about that.");
        }

        await using var connection = await ServerConnection.OpenAsync(options, cancellationToken);
        var made = parsed.GetValue(Conversation) is null ? (await connection.Api.PostAsync("/api/v1/conversations", new { }, cancellationToken, "id")).Text("id") : null;
        var conversation = made ?? parsed.GetValue(Conversation)!;
        var body = new Dictionary<string, string?>(StringComparer.Ordinal)
        {
            ["message"] = text,
            ["team"] = parsed.GetValue(Team),
            ["agent"] = parsed.GetValue(Agent),
            ["model"] = parsed.GetValue(Model),
        };
        JsonElement accepted;
        try
        {
            accepted = await BeginAsync(connection, terminal, conversation, body.Where(m => m.Value is not null).ToDictionary(m => m.Key, m => m.Value, StringComparer.Ordinal), cancellationToken);
        }
        catch (CliException e) when (made is not null && e.ExitCode == ExitCodes.Usage) // of what else is refused, an earlier try may have been taken
        {
            await TakeBackAsync(connection, conversation);
            throw;
        }

        var run = accepted.Text("run_id")!;
        terminal.Note($"  run {run} in conversation {conversation}");
        return await FollowAsync(connection, terminal, run, parsed.GetValue(CliOptions.JsonOption), cancels: true, cancellationToken);
    }

    /// <summary>A server that died before it answered may have begun the run: asked again with the same key it says which one, and makes no second.</summary>
    private static async Task<JsonElement> BeginAsync(ServerConnection connection, Terminal terminal, string conversation, Dictionary<string, string?> body, CancellationToken cancellationToken)
    {
        var key = Guid.CreateVersion7().ToString();
        var path = $"/api/v1/conversations/{Segment.Of(conversation, "conversation")}/runs";
        for (var lost = Stopwatch.StartNew(); ;)
        {
            try
            {
                return await connection.Api.PostOnceAsync(path, body, key, cancellationToken, "run_id");
            }
            catch (CliException e) when (e.ExitCode == ExitCodes.Unreachable && !connection.IsOwn && lost.Elapsed < AskAgainFor)
            {
                terminal.Note("Connection lost before the answer; asking again …");
            }

            await Task.Delay(AskAgainEvery, cancellationToken);
        }
    }

    /// <summary>Of a conversation that was made for a message that was refused.</summary>
    private static async Task TakeBackAsync(ServerConnection connection, string conversation)
    {
        try
        {
            await connection.Api.ChangeAsync(HttpMethod.Delete, "/api/v1/conversations/" + Segment.Of(conversation, "conversation"), null, CancellationToken.None);
        }
        catch (CliException)
        {
            // An empty conversation stays; the refusal is what the user is to read.
        }
    }

    private static async Task<string?> ReadAsync(Terminal terminal, CancellationToken cancellationToken) =>
        terminal.Console.IsInputRedirected ? await terminal.Console.Input.ReadToEndAsync(cancellationToken) : await terminal.AskAsync("You:", cancellationToken);
}
