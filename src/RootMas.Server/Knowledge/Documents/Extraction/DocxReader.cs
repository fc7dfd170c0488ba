using System.Globalization;
using System.IO.Compression;
using System.Text;
using System.Xml;

namespace RootMas.Server.Knowledge.Documents.Extraction;

/// <summary>
/// Text of a Word file (ECMA-376 part 1, §17): paragraphs, headings as <c># …</c>, rows of tables, page breaks as its writer last laid them out. Only <c>word/document.xml</c> is unpacked, and only up to a limit,
/// whatever the archive says about sizes; entities are not expanded, nothing is loaded.
/// </summary>
internal sealed class DocxReader(int maxCharacters, int maxPages)
{
    private const string Word = "http://schemas.openxmlformats.org/wordprocessingml/2006/main";
    private const int MaxEntries = 5_000;

    /// <summary>XML around the text: styles, revisions, fonts.</summary>
    private const int BytesPerCharacter = 40;
    private const long MinBytes = 4 * 1024 * 1024;

    private readonly StringBuilder _text = new();
    private readonly List<int> _pages = [0];
    private bool _inText;

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

            var entry = archive.GetEntry("word/document.xml")
                ?? throw new ExtractionException("document_type_unknown", "The file is a ZIP archive, but no Word file (.docx). Nothing was indexed. Unpack it, and upload what is in it.");
            using var stream = new BoundedStream(entry.Open(), Math.Max(MinBytes, (long)maxCharacters * BytesPerCharacter));
            ReadBody(stream);
        }
        catch (Exception e) when (e is InvalidDataException or XmlException or EndOfStreamException)
        {
            throw ExtractionException.Unreadable("The Word file is damaged.", e);
        }

        return new ExtractedText("docx", _text.ToString(), _pages.Count > 1 ? _pages : []);
    }

    private void ReadBody(Stream stream)
    {
        var settings = new XmlReaderSettings { DtdProcessing = DtdProcessing.Prohibit, XmlResolver = null, IgnoreComments = true, IgnoreProcessingInstructions = true };
        using var reader = XmlReader.Create(stream, settings);
        while (reader.Read())
        {
            if (reader.NodeType is XmlNodeType.Text or XmlNodeType.SignificantWhitespace or XmlNodeType.CDATA)
            {
                _text.Append(_inText ? reader.Value : "");
            }
            else if (reader.NamespaceURI == Word && reader.NodeType == XmlNodeType.Element)
            {
                Begin(reader);
            }
            else if (reader.NamespaceURI == Word && reader.NodeType == XmlNodeType.EndElement)
            {
                End(reader.LocalName);
            }

            if (_text.Length > maxCharacters)
            {
                throw ExtractionException.TooLarge(string.Create(CultureInfo.InvariantCulture, $"The Word file has more than {maxCharacters} characters of text."));
            }
        }
    }

    private void Begin(XmlReader reader)
    {
        switch (reader.LocalName)
        {
            case "t":
                _inText = !reader.IsEmptyElement;
                break;
            case "tab":
                _text.Append('\t');
                break;
            case "br" when reader.GetAttribute("type", Word) == "page":
            case "lastRenderedPageBreak":
                BreakPage();
                break;
            case "br" or "cr":
                _text.Append('\n');
                break;
            case "pStyle" when HeadingLevel(reader.GetAttribute("val", Word)) is { } level:
                _text.Append('#', level).Append(' ');
                break;
        }
    }

    private void End(string name)
    {
        switch (name)
        {
            case "t":
                _inText = false;
                break;
            case "p":
                _text.Append("\n\n");
                break;
            case "tc":
                _text.Length = TrimmedLength();
                _text.Append(" | ");
                break;
            case "tr":
                _text.Length = TrimmedLength();
                _text.Append('\n');
                break;
        }
    }

    private void BreakPage()
    {
        if (_text.Length > _pages[^1])
        {
            if (_pages.Count >= maxPages)
            {
                // Each page is at least one passage with its vector: pages of one letter would cost others their turn.
                throw ExtractionException.TooLarge(string.Create(CultureInfo.InvariantCulture, $"The Word file has more than {maxPages} pages."));
            }

            _text.Append('\n');
            _pages.Add(_text.Length);
        }
    }

    private int TrimmedLength()
    {
        var length = _text.Length;
        while (length > 0 && char.IsWhiteSpace(_text[length - 1]))
        {
            length--;
        }

        return length;
    }

    private static int? HeadingLevel(string? style) => style switch
    {
        null => null,
        "Title" => 1,
        _ when style.StartsWith("Heading", StringComparison.OrdinalIgnoreCase) && style is [.., >= '1' and <= '6' and var digit] => digit - '0',
        [>= '1' and <= '6' and var only] => only - '0', // as the Russian Word names them
        _ => null,
    };
}

/// <summary>Ends with an error where an archive unpacks to more than it may.</summary>
internal sealed class BoundedStream(Stream inner, long limit) : Stream
{
    private long _read;

    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => false;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => _read;
        set => throw new NotSupportedException();
    }

    public override int Read(byte[] buffer, int offset, int count)
    {
        var got = inner.Read(buffer, offset, count);
        _read += got;
        return _read <= limit ? got
            : throw ExtractionException.TooLarge(string.Create(CultureInfo.InvariantCulture, $"The archive unpacks to more than {limit} bytes."));
    }

    public override void Flush() => throw new NotSupportedException();

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            inner.Dispose();
        }

        base.Dispose(disposing);
    }
}
