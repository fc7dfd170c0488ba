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

            gaps.AddRange(((string[])["403", "429", "500", "503"]).Where(s => !operation.GetProperty("responses").TryGetProperty(s, out _)).Select(s => $"{name}: {s} is not described"));
            if (name.Contains('{', StringComparison.Ordinal) && !operation.GetProperty("responses").TryGetProperty("404", out _))
            {
                gaps.Add($"{name}: 404 is not described; add .Refuses(404, \"x_not_found\", \"…\")");
            }
        }

        Assert.True(gaps.Count == 0, string.Join('\n', gaps));
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
