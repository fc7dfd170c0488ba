using System.Text.Json;
using System.Text.Json.Serialization;

namespace RootMas.Runtime.Runs;

/// <summary>
/// One entry of a run's append-only log. The set is closed: every event type is listed here, so that a fold can be complete.
/// <see cref="Seq"/> counts 1, 2, 3 … without holes within a run; <see cref="V"/> is the payload's version, and an old log must always fold.
/// The JSON of an event (one object, snake_case, <c>type</c> first) is stored once and sent unchanged ever after.
/// </summary>
[JsonPolymorphic(TypeDiscriminatorPropertyName = "type")]
[JsonDerivedType(typeof(RunQueued), "run.queued")]
[JsonDerivedType(typeof(RunStarted), "run.started")]
[JsonDerivedType(typeof(ModelRequested), "model.requested")]
[JsonDerivedType(typeof(ModelCompleted), "model.completed")]
[JsonDerivedType(typeof(ModelFailed), "model.failed")]
[JsonDerivedType(typeof(MessageSuperseded), "message.superseded")]
[JsonDerivedType(typeof(ToolStarted), "tool.started")]
[JsonDerivedType(typeof(ToolCompleted), "tool.completed")]
[JsonDerivedType(typeof(ToolFailed), "tool.failed")]
[JsonDerivedType(typeof(ApprovalRequested), "approval.requested")]
[JsonDerivedType(typeof(ApprovalGranted), "approval.granted")]
[JsonDerivedType(typeof(ApprovalDenied), "approval.denied")]
[JsonDerivedType(typeof(ApprovalExpired), "approval.expired")]
[JsonDerivedType(typeof(InputRequested), "input.requested")]
[JsonDerivedType(typeof(InputReceived), "input.received")]
[JsonDerivedType(typeof(ChildStarted), "child.started")]
[JsonDerivedType(typeof(ChildCompleted), "child.completed")]
[JsonDerivedType(typeof(Handoff), "handoff")]
[JsonDerivedType(typeof(SpeakerSelected), "speaker.selected")]
[JsonDerivedType(typeof(PlanCreated), "plan.created")]
[JsonDerivedType(typeof(PlanUpdated), "plan.updated")]
[JsonDerivedType(typeof(ContextReduced), "context.reduced")]
[JsonDerivedType(typeof(MemoryRecalled), "memory.recalled")]
[JsonDerivedType(typeof(CacheHit), "cache.hit")]
[JsonDerivedType(typeof(CitationDropped), "citation.dropped")]
[JsonDerivedType(typeof(GuardHinted), "guard.hinted")]
[JsonDerivedType(typeof(GuardStopped), "guard.stopped")]
[JsonDerivedType(typeof(TimerStarted), "timer.started")]
[JsonDerivedType(typeof(TimerFired), "timer.fired")]
[JsonDerivedType(typeof(MessageCompleted), "message.completed")]
[JsonDerivedType(typeof(RunNeedsReview), "run.needs_review")]
[JsonDerivedType(typeof(ReviewResolved), "review.resolved")]
[JsonDerivedType(typeof(RunCompleted), "run.completed")]
[JsonDerivedType(typeof(RunFailed), "run.failed")]
[JsonDerivedType(typeof(RunCancelled), "run.cancelled")]
public abstract record RunEvent
{
    [JsonPropertyOrder(-9)] public string RunId { get; set; } = "";

    [JsonPropertyOrder(-8)] public long Seq { get; set; }

    [JsonPropertyOrder(-7)] public string? Agent { get; set; }

    [JsonPropertyOrder(-6)] public DateTimeOffset CreatedAt { get; set; }

    [JsonPropertyOrder(-5)] public int V { get; set; } = 1;

    /// <summary>Changes the state as this event says. Internal, so that no other assembly can add an event that the fold does not know.</summary>
    internal abstract void Fold(RunState state);
}

/// <summary>Tokens of one request. <see cref="CachedTokens"/> are part of <see cref="InputTokens"/>; <see cref="ReasoningTokens"/> are part of <see cref="OutputTokens"/>.</summary>
public sealed record TokenUsage(long InputTokens, long CachedTokens, long OutputTokens, long ReasoningTokens = 0)
{
    public static readonly TokenUsage None = new(0, 0, 0);

