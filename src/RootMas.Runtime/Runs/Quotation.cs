using System.Collections.Frozen;
using System.Text.RegularExpressions;

namespace RootMas.Runtime.Runs;

/// <summary>Words in quotation marks. Where a mark can be an apostrophe as well ("the users' data") there may be several ends, and so several readings, the shortest first.</summary>
/// <param name="Readings">What is quoted; one at least.</param>
/// <param name="End">Where its last mark stands.</param>
internal sealed record Quotation(IReadOnlyList<string> Readings, int End)
{
    private const int Shortest = 4;

    /// <summary>How far before a mark the quotation may begin that belongs to it.</summary>
    private const int LongestQuote = 2_000;

    /// <summary>Quotations in quotations in quotations.</summary>
    private const int Deepest = 4;

    private const string Closing = "\"»”“’'";
    private const string Opening = "\"«“„‘'";

    /// <summary>After these, and after a space, a mark that can be both begins a quotation.</summary>
    private const string BeforeOpening = "([{—–-:/*_>\"'«„‘“";

    /// <summary>Behind these a mark may be the apostrophe of a plural, or mean feet and minutes.</summary>
    private const string BeforeApostrophe = "sxzSXZ0123456789";

    /// <summary>No noun begins with these, so what stands before them belongs to nobody: the mark is no apostrophe.</summary>
    private static readonly FrozenSet<string> NoNouns = FrozenSet.ToFrozenSet(
        ("a an the this these those it they we you he she of in on at for to from by with without per but nor as that which who than then if when while until because "
            + "is are was were be been has have had do does did can could may might must shall should will would not says said say states stated means meant counts applies apply "
            + "в во на а но да что как это за из от до для по с со у к ко о об не ни же при под над без после перед если то ли чтобы есть был была было были будет является означает значит").Split(' '),
        StringComparer.OrdinalIgnoreCase);

    /// <summary>Words that begin with an apostrophe.</summary>
    private static readonly FrozenSet<string> Shortened = FrozenSet.ToFrozenSet("tis twas twere twill em n til till cause bout round cos".Split(' '), StringComparer.OrdinalIgnoreCase);

    /// <summary>Before a year of two digits.</summary>
    private static readonly FrozenSet<string> BeforeYears = FrozenSet.ToFrozenSet("in of since until till from before after by the mid early late for summer winter spring autumn fall".Split(' '), StringComparer.OrdinalIgnoreCase);

    public static bool IsMark(char sign) => Closing.Contains(sign, StringComparison.Ordinal) || Opening.Contains(sign, StringComparison.Ordinal);

    /// <summary>Whether one of its readings does.</summary>
    public bool StandsIn(Func<string, bool> contains) => Readings.Any(contains);

    /// <summary>The longest reading that stands there; null: none.</summary>
    public string? Longest(Func<string, bool> contains) => Readings.Reverse().Select(static r => r.Trim()).FirstOrDefault(r => r.Length > 0 && contains(r));

    /// <summary>The quotation that the marks are for: that which ends right before them, else that which they introduce with a colon. Null: there is none.</summary>
    public static Quotation? Nearest(string text, Match marks) => Before(text, marks.Index) ?? After(text, marks.Index + marks.Length);

    /// <summary>Quotations in the sentence that ends with the marks, wherever they stand in it: of three words, or with a number. What is shorter names something.</summary>
    public static List<Quotation> Among(string text, int from, int mark)
    {
        var end = from + text.AsSpan(Math.Min(from, mark)..mark).TrimEnd(" \t\n.!?").Length; // the mark may stand behind the end of its sentence
        var quotes = new List<Quotation>();
        for (var i = Math.Max(from, end - LongestQuote); i < end; i++)
        {
            if (IsLastSign(text, i))
            {
                quotes.Clear();
            }
            else if (QuoteAt(text, i, end) is { } quote)
            {
                quotes.Add(quote);
                i = quote.End;
                if (i + 1 < end && EndsSentence(text[i - 1]) && !GoesOn(text, i + 1))
                {
                    quotes.Clear(); // the sentence ended inside
                }
            }
        }

        return quotes.FindAll(static q => IsMoreThanAName(q.Readings[0]));
    }

    /// <summary>Quotations in the sentence that goes on behind the marks, but for those that other marks follow at once. Whether it comes as far as <paramref name="limit"/>, where the next marks are.</summary>
    public static (List<Quotation> Found, bool ReachesLimit) Behind(string text, Match marks, int limit)
    {
        var (found, end) = (new List<Quotation>(), marks.Index + marks.Length);
        var last = Math.Min(limit, end + LongestQuote);
        for (var i = IsOfTheLastSentence(text, marks) ? limit + 1 : end; i < last; i++)
        {
            if (IsLastSign(text, i))
            {
                return (found, false);
            }

            if (QuoteAt(text, i, last) is not { } quote)
            {
                continue;
            }

            i = quote.End;
            if (!AreMarksNext(text, i + 1) && IsMoreThanAName(quote.Readings[0]))
            {
                found.Add(quote);
            }

            if (EndsSentence(text[i - 1]) && !GoesOn(text, i + 1))
            {
                return (found, false);
            }
        }

        return (found, last == limit && limit < text.Length && !IsOfTheLastSentence(text, marks));
    }

