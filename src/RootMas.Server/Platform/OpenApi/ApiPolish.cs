using System.Text.Json.Nodes;
using RootMas.Server.Platform.Http;

namespace RootMas.Server.Platform.OpenApi;

/// <summary>Adds what holds for every operation and would only be noise in the code: the refusals that every route shares, the problem document, and examples made from the schemas.</summary>
internal static class ApiPolish
{
    private const string ProblemRef = "#/components/schemas/Problem";

    private static readonly (int Status, string Code, string When)[] Always =
    [
        (403, "permission_missing", "The caller lacks the permission, or a page of another site calls."),
        (421, "host_not_allowed", "The request names a host that this server does not answer to; names are added with Server:AllowedHosts."),
        (429, "rate_limited", "The caller's limit is used up; `Retry-After` says when it is not."),
        (500, "internal_error", "A bug. The log has more under the trace id."),
        (503, "storage_unavailable", "An outage that is expected to end; nothing was confirmed."),
    ];

    private static readonly (int Status, string Code, string When)[] SignedIn =
    [
        (401, "authentication_required", "No credential was sent."),
        (401, "token_invalid", "The credential is not good, or no longer."),
    ];

    private static readonly (int Status, string Code, string When)[] WithBody =
    [
        (400, "invalid_json", "The body or a parameter is not valid; `errors` names the fields."),
        (413, "body_too_large", "The body is larger than this route accepts."),
        (415, "unsupported_media_type", "The body is not JSON in UTF-8, or is packed: it has a `Content-Encoding` other than identity."),
    ];

    public static void Apply(JsonObject document)
    {
        document["info"] = new JsonObject
        {
            ["title"] = "Root-MAS",
            ["version"] = ProgramVersion.Text,
            ["summary"] = "A self-hosted assistant that answers with a team of agents.",
            ["description"] = "Errors are `application/problem+json` (RFC 9457). Lists take `limit` and `cursor`. Times are RFC 3339 in UTC, money is a decimal string in US dollars, members are snake_case.",
            ["license"] = new JsonObject { ["name"] = "MIT", ["identifier"] = "MIT" },
        };
        document["servers"] = new JsonArray(new JsonObject { ["url"] = "/", ["description"] = "This server" });
        document["security"] = new JsonArray(new JsonObject { ["bearer"] = new JsonArray() }, new JsonObject { ["cookie"] = new JsonArray() });
        var components = Object(document, "components");
        components["securitySchemes"] = SecuritySchemes();
        components["headers"] = ApiHeaders.Definitions();
        var schemas = Object(components, "schemas");
        schemas["Problem"] = ProblemSchema();
        ApiTexts.Apply(schemas);
        var examples = new ApiExamples(schemas);
        foreach (var (path, item) in document["paths"]!.AsObject())
        {
            JsonObject[] operations = [.. item!.AsObject().Select(static o => o.Value).OfType<JsonObject>().Where(static o => o.ContainsKey("responses"))];
            foreach (var operation in operations)
            {
                Complete(path, operation, examples);
            }

            var isVersioned = operations.Any(static o => o["responses"]!.AsObject().ContainsKey("428"));
            foreach (var operation in operations)
            {
                ApiHeaders.Describe(operation, isVersioned);
            }
        }

        OpenAnswers(document, schemas);
        DescribeReferences(schemas);
        DescribeTags(document);
    }

    private static JsonObject SecuritySchemes() => new()
    {
        ["bearer"] = new JsonObject { ["type"] = "http", ["scheme"] = "bearer", ["description"] = "An access token of a login, or an API key." },
        ["cookie"] = new JsonObject
        {
            ["type"] = "apiKey", ["in"] = "cookie", ["name"] = "__Host-rootmas_session",
            ["description"] = "A browser's session (without the prefix over plain HTTP). Calls that change something need the header X-RootMas-Csrf: 1.",
        },
    };

