using System.Text.Json;
using System.Text.Json.Nodes;

namespace RootMas.Server.Platform.Idempotency;

/// <summary>An answer as it is kept for repeats.</summary>
/// <param name="Body">JSON; null: the answer had no body.</param>
public sealed record StoredAnswer(int Status, string? ContentType, string? Location, string? ETag, string? Body)
{
    public static StoredAnswer OfJson(int status, string body, string? location = null) => new(status, "application/json; charset=utf-8", location, null, body);

    public static StoredAnswer FromJson(string json) => JsonSerializer.Deserialize<StoredAnswer>(json) ?? throw new JsonException("A stored answer is null.");

    public string ToJson() => JsonSerializer.Serialize(this);

    /// <summary>With null in place of the named members, at any depth.</summary>
    public StoredAnswer Without(IReadOnlyList<string> members)
    {
        if (members.Count == 0 || Body is null)
        {
            return this;
        }

        var node = JsonNode.Parse(Body);
        Clear(node, members);
        return this with { Body = node?.ToJsonString() };
    }

    private static void Clear(JsonNode? node, IReadOnlyList<string> members)
    {
        if (node is JsonArray array)
        {
            foreach (var item in array)
            {
                Clear(item, members);
            }
        }

        if (node is not JsonObject table)
        {
            return;
        }

        foreach (var (name, value) in table.ToList())
        {
            if (members.Contains(name, StringComparer.Ordinal))
            {
                table[name] = null;
            }
            else
            {
                Clear(value, members);
            }
        }
    }
}
