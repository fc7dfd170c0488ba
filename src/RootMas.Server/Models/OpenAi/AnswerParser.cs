using System.Text.Json;
using Microsoft.Extensions.AI;
using RootMas.Runtime.Runs;

namespace RootMas.Server.Models.OpenAi;

/// <summary>
/// Reads the objects of one answer, chunks of a stream or one whole completion, and gathers what they say. Tolerates what providers really send:
/// missing usage, empty deltas, absent or repeated tool-call ids, missing finish_reason, three spellings of reasoning, unknown members.
/// </summary>
internal sealed class AnswerParser
{
    private readonly List<AIContent> _pending = [];
    private readonly ThinkTagSplitter _think = new();
    private readonly PieceText _text = new();
    private readonly PieceText _reasoning = new();
    private ToolCallAssembler? _calls;

    /// <summary>Something of the answer came that is not handed on yet, or never is.</summary>
    private bool _hasMoved;

    /// <summary>Why the provider did not go on; null: it says nothing of the kind. Thrown when the whole object was read: usage may stand behind it.</summary>
    private EndpointException? _failure;

    public string? ResponseId { get; private set; }

    public string? Model { get; private set; }

    public TokenUsage? Usage { get; private set; }

    /// <summary>As the provider wrote it; null while it has said nothing.</summary>
    public string? FinishReason { get; private set; }

    /// <summary>Characters of text, reasoning and arguments so far.</summary>
    public int Characters { get; private set; }

    public bool HasCalls => _calls is { Count: > 0 };

    /// <summary>What has come ends in the middle of a character.</summary>
    public bool IsCut => _text.IsCut || _reasoning.IsCut || _calls?.IsCut is true;

    /// <summary>Reads one object.</summary>
    /// <exception cref="JsonException">Not JSON.</exception>
    /// <exception cref="EndpointException">It is an error object, or no answer at all.</exception>
    public void Read(ReadOnlySpan<byte> utf8)
    {
        var json = new Utf8JsonReader(utf8);
        if (!json.Read() || json.TokenType != JsonTokenType.StartObject)
        {
            throw new EndpointException(FailureKind.InvalidAnswer, "The answer is not a JSON object.");
        }

        while (json.Read() && json.TokenType == JsonTokenType.PropertyName)
        {
            if (json.ValueTextEquals("choices"u8))
            {
                ReadChoices(ref json);
            }
            else if (json.ValueTextEquals("usage"u8))
            {
                Usage = UsageReader.Read(ref json) ?? Usage;
            }
            else if (json.ValueTextEquals("x_groq"u8))
            {
                ReadGroq(ref json);
            }
            else if (json.ValueTextEquals("error"u8))
            {
                ReadError(ref json);
            }
            else
            {
                ReadName(ref json);
            }
        }

        if (json.TokenType != JsonTokenType.EndObject)
        {
            throw new JsonException("The object is cut off.");
        }

        if (_failure is not null)
        {
            throw _failure;
        }
    }

    /// <summary>What came since the last call, in order; text and reasoning only. Empty: pieces of something else came, of a tool call as a rule. Null: nothing did.</summary>
    public ChatResponseUpdate? TakePending()
    {
        if (_pending.Count == 0 && !_hasMoved)
        {
            return null;
        }

        _hasMoved = false;
        var update = new ChatResponseUpdate(ChatRole.Assistant, [.. _pending]) { ResponseId = ResponseId, ModelId = Model };
        _pending.Clear();
        return update;
    }

    /// <summary>The last update: held-back text, the tool calls, usage and the finish reason.</summary>
    public ChatResponseUpdate Finish()
    {
        Append(_think.Flush());
        var contents = new List<AIContent>(_pending);
        _pending.Clear();
        if (_calls is not null)
        {
            contents.AddRange(_calls.ToContents());
        }

        if (UsageAsContent() is { } usage)
        {
            contents.Add(usage);
        }

        return new ChatResponseUpdate(ChatRole.Assistant, contents) { ResponseId = ResponseId, ModelId = Model, FinishReason = Reason() };
    }

    /// <summary>What an answer that failed has cost; null: the provider has not said.</summary>
    public ChatResponseUpdate? TakeUsage() => UsageAsContent() is { } usage ? new ChatResponseUpdate(ChatRole.Assistant, [usage]) { ResponseId = ResponseId, ModelId = Model } : null;

    private UsageContent? UsageAsContent() => Usage is not { } usage ? null : new UsageContent(new UsageDetails
    {
        InputTokenCount = usage.InputTokens,
        CachedInputTokenCount = usage.CachedTokens,
        OutputTokenCount = usage.OutputTokens,
        ReasoningTokenCount = usage.ReasoningTokens,
        TotalTokenCount = usage.InputTokens + usage.OutputTokens,
    });

    private ChatFinishReason Reason() => FinishReason switch
    {
        "length" or "max_tokens" or "model_length" => ChatFinishReason.Length,
        "content_filter" or "safety" or "sensitive" => ChatFinishReason.ContentFilter,
        _ => HasCalls ? ChatFinishReason.ToolCalls : ChatFinishReason.Stop,
    };

