using System.Text.RegularExpressions;

namespace RootMas.Runtime.Runs;

/// <summary>Quotations as Markdown has them: lines that begin with <c>&gt;</c>. The marks for one stand at its end, alone or behind a dash in the line after it, or in front of it with a colon.</summary>
internal static partial class QuotedBlock
{
    /// <summary>That which ends with the marks, and begins behind <paramref name="from"/>. Null: there is none.</summary>
    public static Quotation? Before(string text, int from, Match marks)
    {
        var mark = marks.Index;
        var line = LineStart(text, mark);
        if (text.AsSpan(mark + marks.Length).TrimStart(" .,;)*_") is [not ('\n' or '\r'), ..])
        {
            return null; // what follows them is what they are for
        }

        if (IsQuoted(text, line))
        {
            return Of(text, Math.Max(from, First(text, line, from)), mark);
        }

        // The line of the source, right below or with an empty line between.
        if (!BeforeMarks().IsMatch(text[line..mark]))
        {
            return null;
        }

        var end = text.AsSpan(0, line).TrimEnd().Length;
        return end > from && text.AsSpan(end..line).Count('\n') <= 2 && LineStart(text, end) is var last && IsQuoted(text, last) ? Of(text, Math.Max(from, First(text, last, from)), end) : null;
    }

    /// <summary>That which begins there.</summary>
    public static Quotation? At(string text, int start)
    {
        var end = start;
        while (end < text.Length && IsQuoted(text, end))
        {
            end = text.IndexOf('\n', end) is >= 0 and var next ? next + 1 : text.Length;
        }

        // Marks inside are for it, too.
        return text.AsSpan(start..end).Contains("[k", StringComparison.Ordinal) ? null : Of(text, start, end);
    }

    /// <summary>Where the first of its lines begins.</summary>
    private static int First(string text, int line, int from)
    {
        while (line > from && LineStart(text, line - 1) is var before && IsQuoted(text, before))
        {
            line = before;
        }

        return line;
    }

    private static int LineStart(string text, int at) => at == 0 ? 0 : text.LastIndexOf('\n', at - 1) + 1;

    private static bool IsQuoted(string text, int line) => text.AsSpan(line).TrimStart(' ') is ['>', ..];

    private static Quotation? Of(string text, int start, int end)
    {
        var lines = text[start..end].Split('\n').Select(static l => Lead().Replace(l, "")).Where(static l => !l.TrimStart().StartsWith('—') && !l.TrimStart().StartsWith('–')).ToList();
        var words = Emphasis().Replace(string.Join('\n', lines), "").Trim(' ', ',', ';', '\n', '\r', '"', '«', '»', '“', '”', '„', '(', '—', '–');
        return lines.Count == 0 || Label().IsMatch(lines[0]) || !Quotation.IsMoreThanAName(words) ? null : new Quotation([words], end - 1);
    }

    [GeneratedRegex(@"^[\s—–(*_-]*$|^\s*[—–-][^.!?]*$", RegexOptions.CultureInvariant | RegexOptions.NonBacktracking)]
    private static partial Regex BeforeMarks();

    [GeneratedRegex(@"^ *(?:> ?)+", RegexOptions.CultureInvariant | RegexOptions.NonBacktracking)]
    private static partial Regex Lead();

    [GeneratedRegex("[*_`]+", RegexOptions.CultureInvariant | RegexOptions.NonBacktracking)]
    private static partial Regex Emphasis();

    /// <summary>A note in a frame, which quotes nobody.</summary>
    [GeneratedRegex(@"^\s*(?:\[!|[*_]*\p{L}+[*_]*:)", RegexOptions.CultureInvariant | RegexOptions.NonBacktracking)]
    private static partial Regex Label();
}
