using System.Text.Json.Nodes;

namespace RootMas.Server.Platform.OpenApi;

/// <summary>Headers that middleware and shared helpers read and write, so that no handler has them among its parameters.</summary>
internal static class ApiHeaders
{
    /// <summary>On an operation while the description is made: <c>Idempotency-Key</c> means something to it. True: because it begins a run.</summary>
    public const string TakesKeyExtension = "x-takes-key";

    /// <summary>The same: it waits for its end as long as <c>Prefer</c> says.</summary>
    public const string WaitsExtension = "x-waits";

    /// <summary>The same: it streams events with ids.</summary>
    public const string ResumesExtension = "x-resumes";

    /// <summary>Definitions of what <see cref="Describe"/> names in answers.</summary>
    public static JsonObject Definitions() => new()
    {
        ["Retry-After"] = Header("Seconds after which it is worth another try."),
        ["ETag"] = Header("The version, for `If-Match`."),
        ["Location"] = Header("Where to read what was made or begun."),
    };

    /// <param name="isVersioned">An operation on the same path asks for <c>If-Match</c>.</param>
    public static void Describe(JsonObject operation, bool isVersioned)
    {
        var begins = operation[TakesKeyExtension]?.GetValue<bool>() is true;
        if (operation.Remove(TakesKeyExtension))
        {
            AddParameter(operation, "Idempotency-Key", "1 to 255 printable characters without spaces, for 24 hours: the same key, query and body have their effect once, and get the same answer.");
        }

        if (operation.Remove(WaitsExtension))
        {
            AddParameter(operation, "Prefer", "`wait=N`: seconds to wait for the end, 0 to 120 (RFC 7240); after them the answer is 202.");
        }

        if (operation.Remove(ResumesExtension))
        {
            AddParameter(operation, "Last-Event-ID", "The id of the last event that was read; the stream goes on after it.");
        }

        var responses = operation["responses"]!.AsObject();
        if (responses.ContainsKey("428"))
        {
            AddParameter(operation, "If-Match", "The ETag that was read, or `*` for whatever is there. Without it a change of what is there is 428.");
        }

        foreach (var (status, response) in responses)
        {
            var names = Answered(status, isVersioned, begins).ToList();
            if (names.Count > 0)
            {
                response!["headers"] = new JsonObject(names.Select(static n => KeyValuePair.Create(n, (JsonNode?)new JsonObject { ["$ref"] = $"#/components/headers/{n}" })));
            }
        }
    }

    private static IEnumerable<string> Answered(string status, bool isVersioned, bool begins)
    {
        if (status is "429" or "503")
        {
            yield return "Retry-After";
        }

        if (isVersioned && status == "200")
        {
            yield return "ETag";
        }

        if (status == "201" || (begins && status == "202"))
        {
            yield return "Location";
        }
    }

    private static void AddParameter(JsonObject operation, string name, string description)
    {
        var parameters = operation["parameters"] as JsonArray;
        if (parameters is null)
        {
            operation["parameters"] = parameters = [];
        }

        if (!parameters.Any(p => p!["in"]?.GetValue<string>() == "header" && p["name"]?.GetValue<string>() == name))
        {
            parameters.Add(new JsonObject { ["name"] = name, ["in"] = "header", ["description"] = description, ["schema"] = Text() });
        }
    }

    private static JsonObject Header(string description) => new() { ["description"] = description, ["schema"] = Text() };

    private static JsonObject Text() => new() { ["type"] = "string" };
}
