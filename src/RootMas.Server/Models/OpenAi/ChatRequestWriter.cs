using System.Buffers;
using System.Runtime.CompilerServices;
using System.Text.Encodings.Web;
using System.Text.Json;
using Microsoft.Extensions.AI;

namespace RootMas.Server.Models.OpenAi;

/// <summary>Writes the body of <c>POST …/chat/completions</c> straight from messages and options (https://platform.openai.com/docs/api-reference/chat).</summary>
internal static class ChatRequestWriter
{
    private static readonly JsonWriterOptions Options = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, SkipValidation = true };

    /// <summary>Tool declarations live as long as a team's snapshot and are sent with every request: serialised once.</summary>
    private static readonly ConditionalWeakTable<AITool, byte[]> ToolJson = [];

    public static void Write(IBufferWriter<byte> output, ModelSpec model, IEnumerable<ChatMessage> messages, ChatOptions? options)
    {
        using var json = new Utf8JsonWriter(output, Options);
        json.WriteStartObject();
        json.WriteString("model"u8, model.Id);
        json.WriteBoolean("stream"u8, true);
        if (model.Provider.StreamUsage)
        {
            json.WriteStartObject("stream_options"u8);
            json.WriteBoolean("include_usage"u8, true);
            json.WriteEndObject();
        }

        if (options is not null)
        {
            WriteSampling(json, model, options);
            WriteTools(json, model, options);
            WriteFormat(json, model, options.ResponseFormat);
        }

        json.WriteStartArray("messages"u8);
        WriteMessages(json, model, messages, options?.Instructions ?? "", InWords(model, options?.ResponseFormat));

        json.WriteEndArray();
        json.WriteEndObject();
    }

    /// <summary>What is wanted in words belongs to the system message that comes first: many chat templates refuse one anywhere else, or a second.</summary>
    private static void WriteMessages(Utf8JsonWriter json, ModelSpec model, IEnumerable<ChatMessage> messages, string instructions, string? wanted)
    {
        var rest = messages;
        if (wanted is not null && instructions.Length == 0 && messages.FirstOrDefault() is { } first && first.Role == ChatRole.System)
        {
            (instructions, rest) = (first.Text, messages.Skip(1));
        }

        if (instructions.Length > 0 || wanted is not null)
        {
            WriteText(json, "system"u8, wanted is null ? instructions : $"{instructions}\n\n{wanted}".TrimStart());
        }

        foreach (var message in rest)
        {
            MessageWriter.Write(json, message, model.Provider.ReturnReasoning);
        }
    }

    internal static void WriteText(Utf8JsonWriter json, ReadOnlySpan<byte> role, string text)
    {
        json.WriteStartObject();
        json.WriteString("role"u8, role);
        json.WriteString("content"u8, text);
        json.WriteEndObject();
    }

    private static void WriteSampling(Utf8JsonWriter json, ModelSpec model, ChatOptions options)
    {
        var isFixed = !model.Provider.ReasoningSampling && model.Can(ModelCapabilities.Reasoning);
        if (!isFixed)
        {
            WriteNumber(json, "temperature", options.Temperature);
            WriteNumber(json, "top_p", options.TopP);
            WriteNumber(json, "frequency_penalty", options.FrequencyPenalty);
            WriteNumber(json, "presence_penalty", options.PresencePenalty);
        }

        if (options.Seed is { } seed)
        {
            json.WriteNumber("seed"u8, seed);
        }

        if (options.MaxOutputTokens is { } limit)
        {
            json.WriteNumber(model.Provider.MaxTokensField, limit);
        }

        if (!isFixed && options.StopSequences is { Count: > 0 } stops)
        {
            json.WriteStartArray("stop"u8);
            foreach (var stop in stops)
            {
                json.WriteStringValue(stop);
            }

            json.WriteEndArray();
        }
    }

    private static void WriteNumber(Utf8JsonWriter json, string name, float? value)
    {
        if (value is { } number)
        {
            json.WriteNumber(name, number);
        }
    }

    private static void WriteTools(Utf8JsonWriter json, ModelSpec model, ChatOptions options)
    {
        if (options.Tools is not { Count: > 0 } tools || !model.Can(ModelCapabilities.Tools))
        {
            return;
        }

        json.WriteStartArray("tools"u8);
        foreach (var tool in tools)
        {
            json.WriteRawValue(ToolJson.GetValue(tool, Serialise), skipInputValidation: true);
        }

        json.WriteEndArray();
        switch (options.ToolMode)
        {
            case NoneChatToolMode:
                json.WriteString("tool_choice"u8, "none"u8);
                break;
            case RequiredChatToolMode { RequiredFunctionName: { } name }:
                json.WriteStartObject("tool_choice"u8);
                json.WriteString("type"u8, "function"u8);
                json.WriteStartObject("function"u8);
                json.WriteString("name"u8, name);
                json.WriteEndObject();
                json.WriteEndObject();
                break;
            case RequiredChatToolMode:
                json.WriteString("tool_choice"u8, "required"u8);
                break;
        }

        if (options.AllowMultipleToolCalls is { } parallel)
        {
            json.WriteBoolean("parallel_tool_calls"u8, parallel);
        }
    }

    private static byte[] Serialise(AITool tool)
    {
        var buffer = new ArrayBufferWriter<byte>(512);
        using (var json = new Utf8JsonWriter(buffer, Options))
        {
            json.WriteStartObject();
            json.WriteString("type"u8, "function"u8);
            json.WriteStartObject("function"u8);
            json.WriteString("name"u8, tool.Name);
            json.WriteString("description"u8, tool.Description);
            if (tool is AIFunctionDeclaration declaration)
            {
                json.WritePropertyName("parameters"u8);
                declaration.JsonSchema.WriteTo(json);
            }

            json.WriteEndObject();
            json.WriteEndObject();
        }

        return buffer.WrittenSpan.ToArray();
    }

    /// <summary>What <c>json_object</c> does not say: the schema for models that take none, and the word JSON, without which servers refuse it.</summary>
    internal static string? InWords(ModelSpec model, ChatResponseFormat? format) => format switch
    {
        ChatResponseFormatJson { Schema: null } => "The final answer must be one JSON object and nothing else.",
        ChatResponseFormatJson { Schema: { } schema } when !model.Can(ModelCapabilities.JsonSchema) => "The final answer must be one JSON object and nothing else. It must fit this JSON schema: " + schema.GetRawText(),
        _ => null,
    };

    private static void WriteFormat(Utf8JsonWriter json, ModelSpec model, ChatResponseFormat? format)
    {
        if (format is not ChatResponseFormatJson wanted)
        {
            return;
        }

        json.WriteStartObject("response_format"u8);
        if (wanted.Schema is { } schema && model.Can(ModelCapabilities.JsonSchema))
        {
            json.WriteString("type"u8, "json_schema"u8);
            json.WriteStartObject("json_schema"u8);
            json.WriteString("name"u8, wanted.SchemaName ?? "answer");
            if (wanted.SchemaDescription is { } description)
            {
                json.WriteString("description"u8, description);
            }

            json.WritePropertyName("schema"u8);
            schema.WriteTo(json);
            json.WriteEndObject();
        }
        else
        {
            json.WriteString("type"u8, "json_object"u8);
        }

        json.WriteEndObject();
    }
}
