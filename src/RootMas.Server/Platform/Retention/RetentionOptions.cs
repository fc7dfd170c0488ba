using System.ComponentModel.DataAnnotations;

namespace RootMas.Server.Platform.Retention;

/// <summary>
/// How long what is kept for people stays (section <c>Retention</c>). Zero: for ever. What ends by itself (sessions, tokens, idempotency keys, the outbox) has its own short life; the audit log is never shortened.
/// </summary>
public sealed record RetentionOptions : IValidatableObject
{
    /// <summary>Spending limits look back over months, so rows of the ledger stay at least this long.</summary>
    private static readonly TimeSpan LeastLedger = TimeSpan.FromDays(93);

    /// <summary>Events of finished runs: every step, request and tool result. The run itself, its answer and its last event stay, and so do the messages of its conversation. Such a run can no longer be retried.</summary>
    [Range(typeof(TimeSpan), "00:00:00", "36500.00:00:00")]
    public TimeSpan RunLogs { get; init; }

    /// <summary>Archived conversations that nobody changed for so long, with their messages and runs. Audit and ledger rows stay.</summary>
    [Range(typeof(TimeSpan), "00:00:00", "36500.00:00:00")]
    public TimeSpan ArchivedConversations { get; init; }

    /// <summary>Rows of the usage ledger; reports know nothing of what is older. Zero, or at least 93 days.</summary>
    [Range(typeof(TimeSpan), "00:00:00", "36500.00:00:00")]
    public TimeSpan Ledger { get; init; }

    /// <summary>How often is looked.</summary>
    [Range(typeof(TimeSpan), "00:01:00", "7.00:00:00")]
    public TimeSpan Interval { get; init; } = TimeSpan.FromHours(1);

    /// <summary>Runs, conversations or rows per transaction; others write in between.</summary>
    [Range(1, 10_000)]
    public int Batch { get; init; } = 50;

    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        if (Ledger > TimeSpan.Zero && Ledger < LeastLedger)
        {
            yield return new ValidationResult($"is shorter than spending limits look back; legal: 0 (for ever), {LeastLedger.TotalDays:0} days or more", [nameof(Ledger)]);
        }
    }
}
