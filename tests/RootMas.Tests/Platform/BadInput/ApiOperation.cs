using System.Text.Json;
using System.Text.Json.Nodes;

namespace RootMas.Tests.Platform.BadInput;

/// <summary>An operation of the API description, as far as bad input needs it.</summary>
internal sealed record ApiOperation(HttpMethod Method, string Template, JsonObject? Body, IReadOnlyList<Field> Fields, IReadOnlyList<string> Query, bool BodyIsOptional)
{
    /// <summary>Under <c>/v1</c> unknown members are ignored and errors have OpenAI's shape.</summary>
    public bool IsOpenAi => Template.StartsWith("/v1/", StringComparison.Ordinal);

    public bool HasId => Template.Contains('{', StringComparison.Ordinal);

    public string Name => $"{Method} {Template}";

    /// <summary>PUT that makes what is not there yet, under a name that the client chooses.</summary>
    public bool MakesByName { get; init; }

    /// <summary>The address with the same value for every parameter of the path.</summary>
    public string PathWith(string id)
    {
        var parts = Template.Split('/').Select(p => p.Contains('{', StringComparison.Ordinal) ? id : p);
        return string.Join('/', parts);
    }

    /// <summary>An address that the body could go to: a name is the body's own, or a good one; whatever else there is has a new id.</summary>
    public string PathOfBody()
    {
        var name = Body?["name"]?.GetValue<string>() ?? "example";
        return string.Join('/', Template.Split('/').Select(p => p == "{name}" ? name : p.Contains('{', StringComparison.Ordinal) ? Guid.CreateVersion7().ToString() : p));
    }

    public static IReadOnlyList<ApiOperation> Read(JsonElement api)
    {
        var schemas = api.GetProperty("components").GetProperty("schemas");
        var operations = from path in api.GetProperty("paths").EnumerateObject()
                         from method in path.Value.EnumerateObject()
                         where method.Value.ValueKind == JsonValueKind.Object && method.Value.TryGetProperty("responses", out _)
                         select Of(path.Name, method.Name, method.Value, schemas);
        return [.. operations];
    }

    private static ApiOperation Of(string path, string method, JsonElement operation, JsonElement schemas)
    {
        JsonObject? example = null;
        List<Field> fields = [];
        if (operation.TryGetProperty("requestBody", out var body) && body.GetProperty("content").TryGetProperty("application/json", out var media))
        {
            example = media.TryGetProperty("example", out var given) ? JsonNode.Parse(given.GetRawText()) as JsonObject : null;
            fields = FieldsOf(media.GetProperty("schema"), schemas);
        }

        var query = operation.TryGetProperty("parameters", out var parameters)
            ? parameters.EnumerateArray().Where(p => p.GetProperty("in").GetString() == "query").Select(p => p.GetProperty("name").GetString()!).ToList()
            : [];
        var optional = example is not null && body.GetProperty("content").GetProperty("application/json").GetProperty("schema").TryGetProperty("oneOf", out _);
        return new ApiOperation(HttpMethod.Parse(method.ToUpperInvariant()), path, example, fields, query, optional)
        {
            MakesByName = method == "put" && operation.GetProperty("responses").TryGetProperty("201", out _),
        };
    }

    private static List<Field> FieldsOf(JsonElement schema, JsonElement schemas)
    {
        // A body that may be left out is a choice of null and a type.
        var chosen = schema.TryGetProperty("oneOf", out var choices) ? choices.EnumerateArray().First(c => c.TryGetProperty("$ref", out _)) : schema;
        var target = Resolve(chosen, schemas);
        return target.TryGetProperty("properties", out var properties)
            ? [.. properties.EnumerateObject().Select(p => new Field(p.Name, [.. TypesOf(p.Value, schemas).Distinct()]) { HoldsTexts = p.Value.TryGetProperty("items", out var items) && TypesOf(items, schemas) is ["string"] })]
            : [];
    }

    private static JsonElement Resolve(JsonElement schema, JsonElement schemas) =>
        schema.TryGetProperty("$ref", out var reference) ? schemas.GetProperty(reference.GetString()!.Split('/')[^1]) : schema;

    private static string[] TypesOf(JsonElement member, JsonElement schemas)
    {
        var schema = Resolve(member, schemas);
        if (schema.TryGetProperty("oneOf", out var choices))
        {
            string[][] each = [.. choices.EnumerateArray().Select(c => TypesOf(c, schemas))];
            return each.Any(static types => types.Length == 0) ? [] : [.. each.SelectMany(static types => types)];
        }

        if (schema.TryGetProperty("enum", out _))
        {
            return ["string"];
        }

        return schema.TryGetProperty("type", out var type)
            ? type.ValueKind == JsonValueKind.Array ? [.. type.EnumerateArray().Select(t => t.GetString()!)] : [type.GetString()!]
            : [];
    }
}

/// <param name="Types">JSON types; none: anything goes.</param>
internal sealed record Field(string Name, string[] Types)
{
    /// <summary>A list of texts, none of them null.</summary>
    public bool HoldsTexts { get; init; }

    public bool IsText => Types.Contains("string");

    /// <summary>A value of a type that the field does not take, as JSON; null: it takes everything.</summary>
    public string? WrongType => Types.Length == 0 ? null
        : !Types.Contains("boolean") ? "true"
        : "\"text\"";
}