    /// <summary>A member that is another schema or null has its description inside of the choice, or only at that schema.</summary>
    private static void DescribeReferences(JsonObject schemas)
    {
        foreach (var member in schemas.SelectMany(s => s.Value?["properties"]?.AsObject() ?? []).Select(p => p.Value).OfType<JsonObject>().Where(m => !m.ContainsKey("description")))
        {
            var target = (member["oneOf"] ?? member["anyOf"])?.AsArray().FirstOrDefault(one => one?["$ref"] is not null);
            var reference = target?["$ref"]?.GetValue<string>() ?? "";
            if ((target?["description"] ?? schemas[reference[(reference.LastIndexOf('/') + 1)..]]?["description"]) is { } text)
            {
                member["description"] = text.DeepClone();
            }
        }
    }

    /// <summary>Requests are strict, but for OpenAI's, whose clients send more than is read; answers may get further members at any time, and a client must not choke on them.</summary>
    private static void OpenAnswers(JsonObject document, JsonObject schemas)
    {
        var strict = new HashSet<string>(StringComparer.Ordinal);
        foreach (var body in document["paths"]!.AsObject().Where(static p => !p.Key.StartsWith("/v1/", StringComparison.Ordinal)).SelectMany(p => p.Value!.AsObject()).Select(o => o.Value is JsonObject one ? one["requestBody"] : null))
        {
            Collect(body, schemas, strict);
        }

        foreach (var (name, schema) in schemas)
        {
            if (!strict.Contains(name) && schema is JsonObject open && open["additionalProperties"] is JsonValue)
            {
                open.Remove("additionalProperties");
            }
        }
    }

    private static void Collect(JsonNode? node, JsonObject schemas, HashSet<string> found)
    {
        if (node is JsonObject one)
        {
            if (one["$ref"]?.GetValue<string>() is { } reference && found.Add(reference[(reference.LastIndexOf('/') + 1)..]))
            {
                Collect(schemas[reference[(reference.LastIndexOf('/') + 1)..]], schemas, found);
            }

            foreach (var (_, child) in one)
            {
                Collect(child, schemas, found);
            }
        }
        else if (node is JsonArray several)
        {
            foreach (var child in several)
            {
                Collect(child, schemas, found);
            }
        }
    }

    private static void Complete(string path, JsonObject operation, ApiExamples examples)
    {
        var permission = operation[OpenApiSetup.PermissionExtension]?.GetValue<string>();
        var isPublic = permission is null or "public";
        if (isPublic)
        {
            operation["security"] = new JsonArray();
        }

        if (operation["description"]?.GetValue<string>() is { } text)
        {
            operation["description"] = isPublic ? $"{text}\n\nNeeds no permission." : $"{text}\n\nNeeds the permission `{permission}`.";
        }

        foreach (var parameter in operation["parameters"]?.AsArray() ?? [])
        {
            ApiTexts.DescribeParameter(path, parameter!.AsObject());
        }

        var declared = operation[OpenApiSetup.ErrorsExtension]?.AsArray().Select(e => ((int)e!["status"]!, (string)e["code"]!, (string)e["when"]!)).ToList() ?? [];
        operation.Remove(OpenApiSetup.ErrorsExtension);
        var hasBody = operation.ContainsKey("requestBody");
        var hasInput = hasBody || operation["parameters"] is JsonArray { Count: > 0 };
        IEnumerable<(int Status, string Code, string When)> all = [.. declared, .. isPublic ? [] : SignedIn, .. hasBody ? WithBody : [], .. !hasBody && hasInput ? [(400, "validation_failed", "A parameter is not valid; `errors` names it.")] : Array.Empty<(int, string, string)>(), .. Always];
        AddErrors(path, operation["responses"]!.AsObject(), all);
        AddExamples(operation, examples);
    }