    public static TokenUsage operator +(TokenUsage a, TokenUsage b) =>
        new(a.InputTokens + b.InputTokens, a.CachedTokens + b.CachedTokens, a.OutputTokens + b.OutputTokens, a.ReasoningTokens + b.ReasoningTokens);

    public static TokenUsage operator -(TokenUsage a, TokenUsage b) =>
        new(a.InputTokens - b.InputTokens, a.CachedTokens - b.CachedTokens, a.OutputTokens - b.OutputTokens, a.ReasoningTokens - b.ReasoningTokens);
}

/// <summary>A tool call as the model asked for it. <see cref="Call"/> is our number (1, 2 … within the run); models' own ids are not trusted to be there or unique.</summary>
/// <param name="Call">Call number within the run. The id in histories is <c>call_{Call}</c>.</param>
/// <param name="Tool">Tool name as the model wrote it.</param>
/// <param name="Arguments">A JSON object, or a JSON string with the raw text when the model's text was not a JSON object.</param>
public sealed record ToolCall(int Call, string Tool, JsonElement Arguments)
{
    [JsonIgnore] public string CallId => $"call_{Call}";
}

// ---- run ----
public sealed record RunQueued(string Input, string Team, string TeamHash, string Pattern, string? ConversationId = null, string? ParentRunId = null,
    string? RootRunId = null, int? ParentCall = null, string? RetryOf = null, bool Tainted = false) : RunEvent
{
    /// <summary>
    /// Of a child, from version 2 on: URLs of its task that the run which gave it knows (typed by the user, or returned by a search). Null: none, also where version 1 did not say. The text of a task is a model's,
    /// so no other URL in it is known; the input of a root is the user's, and all of them are.
    /// </summary>
    public IReadOnlyList<string>? KnownUrls { get; init; }

    internal override void Fold(RunState state) => state.On(this);
}

public sealed record RunStarted(int Attempt, string Worker) : RunEvent
{
    /// <summary>True: from here on the run is tainted, because what was said before it in its conversation carries text from outside. Null: that adds nothing.</summary>
    public bool? Tainted { get; init; }

    internal override void Fold(RunState state) => state.On(this);
}

/// <summary>The run's end. Usage and cost are of this run alone; <see cref="TreeCostUsd"/> includes its descendants.</summary>
public sealed record RunCompleted(TokenUsage Usage, Money CostUsd, Money TreeCostUsd, int Steps) : RunEvent
{
    internal override void Fold(RunState state) => state.On(this);
}

/// <param name="Code">Stable: worker_lost, model_ and the class of the failure, guard_ and its name, no_answer, internal …</param>
/// <param name="Reason">For people: what happened, what was kept, what to do next.</param>
public sealed record RunFailed(string Code, string Reason, TokenUsage? Usage = null, Money CostUsd = default, Money TreeCostUsd = default) : RunEvent
{
    internal override void Fold(RunState state) => state.On(this);
}

public sealed record RunCancelled(string Reason, string? By = null, TokenUsage? Usage = null, Money CostUsd = default, Money TreeCostUsd = default) : RunEvent
{
    internal override void Fold(RunState state) => state.On(this);
}

/// <summary>An unsafe call is in doubt; a person decides (<c>done</c>, <c>repeat</c> after <see cref="RepeatAfter"/>, <c>cancel</c>).</summary>
public sealed record RunNeedsReview(int Call, string Tool, string Reason, DateTimeOffset RepeatAfter) : RunEvent
{
    public string CallId => $"call_{Call}";

    internal override void Fold(RunState state) => state.On(this);
}

public sealed record ReviewResolved(int Call, string Outcome, string? Result, string? By) : RunEvent
{
    internal override void Fold(RunState state) => state.On(this);
}

// ---- model ----
/// <param name="Purpose">answer, plan, review, coordinate, select, summary.</param>
/// <param name="Turn">Turn number; a turn is one agent's activity up to its final text.</param>
public sealed record ModelRequested(string MessageId, string Tier, string PromptVersion, string RequestHash, string Purpose, int Turn, string? Model = null) : RunEvent
{
    internal override void Fold(RunState state) => state.On(this);
}

