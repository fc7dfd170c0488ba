using System.Buffers;
using System.Text;
using System.Text.Json;

namespace RootMas.LlmSimulator;

/// <summary>What rules and templates need of a request. Texts are empty when <see cref="ParseHead"/> read it.</summary>
internal sealed class ChatRequest
{
    private static readonly SearchValues<byte> NameBytes = SearchValues.Create("abcdefghijklmnopqrstuvwxyz0123456789_"u8);

    private static ReadOnlySpan<byte> AgentMark => "Agent: "u8;

    public string Model { get; private set; } = "";

    public bool Stream { get; private set; }

    public bool IncludeUsage { get; private set; }

    public bool Structured { get; private set; }

    public string? Agent { get; private set; }

    public string System { get; private set; } = "";

    public string LastRole { get; private set; } = "";

    public string LastMessage { get; private set; } = "";

    public string LastUser { get; private set; } = "";

    /// <summary>Contents of the tool messages after the last assistant message.</summary>
    public List<string> ToolResults { get; } = [];

    /// <summary>Tools that the last assistant message called.</summary>
    public List<string> ToolsCalled { get; } = [];

    public List<string> ToolsOffered { get; } = [];

    public int Bytes { get; private set; }

    /// <summary>Top-level members only, for scripts whose rules do not look inside; a few microseconds also for a large prompt.</summary>
    public static ChatRequest ParseHead(ReadOnlySpan<byte> body)
    {
        var request = new ChatRequest { Bytes = body.Length, Agent = FindAgent(body) };
        var reader = new Utf8JsonReader(body);
        reader.Read();
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            if (reader.ValueTextEquals("model"u8))
            {
                reader.Read();
                request.Model = reader.GetString() ?? "";
            }
            else if (reader.ValueTextEquals("stream"u8))
            {
                reader.Read();
                request.Stream = reader.GetBoolean();
            }
            else if (reader.ValueTextEquals("stream_options"u8))
            {
                reader.Read();
                using var options = JsonDocument.ParseValue(ref reader);
                request.IncludeUsage = WantsUsage(options.RootElement);
            }
            else
            {
                reader.Skip();
            }
        }

        return request;
    }

    public static ChatRequest Parse(ReadOnlyMemory<byte> body)
    {
        using var document = JsonDocument.Parse(body);
        var root = document.RootElement;
        var request = new ChatRequest
        {
            Bytes = body.Length,
            Model = Text(root, "model") ?? "",
            Stream = root.TryGetProperty("stream", out var stream) && stream.ValueKind == JsonValueKind.True,
            IncludeUsage = root.TryGetProperty("stream_options", out var options) && WantsUsage(options),
            Structured = root.TryGetProperty("response_format", out var format) && Text(format, "type") is "json_schema" or "json_object",
        };
        if (root.TryGetProperty("messages", out var messages) && messages.ValueKind == JsonValueKind.Array)
        {
            foreach (var message in messages.EnumerateArray())
            {
                request.Add(message);
            }
        }

        if (root.TryGetProperty("tools", out var tools) && tools.ValueKind == JsonValueKind.Array)
        {
            request.ToolsOffered.AddRange(tools.EnumerateArray().Select(FunctionName).OfType<string>());
        }

        request.Agent = FindAgent(Encoding.UTF8.GetBytes(request.System));
        return request;
    }

    private void Add(JsonElement message)
    {
        LastRole = Text(message, "role") ?? "";
        LastMessage = Content(message);
        switch (LastRole)
        {
            case "system" or "developer":
                System = System.Length == 0 ? LastMessage : System + "\n" + LastMessage;
                break;
            case "user":
                LastUser = LastMessage;
                break;
            case "tool":
                ToolResults.Add(LastMessage);
                break;
            case "assistant":
                ToolResults.Clear();
                ToolsCalled.Clear();
                if (message.TryGetProperty("tool_calls", out var calls) && calls.ValueKind == JsonValueKind.Array)
                {
                    ToolsCalled.AddRange(calls.EnumerateArray().Select(FunctionName).OfType<string>());
                }

                break;
        }
    }

    private static string? FunctionName(JsonElement tool) =>
        tool.TryGetProperty("function", out var function) ? Text(function, "name") : null;

    private static bool WantsUsage(JsonElement options) =>
        options.ValueKind == JsonValueKind.Object && options.TryGetProperty("include_usage", out var usage) && usage.ValueKind == JsonValueKind.True;

    private static string? Text(JsonElement parent, string name) =>
        parent.ValueKind == JsonValueKind.Object && parent.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;

    private static string Content(JsonElement message)
    {
        if (!message.TryGetProperty("content", out var content))
        {
            return "";
        }

        return content.ValueKind switch
        {
            JsonValueKind.String => content.GetString()!,
            JsonValueKind.Array => string.Concat(content.EnumerateArray().Select(part => Text(part, "text"))),
            _ => "",
        };
    }

    private static string? FindAgent(ReadOnlySpan<byte> text)
    {
        var at = text.IndexOf(AgentMark);
        if (at < 0)
        {
            return null;
        }

        var name = text[(at + AgentMark.Length)..];
        var end = name.IndexOfAnyExcept(NameBytes);
        name = end < 0 ? name : name[..end];
        return name.IsEmpty ? null : Encoding.UTF8.GetString(name);
    }
}
