using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace RootMas.Runtime.Tools;

[Flags]
internal enum JsonTypes
{
    None = 0,
    Object = 1,
    Array = 2,
    String = 4,
    Number = 8,
    Integer = 16,
    Boolean = 32,
    Null = 64,
}

internal sealed class NeverCheck : SchemaCheck
{
    public static readonly NeverCheck Instance = new();

    public override bool Check(JsonElement value, SchemaValidation validation) => validation.Fail("is not allowed here");
}

internal sealed class TypeCheck(JsonTypes types) : SchemaCheck
{
    public JsonTypes Types => types;

    public override bool Check(JsonElement value, SchemaValidation validation)
    {
        var fits = (types & SchemaText.TypeOf(value)) != JsonTypes.None || (types.HasFlag(JsonTypes.Integer) && value.ValueKind == JsonValueKind.Number && SchemaText.IsInteger(value));
        return fits || validation.Fail($"must be {SchemaText.Describe(types)}, but is {SchemaText.Show(value)}");
    }
}

internal sealed class EnumCheck(JsonElement[] allowed) : SchemaCheck
{
    public override bool Check(JsonElement value, SchemaValidation validation)
    {
        foreach (var one in allowed)
        {
            if (JsonElement.DeepEquals(one, value))
            {
                return true;
            }
        }

        var names = string.Join(", ", allowed.Take(30).Select(static a => a.GetRawText()));
        return validation.Fail(allowed.Length == 1 ? $"must be {names}, but is {SchemaText.Show(value)}" : $"must be one of {names}, but is {SchemaText.Show(value)}");
    }
}

internal sealed class BoundCheck(decimal bound, bool Lower, bool Exclusive) : SchemaCheck
{
    public override bool Check(JsonElement value, SchemaValidation validation)
    {
        if (value.ValueKind != JsonValueKind.Number)
        {
            return true;
        }

        // Beyond decimal's range a double's sign and size decide.
        var order = value.TryGetDecimal(out var number) ? number.CompareTo(bound) : value.GetDouble().CompareTo((double)bound);
        var fits = Lower ? order > 0 || (order == 0 && !Exclusive) : order < 0 || (order == 0 && !Exclusive);
        var words = (Lower, Exclusive) switch
        {
            (true, false) => "at least",
            (true, true) => "more than",
            (false, false) => "at most",
            _ => "less than",
        };
        return fits || validation.Fail(string.Create(CultureInfo.InvariantCulture, $"must be {words} {bound}, but is {SchemaText.Show(value)}"));
    }
}

internal sealed class MultipleCheck(decimal step) : SchemaCheck
{
    public override bool Check(JsonElement value, SchemaValidation validation) =>
        value.ValueKind != JsonValueKind.Number
        || (value.TryGetDecimal(out var number) && number % step == 0)
        || validation.Fail(string.Create(CultureInfo.InvariantCulture, $"must be a multiple of {step}, but is {SchemaText.Show(value)}"));
}

internal sealed class LengthCheck(int min, int max) : SchemaCheck
{
    public override bool Check(JsonElement value, SchemaValidation validation)
    {
        if (value.ValueKind != JsonValueKind.String)
        {
            return true;
        }

        // Length counts characters as people do (code points), not UTF-16 halves.
        var length = value.GetString()!.EnumerateRunes().Count();
        return length < min ? validation.Fail(min == 1 ? "must not be empty" : $"must have at least {min} characters, but has {length}")
            : length <= max || validation.Fail($"must have at most {max} characters, but has {length}");
    }
}

internal sealed class PatternCheck(Regex regex, string pattern) : SchemaCheck
{
    public override bool Check(JsonElement value, SchemaValidation validation)
    {
        if (value.ValueKind != JsonValueKind.String)
        {
            return true;
        }

        return regex.IsMatch(value.GetString()!) || validation.Fail($"must match the pattern {pattern}, but is {SchemaText.Show(value)}");
    }
}

internal sealed class FormatCheck(string format) : SchemaCheck
{
    public override bool Check(JsonElement value, SchemaValidation validation)
    {
        if (value.ValueKind != JsonValueKind.String)
        {
            return true;
        }

        var text = value.GetString()!;
        var example = format switch
        {
            "date-time" => SchemaValue.TryTime(text, out _) ? null : "a date and time like 2026-03-01T12:00:00Z",
            "date" => DateOnly.TryParseExact(text, "yyyy-MM-dd", CultureInfo.InvariantCulture, DateTimeStyles.None, out _) ? null : "a date like 2026-03-01",
            "uri" => Uri.TryCreate(text, UriKind.Absolute, out var uri) && text.StartsWith(uri.Scheme, StringComparison.OrdinalIgnoreCase) ? null : "an absolute URI like https://example.org/page",
            "email" => IsEmail(text) ? null : "an e-mail address",
            "uuid" => Guid.TryParseExact(text, "D", out _) ? null : "a UUID",
            _ => null, // every other format is an annotation, as the specification has it
        };
        return example is null || validation.Fail($"must be {example}, but is {SchemaText.Show(value)}");
    }

