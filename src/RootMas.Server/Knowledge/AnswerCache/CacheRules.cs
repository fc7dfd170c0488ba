using System.Buffers;
using Microsoft.Extensions.AI;
using RootMas.Runtime.Agents;

namespace RootMas.Server.Knowledge.AnswerCache;

/// <summary>What is never kept and never given again, and why. On the path of every model call, so it allocates nothing.</summary>
internal static class CacheRules
{
    /// <summary>Longer requests are not searched and so not kept: the search would be felt.</summary>
    private const int LongestSearched = 16_384;

    /// <summary>A model of another tier than the one that was wanted has answered: a good answer, and not the one that this tier gives.</summary>
    public const string OtherTier = "other_tier";

    /// <summary>The built-in rules spoke because the models of the tier failed: that is nothing to go on with once they work again, and says nothing about what they said.</summary>
    public const string StandIn = "stand_in";

    private static readonly SearchValues<string> ToolMarks = SearchValues.Create(["<untrusted source=\"tool\""], StringComparison.Ordinal);

    /// <summary>Why the answer to this request is neither kept nor given from what is kept; null: it may be.</summary>
    public static string? Refusal(IReadOnlyList<ChatMessage> messages, ModelCall call, DateTimeOffset now)
    {
        if (call.Purpose != "answer" || call.Question is not { Length: > 0 } question || call.Cache == "none")
        {
            return "not_for_cache";
        }

        return Unusable(messages) ?? Of(messages, now) ?? (TimeWords.AreIn(question) ? "time" : null);
    }

    /// <summary>Why an answer that came is not kept; null: it may be.</summary>
    public static string? Refusal(string text, ModelCall call) =>
        text.Length == 0 ? "empty"
        : call.TierUsed.Length > 0 && call.Model is null && call.TierUsed != call.Tier ? OtherTier
        : PersonalData.IsIn(text) ? "personal" : null;

    /// <summary>By form alone, before anything is searched.</summary>
    private static string? Unusable(IReadOnlyList<ChatMessage> messages)
    {
        var length = 0;
        for (var i = 0; i < messages.Count; i++)
        {
            var (message, contents) = (messages[i], messages[i].Contents);
            for (var j = 0; j < contents.Count; j++)
            {
                if (contents[j] is not TextContent { Text: { } text } || message.Role == ChatRole.Tool)
                {
                    return "tool_results";
                }

                length += IsPrompt(message, i) ? 0 : text.Length;
            }
        }

        return length > LongestSearched ? "too_long" : null;
    }

    private static string? Of(IReadOnlyList<ChatMessage> messages, DateTimeOffset now)
    {
        for (var i = 0; i < messages.Count; i++)
        {
            var (contents, isPrompt) = (messages[i].Contents, IsPrompt(messages[i], i));
            for (var j = 0; j < contents.Count; j++)
            {
                if (Of(((TextContent)contents[j]).Text, isPrompt, now) is { } why)
                {
                    return why;
                }
            }
        }

        return null;
    }

    /// <summary>The agent's own: the operator's words.</summary>
    private static bool IsPrompt(ChatMessage message, int index) => index == 0 && message.Role == ChatRole.System;

    private static string? Of(string text, bool isPrompt, DateTimeOffset now) =>
        !isPrompt && text.AsSpan().ContainsAny(ToolMarks) ? "tool_results"
        : TimeWords.HasToday(text, now) ? "time"
        : !isPrompt && PersonalData.IsIn(text) ? "personal" : null;
}
