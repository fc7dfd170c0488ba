using System.Text.Json;
using System.Text.Json.Serialization;

namespace RootMas.Runtime.Runs;

/// <summary>Where a run's log is kept. One owner (worker, attempt) appends by compare-and-set; everybody else writes to the run's inbox.</summary>
public interface IRunJournal
{
    /// <summary>
    /// Appends events atomically if the run is still owned by <see cref="RunAppend.Attempt"/> and its last sequence number is <see cref="RunAppend.ExpectedSeq"/>.
    /// When the batch is durable the journal shows its events to whoever follows the run, then wakes others (children, the parent), then completes the task:
    /// in this order, because a woken attempt may append and be shown at once. The task completes when the batch is durable. A miss is <see cref="AppendOutcome.Fenced"/>: the owner stops its calls and drops its work.
    /// An owner may hand over its second batch before the first one is answered: a journal writes the batches of a run in the order in which it was given them.
    /// </summary>
    ValueTask<AppendResult> AppendAsync(RunAppend append, CancellationToken cancellationToken);

    /// <summary>Inbox rows with an id above <paramref name="after"/>, oldest first.</summary>
    ValueTask<IReadOnlyList<InboxItem>> ReadInboxAsync(string runId, long after, CancellationToken cancellationToken);

    /// <summary>Rows of calls that an owner has paid for and writes with no batch any more, since the run is not its own. A journal keeps those of a batch that it refuses by itself.</summary>
    ValueTask KeepAsync(IReadOnlyList<LedgerEntry> rows);
}

/// <summary>An event and its stored bytes: serialised once, written and streamed unchanged.</summary>
public readonly record struct EventRecord(RunEvent Event, byte[] Json);

/// <summary>One batch of an owner. Everything in it commits or nothing does.</summary>
public sealed record RunAppend
{
    public required string RunId { get; init; }

    public required int Attempt { get; init; }

    /// <summary>Last sequence number the owner knows; the events are numbered from this + 1.</summary>
    public required long ExpectedSeq { get; init; }

    public required IReadOnlyList<EventRecord> Events { get; init; }

    /// <summary>Unique per batch: after a lost connection the tail is read, and one's own batch there means success.</summary>
    public required Guid BatchId { get; init; }

    /// <summary>Set on the first batch of a run that is created by it: the run row (and what belongs to it) is inserted in the same transaction, owned by this attempt.</summary>
    public NewRun? Create { get; init; }

    /// <summary>The run as its owner knows it, for journals that can save a look; null: whoever appends does not know.</summary>
    public NewRun? Of { get; init; }

    /// <summary>Inbox rows up to this id are folded into the log by this batch.</summary>
    public long? InboxDone { get; init; }

    /// <summary>
    /// The run's status after the batch. A parked status is set only if the inbox is empty (inbox_done = inbox_seq); if not, the events are still appended, the run stays
    /// running and <see cref="AppendResult.Parked"/> is false: read the inbox and go on. A final status also writes the parent's inbox row in the same transaction.
    /// </summary>
    public RunStatus Status { get; init; } = RunStatus.Running;

    /// <summary>When a parked run is to be woken with a <see cref="TimerDue"/> inbox row (expiry or back-off); null: never.</summary>
    public DateTimeOffset? WakeAt { get; init; }

    /// <summary>Why a parked run waits, for people; null: what its events say.</summary>
    public string? Reason { get; init; }

    public IReadOnlyList<NewRun> Children { get; init; } = [];

    /// <summary>Earlier children whose results are not wanted any more: each is told to cancel (<see cref="CancelRequested"/>, key <c>cancel</c>) in the same transaction, if it has not ended.</summary>
    public IReadOnlyList<string> Abandoned { get; init; } = [];

    public IReadOnlyList<LedgerEntry> Ledger { get; init; } = [];

    /// <summary>What this batch adds to the totals of the whole tree (kept at the root).</summary>
    public TreeTotals TreeDelta { get; init; }

    /// <summary>What the run sets aside from now on, decided in the batch's transaction for all runs of the tree one after the other; null: nothing, and what it had set aside is given back.</summary>
    public TreeHold? Hold { get; init; }
}

public enum AppendOutcome
{
    Appended,

    /// <summary>Another attempt owns the run, or the log moved on, or the run is final.</summary>
    Fenced,
}

/// <param name="Parked">The run is parked or final now; the owner lets go of it.</param>
/// <param name="InboxSeq">Highest inbox id of the run.</param>
/// <param name="Tree">The tree's totals after the batch.</param>
public readonly record struct AppendResult(AppendOutcome Outcome, bool Parked, long InboxSeq, TreeTotals Tree)
{
    /// <summary>What became of <see cref="RunAppend.Hold"/>.</summary>
    public TreeGrant Grant { get; init; }
}

/// <summary>Counted over the root's whole tree (guards, DESIGN §4.7).</summary>
public readonly record struct TreeTotals(int Steps, int Children, long Tokens, long CostMicroUsd)
{
    public static TreeTotals operator +(TreeTotals a, TreeTotals b) =>
        new(a.Steps + b.Steps, a.Children + b.Children, a.Tokens + b.Tokens, a.CostMicroUsd + b.CostMicroUsd);
}

