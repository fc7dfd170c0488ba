using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using System.Text.Json;
using RootMas.Server.Platform.Http;

namespace RootMas.Server.Chat;

/// <summary>What happens to a message whose branch is still working on an earlier one.</summary>
public enum OnBusy
{
    /// <summary>It waits its turn and continues from the branch's last message of that moment. The default.</summary>
    Enqueue,

    /// <summary>409 <c>conversation_busy</c>.</summary>
    Reject,

    /// <summary>The work is stopped with the text it has, then this message is worked on.</summary>
    Interrupt,

    /// <summary>The message being worked on becomes a dead branch, and this one takes its place. 409 <c>rollback_impossible</c> if a tool that changes something already ran.</summary>
    Rollback,
}

/// <summary>Who waits for the answer.</summary>
public enum ChatPriority
{
    /// <summary>Somebody sits in front of it. The default.</summary>
    Interactive,

    /// <summary>Nobody does: while all workers are busy it stands behind what somebody waits for.</summary>
    Background,
}

/// <summary>A message to a team.</summary>
public abstract record ChatInput : IValidatableObject
{
    /// <summary>Members of <see cref="Metadata"/>.</summary>
    public const int MaxMetadataMembers = 64;

    /// <summary>Bytes of <see cref="Metadata"/> as JSON.</summary>
    public const int MaxMetadataBytes = 16 * 1024;

    /// <summary>What the user says: 1 to 10,000 characters (Unicode code points, so an emoji counts once).</summary>
    /// <example>Which trains go from Moscow to Kazan in the evening?</example>
    [Characters(1, 10_000)]
    public required string Message { get; init; }

    /// <summary>The team that answers. Without it: the conversation's team, else the default team.</summary>
    /// <example>root-mas</example>
    [StringLength(100, MinimumLength = 1)]
    public string? Team { get; init; }

    /// <summary>The agent that enters first; without a team this agent answers alone.</summary>
    /// <example>communicator</example>
    [StringLength(100, MinimumLength = 1)]
    public string? Agent { get; init; }

    /// <summary>A model id or tier that replaces the agents' own.</summary>
    /// <example>standard</example>
    [StringLength(200, MinimumLength = 1)]
    public string? Model { get; init; }

    /// <summary>Kept with the message and given back; not shown to agents. At most 64 members and 16 KiB of JSON.</summary>
    public IReadOnlyDictionary<string, JsonElement>? Metadata { get; init; }

    /// <summary>Documents that the message brings along, by id: agents look into them. At most 20.</summary>
    /// <example>[]</example>
    [MaxLength(20)]
    public IReadOnlyList<string>? Attachments { get; init; }

    /// <summary>What happens if the branch is still working on an earlier message: enqueue (default), reject, interrupt or rollback.</summary>
    [Description("What happens if the branch is still working on an earlier message: enqueue (default), reject, interrupt or rollback.")]
    public OnBusy? OnBusy { get; init; }

    /// <summary>interactive (default), or background: while all workers are busy it waits behind what somebody sits in front of.</summary>
    [Description("interactive (default), or background: while all workers are busy it waits behind what somebody sits in front of.")]
    public ChatPriority? Priority { get; init; }

    /// <summary><see cref="Metadata"/> as it is stored; null: none.</summary>
    internal string? StoredMetadata() => Metadata is { Count: > 0 } ? JsonSerializer.Serialize(Metadata, ChatJson.Stored.IReadOnlyDictionaryStringJsonElement) : null;

    public virtual IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        if (Metadata is null)
        {
            yield break;
        }

        if (Metadata.Count > MaxMetadataMembers || System.Text.Encoding.UTF8.GetByteCount(StoredMetadata() ?? "") > MaxMetadataBytes)
        {
            yield return new ValidationResult("may have at most 64 members and 16 KiB of JSON", [nameof(Metadata)]);
        }
    }
}

/// <summary>A message to a team, with the conversation it belongs to.</summary>
public sealed record ChatMessage : ChatInput
{
    /// <summary>
    /// Who says it: absent, or oneself, by id or name. Administrators may name any user but another administrator; a user of role agent those on its list, and by any other name an end user of its own,
    /// whose conversations are kept apart. With it and without <see cref="ConversationId"/>, that user's default conversation goes on.
    /// </summary>
    /// <example>local</example>
    [StringLength(100, MinimumLength = 1)]
    [RegularExpression("^[A-Za-z0-9_-]{1,100}$")]
    public string? UserId { get; init; }

    /// <summary>The conversation to go on with; without it (and without <see cref="UserId"/>) a new one begins.</summary>
    /// <example>0198c0de-7c1a-7d7e-9a54-2f3f0a6f0a11</example>
    [StringLength(100, MinimumLength = 1)]
    public string? ConversationId { get; init; }
}

/// <summary>A message to a conversation.</summary>
public sealed record ConversationMessage : ChatInput
{
    /// <summary>The message this one answers. The last message of a branch continues it; any other starts a new branch; <c>root</c> starts the conversation anew. Without it: the current branch goes on.</summary>
    /// <example>0198c0de-7c1a-7d7e-9a54-2f3f0a6f0a12</example>
    [StringLength(100, MinimumLength = 1)]
    public string? ParentId { get; init; }
}
