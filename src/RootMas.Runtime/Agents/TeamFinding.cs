using Microsoft.Extensions.AI;

namespace RootMas.Runtime.Agents;

/// <summary>
/// What a member of a team came to, kept beside the message that tells it: a model that works by rules must not have to take it out of the wording. It is no content: providers are sent the message alone.
/// </summary>
/// <param name="Agent">Whose it is.</param>
/// <param name="Text">Without what stands around it in the message.</param>
/// <param name="Status">Of the work that gave it.</param>
/// <param name="Task">Id of the plan's task; null: it is of none.</param>
public sealed record TeamFinding(string Agent, string Text, string Status = "completed", string? Task = null)
{
    private const string Key = "rootmas.findings";

    /// <summary>Empty: the message tells of none.</summary>
    public static IReadOnlyList<TeamFinding> Of(ChatMessage message) => message.AdditionalProperties?.GetValueOrDefault(Key) as IReadOnlyList<TeamFinding> ?? [];

    public static ChatMessage Mark(ChatMessage message, IReadOnlyList<TeamFinding> findings)
    {
        (message.AdditionalProperties ??= [])[Key] = findings;
        return message;
    }
}
