namespace RootMas.Runtime.Context;

/// <summary>How much of a long result a model is shown. What is stored stays whole.</summary>
internal static class ShownText
{
    /// <summary>Characters of what an agent found, as of what a tool gives.</summary>
    private const int Longest = 20_000;

    private const int Shortest = 200;

    public static string Cut(string text, int limit)
    {
        if (text.Length <= limit)
        {
            return text;
        }

        var end = char.IsHighSurrogate(text[limit - 1]) ? limit - 1 : limit;
        return $"{text.AsSpan(0, end)}\n[cut: {end} of {text.Length} characters are shown]";
    }

    /// <summary>So many characters of each may be shown that all of them take at most half of a context: none of these results can be dropped, and there are as many as a plan has tasks.</summary>
    public static int LimitOf(IEnumerable<string?> results, int contextTokens)
    {
        var all = results.OfType<string>().ToList();
        var limit = Longest;
        while (limit > Shortest && all.Sum(r => TokenEstimate.Of(Cut(r, limit))) > contextTokens / 2)
        {
            limit /= 2;
        }

        return limit;
    }
}
