using RootMas.Runtime.Runs;

namespace RootMas.Server.Chat;

/// <summary>The answer to a message, or the state of the run that works on it.</summary>
public sealed record ChatResponse
{
    /// <summary>The answer's text. Empty while the run waits or works; after a failure the reason, for people.</summary>
    /// <example>The last train leaves at 23:10.</example>
    public required string Response { get; init; }

    /// <summary>When this was written, in Unix seconds.</summary>
    /// <example>1790000000</example>
    public required long Timestamp { get; init; }

    /// <summary>The agent that answered.</summary>
    /// <example>communicator</example>
    public required string Agent { get; init; }

    /// <summary>The run id under its earlier name; it can be watched on the visualisation socket.</summary>
    /// <example>0198c0de-7c1a-7d7e-9a54-2f3f0a6f0a13</example>
    public required string FlowId { get; init; }

    /// <summary>The conversation that the message went to.</summary>
    /// <example>0198c0de-7c1a-7d7e-9a54-2f3f0a6f0a11</example>
    public string? ConversationId { get; init; }

    /// <summary>The run that worked on the message.</summary>
    /// <example>0198c0de-7c1a-7d7e-9a54-2f3f0a6f0a13</example>
    public required string RunId { get; init; }

    /// <summary>How the answer came about.</summary>
    public required ChatResponseMetadata Metadata { get; init; }
}

/// <summary>How an answer came about.</summary>
public sealed record ChatResponseMetadata
{
    /// <summary>The run's status: completed, failed, cancelled, or what it waits for.</summary>
    /// <example>completed</example>
    public required string Status { get; init; }

    /// <summary>The model that wrote the answer.</summary>
    /// <example>gpt-5-mini</example>
    public string? Model { get; init; }

    /// <summary>The tier of that model.</summary>
    /// <example>cheap</example>
    public string? Tier { get; init; }

    /// <summary>Tokens of the model calls of the run and all runs below it, as the cost is.</summary>
    public required ChatUsage Usage { get; init; }

    /// <summary>What the run and all runs below it cost, in US dollars, as a decimal string.</summary>
    /// <example>0.00042</example>
    public required Money CostUsd { get; init; }

    /// <summary>Whether the answer came from the answer cache.</summary>
    public required bool Cached { get; init; }

    /// <summary>What an answer from the cache would have cost, in US dollars; null: it did not come from there.</summary>
    /// <example>null</example>
    public Money? SavedUsd { get; init; }

    /// <summary>The agents that took part, in order of first appearance.</summary>
    public required IReadOnlyList<string> Agents { get; init; }

    /// <summary>The sources that the answer names.</summary>
    public required IReadOnlyList<Citation> Citations { get; init; }

    /// <summary>Why the model ended the answer before it was whole: length or content_filter; absent: it is whole.</summary>
    public string? CutBy { get; init; }

    /// <summary>Why the run waits, failed or was cancelled, for people; absent otherwise.</summary>
    public string? Reason { get; init; }

    /// <summary>The stable code of a failure; absent otherwise.</summary>
    public string? ErrorCode { get; init; }
}

/// <summary>Tokens of model calls.</summary>
public sealed record ChatUsage
{
    /// <summary>Tokens that were sent, cached ones included.</summary>
    /// <example>812</example>
    public required long InputTokens { get; init; }

    /// <summary>Sent tokens that the provider had cached.</summary>
    /// <example>512</example>
    public required long CachedTokens { get; init; }

    /// <summary>Tokens that were received.</summary>
    /// <example>96</example>
    public required long OutputTokens { get; init; }
}
