using System.Globalization;
using System.Text.Json.Nodes;

namespace RootMas.Server.Cli.Import;

/// <summary>The members of one foreign definition. Several names may mean the same; what nobody asked for is left over and reported.</summary>
internal sealed class ForeignFields(JsonObject members, string source)
{
    private readonly HashSet<string> _asked = new(StringComparer.OrdinalIgnoreCase);

    public string Source => source;

    public IEnumerable<string> LeftOver => members.Select(static m => m.Key).Where(k => !_asked.Contains(k));

    public JsonNode? Node(params string[] names)
    {
        _asked.UnionWith(names);
        return names.Select(n => members.FirstOrDefault(m => string.Equals(m.Key, n, StringComparison.OrdinalIgnoreCase)).Value).FirstOrDefault(static v => v is not null);
    }

    public string? Text(params string[] names) => Node(names) is JsonValue value && value.ToString().Trim() is { Length: > 0 } text ? text : null;

    public double? Number(params string[] names) => double.TryParse(Text(names), NumberStyles.Float, CultureInfo.InvariantCulture, out var number) ? number : null;

    public bool? Flag(params string[] names) => Text(names)?.ToLowerInvariant() switch
    {
        "true" or "yes" or "on" or "1" => true,
        "false" or "no" or "off" or "0" => false,
        _ => null,
    };

    /// <summary>A list of texts; of objects their names; or one text with commas.</summary>
    public IReadOnlyList<string> Names(params string[] names) => Node(names) switch
    {
        JsonArray list => [.. list.Select(NameOf).OfType<string>()],
        JsonObject map => [.. map.Select(static m => m.Key)],
        JsonValue text => text.ToString().Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries),
        _ => [],
    };

    public ForeignFields? Below(params string[] names) => Node(names) is JsonObject below ? new(below, $"{source}.{names[0]}") : null;

    private static string? NameOf(JsonNode? node) => node switch
    {
        JsonValue text => text.ToString(),
        JsonObject map => (map["name"] ?? map["id"])?.ToString(),
        _ => null,
    };
}
