namespace RootMas.Server.Chat;

/// <summary>A conversation as its owner sees it.</summary>
public sealed record Conversation
{
    public required string Id { get; init; }

    public required string Title { get; init; }

    public string? Team { get; init; }

    public required bool Archived { get; init; }

    public required bool Pinned { get; init; }

    public string? Folder { get; init; }

    public string? CurrentLeaf { get; init; }

    public required DateTimeOffset CreatedAt { get; init; }

    public required DateTimeOffset UpdatedAt { get; init; }

    /// <summary>Raised by every change a client may make.</summary>
    public required long Version { get; init; }
}

/// <summary>A message of a conversation's tree.</summary>
public sealed record StoredMessage
{
    public required string Id { get; init; }

    public required string ConversationId { get; init; }

    public string? ParentId { get; init; }

    public required string BranchId { get; init; }

    /// <summary>1 at the root; 0 while the message waits behind its branch.</summary>
    public required int Depth { get; init; }

    public required string Role { get; init; }

    public required string Content { get; init; }

    public string? Agent { get; init; }

    public string? RunId { get; init; }

    /// <summary>complete, interrupted, queued, or question (the run asks the user).</summary>
    public required string Status { get; init; }

    public required bool Tainted { get; init; }

    /// <summary>Raw JSON array, or null.</summary>
    public string? Citations { get; init; }

    /// <summary>Raw JSON array, or null.</summary>
    public string? Attachments { get; init; }

    /// <summary>Raw JSON object, or null.</summary>
    public string? Metadata { get; init; }

    /// <summary>Why the model ended it before it was whole: length or content_filter; null: it is whole.</summary>
    public string? CutBy { get; init; }

    /// <summary>What its owner thinks of it; null: they have not said.</summary>
    public Rating? Rating { get; init; }

    public required DateTimeOffset CreatedAt { get; init; }
}

/// <summary>What a user thinks of an answer.</summary>
/// <param name="Score">1: good, -1: bad.</param>
/// <param name="Reason">Why, in the user's words; null: they did not say.</param>
public sealed record Rating(int Score, string? Reason, DateTimeOffset UpdatedAt);

/// <summary>Where a message to an existing conversation would go.</summary>
/// <param name="BranchId">The branch whose runs it would follow; null: a new branch below <paramref name="ParentId"/>.</param>
/// <param name="ParentId">Only with a new branch: the message it continues; null: it is a root.</param>
/// <param name="ParentDepth">0: a root.</param>
/// <param name="HasTitle">False: the conversation is named after its first message.</param>
public sealed record Placement(string? Team, bool HasTitle, string? BranchId, string? ParentId = null, int ParentDepth = 0);
