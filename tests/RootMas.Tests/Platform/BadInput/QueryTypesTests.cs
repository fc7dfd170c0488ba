using System.Net;
using System.Text.Json;
using RootMas.Tests.Support;

namespace RootMas.Tests.Platform.BadInput;

/// <summary>Every parameter of an address that is not a text, of every route that the API description has: what it does not take is refused, and the parameter is named.</summary>
public sealed class QueryTypesTests : IAsyncLifetime
{
    private static readonly string[] Kinds = ["boolean", "integer", "number"];
    private TestApp _app = null!;

    public async Task InitializeAsync() => _app = await TestApp.StartAsync();

    public async Task DisposeAsync() => await _app.DisposeAsync();

    [Fact]
    public async Task A_switch_or_a_number_that_is_none_is_refused_by_its_name()
    {
        var offences = new List<string>();
        var seen = new Dictionary<string, int>(StringComparer.Ordinal);
        var api = await _app.GetJsonAsync("/openapi/v1.json");
        foreach (var path in api.GetProperty("paths").EnumerateObject())
        {
            foreach (var method in path.Value.EnumerateObject().Where(static m => m.Value.ValueKind == JsonValueKind.Object && m.Value.TryGetProperty("parameters", out _)))
            {
                foreach (var (name, kind) in Typed(method.Value))
                {
                    seen[kind] = seen.GetValueOrDefault(kind) + 1;
                    await CheckAsync(HttpMethod.Parse(method.Name.ToUpperInvariant()), (path.Name, "?" + Required(method.Value)), name, kind, offences);
                }
            }
        }

        Assert.True(offences.Count == 0, string.Join('\n', offences));
        Assert.True(seen.GetValueOrDefault("boolean") > 3 && seen.GetValueOrDefault("integer") > 10, string.Join(", ", seen));
    }

    private async Task CheckAsync(HttpMethod method, (string Template, string Query) route, string name, string kind, List<string> offences)
    {
        var path = string.Join('/', route.Template.Split('/').Select(static p => p.Contains('{', StringComparison.Ordinal) ? Guid.CreateVersion7().ToString() : p)) + route.Query;
        foreach (var value in kind == "boolean" ? (string[])["maybe", "1", "yes", "%00"] : ["maybe", "1x", "99999999999999999999999", "%00"])
        {
            using var answer = await _app.SendAsync(method, $"{path}{name}={value}", method == HttpMethod.Get || method == HttpMethod.Delete ? null : "{}", ("If-Match", "\"1\""));
            var text = await answer.Content.ReadAsStringAsync();
            if (answer.StatusCode != HttpStatusCode.BadRequest || !Names(text, name))
            {
                offences.Add($"{method} {route.Template}{route.Query}{name}={value} ({kind}): {(int)answer.StatusCode} {text}");
            }
        }
    }

    /// <summary>What a route cannot do without, as the beginning of a query.</summary>
    private static string Required(JsonElement operation) => string.Concat(operation.GetProperty("parameters").EnumerateArray()
        .Where(static p => p.GetProperty("in").GetString() == "query" && p.TryGetProperty("required", out var required) && required.GetBoolean())
        .Select(static p => p.GetProperty("name").GetString() + "=words&"));

    /// <summary>OpenAI's shape has one name, in <c>param</c>.</summary>
    private static bool Names(string text, string name)
    {
        var problem = JsonElement.Parse(text);
        return problem.TryGetProperty("error", out var error)
            ? error.GetProperty("param").GetString() == name
            : problem.TryGetProperty("errors", out var errors) && errors.TryGetProperty(name, out _);
    }

    private static IEnumerable<(string Name, string Kind)> Typed(JsonElement operation)
    {
        foreach (var parameter in operation.GetProperty("parameters").EnumerateArray().Where(static p => p.GetProperty("in").GetString() == "query"))
        {
            var type = parameter.GetProperty("schema").TryGetProperty("type", out var given) ? given : default;
            string?[] types = type.ValueKind switch
            {
                JsonValueKind.String => [type.GetString()],
                JsonValueKind.Array => [.. type.EnumerateArray().Select(static t => t.GetString())],
                _ => [],
            };
            if (types.FirstOrDefault(Kinds.Contains) is { } kind && !types.Contains("string"))
            {
                yield return (parameter.GetProperty("name").GetString()!, kind);
            }
        }
    }
}