    private static void AddErrors(string path, JsonObject responses, IEnumerable<(int Status, string Code, string When)> errors)
    {
        foreach (var group in errors.GroupBy(e => e.Status).OrderBy(g => g.Key))
        {
            var key = group.Key.ToString(System.Globalization.CultureInfo.InvariantCulture);
            if (responses.TryGetPropertyValue(key, out var known) && known!["content"] is JsonObject { Count: > 0 })
            {
                continue;
            }

            var examples = new JsonObject();
            foreach (var (status, code, when) in group.DistinctBy(e => e.Code, StringComparer.Ordinal))
            {
                examples[code] = new JsonObject { ["summary"] = when, ["value"] = ExampleProblem(path, status, code, when) };
            }

            var media = new JsonObject { ["schema"] = new JsonObject { ["$ref"] = ProblemRef }, ["examples"] = examples };
            responses[key] = new JsonObject
            {
                ["description"] = string.Join(" ", group.DistinctBy(e => e.Code, StringComparer.Ordinal).Select(e => $"`{e.Code}`: {e.When}")),
                ["content"] = new JsonObject { ["application/problem+json"] = media },
            };
        }
    }

    private static JsonObject ExampleProblem(string path, int status, string code, string when)
    {
        var problem = new JsonObject
        {
            ["type"] = $"urn:rootmas:problem:{code}", ["title"] = Problems.Of(status, code, when).Title, ["status"] = status, ["detail"] = when,
            ["instance"] = path.Replace("{", "", StringComparison.Ordinal).Replace("}", "", StringComparison.Ordinal), ["code"] = code, ["trace_id"] = "4bf92f3577b34da6a3ce929d0e0e4736",
        };
        if (status is 400 or 422)
        {
            problem["errors"] = new JsonObject { ["field"] = new JsonArray("is not valid") };
        }

        return problem;
    }

    private static void AddExamples(JsonObject operation, ApiExamples examples)
    {
        foreach (var (type, media) in operation["requestBody"]?["content"]?.AsObject() ?? [])
        {
            AddExample(type, media!.AsObject(), examples);
        }

        foreach (var (status, response) in operation["responses"]!.AsObject())
        {
            if (string.IsNullOrWhiteSpace(response!["description"]?.GetValue<string>()))
            {
                response["description"] = $"Status {status}.";
            }

            foreach (var (type, media) in response["content"]?.AsObject() ?? [])
            {
                AddExample(type, media!.AsObject(), examples);
            }
        }
    }

    private static void AddExample(string type, JsonObject media, ApiExamples examples)
    {
        if (!media.ContainsKey("example") && !media.ContainsKey("examples") && media["schema"] is JsonObject schema)
        {
            media["example"] = type.Contains("json", StringComparison.Ordinal) ? examples.Of(schema) : ApiExamples.Text(type);
        }
    }

    private static void DescribeTags(JsonObject document)
    {
        var names = document["paths"]!.AsObject().SelectMany(p => p.Value!.AsObject()).SelectMany(o => o.Value!["tags"]?.AsArray().Select(t => t!.GetValue<string>()) ?? []);
        document["tags"] = new JsonArray([.. names.Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal).Select(n => (JsonNode)new JsonObject { ["name"] = n, ["description"] = $"{n}." })]);
    }

    private static JsonObject Object(JsonObject parent, string name)
    {
        if (parent[name] is JsonObject known)
        {
            return known;
        }

        var made = new JsonObject();
        parent[name] = made;
        return made;
    }

    private static JsonObject ProblemSchema()
    {
        static JsonObject Text(string description) => new() { ["type"] = "string", ["description"] = description };
        return new JsonObject
        {
            ["type"] = "object",
            ["description"] = "A refusal, as RFC 9457 tells it.",
            ["required"] = new JsonArray("type", "title", "status", "detail", "code", "trace_id"),
            ["properties"] = new JsonObject
            {
                ["type"] = Text("Names the kind of problem; ends with the code."),
                ["title"] = Text("What kind of problem it is, for people."),
                ["status"] = new JsonObject { ["type"] = "integer", ["description"] = "The HTTP status." },
                ["detail"] = Text("What happened, what was kept, what to do next."),
                ["instance"] = Text("The path that was called."),
                ["code"] = Text("Stable and machine-readable."),
                ["trace_id"] = Text("The W3C trace id, as in the log."),
                ["errors"] = new JsonObject
                {
                    ["type"] = "object", ["description"] = "For 400 and 422: what is wrong, by field.",
                    ["additionalProperties"] = new JsonObject { ["type"] = "array", ["items"] = new JsonObject { ["type"] = "string" } },
                },
            },
        };
    }
}
