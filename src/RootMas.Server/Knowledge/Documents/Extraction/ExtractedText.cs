namespace RootMas.Server.Knowledge.Documents.Extraction;

/// <summary>What a file says.</summary>
/// <param name="Kind">By content: text, markdown, html, csv, json, docx, pdf, code.</param>
/// <param name="Text">Lines end with \n; offsets of chunks and citations count in it.</param>
/// <param name="Pages">Where each page begins in the text, the first at 0; empty: it has no pages.</param>
internal sealed record ExtractedText(string Kind, string Text, IReadOnlyList<int> Pages);

/// <summary>The file cannot be read. The message is for its owner: what is wrong, and what to do.</summary>
/// <param name="code">Stable: document_empty, document_unreadable, document_encrypted, document_too_large, document_type_unknown, pdf_reader_missing, document_takes_too_long.</param>
internal sealed class ExtractionException(string code, string message, Exception? inner = null) : Exception(message, inner)
{
    public string Code { get; } = code;

    public static ExtractionException TooLarge(string what) =>
        new("document_too_large", $"{what} Nothing of it was indexed. Split it, and upload the parts.");

    public static ExtractionException Unreadable(string what, Exception? inner = null) =>
        new("document_unreadable", $"{what} Nothing of it was indexed. Save it anew with the program that made it, and upload it again.", inner);
}

/// <summary>What one file may cost.</summary>
/// <param name="MaxCharacters">Characters of its text.</param>
/// <param name="MaxPages">Its pages.</param>
/// <param name="Timeout">For a program that reads it.</param>
/// <param name="PdfProgram">Path of pdftotext; empty: the usual places.</param>
/// <param name="Clock">By which the timeout is measured.</param>
internal sealed record ExtractionLimits(int MaxCharacters, int MaxPages, TimeSpan Timeout, string PdfProgram, TimeProvider Clock);
