using System.Buffers;
using System.Text;
using System.Text.Json;

namespace RootMas.LlmSimulator;

/// <summary>What rules and templates need of a request. Texts, roles and tools are empty when <see cref="ParseHead"/> read it.</summary>
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

    /// <summary>Top-level members and the agent only, as <see cref="Parse"/> reads them, for scripts whose rules do not look inside; a few microseconds also for a large prompt.</summary>
    public static ChatRequest ParseHead(ReadOnlySpan<byte> body)
    {
        var request = new ChatRequest { Bytes = body.Length };
        var reader = new Utf8JsonReader(body);
        reader.Read();
        if (reader.TokenType != JsonTokenType.StartObject)
        {
            throw new JsonException("A request is an object.");
        }

        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            if (reader.ValueTextEquals("model"u8))
            {
                reader.Read();
                request.Model = reader.TokenType == JsonTokenType.String ? reader.GetString()! : "";
            }
            else if (reader.ValueTextEquals("stream"u8))
            {
                reader.Read();
                request.Stream = reader.TokenType == JsonTokenType.True;
            }
            else if (reader.ValueTextEquals("stream_options"u8))
            {
                reader.Read();
                using var options = JsonDocument.ParseValue(ref reader);
                request.IncludeUsage = WantsUsage(options.RootElement);
            }
            else if (reader.ValueTextEquals("messages"u8))
            {
                reader.Read();
                request.Agent = ReadAgent(ref reader);
            }

            reader.Skip(); // of a value that was read nothing, or what is inside of one of another type
        }

        reader.Read(); // nothing may follow
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

        FindAgent(Encoding.UTF8.GetBytes(request.System), out var agent);
        request.Agent = agent;
        return request;
    }

    /// <summary>The agent that the system messages name, without reading the others: users and tools write of agents, too.</summary>
    private static string? ReadAgent(ref Utf8JsonReader reader)
    {
        string? agent = null;
        var found = false;
        while (reader.TokenType is JsonTokenType.StartArray or JsonTokenType.EndObject && reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            if (reader.TokenType != JsonTokenType.StartObject)
            {
                throw new JsonException("A message is an object.");
            }

            var isSystem = false;
            Utf8JsonReader content = default;
            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                if (reader.ValueTextEquals("role"u8))
                {
                    reader.Read();
                    isSystem = reader.TokenType == JsonTokenType.String && (reader.ValueTextEquals("system"u8) || reader.ValueTextEquals("developer"u8));
                }
                else if (reader.ValueTextEquals("content"u8))
                {
                    reader.Read();
                    content = reader;
                }

                reader.Skip();
            }

            found = found || (isSystem && FindAgent(ref content, out agent));
        }

        return agent;
    }

    private static bool FindAgent(ref Utf8JsonReader content, out string? agent)
    {
        if (content.TokenType == JsonTokenType.StartArray)
        {
            using var parts = JsonDocument.ParseValue(ref content);
            return FindAgent(Encoding.UTF8.GetBytes(TextOf(parts.RootElement)), out agent);
        }

        agent = null;
        if (content.TokenType != JsonTokenType.String)
        {
            return false;
        }

        if (!content.ValueIsEscaped)
        {
            return FindAgent(content.ValueSpan, out agent);
        }

        var text = ArrayPool<byte>.Shared.Rent(content.ValueSpan.Length);
        try
        {
            return FindAgent(text.AsSpan(0, content.CopyString(text)), out agent);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(text);
        }
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

    private static string Content(JsonElement message) => message.TryGetProperty("content", out var content) ? TextOf(content) : "";

    private static string TextOf(JsonElement content) => content.ValueKind switch
    {
        JsonValueKind.String => content.GetString()!,
        JsonValueKind.Array => string.Concat(content.EnumerateArray().Select(part => Text(part, "text"))),
        _ => "",
    };

    /// <summary>False: nothing in the text names one. The first place that does decides, also when no name stands there.</summary>
    private static bool FindAgent(ReadOnlySpan<byte> text, out string? agent)
    {
        agent = null;
        var at = text.IndexOf(AgentMark);
        if (at < 0)
        {
            return false;
        }

        var name = text[(at + AgentMark.Length)..];
        var end = name.IndexOfAnyExcept(NameBytes);
        name = end < 0 ? name : name[..end];
        agent = name.IsEmpty ? null : Encoding.UTF8.GetString(name);
        return true;
    }
}
