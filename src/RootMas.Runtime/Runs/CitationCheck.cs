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
/// What an answer's citations are worth. Marks of passages (<c>[k1a2b3c4d]</c>) were given by tools of this run or of one below it; a mark that none gave is an invention of the model. A quotation in front of a mark must
/// stand in that passage. Pages of the web are cited by the number of the call or by their address.
/// </summary>
public static partial class CitationCheck
{
    private const int LongestExcerpt = 400;
    private const int ShortestQuote = 4;

    /// <summary>How far before a mark the quotation may begin that belongs to it.</summary>
    private const int LongestQuote = 2_000;

    private const string Closing = "\"»”“’";
    private const string Opening = "\"«“„‘";

    internal static async ValueTask<(List<Citation> Kept, List<CitationDropped> Dropped)> OfAsync(RunAttempt run, string text)
    {
        var (kept, dropped) = Of(run.State.Citations, text);
        var documents = kept.Select(static c => c.DocumentId).OfType<string>().Distinct(StringComparer.Ordinal).ToList();
        if (documents.Count > 0)
        {
            var readable = await run.Parts.Options.CitedDocuments.ReadableAsync(run.Run, documents, run.HardToken);
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
        foreach (Match marks in Marks().Matches(text))
        {
            var quote = QuoteOf(text, marks);
            foreach (var id in Mark().Matches(marks.Value).Select(static m => m.Value))
            {
                cited.Add(id);
                if (!passages.TryGetValue(id, out var passage))
                {
                    refused[id] = "not_retrieved";
                }
                else if (quote is not null && !Contains(passage.Excerpt ?? "", quote))
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

    private static string? QuoteAfter(string text, int at)
    {
        var rest = text.AsSpan(at).TrimStart();
        if (rest.Length < 2 || rest[0] != ':' || rest[1..].TrimStart() is not { Length: > 1 } quoted || !Opening.Contains(quoted[0], StringComparison.Ordinal))
        {
            return null;
        }

        var end = quoted[1..].IndexOfAny(Closing);
        var isOfTheNext = end >= 0 && quoted[(end + 2)..].TrimStart(" .,;:)*_\n") is ['[', 'k', ..];
        return end < 0 || end > LongestQuote || isOfTheNext ? null : Telling(quoted[1..(end + 1)].ToString());
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

        var from = Math.Max(0, end - 1 - LongestQuote);
        var start = text.AsSpan(from, end - 1 - from).LastIndexOfAny(OpeningOf(text[end - 1]));
        return start < 0 ? null : Telling(text[(from + start + 1)..(end - 1)]);
    }

    /// <summary>A word or two in quotation marks is no quotation, but a number in them is.</summary>
    private static string? Telling(string quote) => quote.Trim().Length >= ShortestQuote || quote.AsSpan().ContainsAnyInRange('0', '9') ? quote : null;

    private static string OpeningOf(char closing) => closing switch
    {
        '»' => "«",
        '"' => "\"",
        '’' => "‘",
        _ => "„“",
    };

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
        foreach (var c in text)
        {
            if (char.IsWhiteSpace(c))
            {
                if (plain.Length > 0 && plain[^1] != ' ')
                {
                    plain.Append(' ');
                }
            }
            else
            {
                plain.Append(Closing.Contains(c, StringComparison.Ordinal) || Opening.Contains(c, StringComparison.Ordinal) ? '"' : c is '–' or '—' or '‑' ? '-' : c is 'ё' or 'Ё' ? 'е' : char.ToLowerInvariant(c));
            }
        }

        return plain.ToString().Trim().TrimEnd('.', ',');
    }

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
