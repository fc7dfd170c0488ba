using System.Buffers;
using System.Text;
using System.Text.Json;
using RootMas.Runtime.Runs;
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
    private const string Separator = "\n\n";
    private readonly StringBuilder _sent = new();
    private string _messageId = "";
    private string _finishReason = "stop";
    private string? _note;
    private bool _isAnswer = true;
    private bool _anything;
    private TokenUsage _usage = TokenUsage.None;

    /// <summary>True: the stream is complete, <c>[DONE]</c> included.</summary>
    public bool Write(StreamItem item, IBufferWriter<byte> to)
    {
        if (item.Id is null)
        {
            // A descendant: only that a person is asked concerns this answer.
            return AsksHuman(item) && Park(RunJson.DeserializeEvent(item.Json.Span), to);
        }

        switch (item.Type)
        {
            case "message.delta" or "message.snapshot":
                WritePiece(item.Json.Span, snapshot: item.Type == "message.snapshot", to);
                return false;
            case "model.requested" or "model.completed" or "message.superseded" or "message.completed" or "approval.requested" or "input.requested" or "run.needs_review"
                or "run.completed" or "run.failed" or "run.cancelled":
                return WriteEvent(RunJson.DeserializeEvent(item.Json.Span), to);
            default:
                return false;
        }
    }

    private static bool AsksHuman(StreamItem item) => item.Type is "approval.requested" or "input.requested" or "run.needs_review";

    private bool WriteEvent(RunEvent e, IBufferWriter<byte> to)
    {
        switch (e)
        {
            case ModelRequested asked:
                _isAnswer = asked.Purpose == "answer";
                return false;
            case ModelCompleted said:
                _usage += said.Usage;
                _finishReason = CompletionAnswers.FinishReason(said.FinishReason);
                return false;
            case MessageSuperseded gone when gone.MessageId == _messageId && _sent.Length > 0:
                _note = "[The text above no longer counts; a fresh answer follows.]" + Separator;
                return false;
            case MessageCompleted final:
                WriteFinal(final, to);
                return false;
            case ApprovalRequested or InputRequested or RunNeedsReview:
                return Park(e, to);
            case RunCompleted:
                return Finish(_finishReason, to);
            case RunFailed failed:
                CompletionWriter.Error(to, ProblemWriter.ToOpenAiJson(CompletionAnswers.Failed(failed.RunId, failed.Code, failed.Reason)));
                return Done(to);
            case RunCancelled cancelled:
                CompletionWriter.Error(to, ProblemWriter.ToOpenAiJson(CompletionAnswers.Cancelled(cancelled.RunId, cancelled.Reason)));
                return Done(to);
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
            writer.Delta(to, Separator + _note);
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

        writer.Delta(to, Separator);
        _sent.Clear();
        return text;
    }

    private void Send(string text, IBufferWriter<byte> to)
    {
        if (text.Length == 0)
        {
            return;
        }

        writer.Delta(to, text);
        _sent.Append(text);
        _anything = true;
    }

    private bool Park(RunEvent e, IBufferWriter<byte> to)
    {
        writer.Delta(to, (_anything ? Separator : "") + CompletionAnswers.Parked(e));
        return Finish("stop", to);
    }

    private bool Finish(string reason, IBufferWriter<byte> to)
    {
        writer.Finish(to, reason);
        if (includeUsage)
        {
            writer.Usage(to, _usage);
        }

        return Done(to);
    }

    private static bool Done(IBufferWriter<byte> to)
    {
        CompletionWriter.Done(to);
        return true;
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
