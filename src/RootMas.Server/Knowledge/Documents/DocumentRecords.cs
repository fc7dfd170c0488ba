using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using RootMas.Server.Knowledge.Documents.Search;
using RootMas.Server.Platform.Http;

namespace RootMas.Server.Knowledge.Documents;

/// <summary>A document.</summary>
public sealed record DocumentView
{
    /// <summary>The document.</summary>
    /// <example>0198c0de-7c1a-7d7e-9a54-2f3f0a6f0b01</example>
    public required string Id { get; init; }

    /// <summary>The collection that it is in.</summary>
    /// <example>0198c0de-7c1a-7d7e-9a54-2f3f0a6f0b02</example>
    public required string CollectionId { get; init; }

    /// <summary>Its name, unique in the collection.</summary>
    /// <example>handbook.pdf</example>
    public required string Name { get; init; }

    /// <summary>What it is, by its content: text, markdown, html, csv, json, code, docx or pdf.</summary>
    /// <example>pdf</example>
    public required string Kind { get; init; }

    /// <summary>Size of the file.</summary>
    /// <example>182311</example>
    public required long Bytes { get; init; }

    /// <summary>SHA-256 of the file, hex.</summary>
    /// <example>9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08</example>
    public required string Hash { get; init; }

    /// <summary>queued, working, ready or failed. What a document said before is found until the new is ready.</summary>
    /// <example>ready</example>
    public required string Status { get; init; }

    /// <summary>What is being done now and how far it is; null: nothing.</summary>
    public DocumentProgress? Progress { get; init; }

    /// <summary>Why it could not be read; null: it could.</summary>
    public DocumentError? Error { get; init; }

    /// <summary>Pages; null: it has none.</summary>
    /// <example>12</example>
    public long? Pages { get; init; }

    /// <summary>Pieces that searches find.</summary>
    /// <example>48</example>
    public required long Chunks { get; init; }

    /// <summary>Length of its text, in UTF-16 units, in which offsets count.</summary>
    /// <example>51230</example>
    public required long Characters { get; init; }

    /// <summary>Who put its present content there.</summary>
    public required string OwnerId { get; init; }

    /// <summary>When it was first uploaded.</summary>
    public required DateTimeOffset CreatedAt { get; init; }

    /// <summary>When something last happened to it.</summary>
    public required DateTimeOffset UpdatedAt { get; init; }

    internal static DocumentView Of(Document d) => new()
    {
        Id = d.Id,
        CollectionId = d.CollectionId,
        Name = d.Name,
        Kind = d.Kind,
        Bytes = d.Bytes,
        Hash = d.Hash,
        Status = d.Status,
        Progress = d.Status == "working" ? new DocumentProgress { Stage = d.Stage, Done = d.Done, Total = d.Total } : null,
        Error = d.Status == "failed" ? new DocumentError { Code = d.ErrorCode ?? "indexing_failed", Detail = d.Error ?? "" } : null,
        Pages = d.Pages,
        Chunks = d.Chunks,
        Characters = d.Characters,
        OwnerId = d.OwnerId,
        CreatedAt = d.CreatedAt,
        UpdatedAt = d.UpdatedAt,
    };
}

/// <summary>What can be uploaded.</summary>
public sealed record DocumentLimits
{
    /// <summary>Largest file, in bytes.</summary>
    /// <example>26214400</example>
    public required long MaxFileBytes { get; init; }

    /// <summary>Most documents in the collections of one user.</summary>
    /// <example>5000</example>
    public required int MaxDocuments { get; init; }

    /// <summary>Kinds of files that are read: text, markdown, html, csv, json, code, docx, and pdf where the server has a program for it.</summary>
    /// <example>["text", "markdown", "pdf"]</example>
    public required IReadOnlyList<string> Kinds { get; init; }
}

/// <summary>How far the indexing of a document is.</summary>
public sealed record DocumentProgress
{
    /// <summary>extracting, chunking or embedding.</summary>
    /// <example>embedding</example>
    public required string Stage { get; init; }

    /// <summary>Chunks of the stage that are done.</summary>
    /// <example>64</example>
    public required long Done { get; init; }

    /// <summary>Chunks of the stage; 0: not known yet.</summary>
    /// <example>128</example>
    public required long Total { get; init; }
}

/// <summary>Why a document could not be read.</summary>
public sealed record DocumentError
{
    /// <summary>Stable: document_empty, document_unreadable, document_encrypted, document_too_large, document_type_unknown, document_takes_too_long, pdf_reader_missing, embedding_failed, indexing_failed.</summary>
    /// <example>document_encrypted</example>
    public required string Code { get; init; }

