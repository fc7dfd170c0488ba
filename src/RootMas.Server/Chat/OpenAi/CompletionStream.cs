using System.Buffers;
using System.Text;
using System.Text.Json;
using RootMas.Runtime.Runs;
using RootMas.Runtime.Teams;
using RootMas.Server.Platform.Http;
using RootMas.Server.Runs;

namespace RootMas.Server.Chat.OpenAi;

/// <summary>
/// Turns a run's stream into one answer that only grows, which is all that OpenAI's protocol knows. Text goes out as it comes. What turns out not to count (it was superseded, or
/// another message followed) cannot be taken back: then a separator, with a note if the text was superseded, stands before what follows, and the last message is always there as a whole.
/// With <c>response_format</c> nothing goes out before the answer is final, because a JSON document cannot be begun twice.
/// </summary>
internal sealed class CompletionStream(CompletionWriter writer, bool holdBack, bool includeUsage)
{
    private const string Separator = CompletionAnswers.Separator;
    private readonly StringBuilder _sent = new();
    private readonly OpenQuestions _questions = new();
    private string _messageId = "";
    private string _finishReason = "stop";
    private string? _note;
    private bool _isAnswer = true;
    private bool _anything;
    private bool _isOpen;
    private readonly Lock _gate = new();
    private TokenUsage _usage = TokenUsage.None;
    private TaskCompletionSource? _reached;
    private long _awaited;
    private long _seq;

    /// <summary>Who repeats a call replays what was asked of people up to this event: it does not end the answer by itself, because it may be settled. 0: nothing is replayed.</summary>
    public long ReplaysUpTo { get; init; }

    /// <summary>Why there is no answer; null: there is one, or it is still made. What is said of it depends on whether anything went out before.</summary>
    public Problem? Failure { get; private set; }

    /// <summary>Other runs work for this one.</summary>
    public bool HasParts { get; private set; }

    /// <summary>True: the answer is complete, but for <see cref="End"/>.</summary>
    public bool Write(StreamItem item, IBufferWriter<byte> to)
    {
        switch (item.Type)
        {
            case "message.delta" or "message.snapshot":
                WritePiece(item.Json.Span, snapshot: item.Type == "message.snapshot", to);
                return false;
            case "reasoning.delta" or "tool.progress":
                return false;
            case "model.requested" or "model.completed" or "model.failed" or "message.superseded" or "message.completed" or "run.completed" or "run.failed" or "run.cancelled":
            case "approval.requested" or "approval.granted" or "approval.denied" or "approval.expired" or "input.requested" or "input.received" or "run.needs_review" or "review.resolved":
                return WriteEvent(RunJson.DeserializeEvent(item.Json.Span), to);
            default:
                HasParts |= item.Type == "child.started";
                Reach(item.Id);
                return false;
        }
    }

    /// <summary>A run below waits for a person, or what is replayed still does: the answer is complete.</summary>
    public void Park(RunSummary asking, IBufferWriter<byte> to) =>
        Park(_questions.Oldest is { } open && open.RunId == asking.Id ? CompletionAnswers.Parked(open) : CompletionAnswers.Parked(asking), to);

    /// <summary>What follows the answer: the usage, where it was asked for, or why there is none, and <c>[DONE]</c>.</summary>
    /// <param name="usage">Of the run and all runs below it; null: nobody else worked for it.</param>
    public void End(TokenUsage? usage, IBufferWriter<byte> to)
    {
        if (Failure is { } failure)
        {
            writer.Error(to, failure);
        }
        else if (includeUsage)
        {
            writer.Usage(Open(to), usage ?? _usage);
        }

        CompletionWriter.Done(to);
    }

