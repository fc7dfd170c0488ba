using System.Buffers;
using System.Globalization;
using System.Net.Http.Headers;
using System.Text;
using System.Text.RegularExpressions;

namespace RootMas.Server.Platform.Text;

/// <summary>Bytes from outside as text that a model may read.</summary>
internal static partial class WebText
{
    /// <summary>Characters of several bytes for each wrong byte, from which on a text is UTF-8 with damage. In older encodings they come about by chance, and are few.</summary>
    private const int LeastWhole = 4;

    private static readonly UTF8Encoding StrictUtf8 = new(false, throwOnInvalidBytes: true);

    public static bool IsHtml(MediaTypeHeaderValue? type, byte[] body) =>
        type?.MediaType?.ToLowerInvariant() is "text/html" or "application/xhtml+xml" || (type?.MediaType is null && LooksLikeHtml(body));

    /// <summary>Text, JSON, XML and their relatives; without a type, what has no zero bytes at its beginning.</summary>
    public static bool IsText(MediaTypeHeaderValue? type, byte[] body) => type?.MediaType?.ToLowerInvariant() is { } media
        ? media.StartsWith("text/", StringComparison.Ordinal) || media.EndsWith("+json", StringComparison.Ordinal) || media.EndsWith("+xml", StringComparison.Ordinal)
            || media is "application/json" or "application/xml" or "application/javascript" or "application/x-ndjson" or "application/problem+json" or "application/yaml" or "application/x-yaml"
            or "application/x-www-form-urlencoded"
        : !body.AsSpan(0, Math.Min(body.Length, 1_024)).Contains((byte)0);

    /// <summary>Decodes by byte-order mark, then the header's charset, then what the page says of itself, then UTF-8, with U+FFFD for what little is damaged of it, else what it looks like (<see cref="OldEncoding"/>).</summary>
    public static string Decode(byte[] body, MediaTypeHeaderValue? type)
    {
        var bytes = body.AsSpan();
        if (bytes.StartsWith(new byte[] { 0xEF, 0xBB, 0xBF }))
        {
            return Encoding.UTF8.GetString(bytes[3..]);
        }

        if (bytes.StartsWith(new byte[] { 0xFF, 0xFE }) || bytes.StartsWith(new byte[] { 0xFE, 0xFF }))
        {
            return (bytes[0] == 0xFF ? Encoding.Unicode : Encoding.BigEndianUnicode).GetString(bytes[2..]);
        }

        var declared = type?.CharSet?.Trim('"', '\'') ?? DeclaredInPage(bytes);
        if (declared is not null && Find(declared) is { } encoding)
        {
            return encoding.GetString(bytes);
        }

        var whole = TrimCutCharacter(bytes);
        if (whole.Length < bytes.Length && Ascii.IsValid(whole))
        {
            return OldEncoding.Of(bytes).GetString(bytes); // "café": the only letter above ASCII is the last one, and nothing says that it was cut
        }

        try
        {
            return StrictUtf8.GetString(whole);
        }
        catch (DecoderFallbackException)
        {
            return IsDamagedUtf8(whole) ? Encoding.UTF8.GetString(whole) : OldEncoding.Of(bytes).GetString(bytes);
        }
    }

    private static bool IsDamagedUtf8(ReadOnlySpan<byte> bytes)
    {
        var (whole, wrong) = (0L, 0L);
        while (bytes.IndexOfAnyExceptInRange((byte)0, (byte)0x7F) is >= 0 and var next)
        {
            bytes = bytes[next..];
            var isWhole = Rune.DecodeFromUtf8(bytes, out _, out var length) == OperationStatus.Done;
            (whole, wrong) = isWhole ? (whole + 1, wrong) : (whole, wrong + 1);
            bytes = bytes[length..];
        }

        return whole >= LeastWhole * wrong;
    }

    /// <summary>Removes what people cannot see: control characters, noncharacters, and the invisible ones in which instructions to models are hidden.</summary>
    public static string Clean(string text)
    {
        var result = new StringBuilder(text.Length);
        foreach (var rune in text.EnumerateRunes())
        {
            var invisible = Rune.GetUnicodeCategory(rune) is UnicodeCategory.Control or UnicodeCategory.Format or UnicodeCategory.PrivateUse || (rune.Value & 0xFFFE) == 0xFFFE || rune.Value is >= 0xFDD0 and <= 0xFDEF;
            if (!invisible || rune.Value is '\n' or '\t' or 0x200C or 0x200D) // joiners belong to scripts and emoji
            {
                result.Append(rune);
            }
        }

        return result.ToString();
    }

    /// <summary>A snippet with markup as plain text on one line.</summary>
    public static string Plain(string? markup, int maxLength) => Line(System.Net.WebUtility.HtmlDecode(Tag().Replace(markup ?? "", "")), maxLength);

    /// <summary>What is text already, such as the title of a page that was read, on one line: whatever looks like markup in it is meant to be seen.</summary>
    public static string Line(string? plain, int maxLength)
    {
        var text = Space().Replace(Clean(plain ?? ""), " ").Trim();
        return text.Length <= maxLength ? text : $"{text.AsSpan(0, maxLength - 1)}…";
    }

    private static bool LooksLikeHtml(byte[] body)
    {
        var start = Encoding.ASCII.GetString(body, 0, Math.Min(body.Length, 512)).TrimStart();
        return start.StartsWith("<!doctype html", StringComparison.OrdinalIgnoreCase) || start.StartsWith("<html", StringComparison.OrdinalIgnoreCase);
    }

    private static string? DeclaredInPage(ReadOnlySpan<byte> body)
    {
        var start = Encoding.ASCII.GetString(body[..Math.Min(body.Length, 1_024)]);
        return start.StartsWith('<') || start.Contains("<meta", StringComparison.OrdinalIgnoreCase)
            ? Charset().Match(start) is { Success: true } match ? match.Groups["name"].Value : null
            : null;
    }

    private static Encoding? Find(string name)
    {
        try
        {
            return name.StartsWith("utf-7", StringComparison.OrdinalIgnoreCase) ? null : CodePagesEncodingProvider.Instance.GetEncoding(name) ?? Encoding.GetEncoding(name);
        }
        catch (ArgumentException)
        {
            return null; // a charset nobody knows: decoded as if none were named
        }
    }

    // A size limit may have cut a character in two.
    private static ReadOnlySpan<byte> TrimCutCharacter(ReadOnlySpan<byte> bytes)
    {
        for (var back = 1; back <= Math.Min(3, bytes.Length); back++)
        {
            var b = bytes[^back];
            if (b >= 0xC0)
            {
                var needed = b >= 0xF0 ? 4 : b >= 0xE0 ? 3 : 2;
                return needed > back ? bytes[..^back] : bytes;
            }
        }

        return bytes;
    }

    [GeneratedRegex("""(?:charset|encoding)\s*=\s*["']?(?<name>[A-Za-z0-9_:.-]{2,40})""", RegexOptions.IgnoreCase | RegexOptions.CultureInvariant, 2_000)]
    private static partial Regex Charset();

    [GeneratedRegex("<[^<>]{0,500}>", RegexOptions.CultureInvariant, 2_000)]
    private static partial Regex Tag();

    [GeneratedRegex(@"\s+", RegexOptions.CultureInvariant, 2_000)]
    private static partial Regex Space();
}
