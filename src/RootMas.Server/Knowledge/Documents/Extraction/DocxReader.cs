using System.Globalization;
using System.IO.Compression;
using System.Text;
using System.Xml;

namespace RootMas.Server.Knowledge.Documents.Extraction;

/// <summary>
/// Text of a Word file (ECMA-376 part 1, §17): paragraphs, headings as <c># …</c>, rows of tables, page breaks as its writer last laid them out. Only <c>word/document.xml</c> is unpacked, in pieces and only up to a limit,
/// whatever the archive says about sizes; entities are not expanded, nothing is loaded. So what it takes is bounded by the text that it gives, however little of a file is blown up to however much.
/// </summary>
internal sealed class DocxReader(int maxCharacters, int maxPages)
{
    private const string Word = "http://schemas.openxmlformats.org/wordprocessingml/2006/main";
    private const int MaxEntries = 5_000;

    /// <summary>XML around the text: styles, revisions, fonts.</summary>
    private const int BytesPerCharacter = 20;

    /// <summary>What it may unpack to, as a multiple of the file. Deflate makes up to 1,032 of one; Word's own XML, tables of empty cells included, stays well below this.</summary>
    private const int MostGrowth = 200;
    private const long MinBytes = 4 * 1024 * 1024;

    /// <summary>One tag, or what lies between two pieces of text. The longest that Word writes are drawings in an attribute.</summary>
    private const int MostAtOnce = 1024 * 1024;

    /// <summary>Elements inside of each other; a table in a table takes five.</summary>
    private const int MaxDepth = 500;

    /// <summary>Different names of elements and attributes, each of which the reader remembers; Word knows about a thousand.</summary>
    private const int MaxNames = 10_000;

    private readonly StringBuilder _text = new();
    private readonly List<int> _pages = [0];
    private readonly char[] _piece = new char[4_096];
    private int _solid;
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
            using var stream = new BoundedStream(entry.Open(), Math.Max(MinBytes, Math.Min((long)maxCharacters * BytesPerCharacter, (long)content.Length * MostGrowth)), MostAtOnce);
            ReadBody(stream);
        }
        catch (Exception e) when (e is InvalidDataException or XmlException or EndOfStreamException)
        {
            throw ExtractionException.Unreadable("The Word file is damaged.", e);
        }

        return new ExtractedText("docx", _text.ToString(), _pages.Count > 1 ? _pages : []);
    }

    private void ReadBody(BoundedStream stream)
    {
        var settings = new XmlReaderSettings { DtdProcessing = DtdProcessing.Prohibit, XmlResolver = null, IgnoreComments = true, IgnoreProcessingInstructions = true, NameTable = new BoundedNames() };
        using var reader = XmlReader.Create(stream, settings);
        while (Next(reader, stream))
        {
            if (reader.NodeType is XmlNodeType.Text or XmlNodeType.SignificantWhitespace or XmlNodeType.CDATA)
            {
                ReadText(reader, stream);
            }
            else if (reader.NamespaceURI == Word && reader.NodeType == XmlNodeType.Element)
            {
                Begin(reader);
            }
            else if (reader.NamespaceURI == Word && reader.NodeType == XmlNodeType.EndElement)
            {
                End(reader.LocalName);
            }

            CheckLength();
        }
    }

    private static bool Next(XmlReader reader, BoundedStream stream)
    {
        stream.Begin();
        var isThere = reader.Read();
        return reader.Depth <= MaxDepth ? isThere : throw ExtractionException.Unreadable("The Word file is nested so deeply that it is not read.");
    }

    /// <summary>In pieces: a run of text can be as long as the whole file.</summary>
    private void ReadText(XmlReader reader, BoundedStream stream)
    {
        for (var count = 1; _inText && count > 0; CheckLength())
        {
            stream.Begin();
            count = reader.ReadValueChunk(_piece, 0, _piece.Length);
            Append(_piece.AsSpan(0, count));
        }
    }

    private void CheckLength()
    {
        if (_text.Length > maxCharacters)
        {
            throw ExtractionException.TooLarge(string.Create(CultureInfo.InvariantCulture, $"The Word file has more than {maxCharacters} characters of text."));
        }
    }

    private void Append(ReadOnlySpan<char> text)
    {
        var solid = text.TrimEnd().Length;
        _solid = solid > 0 ? _text.Length + solid : _solid;
        _text.Append(text);
    }

    private void Begin(XmlReader reader)
    {
        switch (reader.LocalName)
        {
            case "t":
                _inText = !reader.IsEmptyElement;
                break;
            case "tab":
                Append("\t");
                break;
            case "br" when reader.GetAttribute("type", Word) == "page":
            case "lastRenderedPageBreak":
                BreakPage();
                break;
            case "br" or "cr":
                Append("\n");
                break;
            case "pStyle" when HeadingLevel(reader.GetAttribute("val", Word)) is { } level:
                Append("######".AsSpan(0, level));
                Append(" ");
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
                Append("\n\n");
                break;
            case "tc":
                Trim();
                Append(" | ");
                break;
            case "tr":
                Trim();
                Append("\n");
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

            Append("\n");
            _pages.Add(_text.Length);
        }
    }

    /// <summary>A page that has begun stays begun.</summary>
    private void Trim() => _text.Length = Math.Max(_solid, _pages[^1]);

    private static int? HeadingLevel(string? style) => style switch
    {
        null => null,
        "Title" => 1,
        _ when style.StartsWith("Heading", StringComparison.OrdinalIgnoreCase) && style is [.., >= '1' and <= '6' and var digit] => digit - '0',
        [>= '1' and <= '6' and var only] => only - '0', // as the Russian Word names them
        _ => null,
    };

    private sealed class BoundedNames : NameTable
    {
        private int _count;

        public override string Add(char[] key, int start, int len) => Get(key, start, len) ?? (_count++ < MaxNames ? base.Add(key, start, len)
            : throw ExtractionException.TooLarge(string.Create(CultureInfo.InvariantCulture, $"The Word file has more than {MaxNames} different names of elements.")));
    }
}

/// <summary>Ends with an error where an archive unpacks to more than it may, in all or at once.</summary>
/// <param name="atOnce">Bytes that may be read from one <see cref="Begin"/> to the next.</param>
internal sealed class BoundedStream(Stream inner, long limit, long atOnce) : Stream
{
    private long _read;
    private long _begun;

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
        return _read > limit ? throw ExtractionException.TooLarge(string.Create(CultureInfo.InvariantCulture, $"The archive unpacks to more than {limit} bytes."))
            : _read - _begun > atOnce ? throw ExtractionException.TooLarge(string.Create(CultureInfo.InvariantCulture, $"The archive has a tag, or a gap between two, of more than {atOnce} bytes."))
            : got;
    }

    /// <summary>Whoever reads begins with something new: what they read for it must not be too much at once.</summary>
    public void Begin() => _begun = _read;

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
