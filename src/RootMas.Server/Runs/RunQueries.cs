using RootMas.Runtime.Runs;

namespace RootMas.Server.Runs;

/// <summary>Which runs to list, newest first. Null members do not filter.</summary>
public sealed record RunFilter
{
    /// <summary>Null: of every owner (administrators only; the caller of this seam has checked it).</summary>
    public string? OwnerId { get; init; }

    public RunStatus? Status { get; init; }

    /// <summary>Runs that this agent entered.</summary>
    public string? Agent { get; init; }

    public string? ConversationId { get; init; }

    /// <summary>Only runs that their owners do, or do not, show to everybody.</summary>
    public bool? Shared { get; init; }

    /// <summary>True: root runs only. Default true.</summary>
    public bool RootsOnly { get; init; } = true;

    /// <summary>Only runs whose id is below this one (ids rise with time).</summary>
    public string? BeforeId { get; init; }

    /// <summary>1–200.</summary>
    public int Limit { get; init; } = 50;
}

/// <summary>A stored event as it lies in the log, but for what deleted documents said: <see cref="Json"/> is sent unchanged.</summary>
public readonly record struct StoredEvent(long Seq, string Type, ReadOnlyMemory<byte> Json)
{
    public bool IsFinal => Type is "run.completed" or "run.failed" or "run.cancelled";
}

/// <summary>Where a run stands.</summary>
/// <param name="MaySettle">It has ended, or it or a run of its tree waits for a person.</param>
internal readonly record struct Standing(long LastSeq, bool MaySettle);

/// <summary>A run below another, and how long its log is.</summary>
internal readonly record struct Descendant(string RunId, string ParentRunId, long LastSeq);

/// <summary>What a verb on a run did. <see cref="Code"/> is null on success, else a stable refusal code with a sentence for people.</summary>
public sealed record RunVerdict(RunSummary? Run, string? Code = null, string? Detail = null)
{
    public bool Ok => Code is null;

    public static RunVerdict NotFound { get; } = new(null, "run_not_found", "There is no such run.");
}

/// <summary>An approval as lists show it.</summary>
public sealed record ApprovalRecord
{
    public required string Id { get; init; }

    public required string RunId { get; init; }

    public required string OwnerId { get; init; }

    public required string Agent { get; init; }

    public required int Call { get; init; }

    public required string Tool { get; init; }

    /// <summary>The exact arguments as raw JSON: these bytes will run.</summary>
    public required string Arguments { get; init; }

    public required string ArgumentsHash { get; init; }

    /// <summary>owner or admin.</summary>
    public required string Approver { get; init; }

    public required string Reason { get; init; }

    public string? TargetOrigin { get; init; }

    /// <summary>pending, approved, denied or expired.</summary>
    public required string Status { get; init; }

    public string? DecidedBy { get; init; }

    public string? DecisionReason { get; init; }

    public required DateTimeOffset CreatedAt { get; init; }

    public required DateTimeOffset ExpiresAt { get; init; }

    public DateTimeOffset? DecidedAt { get; init; }
}

/// <summary>The outcome of a decision; <see cref="Code"/> is null on success.</summary>
public sealed record ApprovalVerdict(ApprovalRecord? Approval, string? Code = null, string? Detail = null)
{
    public bool Ok => Code is null;
}
