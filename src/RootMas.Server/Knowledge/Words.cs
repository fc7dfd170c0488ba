namespace RootMas.Server.Knowledge;

/// <summary>Words of a text as memory and graph compare them: lower case, ё as е, without the commonest endings of English and Russian. Light on purpose: it only has to bring "Kazan" and "Kazan's", "Казань" and "Казани" together.</summary>
internal static class Words
{
    private const int ShortestStem = 3;

    private static readonly string[] RussianEndings =
    [
        "иями", "ями", "ами", "ией", "иям", "ием", "иях", "ого", "его", "ому", "ему", "ыми", "ими", "ешь", "ишь", "ов", "ев", "ей", "ой", "ий", "ый", "ая", "яя", "ое", "ее", "ие", "ые", "ам", "ям", "ом", "ем",
        "ах", "ях", "ую", "юю", "ия", "ья", "ию", "ью", "ет", "ит", "ут", "ют", "ат", "ят", "ла", "ло", "ли", "ть", "а", "я", "о", "е", "и", "ы", "у", "ю", "ь", "й",
    ];

    private static readonly string[] EnglishEndings = ["ingly", "ing", "edly", "ies", "ed", "es", "ly", "s", "e", "y"];

    private static readonly HashSet<string> Empty = new(StringComparer.Ordinal)
    {
        "the", "and", "that", "this", "what", "with", "for", "are", "was", "user", "you", "know", "about", "does", "not", "have", "has", "his", "her", "who", "when", "where", "why", "how",
        "что", "это", "как", "для", "или", "мне", "меня", "мой", "моя", "мое", "мои", "ты", "вы", "обо", "про", "знаешь", "где", "кто", "когда", "почему", "пользователь",
    };

    /// <summary>Stems in the order of the text, with repetitions, without words that say nothing.</summary>
    public static IEnumerable<string> Of(string text)
    {
        var start = -1;
        for (var i = 0; i <= text.Length; i++)
        {
            var inside = i < text.Length && char.IsLetterOrDigit(text[i]);
            if (inside && start < 0)
            {
                start = i;
            }
            else if (!inside && start >= 0)
            {
                if (i - start is > 1 and <= 40 && text[start..i].ToLowerInvariant().Replace('ё', 'е') is var word && !Empty.Contains(word))
                {
                    yield return Stem(word);
                }

                start = -1;
            }
        }
    }

    private static string Stem(string word)
    {
        var endings = word[0] is >= '\u0400' and <= '\u04FF' ? RussianEndings : EnglishEndings;
        foreach (var ending in endings)
        {
            if (word.Length - ending.Length >= ShortestStem && word.EndsWith(ending, StringComparison.Ordinal))
            {
                return word[..^ending.Length];
            }
        }

        return word;
    }
}