    /// <summary>For people: what is wrong, and what to do.</summary>
    /// <example>The PDF is protected by a password.</example>
    public required string Detail { get; init; }
}

/// <summary>A stretch of a document's text.</summary>
public sealed record DocumentText
{
    /// <summary>The document.</summary>
    public required string DocumentId { get; init; }

    /// <summary>First character that is given.</summary>
    /// <example>0</example>
    public required int Start { get; init; }

    /// <summary>Character after the last one that is given.</summary>
    /// <example>1200</example>
    public required int End { get; init; }

    /// <summary>Length of the whole text.</summary>
    /// <example>51230</example>
    public required int Characters { get; init; }

    /// <summary>The text, untrusted: it says what the file says.</summary>
    /// <example>The handbook applies to all employees.</example>
    public required string Text { get; init; }
}

/// <summary>What to look for.</summary>
public sealed record KnowledgeSearchRequest
{
    /// <summary>A question, or words: 1 to 1,000 characters.</summary>
    /// <example>How many days of leave are there?</example>
    [TrimmedLength(1, 1_000)]
    public required string Query { get; init; }

    /// <summary>Only in these collections, by id; absent: in all that one can read. At most 50.</summary>
    /// <example>[]</example>
    [MaxLength(50)]
    public IReadOnlyList<string>? Collections { get; init; }

    /// <summary>Only in these documents, by id; absent: in all. At most 50.</summary>
    /// <example>[]</example>
    [MaxLength(50)]
    public IReadOnlyList<string>? Documents { get; init; }

    /// <summary>Only in documents of these kinds, see the document's <c>kind</c>; absent: of all.</summary>
    [MaxLength(10)]
    public IReadOnlyList<string>? Kinds { get; init; }

    /// <summary>How many passages: 1 to 50. Default 8.</summary>
    /// <example>8</example>
    [Range(1, 50)]
    public int? Limit { get; init; }

    /// <summary>Tier of the model that orders what was found anew: cheap, standard or premium; none: no model is asked. Default: as the server is set. It costs what the model costs.</summary>
    /// <example>none</example>
    [AllowedValues(null, "none", "cheap", "standard", "premium")]
    public string? Rerank { get; init; }
}

/// <summary>What was found.</summary>
public sealed record KnowledgeSearchAnswer
{
    /// <summary>Passages, the best first.</summary>
    public required IReadOnlyList<PassageView> Items { get; init; }
}

/// <summary>A passage of a document.</summary>
public sealed record PassageView
{
    /// <summary>How answers cite it, in square brackets.</summary>
    /// <example>k1a2b3c4d</example>
    public required string CitationId { get; init; }

    /// <summary>The document.</summary>
    public required string DocumentId { get; init; }

    /// <summary>The document's collection.</summary>
    public required string CollectionId { get; init; }

    /// <summary>Name of the document.</summary>
    /// <example>handbook.pdf</example>
    public required string Title { get; init; }

    /// <summary>The headings that it stands under, outermost first; empty: none.</summary>
    /// <example>Working time › Leave</example>
    public required string Heading { get; init; }

    /// <summary>The page, from 1; null: the document has none.</summary>
    /// <example>3</example>
    public int? Page { get; init; }

    /// <summary>First character in the document's text.</summary>
    /// <example>4210</example>
    public required int Start { get; init; }

    /// <summary>Character after it.</summary>
    /// <example>5380</example>
    public required int End { get; init; }

    /// <summary>Exactly what stands there.</summary>
    /// <example>Every employee has 28 days of leave a year.</example>
    public required string Text { get; init; }

    /// <summary>How well it fits; comparable within one answer only.</summary>
    /// <example>0.0325</example>
    public required double Score { get; init; }

    /// <summary>Its place in the full-text search, from 1; null: not found by words.</summary>
    /// <example>1</example>
    [Description("Its place in the full-text search, from 1; null: not found by words.")]
    public int? WordRank { get; init; }

    /// <summary>Its place in the vector search, from 1; null: not found by meaning.</summary>
    /// <example>2</example>
    [Description("Its place in the vector search, from 1; null: not found by meaning.")]
    public int? VectorRank { get; init; }

    internal static PassageView Of(Passage p) => new()
    {
        CitationId = p.CitationId,
        DocumentId = p.DocumentId,
        CollectionId = p.CollectionId,
        Title = p.Title,
        Heading = p.Heading,
        Page = p.Page,
        Start = p.Start,
        End = p.End,
        Text = p.Text,
        Score = Math.Round(p.Score, 6),
        WordRank = p.WordRank,
        VectorRank = p.VectorRank,
    };
}
