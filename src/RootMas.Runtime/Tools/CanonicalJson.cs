using System.Buffers;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

namespace RootMas.Runtime.Tools;

/// <summary>The JSON Canonicalization Scheme (RFC 8785): one byte sequence per value, so that a hash can stand for it.</summary>
public static class CanonicalJson
{
    private static readonly UTF8Encoding StrictUtf8 = new(false, throwOnInvalidBytes: true);

    private static readonly Dictionary<char, string> ShortEscapes = new()
    {
        ['"'] = "\\\"", ['\\'] = @"\\", ['\b'] = "\\b", ['\t'] = "\\t", ['\n'] = "\\n", ['\f'] = "\\f", ['\r'] = "\\r",
    };

    /// <summary>Members sorted by UTF-16 code units, numbers as ECMAScript writes doubles, the shortest escapes, no white space.</summary>
    /// <exception cref="JsonException">The value has no canonical form (RFC 7493): a member twice, a number beyond double's range, half a surrogate pair.</exception>
    public static byte[] Serialize(JsonElement value) => Serialize(value, exact: false);

    /// <summary>The same, but a number that a double would round stands as it was written: values that differ have different forms.</summary>
    /// <exception cref="JsonException">As for <see cref="Serialize(JsonElement)"/>.</exception>
    public static byte[] SerializeExact(JsonElement value) => Serialize(value, exact: true);

    private static byte[] Serialize(JsonElement value, bool exact)
    {
        var output = new ArrayBufferWriter<byte>(256);
        Write(value, output, exact);
        return output.WrittenSpan.ToArray();
    }

