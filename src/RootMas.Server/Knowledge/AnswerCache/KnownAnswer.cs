namespace RootMas.Server.Knowledge.AnswerCache;

/// <summary>An answer that stands in the database, as far as finding it needs.</summary>
internal sealed class KnownAnswer
{
    private long _hits;

    public required Guid Id { get; init; }

    public required string OwnerId { get; init; }

    public required string Agent { get; init; }

    public required string PromptVersion { get; init; }

    public required IReadOnlyList<string> Documents { get; init; }

    public required long MicroUsd { get; init; }

    public required DateTimeOffset ExpiresAt { get; init; }

    public AnswerEvidence Evidence { get; } = new();

    /// <summary>Whether a purge of this scope means it.</summary>
    public bool IsOf(PurgeScope scope) => scope.Kind switch
    {
        "all" => true,
        "user" => OwnerId == scope.Id || OwnerId.StartsWith(scope.Id + "/", StringComparison.Ordinal),
        "agent" => Agent == scope.Id,
        "prompt" => PromptVersion == scope.Id,
        "document" => Documents.Contains(scope.Id, StringComparer.Ordinal),
        _ => false,
    };

    /// <summary>Of this process and not yet written.</summary>
    public long TakeHits() => Interlocked.Exchange(ref _hits, 0);

    public void Hit(int times = 1) => Interlocked.Add(ref _hits, times);

    public static KnownAnswer Of(CachedAnswer answer) => new()
    {
        Id = answer.Id,
        OwnerId = answer.OwnerId,
        Agent = answer.Agent,
        PromptVersion = answer.PromptVersion,
        Documents = answer.Documents,
        MicroUsd = answer.MicroUsd,
        ExpiresAt = answer.ExpiresAt,
    };
}

/// <summary>A question that was answered.</summary>
/// <param name="Vector">Null: only equal questions find it.</param>
/// <param name="Marks">See <see cref="MeaningMarks"/>.</param>
internal sealed record KnownQuestion(Guid Id, Digest Partition, Digest Key, KnownAnswer Answer, QuestionMarks Marks, float[]? Vector)
{
    /// <summary>Who asked it, also where the answer is everybody's; null: an older version wrote it.</summary>
    public string? Asker { get; init; }

    /// <summary>Where it was asked; null: in none, or an older version wrote it.</summary>
    public string? ConversationId { get; init; }

    /// <summary>By the user, or by somebody for whom the user speaks.</summary>
    public bool IsAskedBy(string userId) => Asker is not null && (Asker == userId || Asker.StartsWith(userId + "/", StringComparison.Ordinal));
}

/// <summary>The nearest answer, and others that may mean the same as what the model says now.</summary>
internal sealed record Neighbours(KnownAnswer Best, Nearness At, IReadOnlyList<KnownAnswer> Others);
