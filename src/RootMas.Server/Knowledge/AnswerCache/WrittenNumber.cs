using System.Globalization;

namespace RootMas.Server.Knowledge.AnswerCache;

/// <summary>A number in digits, with the signs at it that say what is counted: "$100", "100€", "5%". Where they stand, and whether the fraction begins with a dot or a comma, makes no difference.</summary>
/// <param name="Value">Equal for equal numbers.</param>
/// <param name="Units">Signs at the number, in their order.</param>
internal sealed record WrittenNumber(string Value, string Units)
{
    private const string Signs = "+-−";

    /// <summary>Null: it is no number by itself (10:30, 2024-05-01, v2).</summary>
    /// <param name="word">Without punctuation around it.</param>
    /// <param name="isRussian">A comma begins the fraction; one before three digits may be either, and makes a number of its own.</param>
    public static WrittenNumber? Of(string word, bool isRussian)
    {
        ArgumentNullException.ThrowIfNull(word);
        var units = string.Concat(word.Where(IsUnit));
        var digits = units.Length == 0 ? word : Bare(word);
        var isNegative = digits.Length > 0 && digits[0] is '-' or '−';
        digits = digits.Length > 0 && Signs.Contains(digits[0], StringComparison.Ordinal) ? digits[1..] : digits;
        return Plain(digits, isRussian) is { } plain && decimal.TryParse(plain, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var value)
            ? new WrittenNumber(((isNegative ? -value : value) / 1.0000000000000000000m).ToString(CultureInfo.InvariantCulture), units)
            : null;
    }

    /// <summary>Signs of currency, and what a number is a share or a measure by.</summary>
    public static bool IsUnit(char sign) => sign is '%' or '‰' or '°' || char.GetUnicodeCategory(sign) == UnicodeCategory.CurrencySymbol;

    /// <summary>Without units at either end; "-$5" is -5.</summary>
    private static string Bare(string word)
    {
        var begin = 0;
        while (begin < word.Length && (IsUnit(word[begin]) || (begin == 0 && Signs.Contains(word[0], StringComparison.Ordinal))))
        {
            begin++;
        }

        var end = word.Length;
        while (end > begin && IsUnit(word[end - 1]))
        {
            end--;
        }

        var isSigned = begin > 0 && Signs.Contains(word[0], StringComparison.Ordinal);
        return isSigned ? word[0] + word[begin..end] : word[begin..end];
    }

    /// <summary>Digits with a dot before the fraction and no groups. Null: it cannot be read in one way.</summary>
    private static string? Plain(string digits, bool isRussian)
    {
        var (comma, dot) = (digits.LastIndexOf(','), digits.LastIndexOf('.'));
        if (comma < 0)
        {
            return digits;
        }

        if (dot > comma)
        {
            return AreGroups(digits[..dot], ',') ? digits.Replace(",", "", StringComparison.Ordinal) : null; // 1,234.5
        }

        if (dot >= 0)
        {
            return AreGroups(digits[..comma], '.') ? digits.Replace(".", "", StringComparison.Ordinal).Replace(',', '.') : null; // 1.234,5
        }

        if (AreGroups(digits, ','))
        {
            return isRussian && digits.IndexOf(',', StringComparison.Ordinal) == comma ? null : digits.Replace(",", "", StringComparison.Ordinal);
        }

        return digits.IndexOf(',', StringComparison.Ordinal) == comma ? digits.Replace(',', '.') : null;
    }

    /// <summary>Up to three digits, then groups of three. "0,125" has none: no number of thousands begins with nothing.</summary>
    private static bool AreGroups(string digits, char between)
    {
        var groups = digits.Split(between);
        return groups[0].Length is > 0 and <= 3 && groups[0][0] != '0' && groups.Skip(1).All(static g => g.Length == 3);
    }
}
