using System.Text.Json;
using System.Text.Json.Serialization;
using Microsoft.Extensions.AI;
using RootMas.Runtime.Agents;
using RootMas.Runtime.Runs;

namespace RootMas.Server.Knowledge.AnswerCache;

/// <summary>An answer that may be given again.</summary>
public sealed record CachedAnswer
{
    public required Guid Id { get; init; }

    /// <summary>Whose it is; <c>*</c>: everybody's.</summary>
    public required string OwnerId { get; init; }

    /// <summary>Where it was asked for; null: in no conversation, or a version that did not say so kept it.</summary>
    public string? ConversationId { get; init; }

    public required string Agent { get; init; }

    public required string PromptVersion { get; init; }

    /// <summary>Ids of documents whose words may have been in the request.</summary>
    public IReadOnlyList<string> Documents { get; init; } = [];

    public required string Text { get; init; }

    public required string Model { get; init; }

    public required string Provider { get; init; }

    public required string Tier { get; init; }

    public required long InputTokens { get; init; }

    public required long OutputTokens { get; init; }

    /// <summary>What it cost when it was made, and what each repetition saves, in micro-dollars.</summary>
    public required long MicroUsd { get; init; }

    public required DateTimeOffset CreatedAt { get; init; }

    public required DateTimeOffset ExpiresAt { get; init; }

    internal byte[] ToJson() => JsonSerializer.SerializeToUtf8Bytes(this, CachedAnswerJson.Default.CachedAnswer);

    /// <summary>Null: what stands there is no answer of this version.</summary>
    internal static CachedAnswer? FromJson(ReadOnlySpan<byte> json)
    {
        try
        {
            return JsonSerializer.Deserialize(json, CachedAnswerJson.Default.CachedAnswer);
        }
        catch (JsonException)
        {
            return null;
        }
    }
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(CachedAnswer))]
internal sealed partial class CachedAnswerJson : JsonSerializerContext;

/// <summary>Gathers an answer while it passes, and tells at the end whether it is one that may be kept.</summary>
internal sealed class AnswerCapture
{
    private readonly System.Text.StringBuilder _text = new();
    private bool _isPlain = true;
    private bool _hasStopped;

    /// <summary>The stream came to its own end.</summary>
    public bool IsWhole { get; set; }

    /// <summary>Who asked did not wait for its end.</summary>
    public bool IsLeft { get; set; }

    public void Add(ChatResponseUpdate update)
    {
        _hasStopped |= update.FinishReason == ChatFinishReason.Stop;
        foreach (var content in update.Contents)
        {
            switch (content)
            {
                case TextReasoningContent or UsageContent:
                    break;
                case TextContent text:
                    _text.Append(text.Text);
                    break;
                case SupersededContent:
                    _text.Clear();
                    (_isPlain, _hasStopped) = (true, false);
                    break;
                default:
                    _isPlain = false;
                    break;
            }
        }
    }

    /// <param name="refusal">Why it is not kept; null: it is.</param>
    /// <returns>Null: there is nothing to compare a kept answer with.</returns>
    public CachedAnswer? ToAnswer(AnswerRequest request, DateTimeOffset now, TimeSpan timeToLive, out string? refusal)
    {
        var call = request.Call;
        var text = _text.ToString();
        refusal = !IsWhole || !_hasStopped ? "cut" : !_isPlain ? "tool_calls" : request.Models.StandsIn(call.ModelUsed) ? CacheRules.StandIn : CacheRules.Refusal(text, call);
        return refusal is not (null or CacheRules.OtherTier) ? null : new CachedAnswer
        {
            Id = Guid.CreateVersion7(now),
            OwnerId = request.Owner,
            ConversationId = call.ConversationId,
            Agent = call.Agent ?? "",
            PromptVersion = call.PromptVersion,
            Documents = call.Documents ?? [],
            Text = text,
            Model = call.ModelUsed,
            Provider = call.ProviderUsed,
            Tier = call.TierUsed,
            InputTokens = call.Usage.InputTokens,
            OutputTokens = call.Usage.OutputTokens,
            MicroUsd = call.Cost.MicroUsd,
            CreatedAt = now,
            ExpiresAt = now + timeToLive,
        };
    }
}

/// <summary>A kept answer as the stream that it once was, in pieces.</summary>
internal static class AnswerReplay
{
    private const int PieceLength = 240;

    /// <summary>Tells the call where its answer comes from: it cost nothing, and saved what it cost before.</summary>
    public static void Tell(ModelCall call, CachedAnswer answer, string kind)
    {
        call.ModelUsed = answer.Model;
        call.ProviderUsed = answer.Provider;
        call.TierUsed = answer.Tier;
        call.CacheHit = new CacheHit(call.MessageId ?? "", kind, new Money(answer.MicroUsd)) { SavedInputTokens = answer.InputTokens, SavedOutputTokens = answer.OutputTokens };
    }

    public static IEnumerable<ChatResponseUpdate> Pieces(CachedAnswer answer)
    {
        var text = answer.Text;
        for (var at = 0; at < text.Length;)
        {
            var end = Math.Min(text.Length, at + PieceLength);
            end -= end < text.Length && char.IsHighSurrogate(text[end - 1]) ? 1 : 0;
            yield return new ChatResponseUpdate(ChatRole.Assistant, text[at..end]) { ModelId = answer.Model };
            at = end;
        }

        yield return new ChatResponseUpdate(ChatRole.Assistant, []) { ModelId = answer.Model, FinishReason = ChatFinishReason.Stop };
    }
}
