using System.Text;
using System.Text.Json;

namespace RootMas.Server.Cli;

/// <summary>
/// Follows a run to its end: text to stdout, who works and which tool runs as one quiet line each on stderr. A lost connection is taken up again
/// where it ended, because the stream is the stored log. With a terminal it asks the person when the run asks.
/// </summary>
internal sealed class RunFollower(ServerConnection connection, Terminal terminal, bool json)
{
    private static readonly TimeSpan GiveUpAfter = TimeSpan.FromSeconds(60);
    private static readonly string[] Limits = ["guard_steps", "guard_children", "guard_depth", "guard_tokens", "guard_cost", "guard_wall_time", "model_budget"];
    private readonly TreeNotes _notes = new(connection.Api, terminal);
    private readonly RunQuestions _questions = new(connection.Api, terminal);
    private string? _lastId;
    private readonly StringBuilder _text = new();
    private string? _shown;
    private bool _midLine;
    private int _lost;

    public async Task<int> FollowAsync(string runId, CancellationToken cancellationToken)
    {
        while (true)
        {
            try
            {
                if (await ReadAsync(runId, cancellationToken) is { } code)
                {
                    return code;
                }

                // The server ended the stream (it stops, or this reader was too slow): take it up again.
                _lost++;
            }
            catch (Exception e) when (e is CliException { ExitCode: ExitCodes.Unreachable } or IOException or HttpRequestException && !connection.IsOwn)
            {
                if (_lost++ == 0)
                {
                    EndLine();
                    terminal.Note("Connection lost; the run goes on. Reconnecting …");
                }
            }

            if (_lost > GiveUpAfter.TotalSeconds * 2)
            {
                terminal.Warn($"No connection for {GiveUpAfter.TotalSeconds:0} seconds. When the server is back: rootmas runs attach {runId}");
                return ExitCodes.Unreachable;
            }

            await Task.Delay(TimeSpan.FromMilliseconds(500), cancellationToken);
        }
    }

    private async Task<int?> ReadAsync(string runId, CancellationToken cancellationToken)
    {
        var opened = false;
        await foreach (var e in connection.Api.EventsAsync(runId, _lastId, cancellationToken))
        {
            // Also when it is quiet: what a run below asked while its part of the stream began, or was taken up again, is not in it.
            if (e.Type is WireEvent.Opened or WireEvent.Quiet)
            {
                (opened, _lost) = (true, 0);
                if (await AnswerBelowAsync(runId, isNeeded: e.Type == WireEvent.Opened, cancellationToken) is { } waits)
                {
                    return waits;
                }

                continue;
            }

            if (json)
            {
                terminal.WriteJson(e.Data);
            }
            else
            {
                await ShowAsync(runId, e, cancellationToken);
            }

            _lastId = e.Id ?? _lastId;
            if (e.Data.Text("run_id") == runId && Final(e) is { } code)
            {
                return code;
            }

            if (await _questions.AnswerAsync(e, cancellationToken) is { } parked)
            {
                return parked;
            }
        }

        if (opened)
        {
            return null; // what the run has done meanwhile, its answer too, comes with the next stream
        }

        var run = await connection.Api.GetAsync("/api/v1/runs/" + Segment.Of(runId, "run"), cancellationToken);
        return run.Text("status") switch
        {
            "completed" => ExitCodes.Ok,
            "failed" => ExitCodes.Failed,
            "cancelled" => ExitCodes.Interrupted,
            _ => null,
        };
    }

    private async Task<int?> AnswerBelowAsync(string runId, bool isNeeded, CancellationToken cancellationToken)
    {
        try
        {
            return await _questions.AnswerBelowAsync(runId, cancellationToken);
        }
        catch (CliException e) when (!isNeeded && e.ExitCode != ExitCodes.Unreachable)
        {
            return null; // a limit, say; it is looked again when it is quiet the next time
        }
    }

    private async Task ShowAsync(string runId, WireEvent e, CancellationToken cancellationToken)
    {
        if (e.Data.Text("run_id") != runId)
        {
            EndLine();
            await _notes.ShowBelowAsync(e, cancellationToken);
            return;
        }

        switch (e.Type)
        {
            case "message.delta" when terminal.IsTerminal:
                Text(e.Data.Text("message_id"), e.Data.Text("text") ?? "");
                break;
            case "message.snapshot" when terminal.IsTerminal:
                Whole(e.Data);
                break;
            case "message.completed":
                Answer(e.Data);
                break;
            case "message.delta" or "message.snapshot" or "reasoning.delta":
                break;
            default:
                EndLine();
                await _notes.ShowAsync(e, cancellationToken);
                break;
        }
    }

    private void Text(string? messageId, string text)
    {
        if (_shown != messageId)
        {
            EndLine();
            _shown = messageId;
            _text.Clear();
        }

        _text.Append(text);
        terminal.Write(text);
        _midLine = text.Length > 0 ? !text.EndsWith('\n') : _midLine;
    }

    /// <summary>A message as it is now, of which some may stand on the terminal: what is missing is added. It begins anew if it went another way, or if a line of ours stands in between.</summary>
    private void Whole(JsonElement data)
    {
        var (id, text, there) = (data.Text("message_id"), data.Text("text") ?? "", _text.ToString());
        if (_shown == id && there.StartsWith(text, StringComparison.Ordinal))
        {
            return;
        }

        var broken = there.Length > 0 && !_midLine && !there.EndsWith('\n');
        if (_shown != id || broken || !text.StartsWith(there, StringComparison.Ordinal))
        {
            EndLine();
            (_shown, there) = (null, "");
        }

        Text(id, text[there.Length..]);
    }

    private void Answer(JsonElement data)
    {
        if (terminal.IsTerminal)
        {
            Whole(data);
            EndLine();
        }
        else
        {
            terminal.WriteLine(data.Text("text") ?? "");
        }

        SayWhatCutIt(terminal, data);
    }

    /// <summary>An answer that the model broke off does not look like one.</summary>
    internal static void SayWhatCutIt(Terminal terminal, JsonElement answer)
    {
        if (answer.Text("cut_by") is { } why)
        {
            terminal.Warn(why == "content_filter" ? "The provider's content filter ended the answer here." : "The model stopped here because its answer was too long. Ask it to go on.");
        }
    }

    private void EndLine()
    {
        if (_midLine)
        {
            terminal.WriteLine();
            _midLine = false;
        }
    }

    private int? Final(WireEvent e)
    {
        switch (e.Type)
        {
            case "run.completed":
                return ExitCodes.Ok;
            case "run.failed":
                terminal.Error($"The run failed: {e.Data.Text("reason")}");
                return e.Data.Text("code") is { } failure && Limits.Contains(failure, StringComparer.Ordinal) ? ExitCodes.Limit : ExitCodes.Failed;
            case "run.cancelled":
                terminal.Warn($"The run was cancelled: {e.Data.Text("reason")}");
                return ExitCodes.Interrupted;
            default:
                return null;
        }
    }
}
