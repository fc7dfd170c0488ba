using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using YamlDotNet.Core;
using YamlDotNet.Serialization;

namespace RootMas.LlmSimulator;

/// <summary>A script that cannot be used; the message names the place.</summary>
public sealed class ScriptException(string message, Exception? inner = null) : Exception(message, inner);

/// <summary>Reads scripts. Unknown members are refused: a misspelt condition would match everything.</summary>
public static class ScriptReader
{
    internal static JsonSerializerOptions Json { get; } = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
        RespectNullableAnnotations = true,
        RespectRequiredConstructorParameters = true,
        ReadCommentHandling = JsonCommentHandling.Skip,
        AllowTrailingCommas = true,
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
        Converters = { new JsonStringEnumConverter(JsonNamingPolicy.SnakeCaseLower, allowIntegerValues: false), new LenientString() },
    };

    public static SimScript Read(string text) => ScriptCheck.Check(Read<SimScript>(text));

    internal static T Read<T>(string text)
        where T : class
    {
        try
        {
            if (text.AsSpan().TrimStart() is ['{', ..])
            {
                return JsonSerializer.Deserialize<T>(text, Json) ?? throw new ScriptException("the script is empty");
            }

            var yaml = new DeserializerBuilder().WithAttemptingUnquotedStringTypeDeserialization().Build().Deserialize<object?>(text);
            return (ToNode(yaml) ?? new JsonObject()).Deserialize<T>(Json) ?? throw new ScriptException("the script is empty");
        }
        catch (Exception e) when (e is JsonException or YamlException or ArgumentException or OverflowException) // of names that are not there or twice, of numbers
        {
            throw new ScriptException(e is JsonException { Path: { } path } && !e.Message.Contains(path, StringComparison.Ordinal) ? $"{path}: {e.Message}" : e.Message, e);
        }
    }

    private static JsonNode? ToNode(object? value) => value switch
    {
        null => null,
        IDictionary<object, object?> map => new JsonObject(map.Select(p => KeyValuePair.Create(p.Key.ToString()!, ToNode(p.Value)))),
        IEnumerable<object?> list => new JsonArray([.. list.Select(ToNode)]),
        string s => JsonValue.Create(s),
        bool b => JsonValue.Create(b),
        float f => JsonValue.Create((double)(decimal)f),
        double d => JsonValue.Create(d),
        IConvertible number => JsonValue.Create(number.ToInt64(null)),
        _ => throw new ScriptException($"cannot read a value of type {value.GetType().Name}"),
    };

    /// <summary>YAML reads <c>text: 42</c> as a number; where a text is expected it is meant as one.</summary>
    private sealed class LenientString : JsonConverter<string>
    {
        public override string? Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
        {
            if (reader.TokenType == JsonTokenType.String)
            {
                return reader.GetString();
            }

            using var value = JsonDocument.ParseValue(ref reader);
            return value.RootElement.ValueKind is JsonValueKind.Number or JsonValueKind.True or JsonValueKind.False
                ? value.RootElement.GetRawText()
                : throw new JsonException("a text is needed here");
        }

        public override void Write(Utf8JsonWriter writer, string value, JsonSerializerOptions options) => writer.WriteStringValue(value);

        public override string ReadAsPropertyName(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) => reader.GetString()!;

        public override void WriteAsPropertyName(Utf8JsonWriter writer, string value, JsonSerializerOptions options) => writer.WritePropertyName(value);
    }
}
