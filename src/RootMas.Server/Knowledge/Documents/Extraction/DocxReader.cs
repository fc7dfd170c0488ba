using System.Globalization;
using System.IO.Compression;
using System.Xml;

namespace RootMas.Server.Knowledge.Documents.Extraction;

/// <summary>
/// Text of a Word file (ECMA-376 part 1, §17, also its strict form): paragraphs, headings as <c># …</c>, rows of tables, page breaks as its writer last laid them out; what stands beside the text (boxes, footnotes) after the paragraph that it
/// belongs to, endnotes at the end. Only the parts with text are unpacked, in pieces and only up to a limit, whatever the archive says about sizes; entities are not expanded, nothing is loaded. So what it takes is bounded by the
/// text that it gives, however little of a file is blown up to however much.
/// </summary>
internal sealed class DocxReader(int maxCharacters, int maxPages)
{
    private const int MaxEntries = 5_000;

    /// <summary>XML around the text: styles, revisions, fonts.</summary>
    private const int BytesPerCharacter = 20;

    /// <summary>What it may unpack to, as a multiple of the file. Deflate makes up to 1,032 of one; Word's own XML, tables of empty cells included, stays well below this.</summary>
    private const int MostGrowth = 200;
    private const long MinBytes = 4 * 1024 * 1024;

    /// <summary>One tag, or what lies between two pieces of text. The longest that Word writes are drawings in an attribute.</summary>
    private const int MostAtOnce = 1024 * 1024;

    /// <exception cref="ExtractionException">It is no Word file, damaged, or unpacks to too much.</exception>
    public ExtractedText Read(byte[] content)
    {
        try
        {
            using var archive = new ZipArchive(new MemoryStream(content, writable: false), ZipArchiveMode.Read);
            if (archive.Entries.Count > MaxEntries)
            {
                throw ExtractionException.TooLarge(string.Create(CultureInfo.InvariantCulture, $"The archive has {archive.Entries.Count} entries; a Word file has a few dozen."));
            }

            var body = archive.GetEntry("word/document.xml")
                ?? throw new ExtractionException("document_type_unknown", "The file is a ZIP archive, but no Word file (.docx). Nothing was indexed. Unpack it, and upload what is in it.");
            var notes = new DocxNotes(ReadNotes(archive, "word/footnotes.xml", content.Length), ReadNotes(archive, "word/endnotes.xml", content.Length));
            return ReadPart(body, content.Length, notes).Text.ToText();
        }
        catch (Exception e) when (e is InvalidDataException or XmlException or EndOfStreamException)
        {
            throw ExtractionException.Unreadable("The Word file is damaged.", e);
        }
    }

    private Dictionary<string, string> ReadNotes(ZipArchive archive, string name, int fileLength) =>
        archive.GetEntry(name) is { } entry ? ReadPart(entry, fileLength, DocxNotes.None).Notes : [];

    private DocxPart ReadPart(ZipArchiveEntry entry, int fileLength, DocxNotes notes)
    {
        using var stream = new BoundedStream(entry.Open(), Math.Max(MinBytes, Math.Min((long)maxCharacters * BytesPerCharacter, (long)fileLength * MostGrowth)), MostAtOnce);
        var part = new DocxPart(new DocxText(maxCharacters, maxPages), notes);
        part.Read(stream);
        return part;
    }
}

/// <summary>Texts of notes by their ids, each of which is told once, where the first mark stands that refers to it.</summary>
internal sealed class DocxNotes(Dictionary<string, string> foot, Dictionary<string, string> end)
{
    private readonly HashSet<string> _told = new(StringComparer.Ordinal);
    private int _feet;
    private int _ends;

    public static DocxNotes None => new([], []);

    /// <summary>Null: there is none, or it was told.</summary>
    public string? Foot(string? id) => Take(foot, "f", id) is { } text ? string.Create(CultureInfo.InvariantCulture, $"[^{++_feet}]: {text}") : null;

    /// <inheritdoc cref="Foot"/>
    public string? End(string? id) => Take(end, "e", id) is { } text ? string.Create(CultureInfo.InvariantCulture, $"[^e{++_ends}]: {text}") : null;

    private string? Take(Dictionary<string, string> notes, string kind, string? id) =>
        id is not null && notes.TryGetValue(id, out var text) && text.Length > 0 && _told.Add(kind + id) ? text : null;
}
