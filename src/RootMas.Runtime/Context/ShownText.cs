namespace RootMas.Runtime.Context;

/// <summary>How much of a long result a model is shown. What is stored stays whole.</summary>
internal static class ShownText
{
    /// <summary>Characters of what an agent found, as of what a tool gives.</summary>
    public const int Longest = 20_000;

    public const int Shortest = 200;

    /// <summary>Characters of an end that stands for a summary.</summary>
    private const int LongestEnd = 4000;

    private const string Omitted = "[…] ";

    public static string Cut(string text, int limit)
    {
        if (text.Length <= limit)
        {
            return text;
        }

        var end = char.IsHighSurrogate(text[limit - 1]) ? limit - 1 : limit;
        return $"{text.AsSpan(0, end)}\n[cut: {end} of {text.Length} characters are shown]";
    }

    /// <summary>A summary of what was said: it is in every prompt from then on and can never be dropped, so it takes at most a quarter of a context.</summary>
    public static string Summary(string text, int contextTokens) => Cut(text, LimitOf([text], contextTokens / 2));

    /// <summary>Where nobody made a summary: the end of what it should have told, no longer than that might be.</summary>
    public static string End(string text, int contextTokens)
    {
        if (text.Length <= LongestEnd && TokenEstimate.Of(text) <= contextTokens / 4)
        {
            return text;
        }

        var limit = Math.Min(text.Length, LongestEnd);
        while (limit > Shortest && TokenEstimate.Of(Omitted + text[^limit..]) > contextTokens / 4)
        {
            limit /= 2;
        }

        return Omitted + text[^(char.IsLowSurrogate(text[^limit]) ? limit - 1 : limit)..];
    }

    /// <summary>So many characters of each may be shown that all of them take at most half of a context: none of these results can be dropped, and there are as many as a plan has tasks.</summary>
    /// <param name="longest">More is shown of none of them.</param>
    public static int LimitOf(IEnumerable<string?> results, int contextTokens, int longest = Longest)
    {
        var all = results.OfType<string>().ToList();
        var limit = longest;
        while (limit > Shortest && all.Sum(r => TokenEstimate.Of(Cut(r, limit))) > contextTokens / 2)
        {
            limit /= 2;
        }

        return limit;
    }
}
