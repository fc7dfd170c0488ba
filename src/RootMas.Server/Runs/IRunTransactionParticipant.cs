using RootMas.Runtime.Runs;
using RootMas.Server.Platform.Data;

namespace RootMas.Server.Runs;

/// <summary>Which run an event belongs to, and where that run belongs.</summary>
/// <param name="InputMessageId">The message this run answers; null: not a run of a conversation.</param>
/// <param name="BranchId">Root runs of one branch go one after the other; null: no branch.</param>
public sealed record RunIdentity(string RunId, string OwnerId, string RootRunId, string? ParentRunId, string? ConversationId, string? InputMessageId,
    string? BranchId, string Team, string EntryAgent)
{
    public bool IsRoot => RootRunId == RunId;

    /// <summary>What it was asked, where whoever appends knows it; null: the message says it.</summary>
    public string? Input { get; init; }

    /// <summary>A retry of a message that has its place, on a branch of its own.</summary>
    public bool IsBesideAnother => BranchId == RunId;
}

/// <summary>
/// A slice to the right that writes rows of its own in the transactions of runs (Chat: conversations and messages). Registered in the container; all are called, in order.
/// The calls are on the writer's thread: they await nothing but the session's calls and have no effects outside the session. Throwing rolls the run's whole batch back.
/// </summary>
public interface IRunTransactionParticipant
{
    /// <summary>
    /// A root run is inserted by this transaction, after <see cref="StartRun.InTransaction"/>. <paramref name="takesTurn"/>: on a branch that was there before, so that its input message takes its place now;
    /// false: it waits behind its branch, or the branch is new and the message has its place.
    /// </summary>
    ValueTask OnCreatedAsync(DbSession session, RunIdentity run, bool takesTurn);

    /// <summary>A run that waited for its branch gets its turn: now it takes the branch's leaf as the parent of its input message.</summary>
    ValueTask OnActivatedAsync(DbSession session, RunIdentity run);

    /// <summary>
    /// Events of a root run of a conversation are appended by this transaction, or questions to the user (and answers) of a run below it, told as the root's. Called only for batches with a <see cref="MessageCompleted"/>, <see cref="InputRequested"/>, <see cref="InputReceived"/> or a final event, before the branch goes on with its next run, and for the questions and answers that a new run takes over from the one that it retries;
    /// <paramref name="status"/> is the run's status after the batch.
    /// </summary>
    ValueTask OnAppendedAsync(DbSession session, RunIdentity run, IReadOnlyList<EventRecord> events, RunStatus status);

    /// <summary>In this transaction an owner begins to show a run of this conversation to others. Throwing takes that back.</summary>
    ValueTask OnSharedAsync(DbSession session, string conversationId, string ownerId) => ValueTask.CompletedTask;

    /// <summary>This transaction ends an approval that nobody decided in time.</summary>
    ValueTask OnApprovalExpiredAsync(DbSession session, RunIdentity run, string approvalId) => ValueTask.CompletedTask;

    /// <summary>A call was refused in any run because the people behind it may not make it.</summary>
    ValueTask OnRightsDeniedAsync(DbSession session, RunIdentity run, ToolFailed refusal) => ValueTask.CompletedTask;
}

/// <summary>Where the earlier messages of a conversation come from (Chat implements it).</summary>
public interface IRunHistory
{
    /// <summary>The messages above the run's input message on its branch, oldest first, without the input itself. Gives the same answer each time for the same run.</summary>
    /// <param name="run">A root run with an input message.</param>
    /// <param name="said">Is given one message after the other.</param>
    RowRead Read(RunIdentity run, Action<HistoryMessage> said);

    /// <summary>Where the run's input message stands now. Not called back: it is <see cref="InputStanding.Gone"/>.</summary>
    /// <param name="run">A root run with an input message.</param>
    /// <param name="found">Is given the answer.</param>
    RowRead ReadStanding(RunIdentity run, Action<InputStanding> found);

    /// <summary>What the runs of the messages above the run's input have made shorter of the conversation, the newest first: only of runs whose history were the messages above their own input, as this one's must be.</summary>
    /// <param name="run">A root run with an input message.</param>
    /// <param name="found">Is given one event after the other, some of the newest.</param>
    RowRead ReadReductions(RunIdentity run, Action<ContextReduced> found);
}

/// <summary>Where a run's input message stands in its conversation.</summary>
public enum InputStanding
{
    /// <summary>It waited behind its branch and never had a place.</summary>
    Waits,

    Placed,

    /// <summary>Rolled back: no part of any history.</summary>
    RolledBack,

    /// <summary>Deleted with its conversation.</summary>
    Gone,
}
