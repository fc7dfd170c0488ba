using RootMas.Runtime.Runs;
using RootMas.Server.Platform.Data;

namespace RootMas.Server.Runs;

/// <summary>The seam between chat and runtime: a message in, a run out. Every channel reaches runs through <c>IChatService</c>, and it only through this.</summary>
public interface IMessageProcessor
{
    /// <summary>
    /// Accepts a message: when the task completes, the run (and what <see cref="StartRun.InTransaction"/> wrote) is durable.
    /// The run starts at once in this process if the worker has room and its branch is free, else it is queued.
    /// </summary>
    Task<RunAccepted> StartAsync(StartRun request, CancellationToken cancellationToken);

    /// <summary>Stored events after <paramref name="after"/> and then live ones, until the run's final event. <paramref name="tree"/> adds descendants' events and pieces, live only.</summary>
    IAsyncEnumerable<StreamItem> StreamAsync(string runId, StreamPosition after, bool tree, CancellationToken cancellationToken);

    /// <summary>Completes when the run is final or waits for a person, or after <paramref name="atMost"/>; null: no such run.</summary>
    Task<RunSummary?> WaitAsync(string runId, TimeSpan atMost, CancellationToken cancellationToken);

    /// <summary>False: no such run of this owner. Cancelling a final run changes nothing.</summary>
    Task<bool> CancelAsync(string runId, string ownerId, string reason, bool keepText, CancellationToken cancellationToken);
}

/// <summary>A message to be worked on.</summary>
public sealed record StartRun
{
    /// <summary>UUIDv7 chosen by the caller of the seam, so that rows written beside it can name it.</summary>
    public required string RunId { get; init; }

    public required string OwnerId { get; init; }

    public required string Input { get; init; }

    public string? Team { get; init; }

    /// <summary>Overrides the team's entry agent; without <see cref="Team"/>: this agent alone.</summary>
    public string? Agent { get; init; }

    public string? ConversationId { get; init; }

    public string? InputMessageId { get; init; }

    /// <summary>Runs of one branch go one after the other; null: no branch, always free.</summary>
    public string? BranchId { get; init; }

    /// <summary>True: if the branch is busy the run waits behind it; false: <see cref="RunAccepted.Busy"/> and nothing is written.</summary>
    public bool Enqueue { get; init; } = true;

    public IReadOnlyList<HistoryMessage>? History { get; init; }

    public RunRequestOptions Options { get; init; } = new();

    public bool Tainted { get; init; }

    public string? RetryOf { get; init; }

    /// <summary>Written in the transaction that creates the run: conversation and message rows, the idempotency key. May throw to refuse; then nothing is written.</summary>
    public Func<DbSession, ValueTask>? InTransaction { get; init; }
}

/// <param name="Busy">The branch has an unfinished run and the request did not want to wait; nothing was written. Names that run.</param>
/// <param name="Waiting">The run is queued behind its branch.</param>
public sealed record RunAccepted(string RunId, RunStatus Status, RunSummary? Busy = null, bool Waiting = false);

/// <summary>A run as lists and answers show it.</summary>
public sealed record RunSummary
{
    public required string Id { get; init; }

    public required string OwnerId { get; init; }

    public required RunStatus Status { get; init; }

    public required string Team { get; init; }

    public required string Agent { get; init; }

    public string? ConversationId { get; init; }

    public string? InputMessageId { get; init; }

    public string? ParentRunId { get; init; }

    public required string RootRunId { get; init; }

    public string? RetryOf { get; init; }

    public required long LastSeq { get; init; }

    public required int Attempt { get; init; }

    public required Money Cost { get; init; }

    public required Money TreeCost { get; init; }

    public required TokenUsage Usage { get; init; }

    /// <summary>The final message, when there is one.</summary>
    public MessageCompleted? Answer { get; init; }

    /// <summary>Why it waits or failed, for people.</summary>
    public string? Reason { get; init; }

    public string? ErrorCode { get; init; }

    public required DateTimeOffset CreatedAt { get; init; }

    public DateTimeOffset? EndedAt { get; init; }

    /// <summary>Agents that took part, in order of first appearance.</summary>
    public IReadOnlyList<string> Agents { get; init; } = [];
}

/// <summary>Where a client stopped reading: the last stored event, and the pieces after it.</summary>
/// <param name="Seq">0: from the beginning.</param>
public readonly record struct StreamPosition(long Seq, int N = 0);

/// <summary>One thing to send. <see cref="Json"/> is the stored form and is sent unchanged.</summary>
/// <param name="Id"><c>seq</c>, <c>seq:n</c>, or null for descendants.</param>
/// <param name="IsFinal">The stream ends after this.</param>
public readonly record struct StreamItem(string? Id, string Type, ReadOnlyMemory<byte> Json, bool IsFinal);