/// <summary>A run to be created.</summary>
public sealed record NewRun
{
    public required string RunId { get; init; }

    public required string OwnerId { get; init; }

    public required string RootRunId { get; init; }

    public string? ParentRunId { get; init; }

    /// <summary>Key of the inbox row that the end of this run writes at its parent: unique per parent.</summary>
    public string? ParentKey { get; init; }

    public int Depth { get; init; }

    public string? ConversationId { get; init; }

    /// <summary>The message this run answers (root runs of a conversation).</summary>
    public string? InputMessageId { get; init; }

    public required string Team { get; init; }

    /// <summary>The agent that enters first.</summary>
    public required string EntryAgent { get; init; }

    public required string SnapshotHash { get; init; }

    public required string Input { get; init; }

    public bool Tainted { get; init; }

    public RunRequestOptions Options { get; init; } = new();

    /// <inheritdoc cref="RunQueued.KnownUrls"/>
    public IReadOnlyList<string>? KnownUrls { get; init; }

    /// <summary>The run that this one repeats.</summary>
    public string? RetryOf { get; init; }

    public DateTimeOffset CreatedAt { get; init; }

    /// <summary>Events of a new run beyond the owner's first batch: the run.queued of a child or of a run that waits for a worker.</summary>
    public EventRecord? Queued { get; init; }
}

/// <summary>What the caller of a run may choose. Stored with the run.</summary>
public sealed record RunRequestOptions
{
    /// <summary>A model id or tier that replaces the agents' tier; null: as configured.</summary>
    public string? Model { get; init; }

    public double? Temperature { get; init; }

    public double? TopP { get; init; }

    public int? MaxOutputTokens { get; init; }

    public IReadOnlyList<string>? Stop { get; init; }

    /// <summary>Documents that the user's message brings along; null: none. Agents read them with their tools.</summary>
    public IReadOnlyList<AttachedDocument>? Attachments { get; init; }

    /// <summary>Ids of further documents whose words may be in the input, because the run that asks for this one knows them; null: none.</summary>
    public IReadOnlyList<string>? Documents { get; init; }

    /// <summary>Of a plan's task: how many characters of the input are the task itself. Behind them stand when it is done and what others found for it. Null: the input is all that is asked for.</summary>
    public int? AskedLength { get; init; }

    /// <summary>JSON schema (raw text) the final answer must follow; <c>{}</c> means any JSON object.</summary>
    public string? ResponseSchema { get; init; }

    /// <summary>No delegation and no handoff: one agent answers.</summary>
    public bool Simple { get; init; }

    /// <summary>Instructions from the API caller; they rank below the agent's prompt.</summary>
    public string? CallerInstructions { get; init; }

    /// <summary>Do not read from the answer cache.</summary>
    public bool NoCache { get; init; }

    /// <summary>Tools the run may not use although its agents have them.</summary>
    public IReadOnlyList<string>? DeniedTools { get; init; }

    /// <summary>What the credential that started the run allows, where that is less than its user may; null: all that the user may.</summary>
    public IReadOnlyList<string>? Permissions { get; init; }

    /// <summary>Nobody waits for it: while workers are busy it stands behind what somebody waits for.</summary>
    public bool Background { get; init; }

    public RunLimits? Limits { get; init; }

    /// <summary>Pattern of a child run (a name of PatternKind); null: the team's for a root, direct for a child.</summary>
    public string? Pattern { get; init; }
}

/// <summary>A document that a message brings along.</summary>
/// <param name="Id">By which tools read it.</param>
/// <param name="Name">As its owner named it: a text from outside.</param>
public sealed record AttachedDocument(string Id, string Name)
{
    private const string Along = "\n[brought documents along: ";

    /// <summary>What a user said earlier, with what came along. Only ids are told: what a document is called may come from somebody else.</summary>
    public static string Told(string text, IEnumerable<string> ids) =>
        string.Join(", ", ids) is { Length: > 0 } brought ? $"{text}{Along}{brought}]" : text;

    /// <summary>What <see cref="Told"/> was made of, without what came along.</summary>
    public static string Said(string told)
    {
        var at = told.LastIndexOf(Along, StringComparison.Ordinal);
        return at >= 0 && told.IndexOf(']', at) == told.Length - 1 ? told[..at] : told;
    }
}

/// <summary>One row per request that was sent to a model, also for those without a run (embeddings, judges).</summary>
public sealed record LedgerEntry
{
    private const string Doubtful = "in_doubt";

    /// <summary>The <see cref="Outcome"/> of a request that was answered.</summary>
    public const string Answered = "ok";

    /// <summary>The <see cref="Outcome"/> of a request whose caller left.</summary>
    public const string Left = "cancelled";

    public required string Id { get; init; }

    public string? RunId { get; init; }

    public string? RootRunId { get; init; }

    public required string OwnerId { get; init; }

