using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using System.Text.Json;
using RootMas.Runtime.Runs;
using RootMas.Server.Platform.Http;
using RootMas.Server.Runs;

namespace RootMas.Server.Chat;

/// <summary>A conversation to begin.</summary>
public sealed record NewConversationRequest
{
    /// <summary>Its title, up to 200 characters; without it, the first message gives one.</summary>
    /// <example>Trip to Kazan</example>
    [Characters(0, 200)]
    public string? Title { get; init; }

    /// <summary>The team that answers in it; without it, the default team.</summary>
    /// <example>root-mas</example>
    [StringLength(100)]
    public string? Team { get; init; }
}

/// <summary>What to change of a conversation; absent members stay as they are.</summary>
public sealed record ConversationChangeRequest
{
    /// <summary>Its title, up to 200 characters.</summary>
    /// <example>Trip to Kazan</example>
    [Characters(1, 200)]
    public string? Title { get; init; }

    /// <summary>The team that answers in it; an empty string: the default team.</summary>
    /// <example>research</example>
    [StringLength(100)]
    public string? Team { get; init; }

    /// <summary>Whether it is put away.</summary>
    /// <example>false</example>
    public bool? Archived { get; init; }

    /// <summary>Whether it stands at the top.</summary>
    /// <example>true</example>
    public bool? Pinned { get; init; }

    /// <summary>The folder it lies in, up to 100 characters; an empty string: none.</summary>
    /// <example>Travel</example>
    [Characters(0, 100)]
    public string? Folder { get; init; }
}

/// <summary>A conversation.</summary>
public sealed record ConversationAnswer
{
    /// <summary>The conversation.</summary>
    public required string Id { get; init; }

    /// <summary>Its title; empty until the first message.</summary>
    /// <example>Trip to Kazan</example>
    public required string Title { get; init; }

    /// <summary>The team that answers in it; null: the default team.</summary>
    /// <example>root-mas</example>
    public string? Team { get; init; }

    /// <summary>Whether it is put away.</summary>
    /// <example>false</example>
    public required bool Archived { get; init; }

    /// <summary>Whether it stands at the top.</summary>
    /// <example>false</example>
    public required bool Pinned { get; init; }

    /// <summary>The folder that its owner has put it into; null: none.</summary>
    /// <example>Travel</example>
    public string? Folder { get; init; }

    /// <summary>The message that a new one without parent_id continues; null: there is none yet.</summary>
    public string? CurrentLeaf { get; init; }

    /// <summary>When it began.</summary>
    public required DateTimeOffset CreatedAt { get; init; }

    /// <summary>When something was last said or changed in it.</summary>
    public required DateTimeOffset UpdatedAt { get; init; }

    internal static ConversationAnswer Of(Conversation conversation) => new()
    {
        Id = conversation.Id,
        Title = conversation.Title,
        Team = conversation.Team,
        Archived = conversation.Archived,
        Pinned = conversation.Pinned,
        Folder = conversation.Folder,
        CurrentLeaf = conversation.CurrentLeaf,
        CreatedAt = conversation.CreatedAt,
        UpdatedAt = conversation.UpdatedAt,
    };
}

/// <summary>A message of a conversation's tree.</summary>
public sealed record MessageAnswer
{
    /// <summary>The message.</summary>
    public required string Id { get; init; }

    /// <summary>The message above it; null: it is a root, or still waits for its turn.</summary>
    public string? ParentId { get; init; }

    /// <summary>The branch it lies on; runs of one branch go one after the other.</summary>
    public required string BranchId { get; init; }

    /// <summary>user or assistant.</summary>
    /// <example>user</example>
    public required string Role { get; init; }

    /// <summary>The text.</summary>
    /// <example>Which trains go to Kazan?</example>
    public required string Content { get; init; }

    /// <summary>The agent that said it; null: the user.</summary>
    public string? Agent { get; init; }

    /// <summary>The run that works on it, or wrote it.</summary>
    public string? RunId { get; init; }

    /// <summary>complete; interrupted: it was stopped with the text so far; queued: it waits behind its branch; cancelled: its run ended before its turn; question: the run asks the user.</summary>
    /// <example>complete</example>
    public required string Status { get; init; }

    /// <summary>length, or content_filter: the model ended the text before it was whole; null: it is whole.</summary>
    /// <example>null</example>
    public string? CutBy { get; init; }

    /// <summary>Whether it carries text from outside.</summary>
    /// <example>false</example>
    public required bool Tainted { get; init; }

    /// <summary>The sources that it names.</summary>
    public required IReadOnlyList<Citation> Citations { get; init; }

    /// <summary>Documents that the user brought along.</summary>
    public IReadOnlyList<AttachedDocument> Attachments { get; init; } = [];

    /// <summary>What the client gave along with it; null: nothing.</summary>
    [Description("What the client gave along with it; null: nothing.")]
    public JsonElement? Metadata { get; init; }

    /// <summary>What the user thinks of the answer; null: they have not said.</summary>
    [Description("What the user thinks of the answer; null: they have not said.")]
    public FeedbackAnswer? Feedback { get; init; }

    /// <summary>When it was said.</summary>
    public required DateTimeOffset CreatedAt { get; init; }

    internal static MessageAnswer Of(StoredMessage message) => new()
    {
        Id = message.Id,
        ParentId = message.ParentId,
        BranchId = message.BranchId,
        Role = message.Role,
        Content = message.Content,
        Agent = message.Agent,
        RunId = message.RunId,
        Status = message.Status,
        CutBy = message.CutBy,
        Tainted = message.Tainted,
        Citations = message.Citations is null ? [] : JsonSerializer.Deserialize(message.Citations, ChatJson.Stored.IReadOnlyListCitation) ?? [],
        Attachments = message.Attachments is null ? [] : JsonSerializer.Deserialize(message.Attachments, ChatJson.Stored.IReadOnlyListAttachedDocument) ?? [],
        Metadata = message.Metadata is null ? null : JsonElement.Parse(message.Metadata),
        Feedback = message.Rating is { } rating ? FeedbackAnswer.Of(message.Id, rating) : null,
        CreatedAt = message.CreatedAt,
    };
}

/// <summary>A run that was started.</summary>
public sealed record AcceptedRun
{
    /// <summary>The run, as wherever a run is answered.</summary>
    public string Id => RunId;

    /// <summary>The run.</summary>
    public required string RunId { get; init; }

    /// <summary>The conversation that the message went to.</summary>
    public required string ConversationId { get; init; }

    /// <summary>The run's status when it was accepted.</summary>
    /// <example>running</example>
    public required string Status { get; init; }

    /// <summary>Where the run can be read.</summary>
    /// <example>/api/v1/runs/0198c0de-7c1a-7d7e-9a54-2f3f0a6f0a13</example>
    public required string Location { get; init; }
}