public sealed record ModelCompleted(string MessageId, string Text, IReadOnlyList<ToolCall> ToolCalls, string Model, string Tier, TokenUsage Usage, Money CostUsd,
    double LatencyMs, double? TtftMs, string FinishReason, string? Reasoning = null, bool Cached = false, IReadOnlyList<string>? Attempts = null) : RunEvent
{
    /// <summary>Of a summary, which retells what was read: ids of documents whose words may be in it. Null: none, or no summary.</summary>
    public IReadOnlyList<string>? Documents { get; init; }

    /// <summary>Of a summary: ids of remembered facts whose words may be in it. Null: none, or no summary.</summary>
    public IReadOnlyList<string>? Facts { get; init; }

    internal override void Fold(RunState state) => state.On(this);
}

/// <param name="ErrorClass">unreachable, timeout, rate_limited, server_error, auth, credit, bad_request, context_length, content_filter, invalid_answer, budget, cancelled, worker_lost.</param>
public sealed record ModelFailed(string MessageId, string ErrorClass, string Detail, Money CostUsd = default) : RunEvent
{
    /// <summary>Of all its attempts. Null: none, or not known.</summary>
    public TokenUsage? Usage { get; init; }

    internal override void Fold(RunState state) => state.On(this);
}

/// <summary>Text shown under this message id no longer counts.</summary>
public sealed record MessageSuperseded(string MessageId, string Reason) : RunEvent
{
    internal override void Fold(RunState state) => state.On(this);
}

// ---- tools ----
public sealed record ToolStarted(int Call, string Tool, JsonElement Arguments, string Effect, string IdempotencyKey, string ToolVersion) : RunEvent
{
    public string CallId => $"call_{Call}";

    internal override void Fold(RunState state) => state.On(this);
}

/// <param name="Urls">URLs that a search returned: known to the run from now on.</param>
public sealed record ToolCompleted(int Call, string Tool, string Result, bool Tainted, double DurationMs, bool Truncated = false,
    IReadOnlyList<string>? Urls = null, IReadOnlyList<Citation>? Citations = null) : RunEvent
{
    public string CallId => $"call_{Call}";

    /// <summary>Ids of remembered facts whose words are in the result; null: none.</summary>
    public IReadOnlyList<string>? Facts { get; init; }

    internal override void Fold(RunState state) => state.On(this);
}

/// <param name="Kind">invalid_arguments, unknown_tool, not_allowed, rights_denied, limit, timeout, error, denied, expired, cancelled, interrupted, tool_unavailable, in_doubt. A call that changes something and is <c>cancelled</c> has not left; one that is <c>interrupted</c> may have.</param>
/// <param name="Result">The text that the model gets as the call's one result.</param>
public sealed record ToolFailed(int Call, string Tool, string Kind, string Result, double DurationMs, bool Tainted = false) : RunEvent
{
    public string CallId => $"call_{Call}";

    internal override void Fold(RunState state) => state.On(this);
}

// ---- people ----
/// <param name="Approver">owner or admin.</param>
/// <param name="ArgumentsHash">SHA-256 (hex) of the RFC 8785 form of {run, call, tool, tool version, agent, user, target origin, credential reference, arguments}; see <see cref="Tools.ApprovalHash"/>.</param>
public sealed record ApprovalRequested(string ApprovalId, int Call, string Tool, JsonElement Arguments, string ArgumentsHash, string Approver, string Reason,
    string ToolVersion, string? TargetOrigin, DateTimeOffset ExpiresAt) : RunEvent
{
    public string CallId => $"call_{Call}";

    internal override void Fold(RunState state) => state.On(this);
}

public sealed record ApprovalGranted(string ApprovalId, int Call, string By) : RunEvent
{
    internal override void Fold(RunState state) => state.On(this);
}

public sealed record ApprovalDenied(string ApprovalId, int Call, string By, string? Reason) : RunEvent
{
    internal override void Fold(RunState state) => state.On(this);
}

public sealed record ApprovalExpired(string ApprovalId, int Call) : RunEvent
{
    internal override void Fold(RunState state) => state.On(this);
}

