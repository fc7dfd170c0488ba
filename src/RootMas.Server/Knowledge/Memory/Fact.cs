using System.Data.Common;
using RootMas.Server.Platform.Data;

namespace RootMas.Server.Knowledge.Memory;

/// <summary>Words of the columns.</summary>
internal static class FactWords
{
    /// <summary>Owner of the notes of the team. No user can have this id.</summary>
    public const string Team = "*team";

    public const string Active = "active";

    /// <summary>Waits for its user's decision; nobody is told of it until then.</summary>
    public const string Proposed = "proposed";

    public const string Superseded = "superseded";

    public const string ByUser = "user";
    public const string ByAgent = "agent";
    public const string ByExtraction = "extraction";

    public const string Normal = "normal";

    /// <summary>Told only when it is asked for, never added to prompts by itself.</summary>
    public const string Sensitive = "sensitive";
}

/// <summary>Where a fact comes from.</summary>
/// <param name="Excerpt">The words of the message that say it.</param>
internal sealed record FactSource(string? ConversationId, string? MessageId, string? RunId, string? Excerpt)
{
    public static readonly FactSource None = new(null, null, null, null);
}

/// <summary>A fact about to be written.</summary>
internal sealed record NewFact
{
    public required string Text { get; init; }

    /// <summary>What only one can be true of at a time; null: several can.</summary>
    public string? Attribute { get; init; }

    public required string AuthorKind { get; init; }

    public required string Author { get; init; }

    public FactSource Source { get; init; } = FactSource.None;

    /// <summary>0 to 100.</summary>
    public int Confidence { get; init; } = 100;

    public string Sensitivity { get; init; } = FactWords.Normal;

    /// <summary>The user said themselves how sensitive it is, so it may also become less than it was.</summary>
    public bool SetsSensitivity { get; init; }

    public bool Tainted { get; init; }

    public DateTimeOffset? ValidFrom { get; init; }

    public DateTimeOffset? ValidUntil { get; init; }

    /// <summary>The user said themselves until when it is true, so it may also be without an end again.</summary>
    public bool SetsUntil { get; init; }

    /// <summary>When it was said, if it is read later than that; null: now.</summary>
    public DateTimeOffset? SaidAt { get; init; }

    /// <summary>Active facts of the same owner that it contradicts.</summary>
    public IReadOnlyList<string> Replaces { get; init; } = [];

    /// <summary>Only a suggestion, until the user says yes.</summary>
    public bool Proposed { get; init; }
}

/// <summary>A fact as it is kept.</summary>
internal sealed record Fact
{
    /// <summary>Of a fact of which nobody noted when it was said: what was read in a message is true since it was said, anything else was said when it was written.</summary>
    private const string Said = "coalesce(said_at, case when author_kind = 'extraction' then valid_from else created_at end)";

    public const string Columns =
        $"id, owner_id, thread_id, attribute, text, norm, status, author_kind, author, conversation_id, message_id, run_id, excerpt, confidence, sensitivity, tainted, valid_from, valid_until, replaced_by, created_at, updated_at, ended_at, replaces, {Said}";

    public required string Id { get; init; }

    public required string OwnerId { get; init; }

    public required string ThreadId { get; init; }

    public string? Attribute { get; init; }

    public required string Text { get; init; }

    public required string Norm { get; init; }

    public required string Status { get; init; }

    public required string AuthorKind { get; init; }

    public required string Author { get; init; }

    public required FactSource Source { get; init; }

    public required int Confidence { get; init; }

    public required string Sensitivity { get; init; }

    public required bool Tainted { get; init; }

    public required DateTimeOffset ValidFrom { get; init; }

    public DateTimeOffset? ValidUntil { get; init; }

    public string? ReplacedBy { get; init; }

    public required DateTimeOffset CreatedAt { get; init; }

    public required DateTimeOffset UpdatedAt { get; init; }

    public DateTimeOffset? EndedAt { get; init; }

    /// <summary>When it was last said.</summary>
    public required DateTimeOffset SaidAt { get; init; }

    /// <summary>Of a proposal: ids of what it contradicted when it was made.</summary>
    public IReadOnlyList<string> Replaces { get; init; } = [];

    public bool IsShared => OwnerId == FactWords.Team;

    public bool IsSensitive => Sensitivity == FactWords.Sensitive;

    /// <summary>True of the world at this moment, as far as is known.</summary>
    public bool IsValidAt(DateTimeOffset now) => ValidFrom <= now && !(ValidUntil <= now);

    public static Fact Read(DbDataReader row) => new()
    {
        Id = row.GetString(0),
        OwnerId = row.GetString(1),
        ThreadId = row.GetString(2),
        Attribute = row.StringOrNull(3),
        Text = row.GetString(4),
        Norm = row.GetString(5),
        Status = row.GetString(6),
        AuthorKind = row.GetString(7),
        Author = row.GetString(8),
        Source = new FactSource(row.StringOrNull(9), row.StringOrNull(10), row.StringOrNull(11), row.StringOrNull(12)),
        Confidence = row.GetInt32(13),
        Sensitivity = row.GetString(14),
        Tainted = row.Flag(15),
        ValidFrom = row.Time(16),
        ValidUntil = row.TimeOrNull(17),
        ReplacedBy = row.StringOrNull(18),
        CreatedAt = row.Time(19),
        UpdatedAt = row.Time(20),
        EndedAt = row.TimeOrNull(21),
        Replaces = row.StringOrNull(22)?.Split(' ') ?? [],
        SaidAt = row.Time(23),
    };
}

/// <summary>What came of writing a fact.</summary>
internal enum Kept
{
    /// <summary>It is new.</summary>
    New,

    /// <summary>It was known; it counts for more now, unless it is only proposed.</summary>
    Known,

    /// <summary>It replaced what it contradicts.</summary>
    Replaced,

    /// <summary>What contradicts it was said since: it is history from the beginning.</summary>
    Late,

    /// <summary>The owner has as many facts as may be kept.</summary>
    Full,

    /// <summary>It holds a password, a key or a card number, which are not remembered.</summary>
    Secret,
}

/// <param name="HidesNothingNew">It was known as it is, so what was said without it is as right or wrong as before.</param>
internal readonly record struct KeptFact(Kept Outcome, Fact? Fact, bool HidesNothingNew = false);
