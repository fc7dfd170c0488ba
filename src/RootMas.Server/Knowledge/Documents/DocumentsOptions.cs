using System.ComponentModel.DataAnnotations;
using RootMas.Server.Knowledge.Documents.Extraction;

namespace RootMas.Server.Knowledge.Documents;

/// <summary>Documents and search in them (section <c>Knowledge:Documents</c>).</summary>
public sealed record DocumentsOptions : IValidatableObject
{
    /// <summary>Largest file, in MiB.</summary>
    [Range(1, 200)]
    public int MaxFileMegabytes { get; init; } = 25;

    /// <summary>Most characters of text in a document; a longer one is refused.</summary>
    [Range(1_000, 100_000_000)]
    public int MaxCharacters { get; init; } = 4_000_000;

    /// <summary>Most pages of a PDF or a Word file; one with more is refused.</summary>
    [Range(1, 100_000)]
    public int MaxPages { get; init; } = 3_000;

    /// <summary>Most documents in the collections of one user.</summary>
    [Range(1, 1_000_000)]
    public int MaxDocuments { get; init; } = 5_000;

    /// <summary>Most collections of one user.</summary>
    [Range(1, 1_000)]
    public int MaxCollections { get; init; } = 500;

    /// <summary>Length of a chunk that the cutting aims at, in characters.</summary>
    [Range(200, 8_000)]
    public int ChunkCharacters { get; init; } = 1_200;

    /// <summary>Documents that one process reads and indexes at the same time. 0: other processes do it.</summary>
    [Range(0, 32)]
    public int Parallelism { get; init; } = 1;

    /// <summary>Memory for files on their way in, of all users together, in MiB, at least as much as the largest file; one user has a quarter of it, or one file. Whoever comes when it is used up is told to come again.</summary>
    [Range(1, 100_000)]
    public int UploadMegabytes { get; init; } = 256;

    /// <summary>How long an upload may take to arrive whole; one that takes longer is given up, and nothing of it kept.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "1.00:00:00")]
    public TimeSpan UploadTimeout { get; init; } = TimeSpan.FromMinutes(10);

    /// <summary>How long the program that reads a PDF may take.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "01:00:00")]
    public TimeSpan ReadTimeout { get; init; } = TimeSpan.FromMinutes(1);

    /// <summary>Path of poppler's pdftotext; empty: where systems usually have it.</summary>
    public string PdfProgram { get; init; } = "";

    /// <summary>A model of this tier orders what a search found anew: cheap, standard, premium; none: no model is asked. A search may say otherwise.</summary>
    [AllowedValues("none", "cheap", "standard", "premium")]
    public string Rerank { get; init; } = "none";

    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext) =>
        UploadMegabytes < MaxFileMegabytes ? [new ValidationResult("must be at least MaxFileMegabytes: a file of that size could never be uploaded.", [nameof(UploadMegabytes)])] : [];

    internal long UploadBytes => UploadMegabytes * 1024L * 1024;

    internal long MaxFileBytes => MaxFileMegabytes * 1024L * 1024;

    internal ExtractionLimits LimitsFor(TimeProvider clock) => new(MaxCharacters, MaxPages, ReadTimeout, PdfProgram, clock);
}
