using System.Buffers.Text;
using System.Runtime.InteropServices;
using System.Text.Json;

namespace RootMas.Server.Models.OpenAi;

/// <summary>
/// A text that comes in pieces. Who counts UTF-16 units may end a piece in the middle of a surrogate pair and escape each half by itself: neither is text, and JSON readers refuse both. The first half waits here for the next piece.
/// </summary>
internal sealed class PieceText
{
    private const int EscapeLength = 6;
    private string _held = "";

    /// <summary>A half still waits for the other.</summary>
    public bool IsCut => _held.Length > 0;

    /// <summary>The string as it stands in its piece: halves of pairs at its ends are kept.</summary>
    /// <exception cref="InvalidOperationException">It has half a pair elsewhere.</exception>
    public static string Read(ref Utf8JsonReader json) => WithHalves(json.ValueSpan) ?? json.GetString()!;

    /// <inheritdoc cref="Read(ref Utf8JsonReader)"/>
    public static string Read(JsonElement text) => WithHalves(JsonMarshal.GetRawUtf8Value(text)[1..^1]) ?? text.GetString()!;

    /// <summary>No half of a pair stands alone in it.</summary>
    public static bool IsWhole(ReadOnlySpan<char> text)
    {
        int at;
        while ((at = text.IndexOfAnyInRange('\uD800', '\uDFFF')) >= 0)
        {
            if (at + 1 == text.Length || !char.IsSurrogatePair(text[at], text[at + 1]))
            {
                return false;
            }

            text = text[(at + 2)..];
        }

        return true;
    }

    /// <summary>What there is to hand on once this piece has come.</summary>
    /// <exception cref="EndpointException">Half a pair stands alone.</exception>
    public string Join(string piece)
    {
        if (piece.Length == 0)
        {
            return piece;
        }

        var text = _held + piece;
        var end = char.IsHighSurrogate(text[^1]) ? text.Length - 1 : text.Length;
        _held = text[end..];
        text = text[..end];
        return IsWhole(text) ? text : throw new EndpointException(FailureKind.InvalidAnswer, "A piece of the answer is not valid text.");
    }

    private static string? WithHalves(ReadOnlySpan<byte> raw)
    {
        var first = UnitOf(raw) is { } low && char.IsLowSurrogate(low) ? low : (char?)null;
        var last = raw.Length >= EscapeLength && UnitOf(raw[^EscapeLength..]) is { } high && char.IsHighSurrogate(high) && !IsEscaped(raw[..^EscapeLength]) ? high : (char?)null;
        if (first is null && last is null)
        {
            return null;
        }

        byte[] quoted = [(byte)'"', .. raw[(first is null ? 0 : EscapeLength)..(last is null ? raw.Length : raw.Length - EscapeLength)], (byte)'"'];
        var between = new Utf8JsonReader(quoted);
        between.Read();
        return $"{first}{between.GetString()}{last}";
    }

    /// <summary>The unit whose escape (<c>\ud83d</c>) the text begins with.</summary>
    private static char? UnitOf(ReadOnlySpan<byte> raw) =>
        raw.StartsWith("\\u"u8) && raw.Length >= EscapeLength && Utf8Parser.TryParse(raw[2..EscapeLength], out ushort unit, out var read, 'x') && read == EscapeLength - 2 ? (char)unit : null;

    /// <summary>A backslash behind these bytes would be itself escaped.</summary>
    private static bool IsEscaped(ReadOnlySpan<byte> before) => (before.Length - 1 - before.LastIndexOfAnyExcept((byte)'\\')) % 2 != 0;
}
