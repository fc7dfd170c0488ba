using System.Text;
using System.Text.RegularExpressions;

namespace RootMas.Runtime.Runs;

/// <summary>Says which documents an answer may still cite. A seam: the runtime knows no documents.</summary>
public interface ICitedDocuments
{
    /// <summary>Those of these documents that are there and that the run's owner may read, now.</summary>
    ValueTask<IReadOnlySet<string>> ReadableAsync(NewRun run, IReadOnlyCollection<string> documentIds, CancellationToken cancellationToken);
}

/// <summary>Nothing is ever deleted or taken away.</summary>
internal sealed class AllCitedDocuments : ICitedDocuments
{
    public static readonly AllCitedDocuments Instance = new();

    public ValueTask<IReadOnlySet<string>> ReadableAsync(NewRun run, IReadOnlyCollection<string> documentIds, CancellationToken cancellationToken) =>
        ValueTask.FromResult<IReadOnlySet<string>>(documentIds.ToHashSet(StringComparer.Ordinal));
}

/// <summary>
/// What an answer's citations are worth. Marks of passages (<c>[k1a2b3c4d]</c>) were given by tools of this run or of one below it; a mark that none gave is an invention of the model. Quotations in the sentence in front of a mark must
/// stand in that passage; of marks side by side each quotation in one of them, and one quotation in each. Pages of the web are cited by the number of the call or by their address.
/// </summary>
public static partial class CitationCheck
{
    private const int LongestExcerpt = 400;
    private const int ShortestQuote = 4;

    /// <summary>How far before a mark the quotation may begin that belongs to it.</summary>
    private const int LongestQuote = 2_000;

    private const string Closing = "\"»”“’'";
    private const string Opening = "\"«“„‘'";

    /// <summary>After these, and after a space, a mark that can be both begins a quotation.</summary>
    private const string BeforeOpening = "([{—–-:/*_>\"'«„‘“";

    internal static async ValueTask<(List<Citation> Kept, List<CitationDropped> Dropped)> OfAsync(RunAttempt run, string text)
    {
        var (kept, dropped) = Of(run.State.Citations, text);
        var documents = kept.Select(static c => c.DocumentId).OfType<string>().Distinct(StringComparer.Ordinal).ToList();
        if (documents.Count > 0)
        {
            // Not cut off by a cancel: the answer is there.
            var readable = await run.Parts.Options.CitedDocuments.ReadableAsync(run.Run, documents, run.Execution.Fenced);
            foreach (var citation in kept.FindAll(c => c.DocumentId is { } id && !readable.Contains(id)))
            {
                kept.Remove(citation);
                dropped.Add(new CitationDropped(citation.Id, "not_accessible"));
            }
        }

        // A parent checks quotations against the whole passage too; people get the words that count.
        return (run.Run.ParentRunId is null ? kept.ConvertAll(c => Shown(c, text)) : kept, dropped);
    }

    /// <summary>Citations that the answer makes and may make, in the order of the tools that gave them; and those that it may not, with the reason.</summary>
    public static (List<Citation> Kept, List<CitationDropped> Dropped) Of(IReadOnlyList<Citation> given, string text)
    {
        ArgumentNullException.ThrowIfNull(given);
        ArgumentNullException.ThrowIfNull(text);
        var passages = given.Where(static c => c.DocumentId is not null).DistinctBy(static c => c.Id, StringComparer.Ordinal).ToDictionary(static c => c.Id, StringComparer.Ordinal);
        var cited = new HashSet<string>(StringComparer.Ordinal);
        var refused = new Dictionary<string, string>(StringComparer.Ordinal);
        var from = 0;
        foreach (Match marks in Marks().Matches(text))
        {
            var ids = Mark().Matches(marks.Value).Select(static m => m.Value).ToList();
            var group = ids.Select(id => passages.GetValueOrDefault(id)).OfType<Citation>().ToList();
            var quotes = QuotesFor(group, text, from, marks);
            var isInvented = !quotes.TrueForAll(q => group.Exists(p => Says(p, q)));
            from = EndOf(text, marks);
            foreach (var id in ids)
            {
                cited.Add(id);
                if (!passages.TryGetValue(id, out var passage))
                {
                    refused[id] = "not_retrieved";
                }
                else if (isInvented || (quotes.Count > 0 && !quotes.Exists(q => Says(passage, q))))
                {
                    refused[id] = "quote_not_found";
                }
            }
        }

        List<Citation> kept =
        [
            .. given.Where(c => c.DocumentId is null ? IsCited(c, text) : cited.Contains(c.Id) && !refused.ContainsKey(c.Id)).DistinctBy(static c => c.Id, StringComparer.Ordinal),
        ];
        return (kept, [.. refused.Select(static r => new CitationDropped(r.Key, r.Value))]);
    }

    /// <summary>Those that a parent may cite as its own: their marks are the same in every run.</summary>
    public static IReadOnlyList<Citation>? OfDocuments(IReadOnlyList<Citation>? citations) =>
        citations?.Where(static c => c.DocumentId is not null).ToList() is { Count: > 0 } found ? found : null;