    /// <summary>That which ended in front of the marks.</summary>
    private static bool IsOfTheLastSentence(string text, Match marks) => text.AsSpan(0, marks.Index).TrimEnd() is [.., var sign] && EndsSentence(sign) && !GoesOn(text, marks.Index + marks.Length);

    private static bool IsLastSign(string text, int at) => text[at] == '\n' || (EndsSentence(text[at]) && (at + 1 == text.Length || char.IsWhiteSpace(text[at + 1])));

    private static Quotation? QuoteAt(string text, int at, int limit) => Opening.Contains(text[at], StringComparison.Ordinal) && OpensWord(text, at) ? From(text, at, limit) : null;

    private static bool AreMarksNext(string text, int at) => text.AsSpan(at).TrimStart(" .,;:)*_\n") is ['[', 'k', ..];

    /// <summary>The sentence does: a small letter comes next, or a mark of punctuation inside it.</summary>
    private static bool GoesOn(string text, int at) => text.AsSpan(at).TrimStart(' ') is [var next, ..] && (char.IsLower(next) || next is ',' or ';' or ':' or '–' or '—');

    public static bool IsMoreThanAName(string quote) => quote.AsSpan().ContainsAnyInRange('0', '9') || quote.AsSpan().Trim().Count(' ') >= 2;

    private static bool EndsSentence(char sign) => sign is '.' or '!' or '?';

    private static Quotation? After(string text, int marksEnd)
    {
        var colon = NextSign(text, marksEnd);
        var open = NextSign(text, colon + 1);
        if (open < text.Length && text[colon] == ':' && text[open] == '>')
        {
            return QuotedBlock.At(text, open);
        }

        if (open >= text.Length || text[colon] != ':' || !Opening.Contains(text[open], StringComparison.Ordinal) || From(text, open, Math.Min(text.Length, open + LongestQuote)) is not { } quote)
        {
            return null;
        }

        return AreMarksNext(text, quote.End + 1) ? null : quote.IfTelling();
    }

    private static int NextSign(string text, int at)
    {
        while (at < text.Length && char.IsWhiteSpace(text[at]))
        {
            at++;
        }

        return at;
    }

    private static Quotation? Before(string text, int mark)
    {
        var close = mark - 1;
        while (close >= 0 && (char.IsWhiteSpace(text[close]) || text[close] is '.' or ',' or ';' or ':' or ')' or '*' or '_'))
        {
            close--;
        }

        if (close < 0 || !Closing.Contains(text[close], StringComparison.Ordinal))
        {
            return null;
        }

        var quote = FamilyOf(text[close]) is '‘' or '\'' ? EndingAt(text, close) : OpenOf(text, close) is >= 0 and var open ? new Quotation([text[(open + 1)..close]], close) : null;
        return quote?.IfTelling();
    }

    /// <summary>A word or two in quotation marks is no quotation, but a number in them is.</summary>
    private Quotation? IfTelling() => Readings[^1].Trim().Length >= Shortest || Readings[^1].AsSpan().ContainsAnyInRange('0', '9') ? this : null;

    /// <summary>That which begins with the mark at <paramref name="open"/> and ends before <paramref name="limit"/>.</summary>
    private static Quotation? From(string text, int open, int limit)
    {
        var ends = FamilyOf(text[open]) is '‘' or '\'' ? EndsOf(text, open, limit) : CloseOf(text, open, limit) is > 0 and var close ? [close] : [];
        return ends.Count == 0 ? null : new Quotation([.. ends.Select(end => text[(open + 1)..end])], ends[^1]);
    }

    /// <summary>Where the quotation ends that begins with this mark: at the mark that belongs to it, and not at those of quotations inside it. -1: nowhere.</summary>
    private static int CloseOf(string text, int open, int limit)
    {
        var (family, depth) = (FamilyOf(text[open]), 1);
        for (var i = open + 1; i < limit; i++)
        {
            depth += Ends(family, text, i) ? -1 : Begins(family, text, i) ? 1 : 0;
            if (depth == 0)
            {
                return i;
            }
        }

        return -1;
    }

    /// <summary>
    /// Where one in single marks may end. At the first that is no apostrophe for sure, and then nowhere else: those before it are apostrophes inside. Without such a mark, at each that may be one.
    /// Where the mark that opens may itself be an apostrophe ('tis, '24), only a certain end makes it a quotation.
    /// </summary>
    private static List<int> EndsOf(string text, int open, int limit)
    {
        var (family, depth, ends, isDoubtful) = (FamilyOf(text[open]), 1, new List<int>(), IsShortened(text, open));
        for (var i = open + 1; i < limit && depth < Deepest; i++)
        {
            if (Begins(family, text, i))
            {
                if (isDoubtful || ends.Count > 0)
                {
                    break; // the next quotation
                }

                depth++;
            }
            else if (!Ends(family, text, i))
            {
                continue;
            }
            else if (depth > 1)
            {
                depth--;
            }
            else if (CanBeApostrophe(text, i))
            {
                ends.Add(i);
            }
            else
            {
                return [i];
            }
        }

        return isDoubtful || depth > 1 ? [] : ends;
    }

