using System.Text.Json;
using System.Text.Json.Nodes;
using RootMas.Runtime.Context;
using RootMas.Runtime.Tools;

namespace RootMas.Runtime.Teams;

/// <summary>JSON schemas of the structured answers that patterns read.</summary>
public static class TeamSchemas
{
    /// <summary>{speaker, done, reason}.</summary>
    public static string SelectSchema(IEnumerable<string> members) => Object(
        ["speaker", "done"],
        ("speaker", new JsonObject { ["type"] = "string", ["enum"] = Names(members.Append("")), ["description"] = "Who speaks next; empty when done." }),
        ("done", new JsonObject { ["type"] = "boolean", ["description"] = "True when the last message answers the request." }),
        ("reason", Text("One short sentence.")));

    /// <summary>{goal, answer?, tasks[{id, agent, task, depends_on, done_when, risk, estimated_cost, deadline_seconds}]}.</summary>
    public static string PlanSchema(IEnumerable<string> agents) => Object(
        ["goal", "tasks"],
        ("goal", Text("The goal in one sentence.")),
        ("answer", Text("Only when no task is needed: the result itself.")),
        ("tasks", Tasks(agents)));

    /// <summary>{verdict: done|replan|stop, summary, tasks[]}: tasks are the additional ones when replanning.</summary>
    public static string ReviewSchema(IEnumerable<string> agents) => Object(
        ["verdict", "summary"],
        ("verdict", new JsonObject { ["type"] = "string", ["enum"] = Names(["done", "replan", "stop"]) }),
        ("summary", Text("What was found and done, with sources and open points; the whole result when done, the reason when stopped.")),
        ("tasks", Tasks(agents)));

    /// <summary>{decisions[{task, action: reassign|retry|drop|replan, agent?, reason}]}.</summary>
    public static string CoordinateSchema(IEnumerable<string> agents, IEnumerable<string> tasks) => Object(
        ["decisions"],
        ("decisions", new JsonObject
        {
            ["type"] = "array",
            ["items"] = JsonNode.Parse(Object(
                ["task", "action", "reason"],
                ("task", new JsonObject { ["type"] = "string", ["enum"] = Names(tasks) }),
                ("action", new JsonObject { ["type"] = "string", ["enum"] = Names(["reassign", "retry", "drop", "replan"]) }),
                ("agent", new JsonObject { ["type"] = "string", ["enum"] = Names(agents), ["description"] = "For reassign." }),
                ("reason", Text("One short sentence.")))),
        }));

    /// <summary>Parses a model's text as JSON (code fences tolerated) and checks it; the error is for the model.</summary>
    public static bool TryParse(string text, string schema, out JsonElement value, out string error)
    {
        value = default;
        if (text.Length == 0)
        {
            error = "no model gave one that fits what was asked for";
            return false;
        }

        try
        {
            using var document = JsonDocument.Parse(JsonText.WithoutFence(text));
            value = document.RootElement.Clone();
        }
        catch (JsonException e)
        {
            error = $"it is not JSON ({e.Message})";
            return false;
        }

        var errors = JsonSchemaValidator.Validate(schema, value);
        error = string.Join("; ", errors.Take(8));
        return errors.Count == 0;
    }

    private static JsonObject Tasks(IEnumerable<string> agents) => new()
    {
        ["type"] = "array",
        ["maxItems"] = 40,
        ["items"] = JsonNode.Parse(Object(
            ["id", "agent", "task", "depends_on", "done_when"],
            ("id", new JsonObject { ["type"] = "string", ["pattern"] = "^[A-Za-z0-9_-]{1,40}$" }),
            ("agent", new JsonObject { ["type"] = "string", ["enum"] = Names(agents) }),
            ("task", Text("What to do, complete in itself: the agent sees only this and the results of the tasks it depends on.")),
            ("depends_on", new JsonObject { ["type"] = "array", ["items"] = new JsonObject { ["type"] = "string" } }),
            ("done_when", Text("How one sees that it is done.")),
            ("risk", Text("What could go wrong.")),
            ("estimated_cost", Text("In dollars, as a decimal.")),
            ("deadline_seconds", new JsonObject { ["type"] = "integer", ["minimum"] = 1, ["maximum"] = 86400 }))),
    };

    private static JsonObject Text(string description) => new() { ["type"] = "string", ["description"] = description };

    private static JsonArray Names(IEnumerable<string> names) => new([.. names.Select(n => (JsonNode)n)]);

    private static string Object(IReadOnlyList<string> required, params (string Name, JsonObject Schema)[] properties)
    {
        var all = new JsonObject();
        foreach (var (name, schema) in properties)
        {
            all[name] = schema;
        }

        return new JsonObject
        {
            ["type"] = "object",
            ["properties"] = all,
            ["required"] = Names(required),
            ["additionalProperties"] = false,
        }.ToJsonString();
    }
}
