using System.Text.Json;
using RootMas.Tests.Support;

namespace RootMas.Tests.Architecture;

/// <summary>The API description is complete, and the committed copy is current.</summary>
[Collection(SurfaceCollection.Name)]
public sealed class ApiDescriptionTests(ServerFixture server)
{
    [Fact]
    public void The_committed_description_is_current() => Approved.Matches("docs/openapi.json", server.ApiText);

    [Fact]
    public void Every_operation_is_described_with_models_errors_and_examples()
    {
        var gaps = new List<string>();
        foreach (var (name, operation) in Operations())
        {
            Need(gaps, name, operation, "summary");
            Need(gaps, name, operation, "description");
            Need(gaps, name, operation, "operationId");
            if (!operation.TryGetProperty("x-permission", out _))
            {
                gaps.Add($"{name}: no permission");
            }

            if (operation.TryGetProperty("requestBody", out var body))
            {
                gaps.AddRange(MediaGaps($"{name} body", body));
            }

            foreach (var response in operation.GetProperty("responses").EnumerateObject())
            {
                Need(gaps, $"{name} {response.Name}", response.Value, "description");
                gaps.AddRange(MediaGaps($"{name} {response.Name}", response.Value));
            }

            gaps.AddRange(((string[])["403", "421", "429", "500", "503"]).Where(s => !operation.GetProperty("responses").TryGetProperty(s, out _)).Select(s => $"{name}: {s} is not described"));
            if (name.Contains('{', StringComparison.Ordinal) && !operation.GetProperty("responses").TryGetProperty("404", out _))
            {
                gaps.Add($"{name}: 404 is not described; add .Refuses(404, \"x_not_found\", \"…\")");
            }
        }

        Assert.True(gaps.Count == 0, string.Join('\n', gaps));
    }

    /// <summary>What middleware adds: a client that is made from the description must be able to send it, and know what comes back.</summary>
    [Fact]
    public void Keys_versions_and_waiting_are_described_where_they_mean_something()
    {
        var gaps = new List<string>();
        foreach (var (name, operation) in Operations())
        {
            var responses = operation.GetProperty("responses");
            if (responses.TryGetProperty("428", out _) && !HasHeader(operation, "If-Match"))
            {
                gaps.Add($"{name}: If-Match is not described");
            }

            // Logins and rotations take no keys; models are only asked for a word, and searches change nothing.
            if (name.StartsWith("POST ", StringComparison.Ordinal) && operation.GetProperty("x-permission").GetString() != "public"
                && name is not ("POST /api/v1/auth/logout" or "POST /api/v1/auth/keys/rotate" or "POST /api/v1/models/{id}/test" or "POST /api/v1/knowledge/search" or "POST /api/v1/graph/query"))
            {
                gaps.AddRange(HasHeader(operation, "Idempotency-Key") ? [] : [$"{name}: Idempotency-Key is not described"]);
                gaps.AddRange(((string[])["409", "422"]).Where(s => !responses.TryGetProperty(s, out _)).Select(s => $"{name}: {s} is not described"));
            }

            gaps.AddRange(((string[])["429", "503"]).Where(s => !responses.GetProperty(s).GetProperty("headers").TryGetProperty("Retry-After", out _)).Select(s => $"{name} {s}: Retry-After is not described"));
        }

        Assert.True(gaps.Count == 0, string.Join('\n', gaps));
        var chat = Operations().Single(static o => o.Name == "POST /api/v1/chat").Operation;
        Assert.True(HasHeader(chat, "Prefer"));
        Assert.True(HasHeader(Operations().Single(static o => o.Name == "GET /api/v1/runs/{id}/events").Operation, "Last-Event-ID"));
        Assert.True(chat.GetProperty("responses").GetProperty("202").GetProperty("headers").TryGetProperty("Location", out _));
    }

    [Fact]
    public void Every_parameter_and_every_field_has_a_description()
    {
        var gaps = new List<string>();
        foreach (var (name, operation) in Operations())
        {
            foreach (var parameter in operation.TryGetProperty("parameters", out var all) ? all.EnumerateArray() : [])
            {
                Need(gaps, $"{name} parameter {parameter.GetProperty("name")} (add [Description])", parameter, "description");
            }
        }

        foreach (var schema in server.Api.GetProperty("components").GetProperty("schemas").EnumerateObject())
        {
            foreach (var property in schema.Value.TryGetProperty("properties", out var properties) ? properties.EnumerateObject() : default)
            {
                if (!HasText(property.Value, "description"))
                {
                    gaps.Add($"{schema.Name}.{property.Name}: no description (XML docs on the property)");
                }
            }
        }

        Assert.True(gaps.Count == 0, string.Join('\n', gaps));
    }

    private IEnumerable<(string Name, JsonElement Operation)> Operations() =>
        from path in server.Api.GetProperty("paths").EnumerateObject()
        from method in path.Value.EnumerateObject()
        where method.Value.ValueKind == JsonValueKind.Object && method.Value.TryGetProperty("responses", out _)
        select ($"{method.Name.ToUpperInvariant()} {path.Name}", method.Value);

    private static bool HasHeader(JsonElement operation, string name) =>
        operation.TryGetProperty("parameters", out var all) && all.EnumerateArray().Any(p => p.GetProperty("in").GetString() == "header" && p.GetProperty("name").GetString() == name);

    private static IEnumerable<string> MediaGaps(string name, JsonElement owner)
    {
        foreach (var media in owner.TryGetProperty("content", out var content) ? content.EnumerateObject() : default)
        {
            if (!media.Value.TryGetProperty("schema", out _))
            {
                yield return $"{name} {media.Name}: no schema";
            }

            if (!media.Value.TryGetProperty("example", out _) && !media.Value.TryGetProperty("examples", out _))
            {
                yield return $"{name} {media.Name}: no example";
            }
        }
    }

    private static void Need(List<string> gaps, string name, JsonElement owner, string member)
    {
        if (!HasText(owner, member))
        {
            gaps.Add($"{name}: no {member}");
        }
    }

    private static bool HasText(JsonElement owner, string member) =>
        owner.TryGetProperty(member, out var text) && text.ValueKind == JsonValueKind.String && !string.IsNullOrWhiteSpace(text.GetString());
}
