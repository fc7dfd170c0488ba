using System.Globalization;
using System.Text.RegularExpressions;

namespace RootMas.Server.Models.Offline;

/// <summary>A budget over some days, as a request names it.</summary>
internal sealed record Budget(decimal Amount, string Currency, int? Days);

/// <summary>Finds what can be calculated in a text. Nothing is calculated here: the calculator tool does that.</summary>
internal static partial class OfflineArithmetic
{
    /// <summary>Shares of a travel budget. A rule of thumb, and said to be one.</summary>
    public static readonly (string English, string Russian, decimal Share)[] Shares =
    [
        ("lodging", "жильё", 0.40m), ("food", "еда", 0.25m), ("transport", "транспорт", 0.15m), ("sights", "достопримечательности", 0.15m), ("reserve", "запас", 0.05m),
    ];

    private static readonly Dictionary<string, int> NumberWords = new(StringComparer.OrdinalIgnoreCase)
    {
        ["one"] = 1, ["two"] = 2, ["three"] = 3, ["four"] = 4, ["five"] = 5, ["six"] = 6, ["seven"] = 7, ["ten"] = 10,
        ["один"] = 1, ["два"] = 2, ["две"] = 2, ["три"] = 3, ["трёх"] = 3, ["трех"] = 3, ["четыре"] = 4, ["пять"] = 5, ["шесть"] = 6, ["семь"] = 7, ["десять"] = 10,
    };

    /// <summary>Expressions for the calculator, at most three: those that stand in the text, and those that a budget asks for.</summary>
    public static IReadOnlyList<string> Expressions(string text)
    {
        var found = new List<string>();
        foreach (Match match in PercentOf().Matches(text))
        {
            found.Add($"{Plain(match.Groups["of"].Value)} * {Plain(match.Groups["share"].Value)} / 100");
        }

        if (found.Count == 0)
        {
            found.AddRange(Written().Matches(Operators(text)).Select(m => Spaces().Replace(m.Value.Trim(), " ")).Where(IsExpression));
        }

        if (found.Count == 0 && FindBudget(text) is { } budget)
        {
            found.AddRange(ForBudget(budget));
        }

        return [.. found.Distinct(StringComparer.Ordinal).Take(3)];
    }

    public static Budget? FindBudget(string text)
    {
        var match = Money().Match(text);
        if (!match.Success || !decimal.TryParse(Plain(match.Groups["n"].Value), NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var amount) || amount is <= 0 or > 1_000_000_000)
        {
            return null;
        }

        return new Budget(amount, CurrencyOf(match.Value), DaysOf(text));
    }

    private static IEnumerable<string> ForBudget(Budget budget)
    {
        var amount = budget.Amount.ToString(CultureInfo.InvariantCulture);
        if (budget.Days is > 0 and var days)
        {
            yield return $"round({amount} / {days}, 2)";
        }

        yield return string.Join(" + ", Shares.Select(s => string.Create(CultureInfo.InvariantCulture, $"{amount} * {s.Share}")));
    }

    private static int? DaysOf(string text)
    {
        var match = Days().Match(text);
        return !match.Success ? null
            : int.TryParse(match.Groups["n"].Value, NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number
            : NumberWords.TryGetValue(match.Groups["n"].Value, out var word) ? word : null;
    }

    private static string CurrencyOf(string text) =>
        text.Contains('€') || text.Contains("eur", StringComparison.OrdinalIgnoreCase) || text.Contains("евро", StringComparison.OrdinalIgnoreCase) ? "EUR"
        : text.Contains('₽') || text.Contains("rub", StringComparison.OrdinalIgnoreCase) || text.Contains("руб", StringComparison.OrdinalIgnoreCase) ? "RUB"
        : "USD";

    private static string Operators(string text) => text.Replace('×', '*').Replace('·', '*').Replace('÷', '/').Replace('−', '-').Replace(':', ' ');

    /// <summary><c>2 340,5</c> → <c>2340.5</c>; <c>1,250</c> → <c>1250</c>.</summary>
    private static string Plain(string number)
    {
        var tight = Spaces().Replace(number, "");
        return Thousands().IsMatch(tight) ? tight.Replace(",", "", StringComparison.Ordinal) : tight.Replace(',', '.');
    }

    /// <summary>Two numbers and an operator, or a function, and neither a date, a version nor a telephone number.</summary>
    private static bool IsExpression(string text) =>
        (char.IsAsciiLetter(text[0]) || Numbers().Count(text) >= 2) && !DateLike().IsMatch(text) && text.Count(c => c == '(') == text.Count(c => c == ')') && text.Length <= 200;

    [GeneratedRegex(@"(?<share>\d+(?:[.,]\d+)?)\s*(?:%|percent|процент\w*)\s*(?:of|от)\s*(?<of>\d[\d\s]*(?:[.,]\d+)?)", RegexOptions.IgnoreCase | RegexOptions.ExplicitCapture, 5_000)]
    private static partial Regex PercentOf();

    // The argument of a function that the calculator does not have is no expression of its own.
    [GeneratedRegex(@"(?:(?<![\p{L}\d_])(?:sqrt|abs)(?=\()|(?<!\p{L})(?=\()|(?=[\s\d-]))\(*\s*-?\d+(?:\.\d+)?\)*(?:\s*(?:\*\*|[-+*/^])\s*(?:(?:sqrt|abs)(?=\())?\(*\s*-?\d+(?:\.\d+)?\s*\)*)*", RegexOptions.ExplicitCapture, 5_000)]
    private static partial Regex Written();

    [GeneratedRegex(@"(?:[$€₽]\s*(?<n>\d[\d ]*(?:[.,]\d+)*))|(?:(?<!\d)(?<n>(?>\d[\d ]*)(?:[.,]\d+)*)\s*(?:us\s+)?(?:[$€₽]|dollars?|usd|euros?|eur|rub(?:les?)?|долл\w*|евро|руб\w*))", RegexOptions.IgnoreCase | RegexOptions.ExplicitCapture, 5_000)]
    private static partial Regex Money();

    [GeneratedRegex(@"\b(?<n>\d{1,3}|one|two|three|four|five|six|seven|ten|один|два|две|три|трёх|трех|четыре|пять|шесть|семь|десять)[\s-]*(?:days?|дн\w*|день|дней)", RegexOptions.IgnoreCase | RegexOptions.ExplicitCapture, 5_000)]
    private static partial Regex Days();

    [GeneratedRegex(@"\d+(?:\.\d+)?", RegexOptions.ExplicitCapture, 5_000)]
    private static partial Regex Numbers();

    [GeneratedRegex(@"^\d{4}-\d{1,2}-\d{1,2}$|^\d{1,2}/\d{1,2}/\d{2,4}$|^\d+(?:-\d+){2,}$", RegexOptions.ExplicitCapture, 5_000)]
    private static partial Regex DateLike();

    [GeneratedRegex(@"^\d{1,3}(?:,\d{3})+(?:\.\d+)?$", RegexOptions.ExplicitCapture, 5_000)]
    private static partial Regex Thousands();

    [GeneratedRegex(@"\s+", RegexOptions.ExplicitCapture, 5_000)]
    private static partial Regex Spaces();
}
