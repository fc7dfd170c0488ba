using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Json;

namespace RootMas.Server.Cli;

/// <summary>
/// JSON to be read by people before they decide, as the web app prints it: numbers as they are, and every character that cannot be seen, or moves others, by its number.
/// </summary>
internal static class ExactText
{
    /// <summary>Where Unicode shows nothing of a character by default that is otherwise a letter or a mark (Default_Ignorable_Code_Point); all others of these are format characters, or none at all.</summary>
    private static readonly (int First, int Last)[] Ignored =
    [
        (0x034F, 0x034F), (0x115F, 0x1160), (0x17B4, 0x17B5), (0x180B, 0x180F), (0x3164, 0x3164), (0xFE00, 0xFE0F), (0xFFA0, 0xFFA0), (0xE0000, 0xE0FFF),
    ];

    /// <summary>The exact arguments of an approval: their stored text, or what a server of before gives.</summary>
    public static string OfArguments(JsonElement approval) => Of(approval.Text("arguments_text") ?? approval.Text("arguments") ?? "");

    public static string Of(string json)
    {
        var exact = new StringBuilder(json.Length);
        for (var rest = json.AsSpan(); rest.Length > 0;)
        {
            var isWhole = Rune.DecodeFromUtf16(rest, out var rune, out var length) == OperationStatus.Done;
            Append(exact, rest[..length], isHidden: !isWhole || IsHidden(rune));
            rest = rest[length..];
        }

        return exact.ToString();
    }

    private static void Append(StringBuilder exact, ReadOnlySpan<char> character, bool isHidden)
    {
        if (!isHidden)
        {
            exact.Append(character);
            return;
        }

        foreach (var unit in character)
        {
            exact.Append(CultureInfo.InvariantCulture, $"\\u{(int)unit:x4}");
        }
    }

    private static bool IsHidden(Rune rune) => rune.Value != ' ' && (Array.Exists(Ignored, range => rune.Value >= range.First && rune.Value <= range.Last) || Rune.GetUnicodeCategory(rune) is
        UnicodeCategory.Control or UnicodeCategory.Format or UnicodeCategory.Surrogate or UnicodeCategory.PrivateUse or UnicodeCategory.OtherNotAssigned
        or UnicodeCategory.SpaceSeparator or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator);
}