    /// <summary>A page is cited when the answer names its id in brackets or its address.</summary>
    private static bool IsCited(Citation c, string text) =>
        text.Contains($"[{c.Id}]", StringComparison.Ordinal) || (c.Url is { Length: > 0 } url && text.Contains(url, StringComparison.Ordinal));

    /// <summary>The quotation that the marks are for: that which ends right before them, else that which they introduce with a colon. Null: there is none.</summary>
    private static string? QuoteOf(string text, Match marks) => QuoteBefore(text, marks.Index) ?? QuoteAfter(text, marks.Index + marks.Length);

    /// <summary>All that the marks answer for. What one of their documents is called is a name, unless it stands right before them.</summary>
    private static List<string> QuotesFor(List<Citation> group, string text, int from, Match marks)
    {
        var quotes = QuotesAmong(text, from, marks.Index).FindAll(quote => !group.Exists(passage => Contains(passage.Title ?? "", quote)));
        if (QuoteOf(text, marks) is { } nearest)
        {
            quotes.Add(nearest);
        }

        return quotes;
    }

    /// <summary>Behind the marks and the quotation that they introduce.</summary>
    private static int EndOf(string text, Match marks)
    {
        var end = marks.Index + marks.Length;
        return QuoteBefore(text, marks.Index) is null && QuoteAfter(text, end) is { } quote ? text.IndexOf(quote, end, StringComparison.Ordinal) + quote.Length + 1 : end;
    }

    /// <summary>Quotations in the sentence that ends with the marks, wherever they stand in it: of three words, or with a number. What is shorter names something, and so does what the document is called.</summary>
    private static List<string> QuotesAmong(string text, int from, int mark)
    {
        var end = from + text.AsSpan(Math.Min(from, mark)..mark).TrimEnd(" \t\n.!?").Length; // the mark may stand behind the end of its sentence
        var quotes = new List<string>();
        for (var i = Math.Max(from, end - LongestQuote); i < end; i++)
        {
            if (text[i] == '\n' || (EndsSentence(text[i]) && char.IsWhiteSpace(text[i + 1])))
            {
                quotes.Clear();
            }
            else if ("\"«“„".Contains(text[i], StringComparison.Ordinal) && OpensWord(text, i) && CloseOf(text.AsSpan(i, end - i)) is > 0 and var length)
            {
                quotes.Add(text[(i + 1)..(i + length)]);
                i += length;
                if (i + 1 < end && EndsSentence(text[i - 1]))
                {
                    quotes.Clear(); // the sentence ended inside
                }
            }
        }

        return quotes.FindAll(IsMoreThanAName);
    }

    private static bool IsMoreThanAName(string quote) => quote.AsSpan().ContainsAnyInRange('0', '9') || quote.AsSpan().Trim().Count(' ') >= 2;

    private static bool EndsSentence(char sign) => sign is '.' or '!' or '?';

    private static string? QuoteAfter(string text, int at)
    {
        var rest = text.AsSpan(at).TrimStart();
        if (rest.Length < 2 || rest[0] != ':' || rest[1..].TrimStart() is not { Length: > 1 } quoted || !Opening.Contains(quoted[0], StringComparison.Ordinal))
        {
            return null;
        }

        var end = CloseOf(quoted);
        var isOfTheNext = end >= 0 && quoted[(end + 1)..].TrimStart(" .,;:)*_\n") is ['[', 'k', ..];
        return end < 0 || end > LongestQuote || isOfTheNext ? null : Telling(quoted[1..end].ToString());
    }

    private static string? QuoteBefore(string text, int mark)
    {
        var end = mark;
        while (end > 0 && (char.IsWhiteSpace(text[end - 1]) || text[end - 1] is '.' or ',' or ';' or ':' or ')' or '*' or '_'))
        {
            end--;
        }

        if (end == 0 || !Closing.Contains(text[end - 1], StringComparison.Ordinal))
        {
            return null;
        }

        var start = OpenOf(text, end - 1);
        return start < 0 ? null : Telling(text[(start + 1)..(end - 1)]);
    }

    /// <summary>Where the quotation ends that begins with the first character: at the mark that belongs to it, and not at those of quotations inside it. -1: nowhere.</summary>
    private static int CloseOf(ReadOnlySpan<char> quoted)
    {
        var (family, depth) = (FamilyOf(quoted[0]), 1);
        for (var i = 1; i < quoted.Length; i++)
        {
            depth += Ends(family, quoted, i) ? -1 : Begins(family, quoted, i) ? 1 : 0;
            if (depth == 0)
            {
                return i;
            }
        }

        return -1;
    }

