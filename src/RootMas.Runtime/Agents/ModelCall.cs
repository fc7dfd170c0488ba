using Microsoft.Extensions.AI;
using RootMas.Runtime.Runs;

namespace RootMas.Runtime.Agents;

/// <summary>
/// Who asks the model and why, and what the pipeline reports back. Travels in <see cref="ChatOptions.AdditionalProperties"/> under <see cref="Key"/>;
/// the decorators of the model pipeline read the upper half and fill the lower half.
/// </summary>
public sealed class ModelCall
{
    public const string Key = "rootmas.call";

    public string? RunId { get; init; }

    public string? RootRunId { get; init; }

    /// <summary>Where it was asked; null: in no conversation.</summary>
    public string? ConversationId { get; init; }

    public required string OwnerId { get; init; }

    public string? Agent { get; init; }

    /// <summary>Id of the message being written; the pipeline changes nothing here, the engine does after a <see cref="SupersededContent"/>.</summary>
    public string? MessageId { get; set; }

    /// <summary>answer, plan, review, coordinate, select, summary, judge, extract, embed, test.</summary>
    public required string Purpose { get; init; }

    /// <summary>Tier to start with.</summary>
    public required string Tier { get; init; }

    /// <summary>A fixed model id instead of the tier's list; null: the tier's.</summary>
    public string? Model { get; init; }

    /// <summary>What this call may cost, all its attempts together; null: no limit.</summary>
    public Money? Budget { get; set; }

    /// <summary>
    /// Set where other runs of the tree may ask at the same time: <see cref="Budget"/> is then set aside for this call and is enough for the model that is asked first. Whoever asks another one says with this how much
    /// all attempts may come to: with an answer of a limited length, and with the longest that any model writes (null: the request itself limits it). <see cref="Budget"/> says what came of it.
    /// </summary>
    public Func<TreeAmount, TreeAmount?, ValueTask<TreeRoom>>? SetAside { get; set; }

    /// <summary>Version of the agent's prompt (cache partition).</summary>
    public string PromptVersion { get; init; } = "";

    /// <summary>A kept answer is not wanted; the fresh one may be kept.</summary>
    public bool NoCache { get; init; }

    /// <summary>What the agent allows the cache of answers: null, <c>none</c> or <c>public</c> (<see cref="Agents.Agent.Cache"/>).</summary>
    public string? Cache { get; init; }

    /// <summary>The text of the last message, if that is what was asked for and nothing came after it; null: the request is not one that may be answered from a cache.</summary>
    public string? Question { get; init; }

    /// <summary>The request holds text from outside.</summary>
    public bool Tainted { get; init; }

    /// <summary>Ids of documents whose words may be in the request: brought along now or earlier, known to the runs that gave earlier answers, or to the run that asks for this one; null: none.</summary>
    public IReadOnlyList<string>? Documents { get; init; }

    /// <summary>Outside of a run: whoever asks writes <see cref="Ledger"/> with what came of it, as runs do. Else the row is written at once.</summary>
    public bool WritesLedger { get; init; }

    // ---- filled by the pipeline ----

    /// <summary>Rows of the requests that this call sent and that are to be written with the step. Failed attempts before the last one were already written.</summary>
    public List<LedgerEntry> Ledger { get; } = [];

    /// <summary>Cost of all attempts, those already written included.</summary>
    public Money Cost { get; set; }

    /// <summary>Id of the newest row that cost something, written or not.</summary>
    public string? LastRow { get; set; }

    public TokenUsage Usage { get; set; } = TokenUsage.None;

    public string ModelUsed { get; set; } = "";

    public string ProviderUsed { get; set; } = "";

    public string TierUsed { get; set; } = "";

    /// <summary>One line per attempt that did not give the answer: <c>gpt-x: rate_limited</c>.</summary>
    public List<string> FailedAttempts { get; } = [];

    public double? TtftMs { get; set; }

    /// <summary>Set when the answer came from a cache.</summary>
    public CacheHit? CacheHit { get; set; }

    public static ModelCall? From(ChatOptions? options) =>
        options?.AdditionalProperties is { } properties && properties.TryGetValue(Key, out var value) ? value as ModelCall : null;
}

/// <summary>What <see cref="ModelCall.SetAside"/> says.</summary>
public enum TreeRoom
{
    /// <summary>The rest is set aside for others at the moment.</summary>
    None,

    /// <summary>For an answer of limited length.</summary>
    Limited,

    /// <summary>For the longest answer that there is: it needs no limit.</summary>
    Ample,
}

/// <summary>In a stream: everything before this update no longer counts, a fresh answer follows (another model, or a repair).</summary>
public sealed class SupersededContent(string reason) : AIContent
{
    public string Reason { get; } = reason;
}

/// <summary>A model call that failed for good. The message may be shown to users: it carries no secrets and no provider internals.</summary>
public sealed class ModelException : Exception
{
    /// <summary><see cref="ErrorClass"/> of a request that models answered, and none in a way that can be used.</summary>
    public const string InvalidAnswer = "invalid_answer";

    /// <summary><see cref="ErrorClass"/> of a request that was not made, or whose answer was cut off, because it would cost more than is left.</summary>
    public const string Budget = "budget";

    public ModelException(string errorClass, string message, bool retryLater = false, TimeSpan? retryAfter = null, Exception? inner = null)
        : base(message, inner)
    {
        ErrorClass = errorClass;
        RetryLater = retryLater;
        RetryAfter = retryAfter;
    }

    /// <summary>See <see cref="ModelFailed.ErrorClass"/>.</summary>
    public string ErrorClass { get; }

    /// <summary>Every model of every tier is unreachable or refuses for now: the run waits and tries again.</summary>
    public bool RetryLater { get; }

    public TimeSpan? RetryAfter { get; }

    /// <summary>An outage, a budget that is used up, a wrong key or an account without credit: nothing was wrong with what was asked, and work that nobody waits for is done once that is over.</summary>
    public bool Passes => RetryLater || ErrorClass is Budget or "auth" or "credit";
}
