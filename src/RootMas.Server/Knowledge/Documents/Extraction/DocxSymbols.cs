using System.Globalization;
using System.Text;

namespace RootMas.Server.Knowledge.Documents.Extraction;

/// <summary>Signs that a Word file names by a font and a place in it (ECMA-376 part 1, §17.3.3.30): those of the font Symbol, and of Wingdings what stands in sentences, as Unicode has them.</summary>
internal static class DocxSymbols
{
    /// <summary>Where fonts that know no Unicode have their signs.</summary>
    private const int PrivateUse = 0xF000;

    private const string Unknown = "\uFFFD";

    /// <summary>From the space to the tilde (Adobe's Symbol encoding).</summary>
    private const string Greek = " !∀#∃%&∋()∗+,−./0123456789:;<=>?≅ΑΒΧΔΕΦΓΗΙϑΚΛΜΝΟΠΘΡΣΤΥςΩΞΨΖ[∴]⊥_‾αβχδεφγηιϕκλμνοπθρστυϖωξψζ{|}∼";

    /// <summary>From A0 on.</summary>
    private const string Mathematics = "€ϒ′≤⁄∞ƒ♣♦♥♠↔←↑→↓°±″≥×∝∂•÷≠≡≈…⏐⎯↵ℵℑℜ℘⊗⊕∅∩∪⊃⊇⊄⊂⊆∈∉∠∇®©™∏√⋅¬∧∨⇔⇐⇑⇒⇓◊〈®©™∑";

    /// <param name="code">Hexadecimal.</param>
    /// <returns>The replacement character where it is not known: something stands there.</returns>
    public static string Of(string? font, string? code)
    {
        if (!int.TryParse(code, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var value))
        {
            return Unknown;
        }

        var place = value is >= PrivateUse and <= PrivateUse + 0xFF ? value - PrivateUse : value;
        return font switch
        {
            "Symbol" when place <= 0xFF => OfSymbol(place),
            "Wingdings" when place <= 0xFF => OfWingdings(place),
            _ => Rune.IsValid(value) && Rune.GetUnicodeCategory(new Rune(value)) is not (UnicodeCategory.PrivateUse or UnicodeCategory.Control or UnicodeCategory.OtherNotAssigned) ? new Rune(value).ToString() : Unknown,
        };
    }

    private static string OfSymbol(int place) =>
        place - ' ' is >= 0 and var low && low < Greek.Length ? Greek[low..(low + 1)]
        : place - 0xA0 is >= 0 and var high && high < Mathematics.Length ? Mathematics[high..(high + 1)]
        : Unknown;

    private static string OfWingdings(int place) => place switch
    {
        0x4A => "☺",
        0x4C => "☹",
        0x6C or 0x9F => "●",
        0x6E or 0xA7 => "■",
        0x6F or 0xA8 => "☐",
        0xDF or 0xE7 => "←",
        0xE0 or 0xE8 or 0xD8 => "→",
        0xF3 => "↔",
        0xFB => "✗",
        0xFC => "✓",
        0xFD => "☒",
        0xFE => "☑",
        _ => Unknown,
    };
}
