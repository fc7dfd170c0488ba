using System.Text;
using System.Text.RegularExpressions;
using RootMas.Server.Models.Offline;
using RootMas.Server.Platform.Text;

namespace RootMas.Server.Knowledge.Memory;

/// <summary>What can be seen in the words of a fact, in English and Russian: whether two say the same, what they are about, and what is better not kept or not told.</summary>
internal static partial class FactText
{
    public const int MinLength = 3;
    public const int MaxLength = 1_000;

    /// <summary>Without case, punctuation and doubled spaces; ё is е. Facts that say the same have equal forms; those of other forms do not.</summary>
    public static string Normalize(string text)
    {
        var result = new StringBuilder(text.Length);
        foreach (var c in NormalForm.Of(text, NormalizationForm.FormKC))
        {
            if (char.IsLetterOrDigit(c))
            {
                var lower = char.ToLowerInvariant(c);
                result.Append(lower == 'ё' ? 'е' : lower);
            }
            else if (result.Length > 0 && result[^1] != ' ')
            {
                result.Append(' ');
            }
        }

        return result.ToString().TrimEnd();
    }

    /// <summary>Whether two facts say the same: apart from case, spaces and punctuation, but with the signs that make another word or number: "C++", "-5", "5 %", "1/2".</summary>
    public static bool SaysTheSame(string one, string other) => FactSigns.Form(one) == FactSigns.Form(other);

    /// <summary>What the fact is about, if only one can be true of it: given, or seen in its words.</summary>
    public static string? AttributeOf(string text, string? given) =>
        given?.Trim().ToLowerInvariant() is { Length: > 0 } named ? Cut(named, 80) : StatedFacts.AttributeOf(text) is { } seen ? Cut(seen, 80) : null;

    /// <summary>The same where a model gives the name: what is seen in the words comes first, since models name the same thing in many ways.</summary>
    public static string? AttributeNamed(string text, string? byModel) => AttributeOf(text, StatedFacts.AttributeOf(text) ?? byModel);

    /// <summary>Health, belief, money, documents: told only when asked for.</summary>
    public static bool IsSensitive(string text) => SensitiveWords().IsMatch(text);

    /// <summary>Passwords, keys and card numbers belong into a password manager; they are refused.</summary>
    public static bool IsSecret(string text) => SecretWords().IsMatch(text) || Keys().IsMatch(text) || Cards().EnumerateMatches(text).MoveNext() && HasCard(text);

    /// <summary>Of what a person wrote the one sentence that says the fact: what they said beside it is not kept with it. Null: none shares a word with it.</summary>
    public static string? SentenceThatSays(string fact, string message)
    {
        var asked = Words.Of(fact).ToHashSet(StringComparer.Ordinal);
        var sentences = Sentences().Matches(message).Select(static m => m.Value.Trim()).Where(static s => s.Length > 0).ToList();
        return sentences.Count == 1 ? sentences[0]
            : sentences.Select(s => (Text: s, Shared: Words.Of(s).Distinct(StringComparer.Ordinal).Count(asked.Contains))).Where(static s => s.Shared > 0)
                .OrderByDescending(static s => s.Shared).FirstOrDefault().Text;
    }

    /// <summary>Whether these words of a message stand only in sentences that ask to forget.</summary>
    public static bool IsToBeForgotten(string words, string message)
    {
        var quoted = Normalize(words);
        var sentences = Sentences().Matches(message).Select(static m => m.Value.Trim()).Where(s => Normalize(s).Contains(quoted, StringComparison.Ordinal)).ToList();
        return sentences.Count > 0 && sentences.TrueForAll(StatedFacts.AsksToForget);
    }

    public static string Cut(string text, int length) => text.Length <= length ? text : string.Concat(text.AsSpan(0, length - 1), "…");

    private static bool HasCard(string text) => Cards().Matches(text).Any(static m => Luhn(m.Value));

    /// <summary>The check digit of payment cards (ISO/IEC 7812-1).</summary>
    private static bool Luhn(string number)
    {
        var (sum, place) = (0, 0);
        for (var i = number.Length - 1; i >= 0; i--)
        {
            if (!char.IsAsciiDigit(number[i]))
            {
                continue;
            }

            var digit = number[i] - '0';
            sum += place % 2 == 0 ? digit : digit > 4 ? (2 * digit) - 9 : 2 * digit;
            place++;
        }

        return sum % 10 == 0;
    }

    [GeneratedRegex(@"\b(allerg\w*|diagnos\w*|disease|illness|depress\w*|pregnan\w*|hiv|cancer|diabet\w*|medicat\w*|religio\w*|salary|income|debt|passport|sexual\w*)\b|аллерги|диагноз|болезн|болен|больна|беремен|депресс|диабет|рак\b|лекарств|религи|зарплат|доход|долг\b|долги|паспорт|снилс|ориентаци", RegexOptions.IgnoreCase | RegexOptions.ExplicitCapture | RegexOptions.CultureInvariant | RegexOptions.NonBacktracking)]
    private static partial Regex SensitiveWords();

    [GeneratedRegex(@"\b(password|passphrase|pin(?: ?code)?|cvv|cvc|secret key|api[ _-]?key|private key|seed phrase)\b\s*(is|are|:|=|-)|(пароль|пин-?код|секретный ключ|api-?ключ|кодовое слово)\w*\s*(—|-|:|=|это|от )|\b(password|passphrase|passcode|парол\w*)\b(\s+\S+){0,2}\s+\S*(\p{L}\d|\d\p{L})\S*|\b(pin|пин)(-?код\w*|[ -]?code)?\s+\d{4,8}\b", RegexOptions.IgnoreCase | RegexOptions.ExplicitCapture | RegexOptions.CultureInvariant | RegexOptions.NonBacktracking)]
    private static partial Regex SecretWords();

    [GeneratedRegex(@"\b(sk-[A-Za-z0-9_-]{16,}|gh[pousr]_[A-Za-z0-9]{20,}|AKIA[0-9A-Z]{16}|rmk_[A-Za-z0-9_-]{16,}|eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}\.)|-----BEGIN [A-Z ]*PRIVATE KEY", RegexOptions.ExplicitCapture | RegexOptions.CultureInvariant | RegexOptions.NonBacktracking)]
    private static partial Regex Keys();

    [GeneratedRegex(@"(?:[^.!?…\n]|[.!?…](?!\s|$))+[.!?…]*", RegexOptions.ExplicitCapture | RegexOptions.CultureInvariant, 5_000)]
    private static partial Regex Sentences();

    [GeneratedRegex(@"\b\d(?:[ -]?\d){12,18}\b", RegexOptions.ExplicitCapture | RegexOptions.CultureInvariant | RegexOptions.NonBacktracking)]
    private static partial Regex Cards();
}
