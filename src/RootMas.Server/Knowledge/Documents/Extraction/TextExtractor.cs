using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;
using RootMas.Server.Platform.Text;

namespace RootMas.Server.Knowledge.Documents.Extraction;

/// <summary>Reads a file as text, whatever kind it is.</summary>
internal static class TextExtractor
{
    // Only for people and models to read: nothing is put into a page.
    private static readonly JsonWriterOptions Readable = new() { Indented = true, NewLine = "\n", Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, MaxDepth = 64 };

    /// <exception cref="ExtractionException">It is not read; the message says why.</exception>
    public static async Task<ExtractedText> ReadAsync(byte[] content, string name, ExtractionLimits limits, CancellationToken cancellationToken)
    {
        var extracted = FileKind.OfBytes(content) switch
        {
            "pdf" => await PdfReader.ReadAsync(content, limits, cancellationToken),
            "docx" => Cleaned(new DocxReader(limits.MaxCharacters, limits.MaxPages).Read(content)),
            "text" => OfText(FileKind.Decode(content, limits.MaxCharacters), name, limits.MaxCharacters),
            _ => throw UnknownType(),
        };
        if (extracted.Text.Length > limits.MaxCharacters)
        {
            throw ExtractionException.TooLarge(string.Create(CultureInfo.InvariantCulture, $"The file has {extracted.Text.Length} characters of text; {limits.MaxCharacters} are read at most."));
        }

        return extracted.Text.AsSpan().IndexOfAnyExcept(" \n\t\r") >= 0 ? extracted
            : throw new ExtractionException("document_empty", "There is no text in the file. Nothing was indexed. If it shows pictures of text, run text recognition on it first.");
    }

    public static ExtractionException UnknownType() => new("document_type_unknown",
        "The file is of no kind that is read here. Nothing was indexed. Read are text, Markdown, HTML, CSV, JSON, source code, Word files (.docx) and PDF; what counts is the content, not the name.");

    private static ExtractedText OfText(string text, string name, int maxCharacters)
    {
        var kind = FileKind.OfText(text, name);
        return kind switch
        {
            "html" => new ExtractedText(kind, Html(text, maxCharacters), []),
            "csv" => new ExtractedText(kind, CsvReader.Read(text, maxCharacters), []),
            "json" => new ExtractedText(kind, Json(text, maxCharacters), []),
            _ => new ExtractedText(kind, text, []),
        };
    }

    private static string Html(string text, int maxCharacters)
    {
        var page = HtmlPage.ReadWhole(text, maxCharacters) ?? throw ExtractionException.Unreadable("The markup is nested so deeply, or is so broken, that it is not read.");
        if (page.IsCut)
        {
            throw ExtractionException.TooLarge(string.Create(CultureInfo.InvariantCulture, $"The page has more than is read: {maxCharacters} characters of text, {HtmlPage.MaxTags} tags, {MarkdownWriter.MaxDepth} elements in each other."));
        }

        return page.Title.Length > 0 && !page.Text.Contains(page.Title, StringComparison.Ordinal) ? $"# {page.Title}\n\n{page.Text}" : page.Text;
    }

    private static string Json(string text, int maxCharacters)
    {
        using var document = JsonDocument.Parse(text, new JsonDocumentOptions { MaxDepth = 64 });
        var written = new BoundedBytes(maxCharacters);
        try
        {
            using var writer = new Utf8JsonWriter(written, Readable);
            document.RootElement.WriteTo(writer);
        }
        catch (InvalidOperationException e)
        {
            throw ExtractionException.Unreadable("The JSON has half of a character in it (an escape of a surrogate that stands alone).", e);
        }

        return written.Text;
    }

    /// <summary>Without what people cannot see; the pages begin where they did, counted in what is left.</summary>
    private static ExtractedText Cleaned(ExtractedText raw)
    {
        if (raw.Pages.Count == 0)
        {
            return raw with { Text = WebText.Clean(raw.Text) };
        }

        var text = new System.Text.StringBuilder(raw.Text.Length);
        var pages = new List<int>(raw.Pages.Count);
        for (var i = 0; i < raw.Pages.Count; i++)
        {
            pages.Add(text.Length);
            text.Append(WebText.Clean(raw.Text[raw.Pages[i]..(i + 1 < raw.Pages.Count ? raw.Pages[i + 1] : raw.Text.Length)]));
        }

        return raw with { Text = text.ToString(), Pages = pages };
    }
}