    /// <summary>The quotation in single marks that ends with this one. Null: it is an apostrophe.</summary>
    private static Quotation? EndingAt(string text, int close)
    {
        var family = FamilyOf(text[close]);
        for (var i = Math.Max(0, close - LongestQuote); i < close; i++)
        {
            if (Begins(family, text, i) && From(text, i, close + 1) is { } quote)
            {
                if (quote.End == close)
                {
                    return quote;
                }

                i = quote.End;
            }
        }

        return null;
    }

    /// <summary>Where the quotation begins that ends with this mark. -1: nowhere.</summary>
    private static int OpenOf(string text, int close)
    {
        var (family, depth) = (FamilyOf(text[close]), 1);
        for (var i = close - 1; i >= Math.Max(0, close - LongestQuote); i--)
        {
            depth += Begins(family, text, i) ? -1 : Ends(family, text, i) ? 1 : 0;
            if (depth == 0)
            {
                return i;
            }
        }

        return -1;
    }

    /// <summary>Marks that belong together, by one of them. “ is both: it begins “English”, and ends „Russian“ and German.</summary>
    private static char FamilyOf(char mark) => mark switch
    {
        '»' => '«',
        '”' or '„' => '“',
        '’' => '‘',
        _ => mark,
    };

    private static bool Begins(char family, ReadOnlySpan<char> text, int at) => family switch
    {
        '“' => text[at] == '„' || (text[at] == '“' && OpensWord(text, at)),
        '\'' => text[at] == '\'' && OpensWord(text, at),
        _ => text[at] == family,
    };

    private static bool Ends(char family, ReadOnlySpan<char> text, int at) => family switch
    {
        '«' => text[at] == '»',
        '“' => text[at] == '”' || (text[at] == '“' && !OpensWord(text, at)),
        '‘' => text[at] == '’' && ClosesWord(text, at),
        '\'' => text[at] == '\'' && ClosesWord(text, at),
        _ => text[at] == family,
    };

    private static bool OpensWord(ReadOnlySpan<char> text, int at) =>
        (at == 0 || char.IsWhiteSpace(text[at - 1]) || BeforeOpening.Contains(text[at - 1], StringComparison.Ordinal)) && at + 1 < text.Length && !char.IsWhiteSpace(text[at + 1]);

    /// <summary>No apostrophe: nothing goes on behind it.</summary>
    private static bool ClosesWord(ReadOnlySpan<char> text, int at) => at > 0 && !char.IsWhiteSpace(text[at - 1]) && (at + 1 == text.Length || !char.IsLetterOrDigit(text[at + 1]));

    /// <summary>As in "the users' data": behind the end of a plural, and before what may be a noun, with or without marks of passages between them.</summary>
    private static bool CanBeApostrophe(ReadOnlySpan<char> text, int at)
    {
        if (!BeforeApostrophe.Contains(text[at - 1], StringComparison.Ordinal) || at + 1 == text.Length || text[at + 1] is not (' ' or '\u00A0'))
        {
            return false;
        }

        var rest = text[(at + 1)..].TrimStart(' ').TrimStart('\u00A0');
        while (rest is ['[', ..] && rest.IndexOf(']') is > 0 and var end)
        {
            rest = rest[(end + 1)..].TrimStart(' ');
        }

        return FirstWord(rest) is { Length: > 0 } next && !NoNouns.Contains(next);
    }

    /// <summary>Whether the mark may stand for letters or digits that were left out in front of it.</summary>
    private static bool IsShortened(ReadOnlySpan<char> text, int at)
    {
        var rest = text[(at + 1)..];
        if (Shortened.Contains(FirstWord(rest)))
        {
            return true;
        }

        var isYear = rest.Length >= 2 && char.IsAsciiDigit(rest[0]) && char.IsAsciiDigit(rest[1]) && (rest.Length == 2 || !char.IsAsciiDigit(rest[2]));
        return isYear && (rest is [_, _, 's', ..] || BeforeYears.Contains(LastWord(text[..at])));
    }

    private static string FirstWord(ReadOnlySpan<char> text)
    {
        var length = 0;
        while (length < text.Length && char.IsLetter(text[length]))
        {
            length++;
        }

        return text[..length].ToString();
    }

    private static string LastWord(ReadOnlySpan<char> text)
    {
        var word = text.TrimEnd();
        var start = word.Length;
        while (start > 0 && char.IsLetter(word[start - 1]))
        {
            start--;
        }

        return word[start..].ToString();
    }
}
