using System.Globalization;
using System.Xml;

namespace RootMas.Server.Knowledge.Documents.Extraction;

/// <summary>One part of a Word file with text in it: its body, or its notes. Read as it comes, element by element.</summary>
internal sealed class DocxPart(DocxText text, DocxNotes references)
{
    private const string Word = "http://schemas.openxmlformats.org/wordprocessingml/2006/main";
    private const string StrictWord = "http://purl.oclc.org/ooxml/wordprocessingml/main";
    private const string Compatibility = "http://schemas.openxmlformats.org/markup-compatibility/2006";

    /// <summary>Elements inside of each other; a table in a table takes five.</summary>
    private const int MaxDepth = 500;

    /// <summary>Different names of elements and attributes, each of which the reader remembers; Word knows about a thousand.</summary>
    private const int MaxNames = 10_000;

    private const int Nowhere = -1;

    private readonly char[] _piece = new char[4_096];
    private readonly DocxFormulas _formulas = new(text);

    /// <summary>How much was said before each choice between forms of the same thing that is being read.</summary>
    private readonly Stack<long> _choices = [];
    private string? _note;
    private int _skipped = Nowhere;
    private bool _inText;

    public DocxText Text => text;

    /// <summary>By their ids; empty in the body.</summary>
    public Dictionary<string, string> Notes { get; } = new(StringComparer.Ordinal);

    public void Read(BoundedStream stream)
    {
        var settings = new XmlReaderSettings { DtdProcessing = DtdProcessing.Prohibit, XmlResolver = null, IgnoreComments = true, IgnoreProcessingInstructions = true, NameTable = new BoundedNames() };
        using var reader = XmlReader.Create(stream, settings);
        while (Next(reader, stream))
        {
            if (_skipped != Nowhere)
            {
                _skipped = reader.NodeType == XmlNodeType.EndElement && reader.Depth == _skipped ? Nowhere : _skipped;
            }
            else if (reader.NodeType is XmlNodeType.Text or XmlNodeType.SignificantWhitespace or XmlNodeType.CDATA)
            {
                ReadText(reader, stream);
            }
            else if (reader.NodeType is XmlNodeType.Element or XmlNodeType.EndElement)
            {
                ReadTag(reader);
            }
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
        for (var count = 1; _inText && count > 0;)
        {
            stream.Begin();
            count = reader.ReadValueChunk(_piece, 0, _piece.Length);
            text.Append(_piece.AsSpan(0, count));
        }
    }

    private void ReadTag(XmlReader reader)
    {
        var begins = reader.NodeType == XmlNodeType.Element;
        if (reader.NamespaceURI == Compatibility)
        {
            Choose(reader, begins);
        }
        else if (reader.NamespaceURI is Word or StrictWord)
        {
            if (begins)
            {
                Begin(reader);
            }
            else
            {
                End(reader.LocalName);
            }
        }
        else if (DocxFormulas.Has(reader.NamespaceURI))
        {
            _inText = begins && reader is { LocalName: "t", IsEmptyElement: false };
            _formulas.Read(reader, begins);
        }
    }

    /// <summary>The same thing in several forms, as a text box is a drawing and again a picture for older programs (ECMA-376 part 3, §9.3): the first that says something is read.</summary>
    private void Choose(XmlReader reader, bool begins)
    {
        switch (reader.LocalName)
        {
            case "AlternateContent" when !begins:
                _choices.TryPop(out _);
                break;
            case "AlternateContent" when !reader.IsEmptyElement:
                _choices.Push(text.Said);
                break;
            case "Choice" or "Fallback" when begins && !reader.IsEmptyElement && _choices.TryPeek(out var said) && text.Said != said:
                _skipped = reader.Depth;
                break;
        }
    }

    private void Begin(XmlReader reader)
    {
        switch (reader.LocalName)
        {
            case "t":
                _inText = !reader.IsEmptyElement;
                break;
            case "tab" or "ptab":
                text.Append("\t");
                break;
            case "noBreakHyphen":
                text.Append("-");
                break;
            case "sym":
                text.Append(DocxSymbols.Of(ValueOf(reader, "font"), ValueOf(reader, "char")));
                break;
            case "moveFrom" or "del" or "pPrChange" when !reader.IsEmptyElement: // what stood there before a change that the file keeps track of
                _skipped = reader.Depth;
                break;
            case "br" when ValueOf(reader, "type") == "page":
            case "lastRenderedPageBreak":
                text.BreakPage();
                break;
            case "br" or "cr":
                text.Append("\n");
                break;
            case "pStyle" when HeadingLevel(ValueOf(reader, "val")) is { } level:
                text.Append("######".AsSpan(0, level));
                text.Append(" ");
                break;
            default:
                BeginAside(reader);
                break;
        }
    }

    /// <summary>What stands beside the text.</summary>
    private void BeginAside(XmlReader reader)
    {
        switch (reader.LocalName)
        {
            case "txbxContent" when !reader.IsEmptyElement:
                text.BeginAside();
                break;
            case "footnoteReference":
                text.Aside(references.Foot(ValueOf(reader, "id")));
                break;
            case "endnoteReference":
                text.AtEnd(references.End(ValueOf(reader, "id")));
                break;
            case "footnote" or "endnote" when !reader.IsEmptyElement && ValueOf(reader, "type") is null or "normal": // the others are lines that divide
                _note = ValueOf(reader, "id");
                text.BeginAside();
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
                text.EndParagraph();
                break;
            case "tc":
                text.Trim();
                text.Append(" | ");
                break;
            case "tr":
                text.Trim();
                text.Append("\n");
                break;
            case "txbxContent":
                text.Aside(text.EndAside());
                break;
            case "footnote" or "endnote" when _note is not null:
                Notes[_note] = text.EndAside();
                _note = null;
                break;
        }
    }

    private static string? ValueOf(XmlReader element, string attribute) => element.GetAttribute(attribute, element.NamespaceURI);

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
