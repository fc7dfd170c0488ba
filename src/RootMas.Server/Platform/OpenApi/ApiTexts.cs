using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace RootMas.Server.Platform.OpenApi;

/// <summary>Descriptions: put where readers look for them, freed of what documentation comments leave behind, and added where a name says it all.</summary>
internal static partial class ApiTexts
{
    public static void Apply(JsonObject schemas)
    {
        foreach (var (_, schema) in schemas)
        {
            Clean(schema!);
            foreach (var (_, property) in schema!["properties"]?.AsObject() ?? [])
            {
                Describe(property!.AsObject(), schemas);
                WriteOut(property.AsObject(), schemas);
            }
        }
    }

    /// <summary>Parameters that mean the same everywhere need no words at each route.</summary>
    public static void DescribeParameter(string path, JsonObject parameter)
    {
        if (!string.IsNullOrWhiteSpace(parameter["description"]?.GetValue<string>()))
        {
            return;
        }

        var name = parameter["name"]!.GetValue<string>();
        parameter["description"] = name switch
        {
            "limit" => "Entries per page, 1 to 200; default 50.",
            "cursor" => "`next_cursor` of the page before; without it the list begins at the start.",
            "offset" => "Entries to skip; `cursor` is the better way.",
            "after" => "The last event that was read: `seq` or `seq:n`.",
            "tree" => "1: with everything below the run.",
            "status" => "Only those in this state.",
            "user" or "user_id" => "Only those of this user; others' for administrators.",
            "leaf" => "The last message of one branch: only that branch is returned.",
            "archived" or "pinned" => $"true: only {name} ones; false: only the others.",
            "Idempotency-Key" => "1 to 255 printable characters: the same key, query and body have their effect once.",
            "Last-Event-ID" => "The id of the last event that was read; the stream goes on after it.",
            "If-Match" => "The ETag that was read.",
            _ when parameter["in"]?.GetValue<string>() == "path" => $"Which one: the {OwnerOf(path, name)}'s {name}.",
            "agent" or "run" or "conversation" or "conversation_id" or "team" => $"Only those of this {name.Replace("_id", "", StringComparison.Ordinal)}.",
            _ => null,
        };
    }

    /// <summary><c>/api/v1/runs/{id}/cancel</c> → run.</summary>
    private static string OwnerOf(string path, string parameter)
    {
        var parts = path.Split('/');
        var at = Array.FindIndex(parts, p => p.StartsWith('{') && p.Contains(parameter, StringComparison.Ordinal));
        return at < 1 ? "thing" : parts[at - 1].TrimEnd('s');
    }

    private static void Describe(JsonObject property, JsonObject schemas)
    {
        if (property["description"] is not null)
        {
            return;
        }

        // A field that may be null is a choice of null and a type, and the words stand at the type.
        var choice = (property["oneOf"] as JsonArray)?.OfType<JsonObject>().FirstOrDefault(c => c.ContainsKey("$ref"));
        var words = choice?["description"] ?? Referenced(property, schemas)?["description"] ?? (choice is null ? null : Referenced(choice, schemas)?["description"]);
        if (words is not null)
        {
            property["description"] = words.DeepClone();
        }
    }

    /// <summary>What a comment gives as an example is taken for a number wherever it looks like one; amounts of money are texts.</summary>
    private static void WriteOut(JsonObject property, JsonObject schemas)
    {
        var type = (Referenced(property, schemas) ?? property)["type"]?.ToJsonString() ?? "";
        if (type.Contains("\"string\"", StringComparison.Ordinal) && !type.Contains("\"number\"", StringComparison.Ordinal) && property["examples"] is JsonArray { Count: 1 } own && own[0]?.GetValueKind() == JsonValueKind.Number)
        {
            property["examples"] = new JsonArray(own[0]!.ToJsonString());
        }
    }

    private static JsonObject? Referenced(JsonObject schema, JsonObject schemas) =>
        schema["$ref"]?.GetValue<string>() is { } reference ? schemas[reference[(reference.LastIndexOf('/') + 1)..]] as JsonObject : null;

    private static void Clean(JsonNode node)
    {
        if (node is JsonArray several)
        {
            foreach (var child in several.Where(c => c is not null))
            {
                Clean(child!);
            }
        }
        else if (node is JsonObject one)
        {
            foreach (var (name, child) in one.ToList())
            {
                if (name == "description" && child is JsonValue)
                {
                    one[name] = Clean(child.GetValue<string>());
                }
                else if (child is not null)
                {
                    Clean(child);
                }
            }
        }
    }

    /// <summary>References in comments come as <c>string? ChatMessage.UserId</c>: the reader of the API knows <c>user_id</c>.</summary>
    private static string Clean(string text) =>
        Member().Replace(text, m => $"`{JsonNamingPolicy.SnakeCaseLower.ConvertName(m.Groups["member"].Value)}`")
            .Replace("&lt;", "<", StringComparison.Ordinal).Replace("&gt;", ">", StringComparison.Ordinal).Replace("&amp;", "&", StringComparison.Ordinal);

    [GeneratedRegex(@"\b(string|int|long|bool|double|[A-Z]\w*(<[^>]*>)?)\?? [A-Z]\w+\.(?<member>[A-Z]\w+)\b", RegexOptions.ExplicitCapture, 1_000)]
    private static partial Regex Member();
}