public sealed record InputRequested(int Call, string Question, IReadOnlyList<string>? Options, DateTimeOffset ExpiresAt) : RunEvent
{
    public string CallId => $"call_{Call}";

    /// <summary>True: the model had read text from outside when it wrote the question. Null: it had not.</summary>
    public bool? Tainted { get; init; }

    internal override void Fold(RunState state) => state.On(this);
}

/// <summary>The answer to <c>input.requested</c>. <see cref="Expired"/> marks the synthetic one.</summary>
public sealed record InputReceived(int Call, string Text, string? By, bool Expired = false) : RunEvent
{
    /// <summary>Documents that the answer brings along; null: none.</summary>
    public IReadOnlyList<AttachedDocument>? Attachments { get; init; }

    /// <summary>Kept with the message and given back to clients, not shown to agents; null: none.</summary>
    public JsonElement? Metadata { get; init; }

    /// <summary>True: what was brought along says what others wrote. Null: it does not.</summary>
    public bool? Tainted { get; init; }

    /// <summary>True: a URL in the text is the question's or an option's, of a model that had read text from outside; no later run takes it for typed. Null: none is.</summary>
    public bool? Offered { get; init; }

    internal override void Fold(RunState state) => state.On(this);
}

// ---- teams ----
public sealed record ChildStarted(int? Call, string ChildRunId, string ChildAgent, string Task, string? TaskId = null) : RunEvent
{
    internal override void Fold(RunState state) => state.On(this);
}

/// <param name="Citations">Passages of documents that the result cites: the parent may cite them too.</param>
public sealed record ChildCompleted(int? Call, string ChildRunId, string Status, string Result, bool Tainted, Money CostUsd, string? TaskId = null,
    IReadOnlyList<Citation>? Citations = null) : RunEvent
{
    /// <inheritdoc cref="MessageCompleted.Urls"/>
    public IReadOnlyList<string>? Urls { get; init; }

    /// <inheritdoc cref="MessageCompleted.Documents"/>
    public IReadOnlyList<string>? Documents { get; init; }

    /// <inheritdoc cref="MessageCompleted.Facts"/>
    public IReadOnlyList<string>? Facts { get; init; }

    internal override void Fold(RunState state) => state.On(this);
}

public sealed record Handoff(string From, string To, string Reason, int Call) : RunEvent
{
    internal override void Fold(RunState state) => state.On(this);
}

public sealed record SpeakerSelected(string? Speaker, bool Done, string Reason) : RunEvent
{
    internal override void Fold(RunState state) => state.On(this);
}

/// <param name="DependsOn">Ids of tasks that must be done first.</param>
/// <param name="Status">pending, running, late, done, failed, dropped.</param>
/// <param name="Settled">A failed or late task about which nothing more is to be decided.</param>
public sealed record PlanTask(string Id, string Agent, string Task, IReadOnlyList<string> DependsOn, string DoneWhen, string? Risk = null, string? EstimatedCost = null,
    string Status = "pending", string? ChildRunId = null, string? Result = null, string? Note = null, int Tries = 0, bool Tainted = false, bool Settled = false, int? DeadlineSeconds = null, DateTimeOffset? Deadline = null);

public sealed record PlanCreated(string Goal, IReadOnlyList<PlanTask> Tasks) : RunEvent
{
    internal override void Fold(RunState state) => state.On(this);
}

/// <param name="Tasks">The whole progress ledger after the change.</param>
/// <param name="Replans">How often the planner has replanned so far.</param>
/// <param name="Verdict">done or stop once the planner has judged the results.</param>
/// <param name="Summary">The planner's summary of the results, with the verdict.</param>
public sealed record PlanUpdated(string Reason, IReadOnlyList<PlanTask> Tasks, int Replans, string? Verdict = null, string? Summary = null) : RunEvent
{
    internal override void Fold(RunState state) => state.On(this);
}

// ---- context, cache, guards, timers ----
/// <summary>The oldest messages were replaced by a summary, because the model's context would overflow.</summary>
/// <param name="HistoryDropped">Messages of the conversation's history, from its start, that the summary stands for.</param>
/// <param name="BlocksDropped">Blocks (an assistant message with its tool results) of this run, from its start, that the summary stands for.</param>
public sealed record ContextReduced(int HistoryDropped, int BlocksDropped, int TokensBefore, int TokensAfter, string Summary) : RunEvent
{
    /// <summary>Ids of documents whose words may be in the summary; null: none.</summary>
    public IReadOnlyList<string>? Documents { get; init; }