    /// <summary>Completes when the stored event of this number has come. Callable from any thread.</summary>
    public Task ReachesAsync(long seq)
    {
        lock (_gate)
        {
            (_awaited, _reached) = (seq, new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));
            if (_seq >= seq)
            {
                _reached.SetResult();
            }

            return _reached.Task;
        }
    }

    private void Reach(string? id)
    {
        if (id is not null && StreamPositions.TryParse(id, out var position))
        {
            Reach(position.Seq);
        }
    }

    private void Reach(long seq)
    {
        lock (_gate)
        {
            _seq = seq;
            if (seq >= _awaited)
            {
                _reached?.TrySetResult();
            }
        }
    }

    private bool WriteEvent(RunEvent e, IBufferWriter<byte> to)
    {
        Reach(e.Seq);
        _questions.Note(e);
        switch (e)
        {
            case ModelRequested asked:
                _isAnswer = asked.Purpose == "answer";
                return false;
            case ModelCompleted said:
                _usage += said.Usage;
                return false;
            case ModelFailed { Usage: { } used }:
                _usage += used;
                return false;
            case MessageSuperseded gone when gone.MessageId == _messageId && _sent.Length > 0:
                _note = "[The text above no longer counts; a fresh answer follows.]" + Separator;
                return false;
            case MessageCompleted final:
                _finishReason = CompletionAnswers.FinishReason(final.CutBy);
                WriteFinal(final, to);
                return false;
            case ApprovalRequested or InputRequested or RunNeedsReview:
                return e.Seq > ReplaysUpTo && Park(CompletionAnswers.Parked(e), to);
            case RunCompleted:
                writer.Finish(Open(to), _finishReason);
                return true;
            case RunFailed failed:
                return Fail(CompletionAnswers.Failed(failed.RunId, failed.Code, failed.Reason));
            case RunCancelled cancelled:
                return Fail(CompletionAnswers.Cancelled(cancelled.RunId, cancelled.Reason));
            default:
                return false;
        }
    }

    private void WritePiece(ReadOnlySpan<byte> json, bool snapshot, IBufferWriter<byte> to)
    {
        if (holdBack || !_isAnswer)
        {
            return;
        }

        var (message, text) = ReadPiece(json);
        if (text.Length == 0)
        {
            return; // a snapshot of what has no text yet only says where the stream stands
        }

        BeginMessage(message, to);
        if (snapshot)
        {
            text = Rest(text, to);
        }

        Send(text, to);
    }

    private void BeginMessage(string messageId, IBufferWriter<byte> to)
    {
        if (messageId == _messageId && _note is null)
        {
            return;
        }

        if (_anything)
        {
            writer.Delta(Open(to), Separator + _note);
        }

        (_messageId, _note) = (messageId, null);
        _sent.Clear();
    }

    /// <summary>The final text is there as a whole at the end, whatever was sent before.</summary>
    private void WriteFinal(MessageCompleted final, IBufferWriter<byte> to)
    {
        if (_sent.Length == 0 || _note is not null)
        {
            BeginMessage(final.MessageId, to);
        }

        Send(Rest(final.Text, to), to);
    }

    /// <summary>What is missing of a text of which some was sent; a text that went another way begins anew.</summary>
    private string Rest(string text, IBufferWriter<byte> to)
    {
        var sent = _sent.ToString();
        if (text.StartsWith(sent, StringComparison.Ordinal))
        {
            return text[sent.Length..];
        }

        if (sent.StartsWith(text, StringComparison.Ordinal) && IsNoText(sent.AsSpan(text.Length)))
        {
            return "";
        }

        writer.Delta(Open(to), Separator);
        _sent.Clear();
        return text;
    }

    /// <summary>What the end of a group chat takes from its last message.</summary>
    private static bool IsNoText(ReadOnlySpan<char> end)
    {
        var left = end.Trim();
        return left.IsEmpty || left.SequenceEqual(GroupChatPattern.DoneMark);
    }

    private void Send(string text, IBufferWriter<byte> to)
    {
        if (text.Length == 0)
        {
            return;
        }

        writer.Delta(Open(to), text);
        _sent.Append(text);
        _anything = true;
    }

    private bool Park(string text, IBufferWriter<byte> to)
    {
        writer.Delta(Open(to), (_anything ? Separator : "") + text);
        writer.Finish(Open(to), "stop");
        return true;
    }

    private bool Fail(Problem problem)
    {
        Failure = problem;
        return true;
    }

    /// <summary>Whose message it is goes before its first word, and not earlier: until then a failure has a status of its own, which all clients understand.</summary>
    private IBufferWriter<byte> Open(IBufferWriter<byte> to)
    {
        if (!_isOpen)
        {
            _isOpen = true;
            writer.Role(to);
        }

        return to;
    }

    private static (string MessageId, string Text) ReadPiece(ReadOnlySpan<byte> json)
    {
        var (message, text) = ("", "");
        var reader = new Utf8JsonReader(json);
        while (reader.Read())
        {
            if (reader.TokenType == JsonTokenType.PropertyName && reader.CurrentDepth == 1)
            {
                var isMessage = reader.ValueTextEquals("message_id"u8);
                var isText = reader.ValueTextEquals("text"u8);
                reader.Read();
                if (isMessage)
                {
                    message = reader.GetString()!;
                }
                else if (isText)
                {
                    text = reader.GetString()!;
                }
                else
                {
                    reader.Skip();
                }
            }
        }

        return (message, text);
    }
}