    /// <summary>
    /// SHA-256 (hex) of the exact canonical form, or of the text as it stands where there is none. Equal values have equal fingerprints (of a number that a double would round: where it is written alike), others have others.
    /// </summary>
    public static string Fingerprint(JsonElement value)
    {
        try
        {
            return Convert.ToHexStringLower(SHA256.HashData(SerializeExact(value)));
        }
        catch (JsonException)
        {
            return Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(value.GetRawText())));
        }
    }

    internal static string Text(string value)
    {
        var output = new ArrayBufferWriter<byte>(value.Length + 2);
        WriteString(value, output);
        return Encoding.UTF8.GetString(output.WrittenSpan);
    }

    /// <summary>A double as ECMAScript's Number.prototype.toString writes it (ECMA-262 §6.1.6.1.20).</summary>
    internal static string Number(double value)
    {
        if (!double.IsFinite(value))
        {
            throw new JsonException("A number is beyond the range of a double and has no canonical form.");
        }

        if (value == 0)
        {
            return "0"; // also for -0
        }

        // .NET's shortest round-trip digits are ECMAScript's; only their arrangement differs.
        var shortest = Math.Abs(value).ToString("R", CultureInfo.InvariantCulture);
        var (digits, point) = Digits(shortest);
        var text = point switch
        {
            > 0 and <= 21 when digits.Length <= point => digits.PadRight((int)point, '0'),
            > 0 and <= 21 => $"{digits[..(int)point]}.{digits[(int)point..]}",
            > -6 and <= 0 => $"0.{new string('0', -(int)point)}{digits}",
            _ => Exponent(digits, point - 1),
        };
        return value < 0 ? $"-{text}" : text;
    }

    private static string Exponent(string digits, long exponent)
    {
        var mantissa = digits.Length == 1 ? digits : $"{digits[0]}.{digits[1..]}";
        return string.Create(CultureInfo.InvariantCulture, $"{mantissa}e{(exponent < 0 ? "-" : "+")}{Math.Abs(exponent)}");
    }

    /// <summary>A number of a JSON text. RFC 8785 is for numbers that a double can hold; of others it would say what their neighbours say, so they stand as they were written.</summary>
    private static string Exact(JsonElement value)
    {
        var canonical = Number(value.GetDouble());
        var text = value.GetRawText();
        return Holds(canonical, text) ? canonical : text;
    }

    private static bool Holds(string canonical, string text)
    {
        if (string.Equals(canonical, text, StringComparison.Ordinal))
        {
            return true;
        }

        var (digits, point) = Digits(text.TrimStart('-').ToUpperInvariant());
        return digits == "0" ? canonical == "0" : (digits, point) == Digits(canonical.TrimStart('-').ToUpperInvariant());
    }

    /// <summary>The significant digits d₁…dₖ and the place n of the point: value = 0.d₁…dₖ × 10ⁿ.</summary>
    private static (string Digits, long Point) Digits(string text)
    {
        var e = text.IndexOf('E', StringComparison.Ordinal);

        // An exponent that no number could need is that of nothing: a double has made it 0 or refused it.
        var exponent = e < 0 ? 0 : int.TryParse(text.AsSpan(e + 1), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var read) ? read : int.MinValue;
        var mantissa = e < 0 ? text : text[..e];
        var dot = mantissa.IndexOf('.', StringComparison.Ordinal);
        var all = dot < 0 ? mantissa : string.Concat(mantissa.AsSpan(0, dot), mantissa.AsSpan(dot + 1));
        var point = (dot < 0 ? mantissa.Length : dot) + (long)exponent;
        var leading = all.Length - all.TrimStart('0').Length;
        return (all.Trim('0') is { Length: > 0 } digits ? digits : "0", point - leading);
    }

    private static void Write(JsonElement value, ArrayBufferWriter<byte> output, bool exact)
    {
        switch (value.ValueKind)
        {
            case JsonValueKind.Object:
                WriteObject(value, output, exact);
                break;
            case JsonValueKind.Array:
                WriteArray(value, output, exact);
                break;
            case JsonValueKind.String:
                WriteString(Read(static v => v.GetString()!, value), output);
                break;
            case JsonValueKind.Number:
                output.Write(Encoding.ASCII.GetBytes(exact ? Exact(value) : Number(value.GetDouble())));
                break;
            case JsonValueKind.True:
                output.Write("true"u8);
                break;
            case JsonValueKind.False:
                output.Write("false"u8);
                break;
            case JsonValueKind.Null:
                output.Write("null"u8);
                break;
            default:
                throw new JsonException("There is no value.");
        }
    }

    private static void WriteObject(JsonElement value, ArrayBufferWriter<byte> output, bool exact)
    {
        var members = new List<(string Name, JsonElement Value)>();
        foreach (var property in value.EnumerateObject())
        {
            members.Add((Read(static p => p.Name, property), property.Value));
        }

        members.Sort(static (a, b) => string.CompareOrdinal(a.Name, b.Name));
        output.Write("{"u8);
        for (var i = 0; i < members.Count; i++)
        {
            if (i > 0)
            {
                if (string.Equals(members[i].Name, members[i - 1].Name, StringComparison.Ordinal))
                {
                    throw new JsonException("A member is there twice; such an object has no canonical form.");
                }

                output.Write(","u8);
            }

            WriteString(members[i].Name, output);
            output.Write(":"u8);
            Write(members[i].Value, output, exact);
        }

        output.Write("}"u8);
    }

    private static void WriteArray(JsonElement value, ArrayBufferWriter<byte> output, bool exact)
    {
        output.Write("["u8);
        var first = true;
        foreach (var item in value.EnumerateArray())
        {
            if (!first)
            {
                output.Write(","u8);
            }

            first = false;
            Write(item, output, exact);
        }

        output.Write("]"u8);
    }

    private static void WriteString(string value, ArrayBufferWriter<byte> output)
    {
        var text = new StringBuilder(value.Length + 2).Append('"');
        foreach (var c in value)
        {
            _ = ShortEscapes.TryGetValue(c, out var escape) ? text.Append(escape)
                : c < ' ' ? text.Append(CultureInfo.InvariantCulture, $"\\u{(int)c:x4}")
                : text.Append(c);
        }

        try
        {
            output.Write(StrictUtf8.GetBytes(text.Append('"').ToString()));
        }
        catch (EncoderFallbackException exception)
        {
            throw new JsonException("Text with half a surrogate pair has no canonical form.", exception);
        }
    }

    private static string Read<T>(Func<T, string> read, T from)
    {
        try
        {
            return read(from);
        }
        catch (InvalidOperationException exception)
        {
            throw new JsonException("Text with half a surrogate pair has no canonical form.", exception);
        }
    }
}