    /// <summary>Ids of remembered facts whose words may be in the summary; null: none.</summary>
    public IReadOnlyList<string>? Facts { get; init; }

    /// <summary>True: a model has read all that the summary stands for, so later runs of the conversation may go on from it. Null: it was cut, as where no model gave one; or an earlier version wrote this.</summary>
    public bool? Whole { get; init; }

    /// <summary>The run that made the summary, where an earlier one of the conversation did; null: this one.</summary>
    public string? TakenFrom { get; init; }

    /// <summary>Those of <see cref="Documents"/> that were deleted or out of reach before the summary was made, so that it says no more of them than the messages still do; null: none.</summary>
    public IReadOnlyList<string>? GoneBefore { get; init; }

    internal override void Fold(RunState state) => state.On(this);
}

/// <summary>What was remembered from earlier and is part of the prompts of this run.</summary>
/// <param name="Tainted">Some of it carries text from outside.</param>
public sealed record MemoryRecalled(IReadOnlyList<RecalledFact> Facts, bool Tainted) : RunEvent
{
    internal override void Fold(RunState state) => state.On(this);
}

/// <param name="Kind">memory, redis, stored: an equal request; flight: an equal one that was on its way; semantic: one that means the same.</param>
public sealed record CacheHit(string MessageId, string Kind, Money SavedUsd) : RunEvent
{
    /// <summary>Tokens that the answer took when it was made.</summary>
    public long SavedInputTokens { get; init; }

    public long SavedOutputTokens { get; init; }

    internal override void Fold(RunState state) => state.On(this);
}

/// <summary>The answer cites something that it may not, see <see cref="CitationCheck"/>; its citations do not name it.</summary>
/// <param name="Reason">not_retrieved, quote_not_found, or not_accessible.</param>
public sealed record CitationDropped(string CitationId, string Reason) : RunEvent
{
    internal override void Fold(RunState state) => state.On(this);
}

public sealed record GuardHinted(string Guard, string Hint) : RunEvent
{
    internal override void Fold(RunState state) => state.On(this);
}

/// <param name="Guard">steps, children, depth, tokens, cost, wall_time, loop, ping_pong, failing_calls.</param>
public sealed record GuardStopped(string Guard, string Reason) : RunEvent
{
    internal override void Fold(RunState state) => state.On(this);
}

public sealed record TimerStarted(string Purpose, string Reason, DateTimeOffset Until, int Try) : RunEvent
{
    internal override void Fold(RunState state) => state.On(this);
}

public sealed record TimerFired(string Purpose) : RunEvent
{
    internal override void Fold(RunState state) => state.On(this);
}

// ---- answer ----
/// <param name="Status">complete, or interrupted (cancelled, interrupted or out of budget, with the text so far).</param>
public sealed record MessageCompleted(string MessageId, string Text, string Status, IReadOnlyList<Citation> Citations, string? Model, string? Tier, bool Tainted) : RunEvent
{
    /// <summary>What the answer would have cost; null: it came from a model and not from the cache.</summary>
    public Money? SavedUsd { get; init; }

    /// <summary>Why the model ended the text before it was whole: <c>length</c> or <c>content_filter</c>; null: it is whole.</summary>
    public string? CutBy { get; init; }

    /// <summary>Of a child: URLs in its result that it knows, so that the run above may know them too (one that a search returned to the one agent is fetched by another). Null: none.</summary>
    public IReadOnlyList<string>? Urls { get; init; }

    /// <summary>Ids of documents whose words may be in the text, cited or not; null: none.</summary>
    public IReadOnlyList<string>? Documents { get; init; }

    /// <summary>Of a child run, for whoever sums up what it said: ids of remembered facts whose words may be in the text. Null: none, or no child.</summary>
    public IReadOnlyList<string>? Facts { get; init; }

    internal override void Fold(RunState state) => state.On(this);
}
