using Microsoft.Extensions.AI;

namespace RootMas.Runtime.Agents;

/// <summary>
/// What a model thought before it called tools, kept beside its message for providers that want to see it again. It is no content: most providers would not take it as such, and nothing else
/// (caches, estimates, summaries) is to read it as something that was said.
/// </summary>
public static class ModelReasoning
{
    private const string Key = "rootmas.reasoning";

    public static string? Of(ChatMessage message) => message.AdditionalProperties?.GetValueOrDefault(Key) as string;

    public static void Set(ChatMessage message, string? reasoning)
    {
        if (reasoning is { Length: > 0 })
        {
            (message.AdditionalProperties ??= [])[Key] = reasoning;
        }
    }
}
