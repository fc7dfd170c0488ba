using System.Text.Json.Nodes;

namespace RootMas.Server.Platform.OpenApi;

/// <summary>Examples made from schemas: always valid, never out of date.</summary>
internal sealed class ApiExamples(JsonObject schemas)
{
    private const string Id = "0199c2f0-7a3e-7cc1-9d52-3b1f6a0e4d21";

    public static string Text(string mediaType) => mediaType switch
    {
        "text/event-stream" => "retry: 2000\n\nid: 4\nevent: message.completed\ndata: {\"type\":\"message.completed\",\"run_id\":\"" + Id + "\",\"seq\":4}\n\n",
        "text/plain" => "# TYPE rootmas_runs_total counter\nrootmas_runs_total{status=\"completed\"} 1\n",
        _ => "",
    };

    public JsonNode? Of(JsonObject schema) => Make(schema, "", 0);

    private JsonNode? Make(JsonObject schema, string name, int depth)
    {
        if (schema["examples"] is JsonArray { Count: > 0 } own)
        {
            return own[0]?.DeepClone();
        }

        if (schema["$ref"]?.GetValue<string>() is { } reference)
        {
            return depth > 8 || schemas[reference[(reference.LastIndexOf('/') + 1)..]] is not JsonObject target ? null : Make(target, name, depth + 1);
        }

        if (schema["enum"] is JsonArray { Count: > 0 } names)
        {
            return names[0]?.DeepClone();
        }

        if ((schema["oneOf"] ?? schema["anyOf"] ?? schema["allOf"]) is JsonArray choices)
        {
            var choice = choices.OfType<JsonObject>().FirstOrDefault(c => c["type"]?.ToString() != "null");
            return choice is null ? null : Make(choice, name, depth + 1);
        }

        return TypeOf(schema) switch
        {
            "object" => MakeObject(schema, depth),
            "array" => schema["items"] is JsonObject items && depth < 8 && Make(items, name, depth + 1) is { } item ? new JsonArray(item) : new JsonArray(),
            "string" => MakeText(schema, name),
            "integer" => (long)(schema["minimum"]?.GetValue<decimal>() ?? 1),
            "number" => 1.5,
            "boolean" => true,
            "null" => null,
            _ => new JsonObject(),
        };
    }

    private static string? TypeOf(JsonObject schema) => schema["type"] switch
    {
        JsonArray several => several.Select(t => t!.GetValue<string>()).FirstOrDefault(t => t != "null"),
        JsonValue one => one.GetValue<string>(),
        _ => schema.ContainsKey("properties") ? "object" : null,
    };

    private JsonObject MakeObject(JsonObject schema, int depth)
    {
        var result = new JsonObject();
        foreach (var (name, property) in schema["properties"]?.AsObject() ?? [])
        {
            if (property is JsonObject one && Make(one, name, depth + 1) is var value && (value is not null || TakesNull(one)))
            {
                result[name] = value;
            }
        }

        return result;
    }

    private static bool TakesNull(JsonObject schema) =>
        schema["type"] is JsonArray types && types.Any(static t => t?.GetValue<string>() == "null")
        || schema["oneOf"] is JsonArray choices && choices.Any(static c => c?["type"]?.ToString() == "null");

    private static JsonNode MakeText(JsonObject schema, string name) => schema["format"]?.GetValue<string>() switch
    {
        "date-time" => "2026-01-31T12:00:00Z",
        "uuid" => Id,
        "uri" => "https://example.org/",
        _ when name == "id" || name.EndsWith("_id", StringComparison.Ordinal) => Id,
        _ when name.EndsWith("_usd", StringComparison.Ordinal) => "0.000123",
        _ when name.EndsWith("_cursor", StringComparison.Ordinal) => "MDE5OWMyZjA",
        _ => name switch
        {
            "message" or "content" or "text" => "Plan a three-day trip to Kazan.",
            "response" => "Here is the plan.",
            "agent" => "communicator",
            "team" => "root-mas",
            "status" => "completed",
            "level" => "info",
            "name" => "communicator",
            "" => "text",
            _ => Pattern(schema, name),
        },
    };

    private static string Pattern(JsonObject schema, string name)
    {
        var text = name.Replace('_', ' ');
        var most = schema["maxLength"]?.GetValue<int>() ?? text.Length;
        return text.Length > most ? text[..most] : text;
    }
}
