using System.Text.Json;

namespace RootMas.Server.Models.Pipeline;

/// <summary>
/// The part of JSON Schema that decides whether a structured answer is worth keeping: type, required, properties, items, enum, const, additionalProperties false.
/// What it does not know it lets pass; the reader of the answer checks again.
/// </summary>
internal static class SchemaCheck
{
    private const int MaxDepth = 32;

    /// <summary>The first misfit, or null.</summary>
    public static string? Find(JsonElement value, JsonElement schema) => Find(value, schema, "$", 0);

    private static string? Find(JsonElement value, JsonElement schema, string path, int depth)
    {
        if (schema.ValueKind != JsonValueKind.Object || depth > MaxDepth)
        {
            return null;
        }

        if (schema.TryGetProperty("type", out var type) && !IsOfType(value, type))
        {
            return $"{path} must be {type.GetRawText()}, not {NameOf(value)}";
        }

        if (schema.TryGetProperty("enum", out var allowed) && allowed.ValueKind == JsonValueKind.Array &&
            !allowed.EnumerateArray().Any(a => JsonElement.DeepEquals(a, value)))
        {
            return $"{path} must be one of {allowed.GetRawText()}";
        }

        if (schema.TryGetProperty("const", out var constant) && !JsonElement.DeepEquals(constant, value))
        {
            return $"{path} must be {constant.GetRawText()}";
        }

        return value.ValueKind switch
        {
            JsonValueKind.Object => InObject(value, schema, path, depth),
            JsonValueKind.Array => InArray(value, schema, path, depth),
            _ => null,
        };
    }

    private static string? InObject(JsonElement value, JsonElement schema, string path, int depth)
    {
        if (schema.TryGetProperty("required", out var required) && required.ValueKind == JsonValueKind.Array)
        {
            foreach (var name in required.EnumerateArray())
            {
                if (name.ValueKind == JsonValueKind.String && !value.TryGetProperty(name.GetString()!, out _))
                {
                    return $"{path}.{name.GetString()} is missing";
                }
            }
        }

        var known = schema.TryGetProperty("properties", out var properties) && properties.ValueKind == JsonValueKind.Object;
        var closed = schema.TryGetProperty("additionalProperties", out var additional) && additional.ValueKind == JsonValueKind.False;
        foreach (var member in value.EnumerateObject())
        {
            if (known && properties.TryGetProperty(member.Name, out var inner))
            {
                if (Find(member.Value, inner, $"{path}.{member.Name}", depth + 1) is { } misfit)
                {
                    return misfit;
                }
            }
            else if (closed)
            {
                return $"{path}.{member.Name} is not allowed";
            }
        }

        return null;
    }

    private static string? InArray(JsonElement value, JsonElement schema, string path, int depth)
    {
        if (schema.TryGetProperty("minItems", out var least) && least.TryGetInt32(out var minimum) && value.GetArrayLength() < minimum)
        {
            return $"{path} needs at least {minimum} items";
        }

        if (!schema.TryGetProperty("items", out var items))
        {
            return null;
        }

        var index = 0;
        foreach (var item in value.EnumerateArray())
        {
            if (Find(item, items, $"{path}[{index++}]", depth + 1) is { } misfit)
            {
                return misfit;
            }
        }

        return null;
    }

    private static bool IsOfType(JsonElement value, JsonElement type) => type.ValueKind switch
    {
        JsonValueKind.String => IsNamed(value, type.GetString()!),
        JsonValueKind.Array => type.EnumerateArray().Any(t => t.ValueKind == JsonValueKind.String && IsNamed(value, t.GetString()!)),
        _ => true,
    };

    private static bool IsNamed(JsonElement value, string type) => type switch
    {
        "object" => value.ValueKind == JsonValueKind.Object,
        "array" => value.ValueKind == JsonValueKind.Array,
        "string" => value.ValueKind == JsonValueKind.String,
        "boolean" => value.ValueKind is JsonValueKind.True or JsonValueKind.False,
        "null" => value.ValueKind == JsonValueKind.Null,
        "integer" => value.ValueKind == JsonValueKind.Number && value.TryGetDecimal(out var number) && decimal.Truncate(number) == number,
        "number" => value.ValueKind == JsonValueKind.Number,
        _ => true,
    };

    private static string NameOf(JsonElement value) => value.ValueKind.ToString().ToLowerInvariant();
}