    private void ReadName(ref Utf8JsonReader json)
    {
        var isId = ResponseId is null && json.ValueTextEquals("id"u8);
        var isModel = Model is null && json.ValueTextEquals("model"u8);
        json.Read();
        if (json.TokenType == JsonTokenType.String && (isId || isModel))
        {
            var value = json.GetString();
            (ResponseId, Model) = isId ? (value, Model) : (ResponseId, value);
            return;
        }

        json.Skip();
    }

    private void ReadChoices(ref Utf8JsonReader json)
    {
        json.Read();
        if (json.TokenType != JsonTokenType.StartArray)
        {
            json.Skip();
            return;
        }

        while (json.Read() && json.TokenType != JsonTokenType.EndArray)
        {
            if (json.TokenType == JsonTokenType.StartObject)
            {
                ReadChoice(ref json);
            }
            else
            {
                json.Skip();
            }
        }
    }

    private void ReadChoice(ref Utf8JsonReader json)
    {
        while (json.Read() && json.TokenType == JsonTokenType.PropertyName)
        {
            if (json.ValueTextEquals("delta"u8))
            {
                ReadMessage(ref json, whole: false);
            }
            else if (json.ValueTextEquals("message"u8))
            {
                ReadMessage(ref json, whole: true);
            }
            else if (json.ValueTextEquals("finish_reason"u8))
            {
                json.Read();
                var reason = json.TokenType == JsonTokenType.String ? json.GetString() : null;
                FinishReason = string.IsNullOrEmpty(reason) ? FinishReason : reason;
                // OpenRouter and others; DeepSeek; Z.AI. What was said until then is no answer.
                if (reason is "error" or "insufficient_system_resource" or "network_error")
                {
                    _failure ??= new EndpointException(FailureKind.Unreachable, $"The provider broke its answer off ({reason}).");
                }

                json.Skip();
            }
            else if (json.ValueTextEquals("error"u8))
            {
                ReadError(ref json);
            }
            else
            {
                json.Read();
                json.Skip();
            }
        }
    }

    private void ReadMessage(ref Utf8JsonReader json, bool whole)
    {
        json.Read();
        if (json.TokenType != JsonTokenType.StartObject)
        {
            json.Skip();
            return;
        }

        var delta = new DeltaReader();
        while (json.Read() && json.TokenType == JsonTokenType.PropertyName)
        {
            if (json.ValueTextEquals("tool_calls"u8))
            {
                (_calls ??= new ToolCallAssembler()).ReadCalls(ref json, whole);
            }
            else if (json.ValueTextEquals("function_call"u8))
            {
                (_calls ??= new ToolCallAssembler()).ReadLegacy(ref json);
            }
            else
            {
                delta.ReadMember(ref json);
            }
        }

        Characters += _calls?.TakeGrowth() ?? 0;
        _hasMoved |= _calls?.TakeMoved() is true || delta.HasThought || delta.Text is { Length: > 0 };
        AppendReasoning(_reasoning.Join(delta.Reasoning ?? ""));
        Append(delta.Text is { Length: > 0 } text ? _think.Split(_text.Join(text)) : default);
    }

    private void Append((string Reasoning, string Text) piece)
    {
        AppendReasoning(piece.Reasoning);
        if (piece.Text is { Length: > 0 } text)
        {
            Characters += text.Length;
            if (_pending is [.., TextContent last])
            {
                last.Text += text;
            }
            else
            {
                _pending.Add(new TextContent(text));
            }
        }
    }

    private void AppendReasoning(string? text)
    {
        if (text is not { Length: > 0 })
        {
            return;
        }

        Characters += text.Length;
        if (_pending is [.., TextReasoningContent last])
        {
            last.Text += text;
        }
        else
        {
            _pending.Add(new TextReasoningContent(text));
        }
    }

    /// <summary>Groq puts usage here, in some versions only here, and why it stopped a stream early.</summary>
    private void ReadGroq(ref Utf8JsonReader json)
    {
        json.Read();
        if (json.TokenType != JsonTokenType.StartObject)
        {
            json.Skip();
            return;
        }

        while (json.Read() && json.TokenType == JsonTokenType.PropertyName)
        {
            if (json.ValueTextEquals("usage"u8))
            {
                Usage = UsageReader.Read(ref json) ?? Usage;
            }
            else if (json.ValueTextEquals("error"u8))
            {
                ReadError(ref json);
            }
            else
            {
                json.Read();
                json.Skip();
            }
        }
    }

    private void ReadError(ref Utf8JsonReader json)
    {
        json.Read();
        if (json.TokenType is JsonTokenType.Null or JsonTokenType.False)
        {
            return;
        }

        var error = JsonElement.ParseValue(ref json);
        if (error.ValueKind != JsonValueKind.String || error.GetString() is { Length: > 0 })
        {
            _failure = ProviderErrors.FromErrorValue(error, status: 200, retryAfter: null);
        }
    }
}
