using System.Buffers;

namespace RootMas.Server.Knowledge.Documents.Search;

/// <summary>The Snowball stemmer for Russian (Porter, snowballstem.org/algorithms/russian): the same stem for most forms of a word. Words are lower-case, with е for ё.</summary>
internal static class RussianStemmer
{
    private static readonly SearchValues<char> Vowels = SearchValues.Create("аеиоуыэюя");

    private static readonly string[] Gerunds1 = ["вшись", "вши", "в"];
    private static readonly string[] Gerunds2 = ["ившись", "ывшись", "ивши", "ывши", "ив", "ыв"];
    private static readonly string[] Reflexive = ["ся", "сь"];
    private static readonly string[] Adjectives =
        ["ими", "ыми", "его", "ого", "ему", "ому", "ее", "ие", "ые", "ое", "ей", "ий", "ый", "ой", "ем", "им", "ым", "ом", "их", "ых", "ую", "юю", "ая", "яя", "ою", "ею"];
    private static readonly string[] Participles1 = ["ем", "нн", "вш", "ющ", "щ"];
    private static readonly string[] Participles2 = ["ивш", "ывш", "ующ"];
    private static readonly string[] Verbs1 = ["ете", "йте", "ешь", "нно", "ла", "на", "ли", "ем", "ло", "но", "ет", "ют", "ны", "ть", "й", "л", "н"];
    private static readonly string[] Verbs2 =
        ["ейте", "уйте", "ила", "ыла", "ена", "ите", "или", "ыли", "ило", "ыло", "ено", "ует", "уют", "ены", "ить", "ыть", "ишь", "ей", "уй", "ил", "ыл", "им", "ым", "ен", "ят", "ит", "ыт", "ую", "ю"];
    private static readonly string[] Nouns =
    [
        "иями", "ями", "ами", "ией", "иям", "ием", "иях", "ев", "ов", "ие", "ье", "еи", "ии", "ей", "ой", "ий", "ям", "ем", "ам", "ом", "ах", "ях", "ию", "ью", "ия", "ья", "а", "е", "и", "й", "о", "у", "ы", "ь", "ю", "я",
    ];

    public static string Stem(string word)
    {
        ArgumentNullException.ThrowIfNull(word);
        var first = word.AsSpan().IndexOfAny(Vowels);
        if (first < 0 || first + 1 >= word.Length)
        {
            return word;
        }

        var region = first + 1;
        word = Endings(word, region);
        word = Strip(word, region, ["и"]) ?? word;
        word = Strip(word, SecondRegion(word), ["ость", "ост"]) ?? word;
        if (Strip(word, region, ["ейше", "ейш"]) is { } positive)
        {
            word = positive;
        }

        return word.Length >= region + 2 && word.EndsWith("нн", StringComparison.Ordinal) ? word[..^1] : Strip(word, region, ["ь"]) ?? word;
    }

    private static string Endings(string word, int region)
    {
        if ((StripAfterAOrYa(word, region, Gerunds1) ?? Strip(word, region, Gerunds2)) is { } gerund)
        {
            return gerund;
        }

        word = Strip(word, region, Reflexive) ?? word;
        if (Strip(word, region, Adjectives) is { } adjective)
        {
            return Strip(adjective, region, Participles2) ?? StripAfterAOrYa(adjective, region, Participles1) ?? adjective;
        }

        return Strip(word, region, Verbs2) ?? StripAfterAOrYa(word, region, Verbs1) ?? Strip(word, region, Nouns) ?? word;
    }

    /// <summary>The word without the first of these endings that it has within the region (they are ordered from long to short); null: it has none.</summary>
    private static string? Strip(string word, int region, string[] endings)
    {
        foreach (var ending in endings)
        {
            if (word.Length - ending.Length >= region && word.EndsWith(ending, StringComparison.Ordinal))
            {
                return word[..^ending.Length];
            }
        }

        return null;
    }

    /// <summary>The same, for endings that count only behind а or я, which stay and stand in the region too.</summary>
    private static string? StripAfterAOrYa(string word, int region, string[] endings)
    {
        foreach (var ending in endings)
        {
            var before = word.Length - ending.Length - 1;
            if (before >= region && word.EndsWith(ending, StringComparison.Ordinal))
            {
                return word[before] is 'а' or 'я' ? word[..^ending.Length] : null;
            }
        }

        return null;
    }

    /// <summary>R2: behind the second consonant that follows a vowel.</summary>
    private static int SecondRegion(string word)
    {
        var at = 0;
        for (var i = 0; i < 2; i++)
        {
            while (at < word.Length && !Vowels.Contains(word[at]))
            {
                at++;
            }

            while (at < word.Length && Vowels.Contains(word[at]))
            {
                at++;
            }

            at++;
        }

        return Math.Min(at, word.Length);
    }
}