    /// <summary>Where the quotation begins that ends with this mark. -1: nowhere.</summary>
    private static int OpenOf(string text, int close)
    {
        var (family, depth) = (FamilyOf(text[close]), 1);
        for (var i = close - 1; i >= Math.Max(0, close - LongestQuote); i--)
        {
            if (Begins(family, text, i))
            {
                depth--;
            }
            else if (Ends(family, text, i))
            {
                if (family is '‘' or '\'')
                {
                    if (text[close - 1] == 's')
                    {
                        return -1; // the quotation ended here; what stands before the marks is the apostrophe of "employees'"
                    }

                    continue; // that apostrophe, inside the quotation
                }

                depth++;
            }

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

    /// <summary>A word or two in quotation marks is no quotation, but a number in them is.</summary>
    private static string? Telling(string quote) => quote.Trim().Length >= ShortestQuote || quote.AsSpan().ContainsAnyInRange('0', '9') ? quote : null;

    private static bool Says(Citation passage, string quote) => Contains(passage.Excerpt ?? "", quote);

    /// <summary>Whether the words stand there in this order, whole: "28 days" does not stand in "128 days". Spaces, case and the shape of quotation marks and dashes do not count, and … leaves something out.</summary>
    private static bool Contains(string passage, string quote)
    {
        var (there, at) = (Plain(passage), 0);
        foreach (var part in Omission().Split(quote).Select(Plain).Where(static p => p.Length > 0))
        {
            var found = IndexOfWords(there, part, at);
            if (found < 0)
            {
                return false;
            }

            at = found + part.Length;
        }

        return true;
    }

    /// <summary>Where the words stand with no letter or digit that goes on before or behind them; -1: nowhere.</summary>
    private static int IndexOfWords(string text, string words, int from)
    {
        for (var at = text.IndexOf(words, from, StringComparison.Ordinal); at >= 0; at = text.IndexOf(words, at + 1, StringComparison.Ordinal))
        {
            var end = at + words.Length;
            var goesOnBefore = at > 0 && char.IsLetterOrDigit(text[at - 1]) && char.IsLetterOrDigit(words[0]);
            var goesOnBehind = end < text.Length && char.IsLetterOrDigit(text[end]) && char.IsLetterOrDigit(words[^1]);
            if (!goesOnBefore && !goesOnBehind)
            {
                return at;
            }
        }

        return -1;
    }

    private static string Plain(string text)
    {
        var plain = new StringBuilder(text.Length);
        for (var i = 0; i < text.Length; i++)
        {
            if (char.IsWhiteSpace(text[i]))
            {
                if (plain.Length > 0 && plain[^1] != ' ')
                {
                    plain.Append(' ');
                }
            }
            else
            {
                plain.Append(Shape(text, i));
            }
        }

        return plain.ToString().Trim().TrimEnd('.', ',');
    }

    /// <summary>One shape for all quotation marks, one for all apostrophes (between letters), one for all dashes.</summary>
    private static char Shape(string text, int at) => text[at] switch
    {
        '\'' or '’' or 'ʼ' when at > 0 && at + 1 < text.Length && char.IsLetter(text[at - 1]) && char.IsLetter(text[at + 1]) => '\'',
        '–' or '—' or '‑' => '-',
        'ё' or 'Ё' => 'е',
        var c => Closing.Contains(c, StringComparison.Ordinal) || Opening.Contains(c, StringComparison.Ordinal) ? '"' : char.ToLowerInvariant(c),
    };

    /// <summary>With the quoted words and where they stand, or the beginning of the passage.</summary>
    private static Citation Shown(Citation citation, string text)
    {
        if (citation is not { DocumentId: not null, Excerpt: { } passage })
        {
            return citation;
        }

        foreach (Match marks in Marks().Matches(text))
        {
            if (marks.Value.Contains(citation.Id, StringComparison.Ordinal) && QuoteOf(text, marks)?.Trim() is { Length: > 0 } quote && IndexOfWords(passage, quote, 0) is >= 0 and var at)
            {
                return citation with { Excerpt = quote, Start = citation.Start + at, End = citation.Start + at + quote.Length };
            }
        }

        return passage.Length <= LongestExcerpt ? citation : citation with { Excerpt = passage[..(char.IsHighSurrogate(passage[LongestExcerpt - 1]) ? LongestExcerpt - 1 : LongestExcerpt)] };
    }

    /// <summary>Also several side by side: what stands before the first is what all of them are for.</summary>
    [GeneratedRegex(@"\[\s*k[0-9a-f]{8}(?:\s*[,;]\s*k[0-9a-f]{8})*\s*\](?:\s*[,;]?\s*\[\s*k[0-9a-f]{8}(?:\s*[,;]\s*k[0-9a-f]{8})*\s*\])*", RegexOptions.CultureInvariant | RegexOptions.NonBacktracking)]
    private static partial Regex Marks();

    [GeneratedRegex("k[0-9a-f]{8}", RegexOptions.CultureInvariant | RegexOptions.NonBacktracking)]
    private static partial Regex Mark();

    [GeneratedRegex(@"\[?(?:…|\.\.\.)\]?", RegexOptions.CultureInvariant | RegexOptions.NonBacktracking)]
    private static partial Regex Omission();
}
