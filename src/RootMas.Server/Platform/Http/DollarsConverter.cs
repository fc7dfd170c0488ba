using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace RootMas.Server.Platform.Http;

/// <summary>An amount of US dollars that somebody sets: a number, or the decimal text that amounts are in answers. It is written as a number.</summary>
internal sealed class DollarsConverter : JsonConverter<decimal?>
{
    public override decimal? Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) => reader.TokenType switch
    {
        JsonTokenType.Number => reader.TryGetDecimal(out var number) ? number : throw new StrictJsonException("is out of range"),
        JsonTokenType.String when decimal.TryParse(reader.GetString(), NumberStyles.AllowLeadingSign | NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var text) => text,
        _ => throw new StrictJsonException("must be a number, or a decimal number as text"),
    };

    public override void Write(Utf8JsonWriter writer, decimal? value, JsonSerializerOptions options)
    {
        if (value is { } dollars)
        {
            writer.WriteNumberValue(dollars);
        }
        else
        {
            writer.WriteNullValue();
        }
    }
}
