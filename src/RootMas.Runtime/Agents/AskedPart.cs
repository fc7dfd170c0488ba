using Microsoft.Extensions.AI;

namespace RootMas.Runtime.Agents;

/// <summary>How much of a message is what was asked for, kept beside it as <see cref="TeamFinding"/> is: behind a task of a plan stands what others found for it, data in which nothing is asked for.</summary>
public static class AskedPart
{
    private const string Key = "rootmas.asked";

    /// <summary>Without a mark all of it is: the words of people are not searched for where they might end.</summary>
    public static string Of(ChatMessage message)
    {
        var text = message.Text;
        return message.AdditionalProperties?.GetValueOrDefault(Key) is int length && length < text.Length ? text[..length] : text;
    }

    /// <param name="message">A request.</param>
    /// <param name="length">In characters; null: all of it.</param>
    public static ChatMessage Mark(ChatMessage message, int? length)
    {
        if (length is { } asked)
        {
            (message.AdditionalProperties ??= [])[Key] = asked;
        }

        return message;
    }
}
