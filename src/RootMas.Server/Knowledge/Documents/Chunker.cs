using RootMas.Server.Knowledge.Documents.Extraction;

namespace RootMas.Server.Knowledge.Documents;

/// <summary>
/// Cuts a text where its author cut it: a page's end is always an end, a heading begins a new chunk, fenced code and paragraphs stay whole as long as they can. Only what is longer than a chunk may be
/// is cut inside, at the end of a line or sentence. Every chunk is exactly a stretch of the text, so that its offsets say where to look.
/// </summary>
internal sealed class Chunker
{
    /// <summary>A chunk may be this many times as long as aimed at, if that keeps something whole.</summary>
    private const double Slack = 1.5;

    /// <summary>Below this share of the aim a section shares its chunk with the next one.</summary>
    private const double Small = 0.08;
    private const int MaxHeading = 200;

    private readonly ExtractedText _source;
    private readonly int _aim;
    private readonly List<Chunk> _chunks = [];
    private readonly string?[] _headings = new string?[7];
    private string _heading = "";
    private int _start = -1;
    private int _end;

    private Chunker(ExtractedText source, int aim) => (_source, _aim) = (source, aim);

    public static IReadOnlyList<Chunk> Cut(ExtractedText source, int aim)
    {
        ArgumentNullException.ThrowIfNull(source);
        var chunker = new Chunker(source, aim);
        var pages = source.Pages.Count == 0 ? [0] : source.Pages;
        for (var i = 0; i < pages.Count; i++)
        {
            chunker.CutPage(pages[i], i + 1 < pages.Count ? pages[i + 1] : source.Text.Length);
        }

        return chunker._chunks;
    }

    private int Longest => (int)(_aim * Slack);

    private bool HasHeadings => _source.Kind is "markdown" or "html" or "docx";

    private void CutPage(int from, int to)
    {
        foreach (var block in Blocks(from, to))
        {
            if (block.Level > 0)
            {
                if (_start >= 0 && _end - _start >= _aim * Small)
                {
                    Flush();
                }

                Enter(block);
            }

            Take(block.Start, block.End);
        }

        Flush();
    }

    private void Take(int start, int end)
    {
        if (_start >= 0 && end - _start > _aim && _end - _start >= _aim * Small)
        {
            Flush();
        }

        while (end - start > Longest)
        {
            var cut = CutPoint(start, Math.Min(end, start + _aim));
            (_start, _end) = (_start < 0 ? start : _start, cut);
            Flush();
            start = cut;
        }

        (_start, _end) = (_start < 0 ? start : _start, end);
    }

    /// <summary>The last end of a line, sentence or word in the second half of what fits; never between the halves of a character.</summary>
    private int CutPoint(int start, int limit)
    {
        var text = _source.Text.AsSpan(start, limit - start);
        var half = text.Length / 2;
        foreach (var end in (string[])["\n", ". ", "! ", "? ", "; ", " "])
        {
            var at = text.LastIndexOf(end);
            if (at >= half)
            {
                return start + at + end.Length;
            }
        }

        return char.IsHighSurrogate(text[^1]) ? limit - 1 : limit;
    }

    private void Flush()
    {
        if (_start < 0)
        {
            return;
        }

        var text = _source.Text.AsSpan(_start, _end - _start);
        var lead = text.Length - text.TrimStart().Length;
        var trimmed = text.Trim();
        if (trimmed.Length > 0)
        {
            var start = _start + lead;
            _chunks.Add(new Chunk(_chunks.Count, _heading, PageOf(start), start, start + trimmed.Length, trimmed.ToString()));
        }

        _start = -1;
        _heading = HeadingNow();
    }

    private int? PageOf(int at)
    {
        if (_source.Pages.Count == 0)
        {
            return null;
        }

        var low = 0;
        for (var high = _source.Pages.Count - 1; low < high;)
        {
            var middle = (low + high + 1) / 2;
            (low, high) = _source.Pages[middle] <= at ? (middle, high) : (low, middle - 1);
        }

        return low + 1;
    }

    private void Enter(Block block)
    {
        _headings[block.Level] = block.Title;
        Array.Clear(_headings, block.Level + 1, _headings.Length - block.Level - 1);
        if (_start < 0)
        {
            _heading = HeadingNow();
        }
    }

    private string HeadingNow() => string.Join(" › ", _headings.Where(static h => h is not null));

    /// <summary>Paragraphs, fenced code and headings of a page, each with the empty lines behind it.</summary>
    private IEnumerable<Block> Blocks(int from, int to)
    {
        var at = from;
        while (at < to)
        {
            var line = LineAt(at, to);
            if (line.Fence is { } fence)
            {
                var end = FenceEnd(line.Next, to, fence);
                yield return new Block(at, end, 0, "");
                at = end;
            }
            else if (line.Level > 0)
            {
                yield return new Block(at, line.Next, line.Level, line.Title);
                at = line.Next;
            }
            else
            {
                var end = ParagraphEnd(line.Next, to, line.IsEmpty);
                yield return new Block(at, end, 0, "");
                at = end;
            }
        }
    }

    private int ParagraphEnd(int at, int to, bool ended)
    {
        while (at < to)
        {
            var line = LineAt(at, to);
            if (line.Level > 0 || line.Fence is not null || (ended && !line.IsEmpty))
            {
                return at;
            }

            ended |= line.IsEmpty;
            at = line.Next;
        }

        return to;
    }

    private int FenceEnd(int at, int to, string fence)
    {
        while (at < to)
        {
            var line = LineAt(at, to);
            at = line.Next;
            if (line.Fence == fence)
            {
                return at;
            }
        }

        return to;
    }

    private Line LineAt(int at, int to)
    {
        var rest = _source.Text.AsSpan(at, to - at);
        var length = rest.IndexOf('\n');
        var line = length < 0 ? rest : rest[..length];
        var next = length < 0 ? to : at + length + 1;
        var trimmed = line.Trim();
        var fence = !HasHeadings ? null : trimmed.StartsWith("```") ? "```" : trimmed.StartsWith("~~~") ? "~~~" : null;
        var level = HasHeadings ? line.IndexOfAnyExcept('#') : 0;
        return level is > 0 and <= 6 && line[level] == ' '
            ? new Line(next, false, level, Title(line[level..]), null)
            : new Line(next, trimmed.IsEmpty, 0, "", fence);
    }

    private static string Title(ReadOnlySpan<char> text)
    {
        var title = text.Trim().TrimEnd('#').Trim();
        return (title.Length <= MaxHeading ? title : title[..(char.IsHighSurrogate(title[MaxHeading - 1]) ? MaxHeading - 1 : MaxHeading)]).ToString(); // no half of a character
    }

    private readonly record struct Block(int Start, int End, int Level, string Title);

    private readonly record struct Line(int Next, bool IsEmpty, int Level, string Title, string? Fence);
}
