using System.Globalization;
using System.Text;
using RootMas.Server.Platform.Text;

namespace RootMas.Server.Knowledge.Memory;

/// <summary>The form of a fact that is finer than <see cref="FactText.Normalize"/>: its words and numbers with the signs that belong to them. It is made when facts are compared, and not stored, so that facts of all versions compare.</summary>
internal static class FactSigns
{
    /// <summary>Nothing but punctuation has no words to go by: it stands for itself.</summary>
    public static string Form(string text)
    {
        var result = new StringBuilder(text.Length);
        Rune[] runes = [.. NormalForm.Of(text, NormalizationForm.FormKC).EnumerateRunes()];
        for (var i = 0; i < runes.Length; i++)
        {
            if (IsOfWord(runes[i]))
            {
                result.Append(Letter(runes[i]));
            }
            else
            {
                Part(result);
                if (SignAt(runes, i) is { } sign)
                {
                    result.Append(sign).Append(' ');
                }
            }
        }

        var form = result.ToString().TrimEnd();
        return form.Length > 0 ? form : text.Trim();
    }

    private static void Part(StringBuilder result)
    {
        if (result.Length > 0 && result[^1] != ' ')
        {
            result.Append(' ');
        }
    }

    private static Rune Letter(Rune rune)
    {
        var lower = Rune.ToLowerInvariant(rune);
        return lower.Value == 'ё' ? new Rune('е') : lower;
    }

    /// <summary>Null: punctuation, which says nothing by itself.</summary>
    private static Rune? SignAt(Rune[] runes, int i)
    {
        var (before, sign, after) = (i > 0 ? runes[i - 1] : default, runes[i], i + 1 < runes.Length ? runes[i + 1] : default);
        var counts = sign.Value switch
        {
            '-' or '\u2010' or '\u2013' or '\u2014' or '\u2212' => Rune.IsDigit(after) && (Rune.IsDigit(before) || !IsOfWord(before)), // "-5", "3-5"; not "step-5", "Kazan - 5"
            '.' or ',' or ':' => Rune.IsDigit(before) && Rune.IsDigit(after),
            '/' => IsOfWord(before) && IsOfWord(after),
            '+' => IsOfWord(before) || !Rune.IsDigit(after), // "C++"; "+5" is 5
            '#' or '%' or '&' or '@' or '\u2030' => true,
            _ => Rune.GetUnicodeCategory(sign) is UnicodeCategory.CurrencySymbol or UnicodeCategory.MathSymbol or UnicodeCategory.OtherSymbol,
        };
        return counts ? Usual(sign) : null;
    }

    /// <summary>One dash for all, and one sign of a fraction.</summary>
    private static Rune Usual(Rune sign) => sign.Value switch
    {
        '\u2010' or '\u2013' or '\u2014' or '\u2212' => new Rune('-'),
        ',' => new Rune('.'),
        _ => sign,
    };

    /// <summary>Signs of vowels stand behind their letters in some scripts; what chooses between pictures of one sign is none.</summary>
    private static bool IsOfWord(Rune rune) =>
        Rune.IsLetterOrDigit(rune) || (Rune.GetUnicodeCategory(rune) is UnicodeCategory.NonSpacingMark or UnicodeCategory.SpacingCombiningMark && rune.Value is < 0xFE00 or > 0xFE0F);
}
