using System.Text.Json;
using Microsoft.Extensions.AI;
using RootMas.Runtime.Agents;

namespace RootMas.Server.Models.OpenAi;

/// <summary>One message of a request. Reasoning goes back with tool calls only, and only where the provider wants it: others ignore or refuse it.</summary>
internal static class MessageWriter
{
    /// <param name="reasoning">The provider wants to see again what the model thought before it called tools.</param>
    public static void Write(Utf8JsonWriter json, ChatMessage message, bool reasoning = false)
    {
        if (message.Role == ChatRole.Tool)
        {
            WriteResults(json, message);
            return;
        }

        json.WriteStartObject();
        json.WriteString("role"u8, message.Role.Value);
        if (message.AuthorName is { Length: > 0 } author && message.Role == ChatRole.User && IsName(author))
        {
            json.WriteString("name"u8, author);
        }

        WriteContent(json, message);
        if (message.Role == ChatRole.Assistant)
        {
            if (WriteCalls(json, message) && reasoning)
            {
                // Another model's calls, and calls without a thought, need the member too; an empty one is refused like none.
                json.WriteString("reasoning_content"u8, ModelReasoning.Of(message) ?? " ");
            }
        }

        json.WriteEndObject();
    }

    /// <summary>Each result is a message of its own on the wire.</summary>
    private static void WriteResults(Utf8JsonWriter json, ChatMessage message)
    {
        foreach (var content in message.Contents)
        {
            if (content is FunctionResultContent result)
            {
                json.WriteStartObject();
                json.WriteString("role"u8, "tool"u8);
                json.WriteString("tool_call_id"u8, result.CallId);
                json.WriteString("content"u8, AsText(result.Result));
                json.WriteEndObject();
            }
        }
    }

    private static string AsText(object? result) => result switch
    {
        null => "",
        string text => text,
        JsonElement { ValueKind: JsonValueKind.String } element => element.GetString() ?? "",
        JsonElement element => element.GetRawText(),
        _ => JsonSerializer.Serialize(result, result.GetType(), AIJsonUtilities.DefaultOptions),
    };

    private static void WriteContent(Utf8JsonWriter json, ChatMessage message)
    {
        var contents = message.Contents;
        if (contents.Count == 1 && contents[0] is TextContent only)
        {
            json.WriteString("content"u8, only.Text);
            return;
        }

        if (!contents.Any(c => c is DataContent or UriContent))
        {
            var text = message.Text;
            if (text.Length == 0 && message.Role == ChatRole.Assistant)
            {
                json.WriteNull("content"u8);
            }
            else
            {
                json.WriteString("content"u8, text);
            }

            return;
        }

        json.WriteStartArray("content"u8);
        foreach (var content in contents)
        {
            WritePart(json, content);
        }

        json.WriteEndArray();
    }

    private static void WritePart(Utf8JsonWriter json, AIContent content)
    {
        var url = content switch
        {
            DataContent data when data.HasTopLevelMediaType("image") => data.Uri,
            UriContent uri when uri.HasTopLevelMediaType("image") => uri.Uri.AbsoluteUri,
            _ => null,
        };
        if (url is not null)
        {
            json.WriteStartObject();
            json.WriteString("type"u8, "image_url"u8);
            json.WriteStartObject("image_url"u8);
            json.WriteString("url"u8, url);
            json.WriteEndObject();
            json.WriteEndObject();
        }
        else if (content is TextContent text)
        {
            json.WriteStartObject();
            json.WriteString("type"u8, "text"u8);
            json.WriteString("text"u8, text.Text);
            json.WriteEndObject();
        }
    }

    /// <summary>False: there are none.</summary>
    private static bool WriteCalls(Utf8JsonWriter json, ChatMessage message)
    {
        var open = false;
        foreach (var content in message.Contents)
        {
            if (content is not FunctionCallContent call)
            {
                continue;
            }

            if (!open)
            {
                json.WriteStartArray("tool_calls"u8);
                open = true;
            }

            json.WriteStartObject();
            json.WriteString("id"u8, call.CallId);
            json.WriteString("type"u8, "function"u8);
            json.WriteStartObject("function"u8);
            json.WriteString("name"u8, call.Name);
            json.WriteString("arguments"u8, ToolArguments.ToText(call));
            json.WriteEndObject();
            json.WriteEndObject();
        }

        if (open)
        {
            json.WriteEndArray();
        }

        return open;
    }

    private static bool IsName(string name) => name.Length <= 64 && name.All(c => char.IsAsciiLetterOrDigit(c) || c is '_' or '-');
}
