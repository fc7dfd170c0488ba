using RootMas.Runtime.Runs;
using RootMas.Server.Platform.Data;
using RootMas.Server.Platform.Idempotency;

namespace RootMas.Server.Runs;

/// <summary>The seam between chat and runtime: a message in, a run out. Messages of every channel come through <c>IChatService</c>, which reaches runs only through this, as do the routes of runs.</summary>
public interface IMessageProcessor
{
    /// <summary>This process lets go of all runs. They are kept and go on elsewhere, or after the next start; whoever waits for one here is told so.</summary>
    CancellationToken Stopping { get; }

    /// <summary>
    /// Accepts a message: when the task completes, the run (and what <see cref="StartRun.InTransaction"/> wrote) is durable.
    /// The run starts at once in this process if the worker has room and its branch is free, else it is queued.
    /// </summary>
    Task<RunAccepted> StartAsync(StartRun request, CancellationToken cancellationToken);

    /// <summary>Stored events after <paramref name="after"/> and then live ones, until the run's final event. <paramref name="tree"/> adds descendants' events and pieces, live only.</summary>
    IAsyncEnumerable<StreamItem> StreamAsync(string runId, StreamPosition after, bool tree, CancellationToken cancellationToken);

    /// <summary>
    /// Events of the run and of all runs below it, each log from its beginning, and then live ones, until the run's final event; no pieces. What a run below did comes behind the event that says that it begins, before the one that says that it ended.
    /// </summary>
    IAsyncEnumerable<StreamItem> StreamTreeAsync(string runId, CancellationToken cancellationToken);

    /// <summary>Takes a place at the stream of a run before <see cref="StartAsync"/> creates it.</summary>
    RunWatch Watch(string runId);

    /// <summary>Completes when the run is final or waits for a person, or after <paramref name="atMost"/>; null: no such run.</summary>
    Task<RunSummary?> WaitAsync(string runId, TimeSpan atMost, CancellationToken cancellationToken);

    /// <summary>False: no such run of this owner. Cancelling a final run changes nothing.</summary>
    Task<bool> CancelAsync(string runId, string ownerId, string reason, bool keepText, CancellationToken cancellationToken);

    /// <summary>One run of this owner (null owner: of anybody; the caller has checked the right), or null.</summary>
    Task<RunSummary?> FindAsync(string runId, string? ownerId, CancellationToken cancellationToken);

    /// <summary>Runs, newest first.</summary>
    Task<IReadOnlyList<RunSummary>> ListAsync(RunFilter filter, CancellationToken cancellationToken);

    /// <summary>What these runs were asked; without those whose question is very long or was removed. Ownership was checked by <see cref="FindAsync"/> or <see cref="ListAsync"/>.</summary>
    Task<Dictionary<string, string>> InputsAsync(IReadOnlyCollection<string> runIds, CancellationToken cancellationToken);

    /// <summary>The run and all its descendants, oldest first; empty: no such run of this owner.</summary>
    Task<IReadOnlyList<RunSummary>> TreeAsync(string runId, string? ownerId, CancellationToken cancellationToken);

    /// <summary>Tokens of a root run and all runs below it. Ownership was checked by <see cref="FindAsync"/>.</summary>
    Task<TokenUsage> TreeUsageAsync(string rootRunId, CancellationToken cancellationToken);

    /// <summary>Up to <paramref name="limit"/> stored events after <paramref name="after"/>. Ownership was checked by <see cref="FindAsync"/>.</summary>
    Task<IReadOnlyList<StoredEvent>> EventsAsync(string runId, long after, int limit, CancellationToken cancellationToken);

    /// <summary>
    /// What the user was asked last by a run of this root's tree, and has not answered, whatever else that run waits for; null: nothing. Runs that were told to end ask nothing more. Ownership was checked by <see cref="FindAsync"/>.
    /// </summary>
    Task<InputRequested?> NewestQuestionAsync(string rootRunId, CancellationToken cancellationToken);

    /// <summary>Answers an open question of the run; <paramref name="call"/> null: the newest open one. Codes: run_not_found, run_is_final, no_open_question.</summary>
    /// <param name="also">Written in the transaction of the effect, with the id of the run concerned; as for the verbs below.</param>
    Task<RunVerdict> AnswerAsync(string runId, string ownerId, int? call, InputAnswer answer, Made? also, CancellationToken cancellationToken);

    /// <summary>A new run with <see cref="StartRun.RetryOf"/>; completed steps before <paramref name="fromSeq"/> are copied, never executed again. Codes: run_not_found, run_not_final, not_a_root_run, branch_busy, message_rolled_back, conversation_not_found, log_pruned, from_seq_beyond_log.</summary>
    /// <param name="asker">Rights and bound of whoever asks for it: those of the earlier run are not inherited.</param>
    Task<RunVerdict> RetryAsync(string runId, string ownerId, long? fromSeq, RetryAsker asker, Made? also, CancellationToken cancellationToken);

