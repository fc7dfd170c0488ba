using System.Text.Json;
using System.Text.Json.Nodes;

namespace RootMas.Server.Models.Offline;

/// <summary>Makes a value that fits a schema and claims nothing: the cautious word of an enumeration, the lowest number, empty lists, and the answer's text where a text is wanted.</summary>
internal static class SchemaFiller
{
    private const int MaxDepth = 16;

    /// <summary>Words of enumerations that claim the least.</summary>
    private static readonly string[] Cautious = ["uncertain", "unknown", "none", "low", "other", "done", "stop"];

    /// <exception cref="EndpointException">What was given is no JSON schema.</exception>
    public static JsonNode Fill(JsonElement? schema, string text)
    {
        try
        {
            return schema is { ValueKind: JsonValueKind.Object } wanted && Make(wanted, wanted, text, 0) is { } made ? made : new JsonObject { ["answer"] = text };
        }
        catch (InvalidOperationException)
        {
            throw new EndpointException(FailureKind.BadRequest, "The schema of the answer is no JSON schema.");
        }
    }

    private static JsonNode? Make(JsonElement schema, JsonElement root, string text, int depth)
    {
        if (schema.ValueKind == JsonValueKind.True)
        {
            return JsonValue.Create(text); // anything fits
        }

        schema = Resolve(schema, root);
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
            "object" => MakeObject(schema, root, text, depth),
            "array" => MakeArray(schema, root, text, depth),
            "string" => MakeText(schema, text),
            "integer" => JsonValue.Create((long)Math.Ceiling(Least(schema))),
            "number" => JsonValue.Create(Least(schema)),
            "boolean" => JsonValue.Create(false),
            _ => null,
        };
    }

    /// <summary>What a schema means that refers to another place of its document (RFC 6901), or leaves a choice: the first that is not null.</summary>
    private static JsonElement Resolve(JsonElement schema, JsonElement root)
    {
        for (var hops = 0; hops < MaxDepth; hops++)
        {
            if (schema.TryGetProperty("$ref", out var to) && to.GetString() is ['#', .. var pointer])
            {
                schema = pointer.Split('/', StringSplitOptions.RemoveEmptyEntries)
                    .Aggregate(root, static (at, part) => at.TryGetProperty(part.Replace("~1", "/", StringComparison.Ordinal).Replace("~0", "~", StringComparison.Ordinal), out var next) ? next : throw new InvalidOperationException("leads nowhere"));
            }
            else if ((schema.TryGetProperty("anyOf", out var choice) || schema.TryGetProperty("oneOf", out choice)) && choice.GetArrayLength() > 0)
            {
                schema = choice.EnumerateArray().FirstOrDefault(static c => TypeOf(c) != "null", choice[0]);
            }
            else
            {
                break;
            }
        }

        return schema;
    }

    private static string TypeOf(JsonElement schema)
    {
        if (!schema.TryGetProperty("type", out var type))
        {
            return schema.TryGetProperty("properties", out _) ? "object" : "string";
        }

        return type.ValueKind == JsonValueKind.Array ? type.EnumerateArray().Select(t => t.GetString()).FirstOrDefault(t => t != "null") ?? "null" : type.GetString() ?? "string";
    }

    private static JsonObject MakeObject(JsonElement schema, JsonElement root, string text, int depth)
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
            made[property.Name] = Make(property.Value, root, text, depth + 1);
        }

        return made;
    }

    private static JsonArray MakeArray(JsonElement schema, JsonElement root, string text, int depth)
    {
        var made = new JsonArray();
        var least = schema.TryGetProperty("minItems", out var minimum) && minimum.TryGetInt32(out var count) ? Math.Min(count, 20) : 0;
        for (var i = 0; i < least && depth <= MaxDepth && schema.TryGetProperty("items", out var items); i++)
        {
            made.Add(Make(items, root, text, depth + 1));
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