    private static bool IsEmail(string text)
    {
        var at = text.LastIndexOf('@');
        return at is > 0 and <= 64 && at < text.Length - 1 && text.Length <= 254 && !text.Any(static c => char.IsWhiteSpace(c) || char.IsControl(c)) && text.IndexOf('@') == at;
    }
}

/// <summary>Words about values and types, and the few differences between ECMAScript's and .NET's regular expressions.</summary>
internal static class SchemaText
{
    public static JsonTypes? ParseType(string name) => name switch
    {
        "object" => JsonTypes.Object,
        "array" => JsonTypes.Array,
        "string" => JsonTypes.String,
        "number" => JsonTypes.Number,
        "integer" => JsonTypes.Integer,
        "boolean" => JsonTypes.Boolean,
        "null" => JsonTypes.Null,
        _ => null,
    };

    public static JsonTypes TypeOf(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Object => JsonTypes.Object,
        JsonValueKind.Array => JsonTypes.Array,
        JsonValueKind.String => JsonTypes.String,
        JsonValueKind.Number => JsonTypes.Number,
        JsonValueKind.True or JsonValueKind.False => JsonTypes.Boolean,
        JsonValueKind.Null => JsonTypes.Null,
        _ => JsonTypes.None,
    };

    public static string Describe(JsonTypes types)
    {
        (JsonTypes Type, string Words)[] words =
        [
            (JsonTypes.Object, "an object"), (JsonTypes.Array, "a list"), (JsonTypes.String, "a string"), (JsonTypes.Number, "a number"),
            (JsonTypes.Integer, "an integer"), (JsonTypes.Boolean, "true or false"), (JsonTypes.Null, "null"),
        ];
        return string.Join(" or ", words.Where(w => (types & w.Type) != JsonTypes.None).Select(static w => w.Words));
    }

    public static string Kind(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Object => "an object",
        JsonValueKind.Array => "a list",
        JsonValueKind.String => "a string",
        JsonValueKind.Number => "a number",
        JsonValueKind.Null => "null",
        _ => "a boolean",
    };

    public static string Show(JsonElement value)
    {
        if (value.ValueKind is JsonValueKind.Object or JsonValueKind.Array or JsonValueKind.Null)
        {
            return Kind(value);
        }

        var raw = value.GetRawText();
        raw = raw.Length <= 80 ? raw : $"{raw[..77]}…";
        return value.ValueKind switch
        {
            JsonValueKind.String => $"the string {raw}",
            JsonValueKind.Number => $"the number {raw}",
            _ => raw,
        };
    }

    public static bool IsInteger(JsonElement value)
    {
        if (value.TryGetInt64(out _))
        {
            return true;
        }

        if (value.TryGetDecimal(out var number))
        {
            return number == decimal.Truncate(number);
        }

        var wide = value.GetDouble();
        return double.IsFinite(wide) && Math.Floor(wide) == wide;
    }

    /// <summary>In ECMAScript <c>$</c> is the very end, and <c>\d \w</c> are ASCII.</summary>
    public static string FromEcmaScript(string pattern)
    {
        var result = new StringBuilder(pattern.Length + 8);
        var inClass = false;
        for (var i = 0; i < pattern.Length; i++)
        {
            var c = pattern[i];
            if (c == '\\' && i + 1 < pattern.Length)
            {
                result.Append(Escape(pattern[++i], inClass));
                continue;
            }

            inClass = c switch { '[' => true, ']' => false, _ => inClass };
            result.Append(c == '$' && !inClass ? @"\z" : c.ToString());
        }

        return result.ToString();
    }

    private static string Escape(char c, bool inClass) => (c, inClass) switch
    {
        ('d', false) => "[0-9]",
        ('d', true) => "0-9",
        ('D', false) => "[^0-9]",
        ('w', false) => "[A-Za-z0-9_]",
        ('w', true) => "A-Za-z0-9_",
        ('W', false) => "[^A-Za-z0-9_]",
        ('/', _) => "/",
        ('-', false) => "-",
        _ => $"\\{c}",
    };
}