    /// <summary>Decides an unsafe call in doubt: done, repeat or cancel. Codes: run_not_found, run_is_final, no_open_review, repeat_too_early.</summary>
    /// <param name="by">Who decides; null: the owner.</param>
    Task<RunVerdict> ResolveAsync(string runId, string ownerId, int call, string outcome, string? result, Made? also, CancellationToken cancellationToken, string? by = null);

    /// <summary>Runs of this branch that are not final, the started one first.</summary>
    Task<IReadOnlyList<RunSummary>> OnBranchAsync(string branchId, string ownerId, CancellationToken cancellationToken);
}

/// <summary>Who asks for a retry.</summary>
/// <param name="Permissions">What the credential allows, see <see cref="RunRequestOptions.Permissions"/>.</param>
/// <param name="MaxUnfinished">The user's own bound on unfinished runs; null: the general one.</param>
public readonly record struct RetryAsker(IReadOnlyList<string>? Permissions, int? MaxUnfinished);

/// <summary>What a user says to a question of a run.</summary>
public sealed record InputAnswer(string Text)
{
    /// <inheritdoc cref="InputReceived.Attachments"/>
    public IReadOnlyList<AttachedDocument>? Attachments { get; init; }

    /// <summary>Raw JSON object, kept with the message and not shown to agents; null: none.</summary>
    public string? Metadata { get; init; }

    /// <summary>Attachments come from others than the user: the run is tainted from here on.</summary>
    public bool BringsForeignText { get; init; }

    public static implicit operator InputAnswer(string text) => new(text);
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

    /// <summary><see cref="InTransaction"/> makes the branch, and puts the input message into its place there.</summary>
    public bool IsNewBranch { get; init; }

    /// <summary>
    /// True: if the branch is busy the run waits behind it, unless the unfinished run, or one below it, waits for an approval, a review or an answer, which is <see cref="RunAccepted.Busy"/>;
    /// false: always <see cref="RunAccepted.Busy"/>. Busy means that nothing was written.
    /// </summary>
    public bool Enqueue { get; init; } = true;

    /// <summary>
    /// The unfinished run of the branch whose place this one takes. It, and all below it, is told to end in the transaction that accepts this one, which waits for that (<see cref="Enqueue"/>).
    /// Had it ended already: <see cref="RunAccepted.Busy"/>, and nothing was written.
    /// </summary>
    public RunReplacement? Replaces { get; init; }

    /// <summary>
    /// What was said before. Empty: nothing, the conversation is new (nothing is loaded, and the model is called while the first batch is still being written).
    /// With messages: stored with the run, so that a restart sees the same. Null: loaded through <see cref="IRunHistory"/>.
    /// </summary>
    public IReadOnlyList<HistoryMessage>? History { get; init; }

    public RunRequestOptions Options { get; init; } = new();

    public bool Tainted { get; init; }

    public string? RetryOf { get; init; }

    /// <summary>The owner's own bound on unfinished root runs; null: the general one. Over it: <see cref="RunAccepted.Code"/> <c>concurrent_runs</c>.</summary>
    public int? MaxUnfinished { get; init; }

    /// <summary>
    /// Written in the transaction that creates the run: conversation and message rows, the idempotency key. May throw to refuse; then nothing is written and
    /// <see cref="IMessageProcessor.StartAsync"/> throws the same exception. May be run again after a transient failure.
    /// </summary>
    public Func<DbSession, ValueTask>? InTransaction { get; init; }

    /// <summary>Set when <see cref="InTransaction"/> may well refuse (an idempotency key): no model is called before the transaction has committed.</summary>
    public bool MayBeRefused { get; init; }
}

/// <param name="Busy">The branch has an unfinished run and the request did not want to wait; nothing was written. Names that run.</param>
/// <param name="Waiting">The run is queued behind its branch.</param>
/// <param name="Code">Not null: nothing was written, because of this: <c>team_not_found</c>, <c>agent_not_found</c>, <c>concurrent_runs</c>, or with <see cref="Busy"/> <c>rollback_impossible</c>.</param>
/// <param name="Detail">The refusal for people.</param>
public sealed record RunAccepted(string RunId, RunStatus Status, RunSummary? Busy = null, bool Waiting = false, string? Code = null, string? Detail = null);

/// <summary>A run as lists and answers show it.</summary>
public sealed record RunSummary
{
    /// <summary>Retention has removed its events but for the answer and the last one.</summary>
    public bool LogPruned { get; init; }

    /// <summary>Since when everybody who is signed in may read it; of roots only.</summary>
    public DateTimeOffset? SharedAt { get; init; }

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

    /// <summary>Of its own model calls; with those below it: <see cref="IMessageProcessor.TreeUsageAsync"/>.</summary>
    public required TokenUsage Usage { get; init; }

    /// <summary>Of a root run with all below it; of any other its own.</summary>
    public required TokenUsage TreeUsage { get; init; }

    /// <summary>A root run that other runs have worked for.</summary>
    public bool HasParts { get; init; }

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
