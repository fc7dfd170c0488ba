using RootMas.Runtime.Runs;
using RootMas.Server.Identity.Access;
using RootMas.Server.Identity.Audit;
using RootMas.Server.Platform.Http;
using RootMas.Server.Platform.Idempotency;
using RootMas.Server.Runs;

namespace RootMas.Server.Chat;

/// <summary>
/// The seam between channels and chat: whichever channel a message comes from (REST, sockets, the OpenAI-compatible API, the command line), it becomes a run only through this.
/// The routes of runs, which read, cancel, retry and answer what is there, belong to the slice on the left and stand on <see cref="IMessageProcessor"/> themselves.
/// </summary>
public interface IChatService
{
    /// <inheritdoc cref="IMessageProcessor.Stopping"/>
    CancellationToken Stopping { get; }

    /// <summary>Accepts a message, or refuses it and writes nothing. Accepted means durable.</summary>
    Task<Sent> SendAsync(Caller caller, SendMessage message, CancellationToken cancellationToken);

    /// <summary>Completes when the run is final or waits for a person, or after <paramref name="atMost"/>; null: no such run of this caller.</summary>
    Task<RunSummary?> WaitAsync(Caller caller, string runId, TimeSpan atMost, CancellationToken cancellationToken);

    /// <summary>The run's stored events after a position, then live ones, until its final event. Ownership is checked first; null: no such run of this caller.</summary>
    Task<IAsyncEnumerable<StreamItem>?> StreamAsync(Caller caller, string runId, StreamPosition after, CancellationToken cancellationToken);

    /// <summary>The same from the beginning, with the logs of all runs below it (<see cref="IMessageProcessor.StreamTreeAsync"/>).</summary>
    Task<IAsyncEnumerable<StreamItem>?> StreamTreeAsync(Caller caller, string runId, CancellationToken cancellationToken);

    /// <summary>The stream of a run that was just accepted, from its beginning; whoever was given the acceptance owns it.</summary>
    IAsyncEnumerable<StreamItem> Stream(AcceptedMessage accepted, CancellationToken cancellationToken);

    /// <summary>A run of this caller, or null.</summary>
    Task<RunSummary?> FindAsync(Caller caller, string runId, CancellationToken cancellationToken);

    /// <summary>Stops a run down to its provider's connection. False: no such run of this caller.</summary>
    Task<bool> CancelAsync(Caller caller, string runId, string reason, CancellationToken cancellationToken);

    /// <summary>The run of this tree that waits for a person, of several the one whose question is the newest; null: none does.</summary>
    Task<RunSummary?> FindParkedAsync(Caller caller, string rootRunId, CancellationToken cancellationToken);

    /// <summary>Tokens of a root run of this caller and of all runs below it.</summary>
    ValueTask<TokenUsage> UsageAsync(RunSummary run, CancellationToken cancellationToken);

    /// <summary>Deletes a conversation with its messages, ends that its runs are shared, and cancels what still works in it. False: it is not there in this version.</summary>
    /// <param name="record">Writes into the audit log, in the transaction of the deletion.</param>
    /// <param name="unshared">The same for a run that is not shared any more, by its id.</param>
    Task<bool> DeleteConversationAsync(Caller caller, string conversationId, long version, AuditWrite record, Func<string, AuditWrite> unshared, CancellationToken cancellationToken);

    /// <summary>Live and recent runs of this caller, newest first.</summary>
    Task<IReadOnlyList<RunSummary>> RecentAsync(Caller caller, int limit, CancellationToken cancellationToken);

    /// <summary>What was said, oldest first: of one conversation or of all.</summary>
    Task<HistoryPage> HistoryAsync(Caller caller, HistoryQuery query, CancellationToken cancellationToken);
}

/// <summary>A message on its way in, from any channel.</summary>
public sealed record SendMessage
{
    public required string Text { get; init; }

    /// <summary>Null: a new conversation.</summary>
    public string? ConversationId { get; init; }

    /// <summary>Without a conversation: the caller's default one, not a new one.</summary>
    public bool UseDefaultConversation { get; init; }

    /// <summary>The message it answers; <see cref="Root"/>: none; null: the current branch goes on.</summary>
    public string? ParentId { get; init; }

    public string? Team { get; init; }

    public string? Agent { get; init; }

    /// <summary>Raw JSON object, or null.</summary>
    public string? Metadata { get; init; }

    /// <summary>Ids of documents that it brings along.</summary>
    public IReadOnlyList<string> Attachments { get; init; } = [];

    /// <summary>Attachments come from others than the sender: the run begins tainted.</summary>
    public bool BringsForeignText { get; init; }

    public OnBusy OnBusy { get; init; }

    public RunRequestOptions Options { get; init; } = new();

    /// <summary>What was said before, where the caller brings it along; null: the conversation's own history.</summary>
    public IReadOnlyList<HistoryMessage>? History { get; init; }

    /// <summary>A call of a programming interface: its conversation is kept but not listed.</summary>
    public bool IsApiCall { get; init; }

    /// <summary>The run is to be watched from its first moment: see <see cref="AcceptedMessage.Watch"/>.</summary>
    public bool Watch { get; init; }

    /// <summary>Null: without an <c>Idempotency-Key</c>.</summary>
    public IdempotencyRequest? Key { get; init; }

    /// <summary><see cref="ParentId"/> of a message that starts a conversation anew.</summary>
    public const string Root = "root";
}

/// <summary>An accepted message: exactly one of the two is set.</summary>
public readonly record struct Sent(AcceptedMessage? Accepted, Problem? Refusal)
{
    public static implicit operator Sent(AcceptedMessage accepted) => new(accepted, null);

    public static implicit operator Sent(Problem refusal) => new(null, refusal);
}

/// <param name="Status">Of the run at the moment of acceptance; of a repeat, as it is now.</param>
/// <param name="Answered">The message answered a question of a run that was already there.</param>
/// <param name="Repeated">The idempotency key was known: this is the run it made then.</param>
/// <param name="Watch">A place at the run's stream since before it began, if one was asked for and the run is new. Belongs to whoever gets it.</param>
public sealed record AcceptedMessage(string RunId, string? ConversationId, RunStatus Status, bool Answered = false, bool Repeated = false, RunWatch? Watch = null);

/// <param name="ConversationId">Null: all conversations of the caller.</param>
/// <param name="After">Cursor position; null: from <paramref name="Offset"/>.</param>
public sealed record HistoryQuery(string? ConversationId, int Limit, int Offset, HistoryPosition? After);

/// <summary>Where a page of history ended.</summary>
public readonly record struct HistoryPosition(long CreatedAt, string Id);

/// <param name="Total">Messages that match, on all pages; -1: the conversation is not the caller's or does not exist.</param>
/// <param name="Next">Null: this was the last page.</param>
public sealed record HistoryPage(IReadOnlyList<StoredMessage> Messages, long Total, HistoryPosition? Next);
