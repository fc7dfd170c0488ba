using System.Text.Json;
using System.Text.Json.Nodes;

namespace RootMas.Server.Models.Offline;

/// <summary>Makes a value that fits a schema and claims nothing: the cautious word of an enumeration, the lowest number, empty lists, and the answer's text where a text is wanted.</summary>
internal static class SchemaFiller
{
    private const int MaxDepth = 16;

    /// <summary>Words of enumerations that claim the least.</summary>
    private static readonly string[] Cautious = ["uncertain", "unknown", "none", "low", "other", "done", "stop"];

    public static JsonNode Fill(JsonElement? schema, string text) =>
        schema is { ValueKind: JsonValueKind.Object } wanted && Make(wanted, text, 0) is { } made ? made : new JsonObject { ["answer"] = text };

    private static JsonNode? Make(JsonElement schema, string text, int depth)
    {
        if (schema.TryGetProperty("const", out var constant))
        {
            return JsonNode.Parse(constant.GetRawText());
        }

        if (schema.TryGetProperty("enum", out var values) && values.ValueKind == JsonValueKind.Array && values.GetArrayLength() > 0)
        {
            var best = values.EnumerateArray().FirstOrDefault(v => v.ValueKind == JsonValueKind.String && Cautious.Contains(v.GetString(), StringComparer.Ordinal));
            return JsonNode.Parse((best.ValueKind == JsonValueKind.Undefined ? values[0] : best).GetRawText());
        }

        return TypeOf(schema) switch
        {
            "object" => MakeObject(schema, text, depth),
            "array" => MakeArray(schema, text, depth),
            "string" => MakeText(schema, text),
            "integer" => JsonValue.Create((long)Math.Ceiling(Least(schema))),
            "number" => JsonValue.Create(Least(schema)),
            "boolean" => JsonValue.Create(false),
            _ => null,
        };
    }

    private static string TypeOf(JsonElement schema)
    {
        if (!schema.TryGetProperty("type", out var type))
        {
            return schema.TryGetProperty("properties", out _) ? "object" : "string";
        }

        return type.ValueKind == JsonValueKind.Array ? type.EnumerateArray().Select(t => t.GetString()).FirstOrDefault(t => t != "null") ?? "null" : type.GetString() ?? "string";
    }

    private static JsonObject MakeObject(JsonElement schema, string text, int depth)
    {
        var made = new JsonObject();
        if (depth > MaxDepth || !schema.TryGetProperty("properties", out var properties))
        {
            return made;
        }

        var required = schema.TryGetProperty("required", out var names) && names.ValueKind == JsonValueKind.Array
            ? names.EnumerateArray().Select(n => n.GetString()).ToHashSet(StringComparer.Ordinal)
            : [];
        foreach (var property in properties.EnumerateObject().Where(p => required.Count == 0 || required.Contains(p.Name)))
        {
            made[property.Name] = Make(property.Value, text, depth + 1);
        }

        return made;
    }

    private static JsonArray MakeArray(JsonElement schema, string text, int depth)
    {
        var made = new JsonArray();
        var least = schema.TryGetProperty("minItems", out var minimum) && minimum.TryGetInt32(out var count) ? Math.Min(count, 20) : 0;
        for (var i = 0; i < least && depth <= MaxDepth && schema.TryGetProperty("items", out var items); i++)
        {
            made.Add(Make(items, text, depth + 1));
        }

        return made;
    }

    private static JsonValue MakeText(JsonElement schema, string text)
    {
        var limit = schema.TryGetProperty("maxLength", out var most) && most.TryGetInt32(out var number) ? number : 4000;
        return JsonValue.Create(OfflineWords.Cut(text, Math.Max(3, limit)));
    }

    private static decimal Least(JsonElement schema) =>
        schema.TryGetProperty("minimum", out var least) && least.TryGetDecimal(out var value) ? value
        : schema.TryGetProperty("exclusiveMinimum", out var above) && above.TryGetDecimal(out var bound) ? bound + 1
        : 0;
}
