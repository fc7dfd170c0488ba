using System.Buffers;
using System.Globalization;
using Microsoft.Extensions.AI;
using RootMas.Runtime.Agents;

namespace RootMas.Server.Knowledge.AnswerCache;

/// <summary>What is never kept and never given again, and why. On the path of every model call, so it allocates nothing.</summary>
internal static class CacheRules
{
    /// <summary>Longer requests are not searched and so not kept: the search would be felt.</summary>
    private const int LongestSearched = 16_384;

    /// <summary>What is true only for a while.</summary>
    private static readonly SearchValues<string> TimeWords = SearchValues.Create(
        [
            "today", "tonight", "tomorrow", "yesterday", "right now", "at the moment", "currently", "what time", "what day", "what date", "current time", "current date", "this week", "this month", "this year",
            "latest", "o'clock", "weather", "сегодня", "завтра", "вчера", "сейчас", "который час", "сколько времени", "текущее время", "текущая дата", "какое число", "какой день", "в данный момент",
            "на этой неделе", "в этом месяце", "в этом году", "последние новости", "погода", "погоду", "на данный момент",
        ],
        StringComparison.OrdinalIgnoreCase);

    private static readonly SearchValues<string> ToolMarks = SearchValues.Create(["<untrusted source=\"tool\""], StringComparison.Ordinal);

    /// <summary>Why the answer to this request is neither kept nor given from what is kept; null: it may be.</summary>
    public static string? Refusal(IReadOnlyList<ChatMessage> messages, ModelCall call, DateTimeOffset now)
    {
        if (call.Purpose != "answer" || call.Question is not { Length: > 0 } question || call.Cache == "none")
        {
            return "not_for_cache";
        }

        return Unusable(messages) ?? Of(messages, now) ?? (question.AsSpan().ContainsAny(TimeWords) ? "time" : null);
    }

    /// <summary>Why an answer that came is not kept; null: it may be.</summary>
    public static string? Refusal(string text, ModelCall call) =>
        text.Length == 0 ? "empty"
        : call.TierUsed.Length > 0 && call.Model is null && call.TierUsed != call.Tier ? "other_tier"
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
        Span<char> today = stackalloc char[10];
        now.UtcDateTime.TryFormat(today, out _, "yyyy-MM-dd", CultureInfo.InvariantCulture);
        for (var i = 0; i < messages.Count; i++)
        {
            var contents = messages[i].Contents;
            for (var j = 0; j < contents.Count && !IsPrompt(messages[i], i); j++)
            {
                if (Of(((TextContent)contents[j]).Text, today) is { } why)
                {
                    return why;
                }
            }
        }

        return null;
    }

    /// <summary>The agent's own: the operator's words.</summary>
    private static bool IsPrompt(ChatMessage message, int index) => index == 0 && message.Role == ChatRole.System;

    private static string? Of(string text, ReadOnlySpan<char> today) =>
        text.AsSpan().ContainsAny(ToolMarks) ? "tool_results"
        : text.AsSpan().IndexOf(today) >= 0 ? "time"
        : PersonalData.IsIn(text) ? "personal" : null;
}
