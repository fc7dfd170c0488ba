using System.ComponentModel.DataAnnotations;
using System.Text.Json;
using RootMas.Server.Platform.Http;

namespace RootMas.Server.Knowledge.Memory;

/// <summary>A fact to be remembered.</summary>
public sealed record NewFactRequest
{
    /// <summary>The fact, in one sentence that is complete in itself: 3 to 1,000 characters.</summary>
    /// <example>I live in Kazan</example>
    [TrimmedLength(FactText.MinLength, FactText.MaxLength)]
    public required string Text { get; init; }

    /// <summary>What only one can be true of at a time, such as home or employer: an older fact with the same attribute is replaced. Absent: it is seen in the text, or several can be true.</summary>
    /// <example>home</example>
    [StringLength(80)]
    public string? Attribute { get; init; }

    /// <summary>Whether it is told only when it is asked for; absent: by its words.</summary>
    /// <example>false</example>
    public bool? Sensitive { get; init; }

    /// <summary>Until when it is true; null: until further notice; absent: the same, unless it is known already with an end, which stays.</summary>
    /// <example>2099-01-01T00:00:00Z</example>
    public DateTimeOffset? ValidUntil
    {
        get;
        set => (field, SaysUntil) = (value, true);
    }

    /// <summary>Whether the member is there at all: null takes the end off what is known already, absence leaves it.</summary>
    internal bool SaysUntil { get; private set; }
}

/// <summary>What to change of a fact; absent members stay as they are.</summary>
public sealed record FactCorrection
{
    /// <summary>The fact as it should read: 3 to 1,000 characters. Another text becomes a new version; the old one stays in its history.</summary>
    /// <example>I live in Moscow</example>
    [TrimmedLength(FactText.MinLength, FactText.MaxLength)]
    public string? Text { get; init; }

    /// <summary>Whether it is told only when it is asked for.</summary>
    /// <example>false</example>
    public bool? Sensitive { get; init; }

    /// <summary>Until when it is true; null: until further notice.</summary>
    /// <example>2099-01-01T00:00:00Z</example>
    public DateTimeOffset? ValidUntil
    {
        get;
        set => (field, SaysUntil) = (value, true);
    }

    /// <summary>Whether the member is there at all: null takes the end off, absence leaves it.</summary>
    internal bool SaysUntil { get; private set; }
}

/// <summary>A decision about something that was only proposed to be remembered.</summary>
public sealed record FactDecision
{
    /// <summary>keep, or discard.</summary>
    /// <example>keep</example>
    [AllowedValues("keep", "discard")]
    public required string Decision { get; init; }
}

/// <summary>Where a fact comes from.</summary>
public sealed record FactSourceAnswer
{
    /// <summary>The conversation; null: it was entered by hand.</summary>
    /// <example>null</example>
    public string? ConversationId { get; init; }

    /// <summary>The user's message.</summary>
    /// <example>null</example>
    public string? MessageId { get; init; }

    /// <summary>The run that wrote it, or after which it was taken.</summary>
    /// <example>null</example>
    public string? RunId { get; init; }

    /// <summary>The words of the message.</summary>
    /// <example>null</example>
    public string? Excerpt { get; init; }
}

/// <summary>A fact that is remembered.</summary>
public sealed record FactAnswer
{
    /// <summary>Id of this version.</summary>
    public required string Id { get; init; }

    /// <summary>The fact.</summary>
    /// <example>I live in Kazan</example>
    public required string Text { get; init; }

    /// <summary>What only one can be true of at a time; null: several can.</summary>
    /// <example>home</example>
    public string? Attribute { get; init; }

    /// <summary>active; proposed: waits for the user's decision and is told to nobody; superseded: a later version replaced it.</summary>
    /// <example>active</example>
    public required string Status { get; init; }

    /// <summary>user or team.</summary>
    /// <example>user</example>
    public required string Scope { get; init; }

    /// <summary>Who wrote it: user, agent, or extraction (taken from what was said, after the run).</summary>
    /// <example>user</example>
    public required string AuthorKind { get; init; }

    /// <summary>Id of the user, or name of the agent.</summary>
    /// <example>communicator</example>
    public required string Author { get; init; }

    /// <summary>How sure it is, 0 to 100.</summary>
    /// <example>90</example>
    public required int Confidence { get; init; }

    /// <summary>normal, or sensitive: told only when it is asked for.</summary>
    /// <example>normal</example>
    public required string Sensitivity { get; init; }

    /// <summary>Whether the run that wrote it had read text from outside.</summary>
    /// <example>false</example>
    public required bool Tainted { get; init; }

    /// <summary>Since when it is true.</summary>
    public required DateTimeOffset ValidFrom { get; init; }

    /// <summary>Until when it is true; null: until further notice.</summary>
    public DateTimeOffset? ValidUntil { get; init; }

    /// <summary>The version that replaced it; null: none.</summary>
    /// <example>null</example>
    public string? ReplacedBy { get; init; }

    /// <summary>Where it comes from.</summary>
    public required FactSourceAnswer Source { get; init; }

    /// <summary>When it was written.</summary>
    public required DateTimeOffset CreatedAt { get; init; }

    /// <summary>When it last changed, or was said again.</summary>
    public required DateTimeOffset UpdatedAt { get; init; }

    /// <summary>Of a proposal that was discarded: what is kept for a repeat tells which one it was, and not what it said.</summary>
    internal static FactAnswer WithoutWords(Fact fact)
    {
        var answer = Of(fact);
        return answer with { Text = "", Attribute = null, Source = answer.Source with { Excerpt = null } };
    }

    internal static FactAnswer Of(Fact fact) => new()
    {
        Id = fact.Id,
        Text = fact.Text,
        Attribute = fact.Attribute,
        Status = fact.Status,
        Scope = fact.IsShared ? "team" : "user",
        AuthorKind = fact.AuthorKind,
        Author = fact.Author,
        Confidence = fact.Confidence,
        Sensitivity = fact.Sensitivity,
        Tainted = fact.Tainted,
        ValidFrom = fact.ValidFrom,
        ValidUntil = fact.ValidUntil,
        ReplacedBy = fact.ReplacedBy,
        Source = new FactSourceAnswer { ConversationId = fact.Source.ConversationId, MessageId = fact.Source.MessageId, RunId = fact.Source.RunId, Excerpt = fact.Source.Excerpt },
        CreatedAt = fact.CreatedAt,
        UpdatedAt = fact.UpdatedAt,
    };
}

/// <summary>Why something is known.</summary>
public sealed record FactProvenance
{
    /// <summary>The fact.</summary>
    public required FactAnswer Fact { get; init; }

    /// <summary>The reason, for people.</summary>
    /// <example>It is known because it was entered by the user on 2026-11-26, 100 % sure.</example>
    public required string Because { get; init; }

    /// <summary>Every version of it, the oldest first.</summary>
    public required IReadOnlyList<FactAnswer> History { get; init; }
}

/// <summary>Everything that is remembered about a user.</summary>
public sealed record MemoryExport
{
    /// <summary>Whose memory it is.</summary>
    public required string UserId { get; init; }

    /// <summary>When it was read.</summary>
    public required DateTimeOffset ExportedAt { get; init; }

    /// <summary>Every version of every fact.</summary>
    public required IReadOnlyList<FactAnswer> Facts { get; init; }

    /// <summary>The user's own part of the knowledge graph, as JSON-LD.</summary>
    public required JsonElement Graph { get; init; }
}

/// <summary>What was removed.</summary>
public sealed record Forgotten
{
    /// <summary>Facts that went, each with its history.</summary>
    /// <example>7</example>
    public required int Facts { get; init; }
}
