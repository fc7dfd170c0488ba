using System.Text.Json.Nodes;

namespace RootMas.Runtime.Tools;

/// <summary>The calls that the engine itself carries out: they change who works, or ask the user.</summary>
public static class BuiltInTools
{
    public const string Delegate = "delegate";
    public const string Handoff = "handoff";
    public const string AskUser = "ask_user";

    /// <summary>Needs no edge; an agent has it by naming it among its tools.</summary>
    public static readonly ToolDefinition AskUserDefinition = new(AskUser,
        "Ask the user one question and wait for the answer. Only when the request cannot be done without it.",
        """{"type":"object","properties":{"question":{"type":"string","minLength":1,"maxLength":2000},"options":{"type":"array","items":{"type":"string","maxLength":200},"maxItems":10}},"required":["question"],"additionalProperties":false}""",
        "1");

    public static bool IsBuiltIn(string name) => name is Delegate or Handoff or AskUser;

    public static ToolDefinition DelegateTo(IEnumerable<string> agents) => new(Delegate,
        "Give a task to a specialist and get the result back. The specialist sees only the task text: make it complete. Several delegations in one answer run in parallel.",
        Schema(agents, "task", "The whole task, with everything the specialist needs to know.", 20_000), "1");

    public static ToolDefinition HandoffTo(IEnumerable<string> agents) => new(Handoff,
        "Let another agent take over this conversation. You say nothing more.",
        Schema(agents, "reason", "Why, in one sentence.", 2_000), "1");

    // The agent is checked against the routing graph by the engine, so that a wrong edge gets an answer that names the allowed ones.
    private static string Schema(IEnumerable<string> agents, string text, string description, int maxLength) => new JsonObject
    {
        ["type"] = "object",
        ["properties"] = new JsonObject
        {
            ["agent"] = new JsonObject { ["type"] = "string", ["description"] = "One of: " + string.Join(", ", agents) },
            [text] = new JsonObject { ["type"] = "string", ["minLength"] = 1, ["maxLength"] = maxLength, ["description"] = description },
        },
        ["required"] = new JsonArray("agent", text),
        ["additionalProperties"] = false,
    }.ToJsonString();
}
