using System.Buffers;
using System.Collections.Frozen;
using System.Runtime.CompilerServices;
using System.Text.Json;
using RootMas.Runtime.Runs;

namespace RootMas.Server.Runs;

/// <summary>
/// A run's log for those who may see what happened but not what was said: who did what when and what it cost. Members are named that stay, not those that go, so that a new one stays hidden until somebody decides.
/// </summary>
internal static class EventRedaction
{
    private const int LongestName = 100;

    private static readonly FrozenSet<string> Kept = new[]
    {
        "type", "v", "run_id", "seq", "agent", "created_at", "team", "team_hash", "pattern", "conversation_id", "parent_run_id", "root_run_id", "retry_of", "tainted",
        "attempt", "worker", "steps", "code", "status", "usage", "cost_usd", "tree_cost_usd", "saved_usd",
        "message_id", "tier", "model", "purpose", "turn", "prompt_version", "latency_ms", "ttft_ms", "finish_reason", "error_class",
        "call", "call_id", "tool", "tool_version", "effect", "kind", "duration_ms", "truncated", "repeat_after", "outcome", "by",
        "approval_id", "approver", "expires_at", "expired", "child_run_id", "child_agent", "task_id", "from", "to", "speaker", "done",
        "replans", "verdict", "guard", "until", "try", "history_dropped", "blocks_dropped", "tokens_before", "tokens_after",
    }.ToFrozenSet(StringComparer.Ordinal);

    private static readonly FrozenSet<string> Live = new[] { "message.delta", "reasoning.delta", "tool.progress", "message.snapshot" }.ToFrozenSet(StringComparer.Ordinal);

    /// <summary>The event with <c>redacted: true</c>, and null in place of what was said.</summary>
    public static byte[] Redact(ReadOnlySpan<byte> stored)
    {
        var buffer = new ArrayBufferWriter<byte>(512);
        using var json = new Utf8JsonWriter(buffer);
        json.WriteStartObject();
        foreach (var member in JsonElement.Parse(stored).EnumerateObject())
        {
            json.WritePropertyName(member.Name);
            if (IsKept(member))
            {
                member.Value.WriteTo(json);
            }
            else
            {
                json.WriteNullValue();
            }
        }

        json.WriteBoolean("redacted"u8, true);
        json.WriteEndObject();
        json.Flush();
        return buffer.WrittenSpan.ToArray();
    }

    /// <summary>A stream without live pieces, which are nothing but content.</summary>
    public static async IAsyncEnumerable<StreamItem> Redact(IAsyncEnumerable<StreamItem> items, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await foreach (var item in WithoutPieces(items, cancellationToken))
        {
            yield return item with { Json = Redact(item.Json.Span) };
        }
    }

    /// <summary>
    /// A stream for whoever may have the answer and nothing else: its text as <c>message.completed</c> has it, without the words of what it rests on. What was asked and remembered, what tools gave and what the model thought is not in it,
    /// and no live pieces: what a model writes is known to be the answer only once it has written no call and nobody else goes on.
    /// </summary>
    public static async IAsyncEnumerable<StreamItem> AnswerOnly(IAsyncEnumerable<StreamItem> items, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await foreach (var item in WithoutPieces(items, cancellationToken))
        {
            var said = item.Type == "message.completed" ? RunJson.DeserializeEvent(item.Json.Span) as MessageCompleted : null;
            yield return item with { Json = said is null ? Redact(item.Json.Span) : RunJson.Serialize(AnswerOnly(said)) };
        }
    }

    /// <summary>An answer without the words of what it rests on: where these stand it says.</summary>
    public static MessageCompleted AnswerOnly(MessageCompleted said) =>
        said with { Citations = [.. said.Citations.Select(static c => c with { Title = null, Excerpt = null })], Documents = null, Facts = null };

    /// <summary>Stored events only.</summary>
    public static async IAsyncEnumerable<StreamItem> WithoutPieces(IAsyncEnumerable<StreamItem> items, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await foreach (var item in items.WithCancellation(cancellationToken))
        {
            if (!Live.Contains(item.Type))
            {
                yield return item;
            }
        }
    }

    /// <summary>What is kept are numbers, and words that are names: a sentence that a model put where a name belongs is none.</summary>
    private static bool IsKept(JsonProperty member) => Kept.Contains(member.Name) && member.Value.ValueKind switch
    {
        JsonValueKind.String => member.Value.GetString() is { Length: <= LongestName } text && !text.Any(char.IsWhiteSpace),
        JsonValueKind.Object => member.Name == "usage",
        JsonValueKind.Array => false,
        _ => true,
    };
}
