using System.Globalization;
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
/// stand in that passage; of marks side by side each quotation in one of them, and one quotation in each. Pages of the web are cited
/// by the number of the call (<c>[3]</c>, <c>[2.1]</c>) or by their address; quotations before or behind such a number must stand in what the run was given of the page. A number that no tool gave is no mark: texts have other numbers in brackets.
/// </summary>
public static partial class CitationCheck
{
    private const int LongestExcerpt = 400;

    internal static async ValueTask<(List<Citation> Kept, List<CitationDropped> Dropped)> OfAsync(RunAttempt run, string text)
    {
        var (kept, dropped) = Of([.. run.State.Citations.Select(c => WithPage(c, run.State))], text);
        kept = kept.ConvertAll(c => c.DocumentId is null ? run.State.Citations.Find(g => g.Id == c.Id)! : c);
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
        var passages = given.DistinctBy(static c => c.Id, StringComparer.Ordinal).ToDictionary(static c => c.Id, StringComparer.Ordinal);
        var cited = new HashSet<string>(StringComparer.Ordinal);
        var refused = new Dictionary<string, string>(StringComparer.Ordinal);
        var (from, all) = (0, Marks().Matches(text).Where(m => IdsOf(m, passages).Count > 0).ToList());
        for (var i = 0; i < all.Count; i++)
        {
            var group = GroupOf(passages, all[i]);
            var quotes = QuotesFor(group, text, from, all[i]);
            from = EndOf(text, all[i]);
            if (quotes.Count == 0)
            {
                quotes = QuotesBehind(group, text, ref from, all[i], i + 1 < all.Count ? all[i + 1] : null, passages);
            }

            var isInvented = !quotes.TrueForAll(q => group.Exists(p => Says(p, q)));
            foreach (var id in IdsOf(all[i], passages))
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
            .. given.Where(c => !refused.ContainsKey(c.Id) && (c.DocumentId is null ? IsCited(c, text) : cited.Contains(c.Id))).DistinctBy(static c => c.Id, StringComparer.Ordinal),
        ];
        return (kept, [.. refused.Select(static r => new CitationDropped(r.Key, r.Value))]);
    }

    /// <summary>Those that a parent may cite as its own: their marks are the same in every run.</summary>
    public static IReadOnlyList<Citation>? OfDocuments(IReadOnlyList<Citation>? citations) =>
        citations?.Where(static c => c.DocumentId is not null).ToList() is { Count: > 0 } found ? found : null;

    /// <summary>A page is cited when the answer names its id in brackets or its address.</summary>
    private static bool IsCited(Citation c, string text) =>
        text.Contains($"[{c.Id}]", StringComparison.Ordinal) || (c.Url is { Length: > 0 } url && text.Contains(url, StringComparison.Ordinal));

    /// <summary>With all that the run was given of the page, which may be more than the excerpt that people get: by this call, and by others that led to the same address.</summary>
    private static Citation WithPage(Citation c, RunState state)
    {
        if (c.DocumentId is not null)
        {
            return c;
        }

        var same = state.Citations.Where(o => o.Id == c.Id || (c.Url is not null && o.Url == c.Url)).ToList();
        var read = same.Select(o => int.TryParse(o.Id, NumberStyles.None, CultureInfo.InvariantCulture, out var call) ? state.Calls.GetValueOrDefault(call)?.Result : null);
        return c with { Excerpt = string.Join('\n', same.Select(static o => o.Excerpt).Concat(read).OfType<string>()) };
    }

    private static List<string> IdsOf(Match marks, Dictionary<string, Citation> passages) =>
        [.. Mark().Matches(marks.Value).Select(static m => m.Value).Where(id => id[0] == 'k' || passages.ContainsKey(id))];

    private static List<Citation> GroupOf(Dictionary<string, Citation> passages, Match marks) => [.. IdsOf(marks, passages).Select(id => passages.GetValueOrDefault(id)).OfType<Citation>()];

    /// <summary>All that the marks answer for. What one of their documents is called is a name, unless it stands right before them.</summary>
    private static List<Quotation> QuotesFor(List<Citation> group, string text, int from, Match marks)
    {
        var quotes = Quotation.Among(text, from, marks.Index).FindAll(quote => !IsTitle(group, quote));
        if (QuotedBlock.Before(text, from, marks) is { } block)
        {
            quotes.Add(block);
        }

        if (Quotation.Nearest(text, marks) is { } nearest)
        {
            quotes.Add(nearest);
        }

        return quotes;
    }

    /// <summary>
    /// Where the sentence goes on behind marks that have no quotation yet, what is quoted there is theirs: "According to [k1], “…”". If other marks follow in the same sentence and it stands in one of their passages only, it is theirs;
    /// if it stands in none, nobody may cite.
    /// </summary>
    private static List<Quotation> QuotesBehind(List<Citation> group, string text, ref int from, Match marks, Match? next, Dictionary<string, Citation> passages)
    {
        var mine = new List<Quotation>();
        var (quotes, reachesNext) = Quotation.Behind(text, marks, next?.Index ?? text.Length);
        var others = reachesNext && next is not null ? GroupOf(passages, next) : [];
        foreach (var quote in quotes.FindAll(quote => !IsTitle(group, quote)))
        {
            var isSaid = group.Exists(p => Says(p, quote));
            if (!isSaid && others.Exists(p => Says(p, quote)))
            {
                break;
            }

            mine.Add(quote);
            from = isSaid || !reachesNext ? quote.End + 1 : from;
        }

        return mine;
    }

