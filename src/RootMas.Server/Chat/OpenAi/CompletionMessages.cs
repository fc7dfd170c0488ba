using System.Text;
using System.Text.Json;
using RootMas.Runtime.Runs;

namespace RootMas.Server.Chat.OpenAi;

/// <summary>
/// The <c>messages</c> of a call: the last one is the input, those before are history, and what <c>system</c> and <c>developer</c> say becomes the caller's instructions,
/// which rank below the agent's prompt. Tool calls and their results in the history are told as text: they are context and never executed.
/// </summary>
internal sealed record CompletionMessages(string Input, IReadOnlyList<HistoryMessage> History, string? Instructions)
{
    private const int MaxMessages = 10_000;

    /// <summary>Members of a message that change nothing here; what they cannot be is refused all the same.</summary>
    private static readonly string[] Hints = ["name", "tool_call_id", "refusal"];

    public static CompletionMessages Parse(JsonElement body)
    {
        var messages = CompletionParser.Member(body, "messages", JsonValueKind.Array, "an array of messages is expected")
            ?? throw CompletionRefused.Wrong("messages", "it is required");
        if (messages.GetArrayLength() is < 1 or > MaxMessages)
        {
            throw CompletionRefused.Wrong("messages", $"1 to {MaxMessages} messages are expected");
        }

        var instructions = new StringBuilder();
        var turns = new List<HistoryMessage>(messages.GetArrayLength());
        var index = 0;
        foreach (var message in messages.EnumerateArray())
        {
            Add(message, $"messages[{index++}]", turns, instructions);
        }

        if (turns is not [.., { Role: "user" } last])
        {
            throw CompletionRefused.Wrong("messages", "the last message must be the user's");
        }

        turns.RemoveAt(turns.Count - 1);
        return new CompletionMessages(last.Text, turns, instructions.Length > 0 ? instructions.ToString() : null);
    }

    private static void Add(JsonElement message, string path, List<HistoryMessage> turns, StringBuilder instructions)
    {
        if (message.ValueKind != JsonValueKind.Object)
        {
            throw CompletionRefused.Wrong(path, "an object is expected");
        }

        var role = CompletionParser.Text(message, "role", $"{path}.role");
        foreach (var hint in Hints)
        {
            CompletionParser.Member(message, hint, JsonValueKind.String, "a string is expected", $"{path}.{hint}");
        }

        var text = Content(message, path);
        switch (role)
        {
            case "system" or "developer":
                instructions.Append(instructions.Length > 0 ? "\n\n" : "").Append(Required(text, path));
                break;
            case "user":
                turns.Add(new HistoryMessage("user", Required(text, path)));
                break;
            case "assistant":
                turns.Add(new HistoryMessage("assistant", Assistant(message, text, path)));
                break;
            case "tool" or "function":
                // Results come from outside like any page: they taint the run.
                turns.Add(new HistoryMessage("tool", Required(text, path), Tainted: true));
                break;
            default:
                throw CompletionRefused.Wrong($"{path}.role", "system, developer, user, assistant or tool is expected");
        }
    }

    private static string Required(string? text, string path) => text ?? throw CompletionRefused.Wrong($"{path}.content", "a string or an array of text parts is expected");

    private static string Assistant(JsonElement message, string? text, string path)
    {
        var calls = CompletionParser.Member(message, "tool_calls", JsonValueKind.Array, "an array is expected", $"{path}.tool_calls");
        if (calls is null)
        {
            return text ?? CompletionParser.Text(message, "refusal", $"{path}.refusal") ?? "";
        }

        var told = new StringBuilder(text);
        foreach (var call in calls.Value.EnumerateArray())
        {
            if (call.ValueKind != JsonValueKind.Object)
            {
                throw CompletionRefused.Wrong($"{path}.tool_calls", "an array of objects is expected");
            }

            if (CompletionParser.Member(call, "function", JsonValueKind.Object, "an object is expected", $"{path}.tool_calls") is { } function)
            {
                told.Append(told.Length > 0 ? "\n" : "")
                    .Append("[called ").Append(CompletionParser.Text(function, "name", $"{path}.tool_calls"))
                    .Append(' ').Append(CompletionParser.Text(function, "arguments", $"{path}.tool_calls")).Append(']');
            }
        }

        return told.ToString();
    }

    /// <summary>Null: absent or JSON null.</summary>
    private static string? Content(JsonElement message, string path)
    {
        if (!message.TryGetProperty("content", out var content) || content.ValueKind == JsonValueKind.Null)
        {
            return null;
        }

        if (content.ValueKind != JsonValueKind.Array)
        {
            return CompletionParser.Text(message, "content", $"{path}.content");
        }

        var text = new StringBuilder();
        foreach (var part in content.EnumerateArray())
        {
            text.Append(text.Length > 0 ? "\n" : "").Append(Part(part, $"{path}.content"));
        }

        return text.ToString();
    }

    private static string Part(JsonElement part, string path)
    {
        if (part.ValueKind != JsonValueKind.Object)
        {
            throw CompletionRefused.Wrong(path, "parts are objects");
        }

        return CompletionParser.Text(part, "type", $"{path}.type") switch
        {
            "text" => CompletionParser.Text(part, "text", $"{path}.text") ?? throw CompletionRefused.Wrong($"{path}.text", "a string is expected"),
            "refusal" => CompletionParser.Text(part, "refusal", $"{path}.refusal") ?? "",
            "image_url" or "input_audio" or "file" => throw CompletionRefused.Unsupported(path, "only text parts can be read"),
            _ => throw CompletionRefused.Wrong($"{path}.type", "text is expected"),
        };
    }
}