    public string? Agent { get; init; }

    public string? MessageId { get; init; }

    public required string Purpose { get; init; }

    public required string Provider { get; init; }

    public required string Model { get; init; }

    public required string Tier { get; init; }

    public required TokenUsage Usage { get; init; }

    public required Money Cost { get; init; }

    /// <summary>ok, an error class of <see cref="ModelFailed"/>, superseded, cancelled, or in_doubt.</summary>
    public required string Outcome { get; init; }

    /// <summary>True when the provider sent no usage and the tokens were counted here.</summary>
    public bool Estimated { get; init; }

    public double LatencyMs { get; init; }

    public double? TtftMs { get; init; }

    public required DateTimeOffset CreatedAt { get; init; }

    public bool IsInDoubt => Outcome == Doubtful;

    /// <summary>Of the last request that was sent for its message. After any other one the next may have been sent already.</summary>
    public bool EndsMessage => Outcome is Answered or Left;

    /// <summary>Stands for the newest request of a call whose worker was lost: it may have been sent, and nobody knows what it cost.</summary>
    public static LedgerEntry InDoubt(string runId, string rootRunId, string ownerId, OpenModelCall open, DateTimeOffset now) => new()
    {
        Id = Guid.CreateVersion7().ToString(),
        RunId = runId,
        RootRunId = rootRunId,
        OwnerId = ownerId,
        Agent = open.Agent,
        MessageId = open.MessageId,
        Purpose = open.Purpose,
        Provider = "unknown",
        Model = "unknown",
        Tier = open.Tier,
        Usage = TokenUsage.None,
        Cost = Money.Zero,
        Outcome = Doubtful,
        Estimated = true,
        CreatedAt = now,
    };
}

public sealed record InboxItem(long Id, string Key, InboxPayload Payload);

/// <summary>What others may tell a run's owner. The set is closed.</summary>
[JsonPolymorphic(TypeDiscriminatorPropertyName = "kind")]
[JsonDerivedType(typeof(ChildEnded), "child.ended")]
[JsonDerivedType(typeof(ApprovalDecided), "approval.decided")]
[JsonDerivedType(typeof(InputGiven), "input.given")]
[JsonDerivedType(typeof(CancelRequested), "cancel.requested")]
[JsonDerivedType(typeof(ReviewDecided), "review.decided")]
[JsonDerivedType(typeof(TimerDue), "timer.due")]
[JsonDerivedType(typeof(TaskEdited), "task.edited")]
public abstract record InboxPayload;

/// <param name="Citations">Passages of documents that the result cites.</param>
public sealed record ChildEnded(string ChildRunId, string Status, string Result, bool Tainted, Money CostUsd, IReadOnlyList<Citation>? Citations = null) : InboxPayload
{
    /// <inheritdoc cref="MessageCompleted.Documents"/>
    public IReadOnlyList<string>? Documents { get; init; }

    /// <inheritdoc cref="MessageCompleted.Facts"/>
    public IReadOnlyList<string>? Facts { get; init; }

    /// <inheritdoc cref="MessageCompleted.Urls"/>
    public IReadOnlyList<string>? Urls { get; init; }

    /// <inheritdoc cref="MessageCompleted.CutBy"/>
    public string? CutBy { get; init; }
}

public sealed record ApprovalDecided(string ApprovalId, bool Approve, string By, string? Reason) : InboxPayload;

public sealed record InputGiven(int? Call, string Text, string? By) : InboxPayload
{
    /// <inheritdoc cref="InputReceived.Attachments"/>
    public IReadOnlyList<AttachedDocument>? Attachments { get; init; }

    /// <inheritdoc cref="InputReceived.Metadata"/>
    public JsonElement? Metadata { get; init; }

    /// <inheritdoc cref="InputReceived.Tainted"/>
    public bool? Tainted { get; init; }
}

/// <param name="KeepText">Interrupt: the owner writes what it has as an interrupted message.</param>
public sealed record CancelRequested(string Reason, string? By, bool KeepText = true) : InboxPayload
{
    /// <summary>See <see cref="RunAppend.Abandoned"/>.</summary>
    public static CancelRequested Abandoned { get; } = new("The task was given to somebody else, begun again or dropped.", By: null, KeepText: false);

    /// <summary>Of the runtime as a library: whoever reads a run has stopped reading.</summary>
    internal static CancelRequested CallerLeft { get; } = new("The caller left.", By: null);
}

/// <param name="Outcome">done, repeat or cancel.</param>
public sealed record ReviewDecided(int Call, string Outcome, string? Result, string? By) : InboxPayload;

public sealed record TimerDue(DateTimeOffset DueAt) : InboxPayload;

/// <summary>A change to a task of a plan run, see <see cref="Teams.TaskEdits"/>.</summary>
public sealed record TaskEdited(string TaskId, string? Status, string? Note, string? Agent, DateTimeOffset? Deadline, string? By) : InboxPayload
{
    /// <summary>True: whoever asks for it had read text from outside. Null: it had not.</summary>
    public bool? Tainted { get; init; }
}
