using System.Globalization;
using System.Numerics;
using System.Text.RegularExpressions;

namespace RootMas.Server.Tools.Calculator;

/// <summary>Numbers as people write them, and back.</summary>
internal static partial class NumberText
{
    /// <summary>Digits of a number that was rounded.</summary>
    public const int Significant = 30;

    private const int MaxExactDigits = 1_000;

    /// <summary>
    /// Points and commas of one number: with both, the last is the decimal mark; several of one kind separate thousands; a single point is decimal; a single comma too,
    /// unless it could as well separate thousands (1,234), which is refused: a wrong guess would be a factor of thousand.
    /// </summary>
    /// <param name="text">Digits, points and commas.</param>
    /// <param name="grouped">Thousands were already separated by spaces or apostrophes.</param>
    public static (string Whole, string Fraction) Split(string text, bool grouped)
    {
        var (points, commas) = (text.Count(static c => c == '.'), text.Count(static c => c == ','));
        if (points + commas == 0)
        {
            return (text, "");
        }

        if (commas == 1 && points == 0 && !grouped && Ambiguous().IsMatch(text))
        {
            throw new CalculatorException($"\"{text}\" is ambiguous: write {text.Replace(",", "", StringComparison.Ordinal)} or {text.Replace(',', '.')}.");
        }

        var mark = text[text.LastIndexOfAny(['.', ','])];
        var single = text.Count(c => c == mark) == 1;
        var parts = single ? text.Split(mark) : [text, ""];
        var whole = parts[0];
        var bothRepeat = !single && points > 0 && commas > 0;
        if (bothRepeat || !IsWhole(whole, grouped))
        {
            throw new CalculatorException($"\"{text}\" is no number; write it with a point and without separators: 1234567.89.");
        }

        return (whole.Replace(".", "", StringComparison.Ordinal).Replace(",", "", StringComparison.Ordinal), parts[1]);
    }

    /// <summary>Digits only, or thousands separated in one way.</summary>
    private static bool IsWhole(string whole, bool grouped) => !whole.AsSpan().ContainsAny('.', ',') || (!grouped && Thousands().IsMatch(whole));

    /// <summary>All digits where they end, else 30 significant ones.</summary>
    /// <returns>The text, and whether it is the whole truth.</returns>
    public static (string Text, bool Exact) Write(Rational value)
    {
        if (Decimals(value.Denominator) is { } decimals)
        {
            var scaled = value.Numerator * (Rational.Ten(decimals) / value.Denominator);
            var text = Point(scaled, decimals);
            if (text.Length <= MaxExactDigits)
            {
                return (text, true);
            }
        }

        return (Rounded(value), false);
    }

    /// <summary>How many decimals the fraction 1/denominator has; null: endlessly many.</summary>
    private static int? Decimals(BigInteger denominator)
    {
        var (twos, fives) = (0, 0);
        for (; denominator.IsEven; twos++)
        {
            denominator >>= 1;
        }

        for (; BigInteger.Remainder(denominator, 5).IsZero; fives++)
        {
            denominator /= 5;
        }

        return denominator.IsOne ? Math.Max(twos, fives) : null;
    }

    /// <summary>The first 30 digits.</summary>
    public static string Rounded(Rational value)
    {
        var exponent = (int)Math.Floor(BigInteger.Log10(BigInteger.Abs(value.Numerator)) - BigInteger.Log10(value.Denominator));
        var decimals = Significant - 1 - exponent;
        var scaled = Scale(value, decimals);
        if (BigInteger.Abs(scaled) >= Rational.Ten(Significant))
        {
            scaled = Scale(value, --decimals); // the logarithm is a double, and near a power of ten it may be one off
        }

        if (decimals is >= 0 and <= 60)
        {
            return Point(scaled, decimals);
        }

        var digits = BigInteger.Abs(scaled).ToString(CultureInfo.InvariantCulture);
        var power = digits.Length - 1 - decimals;
        return $"{(scaled.Sign < 0 ? "-" : "")}{digits[0]}.{digits[1..]}e{power.ToString("+0;-0", CultureInfo.InvariantCulture)}";
    }

    private static BigInteger Scale(Rational value, int decimals) => decimals >= 0
        ? Rational.DivideHalfAway(value.Numerator * Rational.Ten(decimals), value.Denominator)
        : Rational.DivideHalfAway(value.Numerator, value.Denominator * Rational.Ten(-decimals));

    private static string Point(BigInteger scaled, int decimals)
    {
        var digits = BigInteger.Abs(scaled).ToString(CultureInfo.InvariantCulture).PadLeft(decimals + 1, '0');
        var text = decimals == 0 ? digits : $"{digits[..^decimals]}.{digits[^decimals..]}";
        return scaled.Sign < 0 ? $"-{text}" : text;
    }

    [GeneratedRegex("^[1-9][0-9]{0,2},[0-9]{3}$", RegexOptions.CultureInvariant | RegexOptions.NonBacktracking)]
    private static partial Regex Ambiguous();

    [GeneratedRegex(@"^[0-9]{1,3}(?:(?:,[0-9]{3})+|(?:\.[0-9]{3})+)$", RegexOptions.CultureInvariant | RegexOptions.NonBacktracking)]
    private static partial Regex Thousands();
}