    private static bool IsTitle(List<Citation> group, Quotation quote) => group.Exists(passage => quote.StandsIn(words => Contains(passage.Title ?? "", words)));

    /// <summary>Behind the marks and the quotation that they introduce.</summary>
    private static int EndOf(string text, Match marks)
    {
        var end = marks.Index + marks.Length;
        return Quotation.Nearest(text, marks) is { } quote && quote.End > end ? quote.End + 1 : end;
    }

    /// <summary>Of a page of which nothing is known but its address nobody can tell.</summary>
    private static bool Says(Citation passage, Quotation quote) => passage is { DocumentId: null, Excerpt: null or "" } || quote.StandsIn(words => Contains(passage.Excerpt ?? "", words));

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

    private static string Plain(string text) => Laid(text).Text;

    /// <summary>The text without what does not count, and where each of its characters stands.</summary>
    private static (string Text, List<int> At) Laid(string text)
    {
        var (plain, places) = (new StringBuilder(text.Length), new List<int>(text.Length));
        for (var i = 0; i < text.Length; i++)
        {
            var isSpace = char.IsWhiteSpace(text[i]);
            if (!isSpace || (plain.Length > 0 && plain[^1] != ' '))
            {
                plain.Append(isSpace ? ' ' : Shape(text, i));
                places.Add(i);
            }
        }

        return (plain.ToString().TrimEnd().TrimEnd('.', ','), places);
    }

    /// <summary>Where the words stand in the passage, as it writes them; null: in parts, or nowhere.</summary>
    private static Range? PlaceOf(string passage, string words)
    {
        var ((there, places), quote) = (Laid(passage), Plain(words));
        var at = quote.Length == 0 ? -1 : IndexOfWords(there, quote, 0);
        return at < 0 ? null : places[at]..(places[at + quote.Length - 1] + 1);
    }

    /// <summary>One shape for all quotation marks, one for all apostrophes (between letters), one for all dashes.</summary>
    private static char Shape(string text, int at) => text[at] switch
    {
        '\'' or '’' or 'ʼ' when at > 0 && at + 1 < text.Length && char.IsLetter(text[at - 1]) && char.IsLetter(text[at + 1]) => '\'',
        '–' or '—' or '‑' => '-',
        'ё' or 'Ё' => 'е',
        var c => Quotation.IsMark(c) ? '"' : char.ToLowerInvariant(c),
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
            if (marks.Value.Contains(citation.Id, StringComparison.Ordinal) && Quotation.Nearest(text, marks) is { } quote && WordsOf(passage, quote) is { } words)
            {
                var (at, length) = words.GetOffsetAndLength(passage.Length);
                return citation with { Excerpt = passage.Substring(at, length), Start = citation.Start + at, End = citation.Start + at + length };
            }
        }

        return passage.Length <= LongestExcerpt ? citation : citation with { Excerpt = passage[..(char.IsHighSurrogate(passage[LongestExcerpt - 1]) ? LongestExcerpt - 1 : LongestExcerpt)] };
    }

    /// <summary>Where the longest reading of a quotation stands; one that stands there to the letter comes before one that is written otherwise.</summary>
    private static Range? WordsOf(string passage, Quotation quote) =>
        quote.Longest(words => IndexOfWords(passage, words, 0) >= 0) is { } exact ? new Range(IndexOfWords(passage, exact, 0), IndexOfWords(passage, exact, 0) + exact.Length)
        : quote.Longest(words => PlaceOf(passage, words) is not null) is { } alike ? PlaceOf(passage, alike)
        : null;

    /// <summary>Also several side by side: what stands before the first is what all of them are for.</summary>
    [GeneratedRegex(@"\[\s*(?:k[0-9a-f]{8}|\d{1,4}(?:\.\d{1,3})?)(?:\s*[,;]\s*(?:k[0-9a-f]{8}|\d{1,4}(?:\.\d{1,3})?))*\s*\](?:\s*[,;]?\s*\[\s*(?:k[0-9a-f]{8}|\d{1,4}(?:\.\d{1,3})?)(?:\s*[,;]\s*(?:k[0-9a-f]{8}|\d{1,4}(?:\.\d{1,3})?))*\s*\])*", RegexOptions.CultureInvariant | RegexOptions.NonBacktracking)]
    private static partial Regex Marks();

    [GeneratedRegex(@"k[0-9a-f]{8}|\d{1,4}(?:\.\d{1,3})?", RegexOptions.CultureInvariant | RegexOptions.NonBacktracking)]
    private static partial Regex Mark();

    [GeneratedRegex(@"\[?(?:…|\.\.\.)\]?", RegexOptions.CultureInvariant | RegexOptions.NonBacktracking)]
    private static partial Regex Omission();
}
