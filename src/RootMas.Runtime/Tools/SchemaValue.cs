using System.Globalization;
using System.Text.Json;

namespace RootMas.Runtime.Tools;

/// <summary>Reads what <see cref="JsonSchemaValidator"/> lets through: all that a schema accepts, and nothing else.</summary>
public static class SchemaValue
{
    /// <summary>3600.0 and 36e2 are integers too, as far as JSON Schema goes. Null: it is none, or one that an int does not hold.</summary>
    public static int? Integer(JsonElement value)
    {
        if (value.ValueKind != JsonValueKind.Number)
        {
            return null;
        }

        if (value.TryGetInt32(out var number))
        {
            return number;
        }

        return value.TryGetDouble(out var wide) && Math.Floor(wide) == wide && Math.Abs(wide) <= int.MaxValue ? (int)wide : null;
    }

    /// <summary>The member of this name as <c>format: date-time</c> accepts it; null: there is none.</summary>
    public static DateTimeOffset? Time(JsonElement arguments, string name) =>
        arguments.ValueKind == JsonValueKind.Object && arguments.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String && TryTime(value.GetString()!, out var time) ? time : null;

    /// <summary>RFC 3339, which also takes small letters and a space in the place of T.</summary>
    internal static bool TryTime(string text, out DateTimeOffset time)
    {
        time = default;
        return text.Length >= 20 && text[10] is 'T' or 't' or ' '
            && (text[^1] is 'Z' or 'z' || text[^6] is '+' or '-')
            && DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out time);
    }
}
