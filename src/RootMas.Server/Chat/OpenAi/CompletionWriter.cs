using System.Buffers;
using System.Text.Encodings.Web;
using System.Text.Json;
using RootMas.Runtime.Runs;
using RootMas.Server.Platform.Http;

namespace RootMas.Server.Chat.OpenAi;

/// <summary>Writes answers in OpenAI's shape: <c>chat.completion</c>, and <c>chat.completion.chunk</c> as server-sent events.</summary>
internal sealed class CompletionWriter(string runId, string model, long created, bool includeUsage)
{
    private static readonly JsonWriterOptions Relaxed = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, SkipValidation = true };

    private readonly string _id = IdOf(runId);

    public static string IdOf(string runId) => string.Concat("chatcmpl-", runId);

    /// <summary>The first chunk: the role, once.</summary>
    public void Role(IBufferWriter<byte> to) => Chunk(to, role: true, text: "", finishReason: null);

    public void Delta(IBufferWriter<byte> to, string text) => Chunk(to, role: false, text, finishReason: null);

    public void Finish(IBufferWriter<byte> to, string finishReason) => Chunk(to, role: false, text: null, finishReason);

    /// <summary>The extra chunk of <c>stream_options.include_usage</c>: no choices.</summary>
    public void Usage(IBufferWriter<byte> to, TokenUsage usage)
    {
        to.Write("data: "u8);
        using (var json = new Utf8JsonWriter(to, Relaxed))
        {
            Head(json, "chat.completion.chunk"u8);
            json.WriteStartArray("choices"u8);
            json.WriteEndArray();
            Usage(json, usage);
            json.WriteEndObject();
        }

        to.Write("\n\n"u8);
    }

    public static void Done(IBufferWriter<byte> to) => to.Write("data: [DONE]\n\n"u8);

    /// <summary>A failure that has no status any more. Some clients raise at a frame with <c>error</c>; others pass that member over, and raise only at a <c>finish_reason</c> that they do not know.</summary>
    public void Error(IBufferWriter<byte> to, Problem problem)
    {
        var told = ProblemWriter.ToOpenAiJson(problem);
        to.Write("data: "u8);
        to.Write(told);
        to.Write("\n\n"u8);
        Chunk(to, role: false, text: null, finishReason: "error", JsonElement.Parse(told).GetProperty("error"));
    }

    /// <summary>The whole answer of a call without <c>stream</c>.</summary>
    public void Completion(IBufferWriter<byte> to, string text, string finishReason, TokenUsage usage)
    {
        using var json = new Utf8JsonWriter(to, Relaxed);
        Head(json, "chat.completion"u8);
        json.WriteStartArray("choices"u8);
        json.WriteStartObject();
        json.WriteNumber("index"u8, 0);
        json.WriteStartObject("message"u8);
        json.WriteString("role"u8, "assistant"u8);
        json.WriteString("content"u8, text);
        json.WriteNull("refusal"u8);
        json.WriteEndObject();
        json.WriteNull("logprobs"u8);
        json.WriteString("finish_reason"u8, finishReason);
        json.WriteEndObject();
        json.WriteEndArray();
        Usage(json, usage);
        json.WriteEndObject();
    }

    private void Chunk(IBufferWriter<byte> to, bool role, string? text, string? finishReason, JsonElement? error = null)
    {
        to.Write("data: "u8);
        using (var json = new Utf8JsonWriter(to, Relaxed))
        {
            Head(json, "chat.completion.chunk"u8);
            json.WriteStartArray("choices"u8);
            json.WriteStartObject();
            json.WriteNumber("index"u8, 0);
            json.WriteStartObject("delta"u8);
            if (role)
            {
                json.WriteString("role"u8, "assistant"u8);
            }

            if (text is not null)
            {
                json.WriteString("content"u8, text);
            }

            json.WriteEndObject();
            json.WriteNull("logprobs"u8);
            json.WriteString("finish_reason"u8, finishReason);
            json.WriteEndObject();
            json.WriteEndArray();
            if (includeUsage)
            {
                json.WriteNull("usage"u8);
            }

            if (error is { } told)
            {
                json.WritePropertyName("error"u8);
                told.WriteTo(json);
            }

            json.WriteEndObject();
        }

        to.Write("\n\n"u8);
    }

    private void Head(Utf8JsonWriter json, ReadOnlySpan<byte> kind)
    {
        json.WriteStartObject();
        json.WriteString("id"u8, _id);
        json.WriteString("object"u8, kind);
        json.WriteNumber("created"u8, created);
        json.WriteString("model"u8, model);
        json.WriteNull("system_fingerprint"u8);
    }

    private static void Usage(Utf8JsonWriter json, TokenUsage usage)
    {
        json.WriteStartObject("usage"u8);
        json.WriteNumber("prompt_tokens"u8, usage.InputTokens);
        json.WriteNumber("completion_tokens"u8, usage.OutputTokens);
        json.WriteNumber("total_tokens"u8, usage.InputTokens + usage.OutputTokens);
        json.WriteStartObject("prompt_tokens_details"u8);
        json.WriteNumber("cached_tokens"u8, usage.CachedTokens);
        json.WriteEndObject();
        json.WriteStartObject("completion_tokens_details"u8);
        json.WriteNumber("reasoning_tokens"u8, usage.ReasoningTokens);
        json.WriteEndObject();
        json.WriteEndObject();
    }
}
