using System.Globalization;
using System.Text;

namespace RootMas.Server.Knowledge.Documents.Extraction;

/// <summary>The text of a Word file as it grows, with its pages. What stands beside it waits until the paragraph ends, so that it is in no sentence.</summary>
internal sealed class DocxText(int maxCharacters, int maxPages)
{
    /// <summary>Boxes in boxes, which Word itself does not make.</summary>
    private const int MaxLayers = 8;

    private readonly Stack<Layer> _below = [];
    private readonly List<int> _pages = [0];
    private readonly List<string> _atEnd = [];
    private Layer _now = new();
    private long _waiting;

    /// <summary>Rises with everything that is said, wherever it goes.</summary>
    public long Said { get; private set; }

    public void Append(ReadOnlySpan<char> text)
    {
        var solid = text.TrimEnd().Length;
        Said += solid;
        _now.Solid = solid > 0 ? _now.Text.Length + solid : _now.Solid;
        _now.Text.Append(text);
        CheckLength();
    }

    public void EndParagraph()
    {
        Append("\n\n");
        TellAsides();
    }

    /// <summary>What ends a cell or a row stands where its text does. A page that has begun stays begun.</summary>
    public void Trim() => _now.Text.Length = Math.Max(_now.Solid, _below.Count == 0 ? _pages[^1] : 0);

    /// <summary>Pages are those of the body: a box has none of its own.</summary>
    public void BreakPage()
    {
        if (_below.Count > 0)
        {
            Append("\n");
            return;
        }

        if (_now.Asides.Count > 0)
        {
            Append("\n\n");
            TellAsides(); // it was on this page
        }

        if (_now.Text.Length > _pages[^1])
        {
            if (_pages.Count >= maxPages)
            {
                // Each page is at least one passage with its vector: pages of one letter would cost others their turn.
                throw ExtractionException.TooLarge(string.Create(CultureInfo.InvariantCulture, $"The Word file has more than {maxPages} pages."));
            }

            Append("\n");
            _pages.Add(_now.Text.Length);
        }
    }

    /// <summary>Until <see cref="EndAside"/>, what comes stands beside the text.</summary>
    public void BeginAside()
    {
        if (_below.Count >= MaxLayers)
        {
            throw ExtractionException.Unreadable("The Word file has text boxes in each other so deeply that it is not read.");
        }

        _below.Push(_now);
        _waiting += _now.Text.Length;
        _now = new Layer();
    }

    /// <summary>What came since.</summary>
    public string EndAside()
    {
        TellAsides();
        var said = _now.Text.ToString().Trim();
        _now = _below.Pop();
        _waiting -= _now.Text.Length;
        return said;
    }

    /// <summary>Is told when the paragraph ends.</summary>
    /// <param name="text">Null or empty: nothing is.</param>
    public void Aside(string? text) => Add(_now.Asides, text);

    /// <summary>Is told when everything else has been.</summary>
    /// <inheritdoc cref="Aside" path="/param"/>
    public void AtEnd(string? text) => Add(_atEnd, text);

    public ExtractedText ToText()
    {
        _now.Asides.AddRange(_atEnd);
        _atEnd.Clear();
        TellAsides();
        return new ExtractedText("docx", _now.Text.ToString(), _pages.Count > 1 ? _pages : []);
    }

    private void Add(List<string> to, string? text)
    {
        if (!string.IsNullOrEmpty(text))
        {
            to.Add(text);
            _waiting += text.Length;
            CheckLength();
        }
    }

    private void TellAsides()
    {
        foreach (var aside in _now.Asides)
        {
            _waiting -= aside.Length;
            Append(aside);
            Append("\n\n");
        }

        _now.Asides.Clear();
    }

    private void CheckLength()
    {
        if (_now.Text.Length + _waiting > maxCharacters)
        {
            throw ExtractionException.TooLarge(string.Create(CultureInfo.InvariantCulture, $"The Word file has more than {maxCharacters} characters of text."));
        }
    }

    /// <summary>The body, or a box that is being read.</summary>
    private sealed class Layer
    {
        public StringBuilder Text { get; } = new();

        public List<string> Asides { get; } = [];

        /// <summary>Where its last word ends.</summary>
        public int Solid { get; set; }
    }
}
