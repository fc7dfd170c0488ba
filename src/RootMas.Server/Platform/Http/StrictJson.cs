using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.Encodings.Web;

namespace RootMas.Server.Platform.Http;

/// <summary>A value that is JSON but that this server does not take. The reason may be shown.</summary>
internal sealed class StrictJsonException(string reason) : JsonException
{
    public string Reason { get; } = reason;
}

/// <summary>
/// The JSON of <c>/api</c>: snake_case, exact names, no unknown or doubled members, no numbers in quotes, no null where none is allowed, depth up to 32,
/// no NUL and no half characters in text, no infinite numbers. Times are written as RFC 3339 in UTC.
/// </summary>
public static class StrictJson
{
    /// <summary>What a body may have that comes in.</summary>
    private const int MaxDepth = 32;

    /// <summary>What goes out has more: around what came in, or what a model wrote, stand a page, its entries and their members.</summary>
    private const int MaxWrittenDepth = 128;

    public static void Configure(JsonSerializerOptions options)
    {
        options.PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower;
        options.DictionaryKeyPolicy = null;
        options.PropertyNameCaseInsensitive = false;
        options.UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow;
        options.AllowDuplicateProperties = false;
        options.NumberHandling = JsonNumberHandling.Strict;
        options.RespectNullableAnnotations = true;
        options.RespectRequiredConstructorParameters = true;
        options.MaxDepth = MaxWrittenDepth; // what is read is held to its own by StrictElementConverter: nothing else that is read has no bottom
        options.Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping;
        options.Converters.Add(new StrictStringConverter());
        options.Converters.Add(new StrictElementConverter());
        options.Converters.Add(new FiniteDoubleConverter());
        options.Converters.Add(new UtcTimeConverter());
        options.Converters.Add(new JsonStringEnumConverter(JsonNamingPolicy.SnakeCaseLower, allowIntegerValues: false));
    }

    private sealed class StrictStringConverter : JsonConverter<string>
    {
        public override string? Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) => Checked(reader.GetString());

        public override void Write(Utf8JsonWriter writer, string value, JsonSerializerOptions options) => writer.WriteStringValue(value);

        public override string ReadAsPropertyName(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) => Checked(reader.GetString())!;

        public override void WriteAsPropertyName(Utf8JsonWriter writer, string value, JsonSerializerOptions options) => writer.WritePropertyName(value);

        private static string? Checked(string? text) =>
            text is not null && text.Contains('\0', StringComparison.Ordinal) ? throw new StrictJsonException("contains the character NUL") : text;
    }

    /// <summary>Free JSON (metadata): kept as it came, but its texts obey the same rules.</summary>
    private sealed class StrictElementConverter : JsonConverter<JsonElement>
    {
        public override JsonElement Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
        {
            var above = reader.CurrentDepth;
            using var document = JsonDocument.ParseValue(ref reader);
            Check(document.RootElement, above);
            return document.RootElement.Clone();
        }

        public override void Write(Utf8JsonWriter writer, JsonElement value, JsonSerializerOptions options) => value.WriteTo(writer);

        private static void Check(JsonElement element, int above)
        {
            switch (element.ValueKind)
            {
                case JsonValueKind.Array or JsonValueKind.Object when above >= MaxDepth:
                    throw new StrictJsonException("is nested too deeply: 32 levels are allowed");
                case JsonValueKind.String:
                    CheckText(element.GetString()!);
                    break;
                case JsonValueKind.Number when !element.TryGetDouble(out var number) || !double.IsFinite(number):
                    throw new StrictJsonException("contains a number that is out of range");
                case JsonValueKind.Array:
                    foreach (var item in element.EnumerateArray())
                    {
                        Check(item, above + 1);
                    }

                    break;
                case JsonValueKind.Object:
                    CheckObject(element, above + 1);
                    break;
            }
        }

        private static void CheckObject(JsonElement element, int above)
        {
            var seen = new HashSet<string>(StringComparer.Ordinal);
            foreach (var member in element.EnumerateObject())
            {
                CheckText(member.Name);
                if (!seen.Add(member.Name))
                {
                    throw new StrictJsonException("contains a member that is given twice");
                }

                Check(member.Value, above);
            }
        }

        private static void CheckText(string text)
        {
            if (text.Contains('\0', StringComparison.Ordinal))
            {
                throw new StrictJsonException("contains the character NUL");
            }
        }
    }

    private sealed class FiniteDoubleConverter : JsonConverter<double>
    {
        public override double Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
            reader.TokenType != JsonTokenType.Number ? throw new StrictJsonException("must be a number")
            : reader.TryGetDouble(out var number) && double.IsFinite(number) ? number
            : throw new StrictJsonException("is out of range");

        public override void Write(Utf8JsonWriter writer, double value, JsonSerializerOptions options) => writer.WriteNumberValue(value);
    }

    private sealed class UtcTimeConverter : JsonConverter<DateTimeOffset>
    {
        public override DateTimeOffset Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
            reader.TokenType == JsonTokenType.String && reader.TryGetDateTimeOffset(out var time) ? time : throw new StrictJsonException("must be a time as RFC 3339 writes it");

        public override void Write(Utf8JsonWriter writer, DateTimeOffset value, JsonSerializerOptions options) =>
            writer.WriteStringValue(value.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.FFFFFF'Z'", CultureInfo.InvariantCulture));
    }
}
