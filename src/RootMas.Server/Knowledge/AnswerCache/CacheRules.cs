using System.Buffers;
using System.Globalization;
using Microsoft.Extensions.AI;
using RootMas.Runtime.Agents;

namespace RootMas.Server.Knowledge.AnswerCache;

/// <summary>What is never kept and never given again, and why. On the path of every model call, so it allocates nothing.</summary>
internal static class CacheRules
{
    /// <summary>Long histories are searched for personal data up to here; beyond it the request is not kept.</summary>
    private const int LongestSearched = 200_000;

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

        return Of(messages, now) ?? (question.AsSpan().ContainsAny(TimeWords) ? "time" : null);
    }

    /// <summary>Why an answer that came is not kept; null: it may be.</summary>
    public static string? Refusal(string text, ModelCall call) =>
        text.Length == 0 ? "empty"
        : call.TierUsed.Length > 0 && call.Model is null && call.TierUsed != call.Tier ? "other_tier"
        : PersonalData.IsIn(text) ? "personal" : null;

    private static string? Of(IReadOnlyList<ChatMessage> messages, DateTimeOffset now)
    {
        Span<char> today = stackalloc char[10];
        now.UtcDateTime.TryFormat(today, out _, "yyyy-MM-dd", CultureInfo.InvariantCulture);
        var searched = 0;
        for (var i = 0; i < messages.Count; i++)
        {
            var message = messages[i];
            foreach (var content in message.Contents)
            {
                if (content is not TextContent { Text: { } text } || message.Role == ChatRole.Tool)
                {
                    return "tool_results";
                }

                if (i == 0 && message.Role == ChatRole.System)
                {
                    continue; // the agent's prompt: the operator's words
                }

                searched += text.Length;
                if (searched > LongestSearched)
                {
                    return "too_long";
                }

                if (Of(text, today) is { } why)
                {
                    return why;
                }
            }
        }

        return null;
    }

    private static string? Of(string text, ReadOnlySpan<char> today) =>
        text.AsSpan().ContainsAny(ToolMarks) ? "tool_results"
        : text.AsSpan().IndexOf(today) >= 0 ? "time"
        : PersonalData.IsIn(text) ? "personal" : null;
}
