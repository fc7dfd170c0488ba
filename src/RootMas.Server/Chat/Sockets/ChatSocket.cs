using System.Collections.Concurrent;
using System.Text.Json;
using RootMas.Runtime.Runs;
using RootMas.Server.Identity.Access;
using RootMas.Server.Identity.Limits;
using RootMas.Server.Platform.Http;
using RootMas.Server.Runs;

namespace RootMas.Server.Chat.Sockets;

/// <summary><c>/ws</c>: messages in, the events of their runs out.</summary>
internal sealed class ChatSocket(SocketChannel channel, SocketIdentity identity, IChatService chat, RequestLimiter limiter, ILogger logger)
    : SocketSession(channel, identity, limiter, logger)
{
    /// <summary>Runs after whose last event one <c>response</c> is sent.</summary>
    private readonly ConcurrentDictionary<string, bool> _answered = new(StringComparer.Ordinal);

    protected override Task<Problem?> OnFrameAsync(string? type, JsonElement frame) => type switch
    {
        "message" => MessageAsync(frame, wantsResponse: false),
        "cancel" => CancelAsync(frame),
        "subscribe" => SubscribeAsync(frame),
        null when frame.TryGetProperty("message", out _) => MessageAsync(frame, wantsResponse: true),
        _ => Task.FromResult<Problem?>(Problems.BadRequest("unknown_frame", "The frame's type is not one of auth, message, cancel, subscribe, ping.", "type", "must be one of auth, message, cancel, subscribe, ping")),
    };

    /// <param name="wantsResponse">The form of the earlier system: no type, and one <c>response</c> after the last event.</param>
    private async Task<Problem?> MessageAsync(JsonElement frame, bool wantsResponse)
    {
        var subject = await SubjectAsync(frame, "chat:write");
        if (subject.Caller is not { } owner)
        {
            return subject.Refusal;
        }

        if (ReadMessage(frame, out var message) is { } invalid)
        {
            return invalid;
        }

        if (Streams >= MaxStreams)
        {
            return Problems.TooManyRequests("streams_per_socket", TimeSpan.FromSeconds(5));
        }

        if (await Limiter.TakeMessageAsync(Caller) is { } tooMany)
        {
            return tooMany;
        }

        var sent = await chat.SendAsync(owner, message, Channel.Closed);
        if (sent.Accepted is not { } accepted)
        {
            return sent.Refusal;
        }

        if (wantsResponse)
        {
            _answered[accepted.RunId] = true; // also when what it answers was asked by a message that did not want one
        }

        if (!Follows(accepted.RunId))
        {
            Follow(accepted.RunId, cancellation => AnswerAsync(owner, accepted, cancellation));
        }

        return null;
    }

    private static Problem? ReadMessage(JsonElement frame, out SendMessage message)
    {
        message = null!;
        var text = SocketFrames.Text(frame, "message", out var notText);
        var conversation = SocketFrames.Text(frame, "conversation_id", out var notConversation);
        var team = SocketFrames.Text(frame, "team", out var notTeam);
        if (notText || notConversation || notTeam || text is null)
        {
            return Problems.Invalid(notConversation ? "conversation_id" : notTeam ? "team" : "message", "must be a string");
        }

        if (text.Contains('\0', StringComparison.Ordinal))
        {
            return Problems.Invalid("message", "contains the character NUL");
        }

        if (RequestValidation.Check(new ChatMessage { Message = text, ConversationId = conversation, Team = team }) is { } invalid)
        {
            return invalid;
        }

        var isForUser = frame.TryGetProperty("user_id", out var user) && user.ValueKind == JsonValueKind.String;
        message = new SendMessage { Text = text, ConversationId = conversation, UseDefaultConversation = isForUser, Team = team, Watch = true };
        return null;
    }

    private async Task<Problem?> CancelAsync(JsonElement frame)
    {
        if (SocketFrames.Text(frame, "run_id", out _) is not { Length: > 0 } run)
        {
            return Problems.Invalid("run_id", "must be a string");
        }

        var subject = await SubjectAsync(frame, "chat:write");
        if (subject.Caller is not { } owner)
        {
            return subject.Refusal;
        }

        return await chat.CancelAsync(owner, run, "Cancelled by the user.", Channel.Closed) ? null : ChatProblems.NoRun();
    }

    private async Task<Problem?> SubscribeAsync(JsonElement frame)
    {
        if (SocketFrames.Text(frame, "run_id", out _) is not { Length: > 0 } run)
        {
            return Problems.Invalid("run_id", "must be a string");
        }

        if (!ReadAfter(frame, out var after))
        {
            return Problems.Invalid("after", "must be the id of an event: a number, or seq:n");
        }

        if (Streams >= MaxStreams)
        {
            return Problems.TooManyRequests("streams_per_socket", TimeSpan.FromSeconds(5));
        }

        if (Follows(run))
        {
            return Problems.Conflict("already_subscribed", "This socket already receives the events of that run.");
        }

        var subject = await ReaderAsync(frame, run);
        if (subject.Caller is not { } owner)
        {
            return subject.Refusal;
        }

        return await BeginAsync(owner, run, after);
    }

    private async Task<Problem?> BeginAsync(Caller owner, string runId, StreamPosition after)
    {
        if (await chat.FindAsync(owner, runId, Channel.Closed) is not { } run)
        {
            return ChatProblems.NoRun();
        }

        if (StreamPositions.Beyond(after, run.LastSeq) is { } beyond)
        {
            return Problems.Invalid("after", beyond);
        }

        if (run.Status.IsFinal() && after.Seq == run.LastSeq)
        {
            await Channel.SendAsync(SocketFrames.Ended(run));
            return null;
        }

        Follow(runId, cancellation => StreamAsync(owner, runId, after, cancellation));
        return null;
    }

    private static bool ReadAfter(JsonElement frame, out StreamPosition after)
    {
        after = default;
        if (!frame.TryGetProperty("after", out var value) || value.ValueKind == JsonValueKind.Null)
        {
            return true;
        }

        return value.ValueKind switch
        {
            JsonValueKind.Number => StreamPositions.TryParse(value.GetRawText(), out after),
            JsonValueKind.String => SocketFrames.Text(frame, "after", out _) is { } text && StreamPositions.TryParse(text, out after),
            _ => false,
        };
    }

    /// <summary>The run of a message, from its beginning: whoever speaks for somebody else may have no more of it than the answer.</summary>
    private async Task AnswerAsync(Caller owner, AcceptedMessage accepted, CancellationToken cancellation)
    {
        using var watch = accepted.Watch;
        var isShown = await ShowsRunAsync(owner, accepted.RunId);
        var items = chat.Stream(accepted, cancellation);
        await CopyAsync(owner, accepted.RunId, isShown ? items : EventRedaction.AnswerOnly(items, cancellation), cancellation);
    }

    private async Task StreamAsync(Caller owner, string runId, StreamPosition after, CancellationToken cancellation)
    {
        if (await chat.StreamAsync(owner, runId, after, cancellation) is { } items)
        {
            await CopyAsync(owner, runId, items, cancellation);
        }
        else
        {
            await TellAsync(ChatProblems.NoRun(), runId);
        }
    }

    private async Task CopyAsync(Caller owner, string runId, IAsyncEnumerable<StreamItem> items, CancellationToken cancellation)
    {
        await foreach (var item in items.WithCancellation(cancellation))
        {
            await Channel.SendAsync(item.Json);
        }

        if (_answered.TryRemove(runId, out _) && await chat.WaitAsync(owner, runId, TimeSpan.FromSeconds(5), cancellation) is { Status: var status } run && status.IsFinal())
        {
            await Channel.SendAsync(SocketFrames.Write(json =>
            {
                json.WriteString("type"u8, "response"u8);
                json.WriteString("message"u8, run.Answer?.Text ?? run.Reason ?? "");
                json.WriteString("agent"u8, run.Answer?.Agent ?? run.Agent);
                json.WriteString("flow_id"u8, run.Id);
            }));
        }
    }
}
