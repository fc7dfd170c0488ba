using System.Collections.Frozen;

namespace RootMas.Server.Knowledge.AnswerCache;

/// <summary>
/// The language of a short text, as far as answers must not cross it: by its letters, and among languages of the same letters by their most frequent words. Where the words do not tell, it is the first language of the alphabet here.
/// </summary>
internal static class Language
{
    private static readonly FrozenDictionary<string, string> Words = new Dictionary<string, string[]>(StringComparer.Ordinal)
    {
        ["en"] = ["the", "is", "are", "what", "how", "of", "to", "and", "my", "can", "you", "please", "why", "where", "when", "which", "who", "it", "this", "that", "for", "with"],
        ["de"] = ["der", "die", "das", "ist", "sind", "und", "wie", "nicht", "ich", "ein", "eine", "mein", "bitte", "warum", "wer", "mit", "für"],
        ["fr"] = ["le", "les", "est", "sont", "et", "je", "une", "mon", "comment", "pourquoi", "quel", "quelle", "vous", "avec", "pour", "dans"],
        ["es"] = ["el", "los", "las", "es", "son", "y", "yo", "una", "mi", "cómo", "qué", "por", "cuál", "con", "para", "está"],
        ["uk"] = ["що", "як", "це", "і", "є", "мій", "моя", "чому", "де", "коли", "хто", "будь", "чи", "який"],
        ["ru"] = ["что", "как", "это", "и", "мой", "моя", "почему", "где", "когда", "кто", "не", "на", "какой", "какая", "ли", "мне", "для"],
    }.SelectMany(static p => p.Value.Select(w => KeyValuePair.Create(w, p.Key))).ToFrozenDictionary(StringComparer.OrdinalIgnoreCase);

    private static readonly FrozenDictionary<string, string>.AlternateLookup<ReadOnlySpan<char>> BySpan = Words.GetAlternateLookup<ReadOnlySpan<char>>();

    /// <summary>A code: <c>en</c>, <c>ru</c> …, <c>other</c> for other alphabets.</summary>
    public static string Of(ReadOnlySpan<char> text)
    {
        var (latin, cyrillic, other) = (0, 0, 0);
        foreach (var c in text)
        {
            if (c is (>= 'a' and <= 'z') or (>= 'A' and <= 'Z') or (>= '\u00C0' and <= '\u024F'))
            {
                latin++;
            }
            else if (c is >= '\u0400' and <= '\u052F')
            {
                cyrillic++;
            }
            else if (c > '\u0250' && char.IsLetter(c))
            {
                other++;
            }
        }

        return other > latin + cyrillic ? "other" : cyrillic > latin ? Among(text, "ru", "uk") : latin > 0 ? Among(text, "en", "de", "fr", "es") : "other";
    }

    private static string Among(ReadOnlySpan<char> text, params ReadOnlySpan<string> codes)
    {
        Span<int> counts = stackalloc int[codes.Length];
        foreach (var range in text.SplitAny(" \t\r\n,.;:!?()\"'«»…-"))
        {
            var word = text[range];
            if (word.Length is > 0 and < 16 && BySpan.TryGetValue(word, out var code) && codes.IndexOf(code) is var at and >= 0)
            {
                counts[at]++;
            }
        }

        var best = 0;
        for (var i = 1; i < codes.Length; i++)
        {
            best = counts[i] > counts[best] ? i : best;
        }

        return codes[best];
    }
}
